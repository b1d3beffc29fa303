//! Robust straight lines: the Theil-Sen slope with Sen's confidence interval.

use crate::stats::{ascending, finite_prefix, is_constant};

/// A robust straight line through a series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Slope {
    /// The median pairwise slope, in units of `y` per unit of `x`.
    pub per_unit: f64,
    /// The standard error of the slope, for independent residuals.
    pub slope_se: f64,
    /// The number of points used.
    pub n: usize,
}

/// Normal quantile of the 90 % interval from which the standard error is read: wide enough to be smooth on few points.
const SEN_Z: f64 = 1.644_853_626_951_472_2;

/// Fits a line by the median of the slopes of all pairs of points.
///
/// Theil (1950), "A rank-invariant method of linear and polynomial regression analysis"; Sen (1968), "Estimates of the
/// regression coefficient based on Kendall's tau", whose interval between the order statistics (N ± z sqrt(Var S)) / 2 of
/// the N pairwise slopes, Var S = n(n-1)(2n+5)/18, gives the standard error. Points whose `x` or `y` is not finite are
/// skipped; fewer than three points, or all at one `x`, give `None`. `scratch` is never cleared: kept for this alone, it is filled once.
pub fn theil_sen(x: &[f64], y: &[f64], scratch: &mut Vec<f64>) -> Option<Slope> {
    let finite = |(x, y): &(&f64, &f64)| x.is_finite() && y.is_finite();
    let n = x.iter().zip(y).filter(finite).count();
    if n < 3 {
        return None;
    }
    let pairs = n * (n - 1) / 2;
    if scratch.len() < 2 * n + 2 * pairs {
        scratch.resize(2 * n + 2 * pairs, 0.0);
    }
    let (xs, rest) = scratch.split_at_mut(n);
    let (ys, work) = rest.split_at_mut(n);
    for (i, (x, y)) in x.iter().zip(y).filter(finite).enumerate() {
        (xs[i], ys[i]) = (*x, *y);
    }
    let (space, spare) = work.split_at_mut(pairs);
    let (per_unit, slope_se) = pairwise(xs, ys, space, spare)?;
    Some(Slope { per_unit, slope_se, n })
}

/// Returns the median slope of all pairs and its standard error, with space for n(n-1)/2 slopes.
pub(crate) fn pairwise(xs: &[f64], ys: &[f64], space: &mut [f64], spare: &mut [f64]) -> Option<(f64, f64)> {
    let n = xs.len();
    if n > 1 && xs[0] < xs[n - 1] && is_constant(ys) {
        return Some((0.0, 0.0));
    }
    let pairs = n * n.saturating_sub(1) / 2;
    let slopes = space.get_mut(..pairs)?;
    let mut rest = &mut *slopes;
    for i in 0..n.saturating_sub(1) {
        let (row, tail) = rest.split_at_mut(n - 1 - i);
        let (x0, y0) = (xs[i], ys[i]);
        for ((slope, x1), y1) in row.iter_mut().zip(&xs[i + 1..]).zip(&ys[i + 1..]) {
            *slope = (y1 - y0) / (x1 - x0);
        }
        rest = tail;
    }
    slope_and_error(finite_prefix(slopes), spare, n)
}

