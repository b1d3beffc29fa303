//! Robust straight lines: the Theil-Sen slope with Sen's confidence interval.

use crate::stats::{finite_prefix, mad_in_place, median};

/// A robust straight line through a series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Slope {
    /// The median pairwise slope, in units of `y` per unit of `x`.
    pub per_unit: f64,
    /// The fitted value at the last finite `x`, whether or not its `y` is present; its intercept is the median residual.
    pub at_end: f64,
    /// The scaled median absolute deviation of the residuals.
    pub resid_scale: f64,
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
/// skipped; fewer than three points, or all at one `x`, give `None`.
pub fn theil_sen(x: &[f64], y: &[f64], scratch: &mut Vec<f64>) -> Option<Slope> {
    let length = x.len().min(y.len());
    let last_x = x[..length].iter().copied().rfind(|x| x.is_finite())?;
    scratch.clear();
    for i in 0..length {
        if x[i].is_finite() && y[i].is_finite() {
            scratch.push(x[i]);
        }
    }
    let n = scratch.len();
    if n < 3 {
        return None;
    }
    for i in 0..length {
        if x[i].is_finite() && y[i].is_finite() {
            scratch.push(y[i]);
        }
    }
    scratch.resize(2 * n + n * (n - 1) / 2, 0.0);
    let (points, work) = scratch.split_at_mut(2 * n);
    let (xs, ys) = points.split_at(n);
    let (per_unit, slope_se) = pairwise(xs, ys, work)?;

    let residuals = &mut work[..n];
    for ((residual, x), y) in residuals.iter_mut().zip(xs).zip(ys) {
        *residual = y - per_unit * (x - last_x);
    }
    let at_end = median(residuals)?;
    let resid_scale = mad_in_place(residuals)?;
    Some(Slope { per_unit, at_end, resid_scale, slope_se, n })
}

/// Returns the median slope of all pairs and its standard error, with space for n(n-1)/2 slopes.
pub(crate) fn pairwise(xs: &[f64], ys: &[f64], space: &mut [f64]) -> Option<(f64, f64)> {
    let n = xs.len();
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
    slope_and_error(finite_prefix(slopes), n)
}

/// Returns the median of the pairwise slopes and Sen's standard error, reordering the slopes.
fn slope_and_error(slopes: &mut [f64], n: usize) -> Option<(f64, f64)> {
    let pairs = slopes.len();
    if pairs == 0 {
        return None;
    }
    let n = n as f64;
    let spread = SEN_Z * (n * (n - 1.0) * (2.0 * n + 5.0) / 18.0).sqrt();
    // Between the ranks that Sen includes and excludes, and the same from either end.
    let low_rank = (((pairs as f64 - spread - 1.0) / 2.0).max(0.0) as usize).min((pairs - 1) / 2);
    let high_rank = pairs - 1 - low_rank;

    let middle = pairs / 2;
    let (below, centre, above) = slopes.select_nth_unstable_by(middle, f64::total_cmp);
    let centre = *centre;
    let slope = if pairs % 2 == 1 {
        centre
    } else {
        f64::midpoint(below.iter().copied().fold(f64::NEG_INFINITY, f64::max), centre)
    };
    let low = if low_rank < below.len() { *below.select_nth_unstable_by(low_rank, f64::total_cmp).1 } else { centre };
    let high = match high_rank.checked_sub(middle + 1) {
        Some(rank) if rank < above.len() => *above.select_nth_unstable_by(rank, f64::total_cmp).1,
        _ => centre,
    };
    Some((slope, (high - low) / (2.0 * SEN_Z)))
}
