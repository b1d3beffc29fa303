//! How good probabilities are: ranking, sharpness, calibration, and intervals for each.
//!
//! Everywhere `labels` say what happened and `scores` are probabilities, clipped to [0, 1]; `weights` may be empty, which
//! is 1 each. Pairs whose score is NaN, and what exceeds the shorter slice, are left out.

use crate::stats::{expit, logit, quantile};

/// The bins of the calibration error.
pub const CALIBRATION_BINS: usize = 20;

/// A threshold's precision and recall.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PrecisionRecall {
    /// Scores from here on are called positive.
    pub threshold: f64,
    /// The share of the called that are positive.
    pub precision: f64,
    /// The share of the positive that are called.
    pub recall: f64,
}

/// One bin of a reliability table.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ReliabilityBin {
    /// The least probability of the bin; the next bin's is its end.
    pub from: f64,
    /// The weight of the cases in it.
    pub weight: f64,
    /// The mean probability said.
    pub said: f64,
    /// The share that happened.
    pub happened: f64,
}

/// A straight line from the log-odds said to the log-odds that hold; 1 and 0 are perfect.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CalibrationLine {
    /// Below 1, the probabilities are too extreme.
    pub slope: f64,
    /// Below 0, they are too high.
    pub intercept: f64,
}

/// A percentile interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// Its lower end.
    pub lo: f64,
    /// The median of the replicates.
    pub median: f64,
    /// Its upper end.
    pub hi: f64,
    /// The replicates that had a value.
    pub replicates: usize,
}

/// Yields (label, clipped score, weight).
fn cases<'a>(
    labels: &'a [bool],
    scores: &'a [f64],
    weights: &'a [f64],
) -> impl Iterator<Item = (bool, f64, f64)> + Clone + 'a {
    let weight = |i: usize| weights.get(i).copied().unwrap_or(if weights.is_empty() { 1.0 } else { 0.0 });
    labels
        .iter()
        .zip(scores)
        .enumerate()
        .map(move |(i, (label, score))| (*label, score.clamp(0.0, 1.0), weight(i)))
        .filter(|(_, score, weight)| !score.is_nan() && *weight > 0.0)
}

/// Returns the precision and recall at each distinct score, from the highest down.
pub fn precision_recall(labels: &[bool], scores: &[f64], weights: &[f64]) -> Vec<PrecisionRecall> {
    let mut sorted: Vec<_> = cases(labels, scores, weights).collect();
    sorted.sort_unstable_by(|a, b| b.1.total_cmp(&a.1));
    let positives: f64 = sorted.iter().filter(|case| case.0).map(|case| case.2).sum();
    let (mut called, mut hits) = (0.0, 0.0);
    let mut curve = Vec::new();
    for tied in sorted.chunk_by(|a, b| a.1.total_cmp(&b.1).is_eq()) {
        called += tied.iter().map(|case| case.2).sum::<f64>();
        hits += tied.iter().filter(|case| case.0).map(|case| case.2).sum::<f64>();
        let recall = if positives > 0.0 { hits / positives } else { 0.0 };
        curve.push(PrecisionRecall { threshold: tied[0].1, precision: hits / called, recall });
    }
    curve
}

/// Returns the average precision: the sum over thresholds of precision times the gain in recall; 0 without positives.
///
/// Tied scores share one threshold; no interpolation, as scikit-learn's `average_precision_score`.
pub fn average_precision(labels: &[bool], scores: &[f64], weights: &[f64]) -> f64 {
    let mut before = 0.0;
    let mut area = 0.0;
    for point in precision_recall(labels, scores, weights) {
        area += (point.recall - before) * point.precision;
        before = point.recall;
    }
    area
}

/// Returns the mean squared difference between what was said and what happened; NaN without cases.
///
/// Brier (1950), "Verification of forecasts expressed in terms of probability".
pub fn brier(labels: &[bool], scores: &[f64], weights: &[f64]) -> f64 {
    let (sum, total) = cases(labels, scores, weights)
        .fold((0.0, 0.0), |(sum, total), (y, p, w)| (sum + w * (p - f64::from(u8::from(y))).powi(2), total + w));
    sum / total
}

/// Returns 1 less the Brier score over that of always saying the base rate; NaN when only one outcome occurs.
pub fn brier_skill(labels: &[bool], scores: &[f64], weights: &[f64]) -> f64 {
    let (hits, total) = cases(labels, scores, weights)
        .fold((0.0, 0.0), |(hits, total), (y, _, w)| (hits + if y { w } else { 0.0 }, total + w));
    let base: f64 = hits / total;
    let reference = base * (1.0 - base);
    if reference > 0.0 { 1.0 - brier(labels, scores, weights) / reference } else { f64::NAN }
}

