//! Order statistics by selection, and log-scale arithmetic that neither overflows nor cancels.

use std::cmp::Ordering;

/// Factor that makes the median absolute deviation estimate the standard deviation of a normal sample:
/// 1 / Phi^-1(3/4).
pub const MAD_TO_SD: f64 = 1.482_602_218_505_602;

/// Returns the median of the finite values, reordering `xs`; `None` when there are none.
pub fn median(xs: &mut [f64]) -> Option<f64> {
    median_of_finite(finite_prefix(xs))
}

/// Returns the `q` quantile of the finite values by linear interpolation, reordering `xs`.
///
/// Type 7 of Hyndman & Fan (1996), "Sample quantiles in statistical packages", as numpy and R default to. `q` is
/// clamped to [0, 1]; a NaN `q` gives `None`.
pub fn quantile(xs: &mut [f64], q: f64) -> Option<f64> {
    let xs = finite_prefix(xs);
    if xs.is_empty() || q.is_nan() {
        return None;
    }
    let position = q.clamp(0.0, 1.0) * (xs.len() - 1) as f64;
    let below = (position.floor() as usize).min(xs.len() - 1);
    let fraction = position - below as f64;
    let (_, low, above) = xs.select_nth_unstable_by(below, ascending);
    let low = *low;
    if fraction <= 0.0 {
        return Some(low);
    }
    let high = above.iter().copied().fold(f64::INFINITY, f64::min);
    if high.is_infinite() {
        return Some(low);
    }
    Some((low * (1.0 - fraction) + high * fraction).clamp(low, high))
}

/// Returns the median absolute deviation from the median, scaled to estimate a standard deviation.
///
/// Hampel (1974), "The influence curve and its role in robust estimation". Values that are not finite are skipped.
pub fn mad(xs: &[f64], scratch: &mut Vec<f64>) -> Option<f64> {
    scratch.clear();
    scratch.extend(xs.iter().copied().filter(|x| x.is_finite()));
    mad_in_place(scratch)
}

/// Returns the scaled median absolute deviation of `xs`, overwriting it with the absolute deviations.
pub(crate) fn mad_in_place(xs: &mut [f64]) -> Option<f64> {
    let centre = median(xs)?;
    mad_about(xs, centre)
}

/// Returns the scaled median absolute deviation from a `centre` that is known, overwriting the values.
pub(crate) fn mad_about(xs: &mut [f64], centre: f64) -> Option<f64> {
    for x in xs.iter_mut() {
        *x = (*x - centre).abs();
    }
    Some(MAD_TO_SD * median(xs)?)
}

/// Returns the median of five finite values by minima and maxima alone.
pub(crate) fn median_of_five([a, b, c, d, e]: [f64; 5]) -> f64 {
    let low = a.min(b).max(c.min(d));
    let high = a.max(b).min(c.max(d));
    let (low, high) = (low.min(high), low.max(high));
    e.clamp(low, high)
}

/// Orders values known not to be NaN: one comparison where the total order of all floats takes several steps.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "what sorting and selecting call")]
pub(crate) fn ascending(a: &f64, b: &f64) -> Ordering {
    if a < b {
        Ordering::Less
    } else if a > b {
        Ordering::Greater
    } else {
        Ordering::Equal
    }
}

/// Says whether all values are the same number: a status check that passes, a counter that never counts.
#[expect(clippy::float_cmp, reason = "the very same number is meant")]
pub(crate) fn is_constant(xs: &[f64]) -> bool {
    // Counting has no way out of the loop, and so takes several values at a time.
    xs.first().is_some_and(|first| xs.iter().filter(|x| *x != first).count() == 0)
}

/// Returns the median of values known to be finite.
fn median_of_finite(xs: &mut [f64]) -> Option<f64> {
    let n = xs.len();
    if n == 0 {
        return None;
    }
    let (below, middle, _) = xs.select_nth_unstable_by(n / 2, ascending);
    let upper = *middle;
    if n % 2 == 1 {
        return Some(upper);
    }
    let lower = below.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    Some(f64::midpoint(lower, upper))
}

/// Moves the finite values to the front and returns them.
pub(crate) fn finite_prefix(xs: &mut [f64]) -> &mut [f64] {
    // Counting has no way out of the loop, and so takes several values at a time.
    if xs.iter().filter(|x| !x.is_finite()).count() == 0 {
        return xs;
    }
    let mut kept = 0;
    for i in 0..xs.len() {
        if xs[i].is_finite() {
            xs.swap(kept, i);
            kept += 1;
        }
    }
    &mut xs[..kept]
}

/// Returns the log-odds ln(p / (1 - p)); 0 and 1 give minus and plus infinity, anything outside [0, 1] NaN.
pub fn logit(p: f64) -> f64 {
    p.ln() - (-p).ln_1p()
}

/// Returns the probability 1 / (1 + exp(-x)) of a log-odds, without overflow on either side.
pub fn expit(x: f64) -> f64 {
    if x >= 0.0 {
        1.0 / (1.0 + (-x).exp())
    } else {
        let e = x.exp();
        e / (1.0 + e)
    }
}

/// Returns ln(1 + exp(x)) without overflow.
pub fn log1pexp(x: f64) -> f64 {
    if x > 0.0 { x + (-x).exp().ln_1p() } else { x.exp().ln_1p() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(a: f64, b: f64) -> bool {
        (a - b).abs() <= 1e-12 * (1.0 + b.abs())
    }

    #[test]
    fn order_statistics_skip_what_is_not_finite() {
        assert_eq!(median(&mut []), None);
        assert_eq!(median(&mut [f64::NAN, f64::INFINITY]), None);
        assert_eq!(median(&mut [f64::NAN, 3.0, 1.0, f64::NEG_INFINITY]), Some(2.0));
        assert_eq!(median(&mut [5.0]), Some(5.0));
        assert_eq!(median(&mut [f64::MAX, f64::MAX]), Some(f64::MAX));
        assert_eq!(quantile(&mut [1.0, 2.0], f64::NAN), None);
    }

    /// `numpy.quantile([3, 1, 4, 1, 5, 9, 2, 6], [.1, .25, .5, .9, 1])` = 1.0, 1.75, 3.5, 6.9, 9.0.
    #[test]
    fn quantiles_are_numpys() {
        let xs = [3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0, 6.0];
        for (q, want) in [(0.1, 1.0), (0.25, 1.75), (0.5, 3.5), (0.9, 6.9), (1.0, 9.0), (7.0, 9.0), (-1.0, 1.0)] {
            let got = quantile(&mut xs.clone(), q).unwrap();
            assert!(near(got, want), "{q}: {got} != {want}");
        }
    }

    #[test]
    fn mad_is_scaled_and_ignores_one_outlier() {
        let mut scratch = Vec::new();
        let got = mad(&[1.0, 2.0, 3.0, 4.0, 1e9, f64::NAN], &mut scratch).unwrap();
        assert!(near(got, MAD_TO_SD), "{got}");
        assert_eq!(mad(&[f64::NAN], &mut scratch), None);
    }

    #[test]
    fn log_arithmetic_holds_at_the_extremes() {
        assert!(near(expit(logit(0.3)), 0.3));
        assert!(near(logit(1e-300), -690.775_527_898_213_7));
        assert!(expit(-1e4) >= 0.0 && near(expit(1e4), 1.0));
        assert!(logit(1.5).is_nan() && logit(0.0) < f64::MIN && logit(1.0) > f64::MAX);
        assert!(near(log1pexp(800.0), 800.0) && log1pexp(-800.0) >= 0.0);
    }
}
