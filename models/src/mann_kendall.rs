//! The Mann-Kendall trend test, corrected for ties and for autocorrelation.

use crate::stats::{ascending, is_constant, median};

/// The outcome of a trend test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Trend {
    /// The standard normal score of the trend; positive when the series rises.
    pub z: f64,
    /// Kendall's score: the pairs that rise less the pairs that fall.
    pub s: f64,
    /// How much autocorrelation inflates the variance of `s`; at least 1.
    pub variance_factor: f64,
}

/// Bound on a lag's autocorrelation beyond which it counts, times sqrt(n): the 95 % normal quantile.
const SIGNIFICANT: f64 = 1.959_963_984_540_054;

/// Tests an equally spaced series for a monotone trend.
///
/// Mann (1945), "Nonparametric tests against trend"; Kendall (1975), "Rank Correlation Methods", for the variance with
/// ties; Hamed & Rao (1998), "A modified Mann-Kendall trend test for autocorrelated data", for the variance factor from
/// the significant autocorrelations of the ranks of the detrended series. The lags end before the first that is not
/// significantly positive, the initial sequence of Geyer (1992), "Practical Markov chain Monte Carlo": with all lags, as
/// in the paper, the negative bias of distant autocorrelations cancels the near ones, and at n = 56 an AR(1) series with
/// coefficient 0.8 passes a 1 % test in 18 % of cases rather than 11 %. The factor is never below 1. NaN is skipped; fewer than four points give `None`.
pub fn mann_kendall(y: &[f64], scratch: &mut Vec<f64>) -> Option<Trend> {
    scratch.clear();
    for (i, value) in y.iter().enumerate() {
        if value.is_finite() {
            for (gap, later) in (1..).zip(&y[i + 1..]) {
                let slope = (later - value) / f64::from(gap);
                if slope.is_finite() {
                    scratch.push(slope);
                }
            }
        }
    }
    let slope = median(scratch)?;
    mann_kendall_detrended(y, slope, scratch)
}

/// Tests for a trend as [`mann_kendall`] does, with the Sen slope per sample already known.
pub fn mann_kendall_detrended(y: &[f64], slope: f64, scratch: &mut Vec<f64>) -> Option<Trend> {
    if !slope.is_finite() {
        return None;
    }
    scratch.clear();
    scratch.extend(y.iter().copied().filter(|v| v.is_finite()));
    let n = scratch.len();
    if n < 4 {
        return None;
    }
    scratch.resize(4 * n, 0.0);
    let (values, rest) = scratch.split_at_mut(n);
    let (detrended, rest) = rest.split_at_mut(n);
    let (ranks, sorted) = rest.split_at_mut(n);

    if is_constant(values) {
        return Some(Trend { z: 0.0, s: 0.0, variance_factor: 1.0 });
    }
    let (s, ties) = kendall_score(values);
    let variance = if ties == 0 { pairs_variance(n as f64) } else { tied_variance(values, sorted) };
    let mut filled = 0;
    for (i, value) in y.iter().enumerate() {
        if value.is_finite() {
            detrended[filled] = value - slope * i as f64;
            filled += 1;
        }
    }
    rank(detrended, sorted, ranks);
    let variance_factor = hamed_rao_factor(ranks).max(1.0);
    let deviation = (variance * variance_factor).sqrt();
    let z = if deviation > 0.0 { (s - sign(s)) / deviation } else { 0.0 };
    Some(Trend { z, s, variance_factor })
}

/// Returns -1, 0 or 1.
fn sign(x: f64) -> f64 {
    f64::from(i8::from(x > 0.0) - i8::from(x < 0.0))
}

/// Counts the pairs that rise less those that fall, and those that do neither.
fn kendall_score(values: &[f64]) -> (f64, i64) {
    let (mut rising, mut falling) = (0_i64, 0_i64);
    for (i, &value) in values.iter().enumerate() {
        let later = &values[i + 1..];
        rising += later.iter().map(|v| i64::from(*v > value)).sum::<i64>();
        falling += later.iter().map(|v| i64::from(*v < value)).sum::<i64>();
    }
    let n = values.len() as i64;
    ((rising - falling) as f64, n * (n - 1) / 2 - rising - falling)
}

/// Returns 18 times the variance that n values without ties give Kendall's score under no trend.
fn pairs_term(n: f64) -> f64 {
    n * (n - 1.0) * (2.0 * n + 5.0)
}

/// Returns the variance of Kendall's score under no trend, without ties.
fn pairs_variance(n: f64) -> f64 {
    pairs_term(n) / 18.0
}

/// Returns the same with tied groups, using `sorted` as space.
fn tied_variance(values: &[f64], sorted: &mut [f64]) -> f64 {
    sorted.copy_from_slice(values);
    sorted.sort_unstable_by(ascending);
    let groups = sorted.chunk_by(|a, b| a >= b).filter(|group| group.len() > 1);
    let ties: f64 = groups.map(|group| pairs_term(group.len() as f64)).sum();
    (pairs_term(values.len() as f64) - ties) / 18.0
}

/// Writes the average rank of each value, using `sorted` as space.
fn rank(values: &[f64], sorted: &mut [f64], ranks: &mut [f64]) {
    sorted.copy_from_slice(values);
    sorted.sort_unstable_by(ascending);
    for (rank, value) in ranks.iter_mut().zip(values) {
        let below = sorted.partition_point(|v| v < value);
        let through = below + sorted[below..].iter().take_while(|v| *v <= value).count();
        *rank = (below + through + 1) as f64 / 2.0;
    }
}

/// Returns the ratio n / n\* of Hamed & Rao (1998), equation 10, over the initial lags whose autocorrelation is significantly positive.
fn hamed_rao_factor(ranks: &mut [f64]) -> f64 {
    let n = ranks.len() as f64;
    let mean = ranks.iter().sum::<f64>() / n;
    for rank in ranks.iter_mut() {
        *rank -= mean;
    }
    let power: f64 = ranks.iter().map(|r| r * r).sum();
    if power <= 0.0 {
        return 1.0;
    }
    let bound = SIGNIFICANT / n.sqrt();
    let mut sum = 0.0;
    for lag in 1..ranks.len() {
        let covariance: f64 = ranks.iter().zip(&ranks[lag..]).map(|(a, b)| a * b).sum();
        let correlation = covariance / power;
        if correlation <= bound {
            break;
        }
        let left = n - lag as f64;
        sum += left * (left - 1.0) * (left - 2.0) * correlation;
    }
    1.0 + 2.0 * sum / (n * (n - 1.0) * (n - 2.0))
}