/// Returns the filled bins of equal width with what was said and what happened.
pub fn reliability(labels: &[bool], scores: &[f64], weights: &[f64], bins: usize) -> Vec<ReliabilityBin> {
    let bins = bins.max(1);
    let mut table: Vec<_> = (0..bins)
        .map(|b| ReliabilityBin { from: b as f64 / bins as f64, weight: 0.0, said: 0.0, happened: 0.0 })
        .collect();
    for (happened, said, weight) in cases(labels, scores, weights) {
        let bin = &mut table[((said * bins as f64) as usize).min(bins - 1)];
        bin.weight += weight;
        bin.said += weight * said;
        bin.happened += if happened { weight } else { 0.0 };
    }
    table.retain(|bin| bin.weight > 0.0);
    for bin in &mut table {
        bin.said /= bin.weight;
        bin.happened /= bin.weight;
    }
    table
}

/// Returns the expected calibration error over 20 bins of equal width; NaN without cases.
///
/// Naeini, Cooper & Hauskrecht (2015), "Obtaining well calibrated probabilities using Bayesian binning".
pub fn calibration_error(labels: &[bool], scores: &[f64], weights: &[f64]) -> f64 {
    let table = reliability(labels, scores, weights, CALIBRATION_BINS);
    let total: f64 = table.iter().map(|bin| bin.weight).sum();
    table.iter().map(|bin| bin.weight * (bin.said - bin.happened).abs()).sum::<f64>() / total
}

/// Fits the calibration line; `None` without both outcomes or without different probabilities.
///
/// Cox (1958), "Two further applications of a model for binary regression": logistic regression of what happened on the
/// log-odds said, by Newton's method. Probabilities are kept a millionth from 0 and 1.
pub fn calibration_line(labels: &[bool], scores: &[f64], weights: &[f64]) -> Option<CalibrationLine> {
    let data: Vec<_> = cases(labels, scores, weights)
        .map(|(y, p, w)| (f64::from(u8::from(y)), logit(p.clamp(1e-6, 1.0 - 1e-6)), w))
        .collect();
    let (mut slope, mut intercept) = (1.0, 0.0);
    for _ in 0..100 {
        let (mut gs, mut gi, mut ss, mut si, mut ii) = (0.0, 0.0, 0.0, 0.0, 0.0);
        for &(y, x, w) in &data {
            let p = expit(slope * x + intercept);
            let (residual, curvature) = (w * (y - p), w * p * (1.0 - p));
            gs += residual * x;
            gi += residual;
            ss += curvature * x * x;
            si += curvature * x;
            ii += curvature;
        }
        let determinant = ss * ii - si * si;
        if determinant.is_nan() || determinant <= 1e-12 * ss * ii {
            return None;
        }
        let ds = (ii * gs - si * gi) / determinant;
        let di = (ss * gi - si * gs) / determinant;
        // A bounded step keeps separable data from running away before it is told.
        let bound = (4.0 / (ds.abs() + di.abs()).max(4.0)).min(1.0);
        slope += bound * ds;
        intercept += bound * di;
        if !slope.is_finite() || slope.abs() > 1e4 {
            return None;
        }
        if ds.abs() + di.abs() < 1e-10 * (1.0 + slope.abs() + intercept.abs()) {
            return Some(CalibrationLine { slope, intercept });
        }
    }
    None
}

/// Draws as many clusters as there are, with replacement: fills in how often each was drawn.
///
/// `rng` must yield uniform 64-bit numbers. Clusters are the units, as in Davison & Hinkley (1997), "Bootstrap methods and
/// their application", section 3.8.
pub fn draw_clusters(drawn: &mut [u32], rng: &mut dyn FnMut() -> u64) {
    drawn.fill(0);
    for _ in 0..drawn.len() {
        // Lemire (2019): the high half of a product is uniform up to a bias of n / 2^64.
        let pick = ((u128::from(rng()) * drawn.len() as u128) >> 64) as usize;
        drawn[pick] += 1;
    }
}

/// Returns the 95 % percentile interval of replicates; those that are not finite are left out. `None` without any that is.
///
/// Efron (1979), "Bootstrap methods: another look at the jackknife".
pub fn percentile_interval(replicates: &mut Vec<f64>) -> Option<Interval> {
    replicates.retain(|v| v.is_finite());
    Some(Interval {
        lo: quantile(replicates, 0.025)?,
        median: quantile(replicates, 0.5)?,
        hi: quantile(replicates, 0.975)?,
        replicates: replicates.len(),
    })
}
