//! Mean-reverting series: whether one is, and how often it runs past a level.

use crate::stats::quantile;

/// Returns the variance ratio of increments over `k` samples to increments over one, times 1 / k.
///
/// Lo & `MacKinlay` (1988), "Stock market prices do not follow random walks", with overlapping increments and their
/// correction for bias: 1 for a random walk, above for a trend that feeds itself, towards 1 / k for a series that
/// always returns. Increments over missing values are skipped. `None` without at least two increments of `k` samples or
/// without variance.
pub fn variance_ratio(y: &[f64], k: usize, scratch: &mut Vec<f64>) -> Option<f64> {
    if k == 0 || y.len() <= k {
        return None;
    }
    scratch.clear();
    scratch.extend(y.windows(2).map(|w| w[1] - w[0]).filter(|d| d.is_finite()));
    let n = scratch.len() as f64;
    if n < 2.0 {
        return None;
    }
    let drift = scratch.iter().sum::<f64>() / n;
    let one = scratch.iter().map(|d| (d - drift).powi(2)).sum::<f64>() / (n - 1.0);
    let lag = k as f64;
    let (mut sum, mut count) = (0.0, 0.0);
    for (before, after) in y.iter().zip(&y[k..]) {
        let increment = after - before;
        if increment.is_finite() {
            sum += (increment - lag * drift).powi(2);
            count += 1.0;
        }
    }
    let freedom = lag * count * (1.0 - lag / n);
    (count >= 2.0 && one > 0.0 && freedom > 0.0).then(|| sum / freedom / one).filter(|ratio| ratio.is_finite())
}

/// Shape of Jeffreys' prior for a Poisson rate.
const JEFFREYS: f64 = 0.5;
/// Quantile above which peaks make the tail.
const TAIL: f64 = 0.9;
/// The heaviest tail that is believed; none lighter than an exponential is, since a finite end would promise safety.
const HEAVIEST: f64 = 0.4;

/// Returns for each of the `horizons` (hours) the probability that the signal is past `level` at some time within it, from
/// how it runs past it.
///
/// `toward` is +1 when growing is worse and -1 when falling is; NaN is skipped. A signal past the level now gives 1. When
/// runs past the level were seen, their rate has a gamma posterior under Jeffreys' prior, and the next count is negative
/// binomial. When none was, the peaks over the 90 % quantile are extrapolated by a generalised Pareto tail (Pickands
/// 1975; moments as in Hosking & Wallis 1987), their number a Poisson rate, and the result is capped by what seeing none
/// implies. Without a valid value, level, or horizon the result is NaN.
pub fn exceedances<const N: usize>(
    values: &[f64],
    level: f64,
    toward: f64,
    horizons: [f64; N],
    cells_per_hour: f64,
    scratch: &mut Vec<f64>,
) -> [f64; N] {
    let sign = if toward < 0.0 { -1.0 } else { 1.0 };
    scratch.clear();
    scratch.extend(values.iter().filter(|v| v.is_finite()).map(|v| sign * (v - level)));
    let Some(&now) = scratch.last() else { return [f64::NAN; N] };
    if !now.is_finite() || !cells_per_hour.is_finite() || cells_per_hour <= 0.0 {
        return [f64::NAN; N];
    }
    let valid = |hours: f64, p: f64| if hours >= 0.0 { p } else { f64::NAN };
    if now >= 0.0 {
        return horizons.map(|hours| valid(hours, 1.0));
    }
    let exposure = scratch.len() as f64 / cells_per_hour;
    let runs = upcrossings(scratch.iter().copied(), 0.0);
    let seen = |hours| at_least_one(JEFFREYS + runs as f64, exposure, hours);
    if runs > 0 {
        return horizons.map(|hours| valid(hours, seen(hours)));
    }
    let Some(threshold) = quantile(scratch, TAIL) else { return [f64::NAN; N] };
    // The quantile reordered the copy.
    let signal = values.iter().filter(|v| v.is_finite()).map(|v| sign * (v - level));
    let rate = tail_rate(signal, threshold) / exposure;
    horizons.map(|hours| valid(hours, (-(-rate * hours).exp_m1()).min(seen(hours))))
}

/// Returns the probability of an event within `hours` under a rate ~ Gamma(`shape`, `exposure`).
fn at_least_one(shape: f64, exposure: f64, hours: f64) -> f64 {
    -(-shape * (hours / exposure).ln_1p()).exp_m1()
}

/// Counts the runs at or past `level`, one that is under way at the start included.
fn upcrossings(values: impl Iterator<Item = f64>, level: f64) -> usize {
    let mut past = false;
    let mut runs = 0;
    for value in values {
        runs += usize::from(value >= level && !past);
        past = value >= level;
    }
    runs
}

/// Returns the expected number of runs whose peak, past `threshold` < 0, would have reached 0.
fn tail_rate(signal: impl Iterator<Item = f64>, threshold: f64) -> f64 {
    let (mut runs, mut sum, mut squares) = (0.0, 0.0, 0.0);
    let mut peak = 0.0_f64;
    for excess in signal.map(|v| v - threshold).chain([f64::NEG_INFINITY]) {
        if excess > 0.0 {
            peak = peak.max(excess);
        } else if peak > 0.0 {
            runs += 1.0;
            sum += peak;
            squares += peak * peak;
            peak = 0.0;
        }
    }
    if runs == 0.0 {
        return 0.0;
    }
    let mean: f64 = sum / runs;
    let variance = (squares / runs - mean * mean).max(0.0);
    let shape = if variance > 0.0 { (0.5 * (1.0 - mean * mean / variance)).clamp(0.0, HEAVIEST) } else { 0.0 };
    let scale = mean * (1.0 - shape);
    let reach = -threshold / scale;
    let survival = if shape > 1e-6 { (-(shape * reach).ln_1p() / shape).exp() } else { (-reach).exp() };
    (runs + JEFFREYS) * survival
}