/// Returns the median of the pairwise slopes and Sen's standard error, reordering the slopes; `spare` has their length.
fn slope_and_error(slopes: &mut [f64], spare: &mut [f64], n: usize) -> Option<(f64, f64)> {
    let pairs = slopes.len();
    if pairs == 0 {
        return None;
    }
    let n = n as f64;
    let spread = SEN_Z * (n * (n - 1.0) * (2.0 * n + 5.0) / 18.0).sqrt();
    // Between the ranks that Sen includes and excludes, and the same from either end.
    let low_rank = (((pairs as f64 - spread - 1.0) / 2.0).max(0.0) as usize).min((pairs - 1) / 2);
    let high_rank = pairs - 1 - low_rank;
    let lower_middle = (pairs - 1) / 2;
    let (ranked, skipped) = match between(slopes, spare, low_rank, high_rank) {
        Some((kept, below)) => (&mut spare[..kept], below),
        None => (slopes, 0),
    };

    let (below, centre, above) = ranked.select_nth_unstable_by(lower_middle - skipped, ascending);
    let centre = *centre;
    let slope = if pairs % 2 == 1 {
        centre
    } else {
        f64::midpoint(centre, above.iter().copied().fold(f64::INFINITY, f64::min))
    };
    let low = match low_rank - skipped {
        rank if rank < below.len() => *below.select_nth_unstable_by(rank, ascending).1,
        _ => centre,
    };
    let high = match high_rank.checked_sub(lower_middle + 1) {
        Some(rank) if rank < above.len() => *above.select_nth_unstable_by(rank, ascending).1,
        _ => centre,
    };
    Some((slope, (high - low) / (2.0 * SEN_Z)))
}

/// Values that stand for all when the wanted ranks are narrowed down.
const SAMPLE: usize = 32;
/// Ranks of the sample by which the bounds are widened: two standard errors of a quantile near the middle.
const MARGIN: usize = 6;

/// Copies to `kept` the values between two bounds that hold the ranks from `low` to `high`; gives their number and how many
/// lie below.
///
/// The bounds are order statistics of an even sample, as in Floyd & Rivest (1975), "Expected time bounds for selection". None
/// when that is not worth the while, or when the bounds turn out not to hold the ranks.
fn between(values: &[f64], kept: &mut [f64], low: usize, high: usize) -> Option<(usize, usize)> {
    let n = values.len();
    if n < 8 * SAMPLE || kept.len() < n {
        return None;
    }
    let mut sample = [0.0; SAMPLE];
    for (i, slot) in sample.iter_mut().enumerate() {
        *slot = values[(2 * i + 1) * n / (2 * SAMPLE)];
    }
    sample.sort_unstable_by(ascending);
    let from = (low * SAMPLE / n).saturating_sub(MARGIN);
    let to = high * SAMPLE / n + MARGIN;
    let (from, to) = (sample[from], *sample.get(to)?);
    let (mut count, mut below) = (0, 0);
    for &value in values {
        kept[count] = value;
        count += usize::from(value >= from) & usize::from(value <= to);
        below += usize::from(value < from);
    }
    (below <= low && high < below + count).then_some((count, below))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reproducible values of several shapes: even, heavy-tailed, tied, sorted, and one that an even sample misjudges.
    fn shapes(n: usize) -> Vec<Vec<f64>> {
        let mut state = 3_u64;
        let uniform: Vec<f64> = (0..n)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (state >> 11) as f64 / (1_u64 << 53) as f64 - 0.5
            })
            .collect();
        let wild = uniform.iter().map(|u| 1.0 / u).collect();
        let tied = uniform.iter().map(|u| (4.0 * u).round()).collect();
        let sorted = (0..n).map(|i| i as f64).collect();
        let stride = (0..n).map(|i| if i % (n / SAMPLE) < 2 { 1e9 } else { uniform[i] }).collect();
        vec![uniform, wild, tied, sorted, stride, vec![1.0; n]]
    }

    #[test]
    fn narrowing_the_ranks_changes_no_bit() {
        for points in [24, 48, 56] {
            let pairs = points * (points - 1) / 2;
            for (shape, values) in shapes(pairs).into_iter().enumerate() {
                let narrowed = slope_and_error(&mut values.clone(), &mut vec![0.0; pairs], points);
                let whole = slope_and_error(&mut values.clone(), &mut [], points);
                assert_eq!(narrowed, whole, "{points} points, shape {shape}");
            }
        }
    }

    #[test]
    fn bounds_that_miss_the_ranks_are_given_up() {
        let values: Vec<f64> = (0..1540).map(|i| if i % 48 == 24 { 1e9 } else { f64::from(i) }).collect();
        assert_eq!(between(&values, &mut [0.0; 1540], 600, 900), None);
        assert_eq!(between(&values, &mut [], 600, 900), None);
    }
}
