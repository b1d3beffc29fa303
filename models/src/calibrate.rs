//! Calibration: strictly increasing maps from a score in log-odds to log-odds that hold.

use crate::logistic::{Design, Ridge, fit_non_negative};
use crate::stats::{expit, log1pexp, logit};
use serde::{Deserialize, Serialize};

/// The least slope of a calibration: evidence always counts, if ever so little.
pub const LEAST_SLOPE: f64 = 1e-3;

/// A strictly increasing, piecewise linear map on log-odds.
///
/// Beyond its first and last knot it goes on with the slope it has there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Vec<(f64, f64)>", into = "Vec<(f64, f64)>")]
pub struct Calibration {
    knots: Vec<(f64, f64)>,
}

/// Says what is wrong with the knots of a calibration.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum CalibrationError {
    /// One knot is a point, not a map.
    #[error("a calibration needs at least two knots, got {0}: give pairs [score, log-odds]")]
    TooFewKnots(usize),
    /// A coordinate is NaN or infinite.
    #[error("knot {index} of the calibration is not finite: give finite numbers")]
    NotFinite {
        /// Position of the knot, from 0.
        index: usize,
    },
    /// A knot does not lie above and to the right of the one before it.
    #[error(
        "knot {index} of the calibration does not rise above the one before it by a slope of at least {LEAST_SLOPE}: \
         sort the knots by score and let the log-odds grow with it"
    )]
    NotIncreasing {
        /// Position of the knot, from 0.
        index: usize,
    },
}

impl Calibration {
    /// Makes a calibration through the given (score, log-odds) pairs.
    pub fn new(knots: Vec<(f64, f64)>) -> Result<Self, CalibrationError> {
        if knots.len() < 2 {
            return Err(CalibrationError::TooFewKnots(knots.len()));
        }
        if let Some(index) = knots.iter().position(|(x, y)| !x.is_finite() || !y.is_finite()) {
            return Err(CalibrationError::NotFinite { index });
        }
        // A slope written with fewer digits than it was computed with still passes.
        let rises = |w: &[(f64, f64)]| w[1].0 > w[0].0 && slope(w[0], w[1]) >= LEAST_SLOPE * (1.0 - 1e-6);
        if let Some(before) = knots.windows(2).position(|w| !rises(w)) {
            return Err(CalibrationError::NotIncreasing { index: before + 1 });
        }
        Ok(Self { knots })
    }

    /// Returns the map that changes nothing.
    pub fn identity() -> Self {
        Self { knots: vec![(0.0, 0.0), (1.0, 1.0)] }
    }

    /// Gives the map that gives so much less.
    fn lowered(self, by: f64) -> Self {
        Self { knots: self.knots.into_iter().map(|(x, y)| (x, y - by)).collect() }
    }

    /// Returns the (score, log-odds) pairs.
    pub fn knots(&self) -> &[(f64, f64)] {
        &self.knots
    }

    /// Returns the calibrated log-odds of a score; NaN for NaN.
    pub fn apply(&self, score: f64) -> f64 {
        let right = self.knots.partition_point(|(x, _)| *x < score).clamp(1, self.knots.len() - 1);
        let (from, to) = (self.knots[right - 1], self.knots[right]);
        // From the nearer end, so that a knot maps to itself, the pieces meet exactly, and rounding never makes a value short of a
        // knot greater than the knot's own.
        if score - from.0 < to.0 - score {
            from.1 + slope(from, to) * (score - from.0)
        } else {
            to.1 - slope(from, to) * (to.0 - score)
        }
    }
}

/// Returns the slope between two knots.
fn slope(from: (f64, f64), to: (f64, f64)) -> f64 {
    (to.1 - from.1) / (to.0 - from.0)
}

impl TryFrom<Vec<(f64, f64)>> for Calibration {
    type Error = CalibrationError;

    fn try_from(knots: Vec<(f64, f64)>) -> Result<Self, CalibrationError> {
        Self::new(knots)
    }
}

impl From<Calibration> for Vec<(f64, f64)> {
    fn from(calibration: Calibration) -> Self {
        calibration.knots
    }
}

/// The indices of the cases that count: finite, and with a weight.
fn counted(scores: &[f64], labels: &[bool], weights: &[f64]) -> impl Iterator<Item = usize> + Clone {
    let counts = |i: &usize| {
        let weight = weight(weights, *i);
        scores[*i].is_finite() && weight.is_finite() && weight > 0.0
    };
    (0..scores.len().min(labels.len())).filter(counts)
}

fn weight(weights: &[f64], i: usize) -> f64 {
    weights.get(i).copied().unwrap_or(if weights.is_empty() { 1.0 } else { 0.0 })
}

/// A scored case: its score, whether it happened, and its weight.
fn cases<'a>(
    scores: &'a [f64],
    labels: &'a [bool],
    weights: &'a [f64],
) -> impl Iterator<Item = (f64, bool, f64)> + Clone + 'a {
    counted(scores, labels, weights).map(move |i| (scores[i], labels[i], weight(weights, i)))
}

/// Fits a straight line in log-odds to scores.
///
/// Platt (1999), "Probabilistic outputs for support vector machines", with its smoothed targets (N+ + 1) / (N+ + 2) and
/// 1 / (N- + 2), by Newton's method with step halving as in Lin, Lin & Weng (2007), "A note on Platt's probabilistic
/// outputs". The slope is held at [`LEAST_SLOPE`] when the data would have it lower. Empty `weights` mean 1 each; cases
/// that are not finite or weigh nothing are skipped; without any case the identity is returned.
pub fn platt(scores: &[f64], labels: &[bool], weights: &[f64]) -> Calibration {
    let (mut yes, mut no, mut mean) = (0.0, 0.0, 0.0);
    for (score, label, weight) in cases(scores, labels, weights) {
        if label {
            yes += weight;
        } else {
            no += weight;
        }
        mean += weight * score;
    }
    let total: f64 = yes + no;
    if total <= 0.0 {
        return Calibration::identity();
    }
    mean /= total;
    let targets = [1.0 / (no + 2.0), (yes + 1.0) / (yes + 2.0)];
    let data = || cases(scores, labels, weights).map(|(s, l, w)| (s - mean, targets[usize::from(l)], w));
    let base = logit((yes + 1.0) / (total + 2.0));
    let (mut slope, mut intercept) = newton_line(&data, None, base);
    if slope.is_nan() || slope <= LEAST_SLOPE {
        (slope, intercept) = newton_line(&data, Some(LEAST_SLOPE), base);
    }
    let at = |score: f64| (score, intercept.clamp(-1e6, 1e6) + slope * (score - mean));
    Calibration::new(vec![at(mean - 1.0), at(mean + 1.0)]).unwrap_or_else(|_| Calibration::identity())
}

/// Minimises the logistic loss over a slope, unless it is fixed, and an intercept.
fn newton_line<I: Iterator<Item = (f64, f64, f64)>>(
    data: &impl Fn() -> I,
    fixed: Option<f64>,
    base: f64,
) -> (f64, f64) {
    let loss = |a: f64, b: f64| data().map(|(s, t, w)| w * (log1pexp(a * s + b) - t * (a * s + b))).sum::<f64>();
    let (mut a, mut b) = (fixed.unwrap_or(0.0), base);
    let mut current = loss(a, b);
    for _ in 0..100 {
        let (mut ga, mut gb, mut haa, mut hab, mut hbb) = (0.0, 0.0, 1e-12, 0.0, 1e-12);
        for (s, t, w) in data() {
            let p = expit(a * s + b);
            let (residual, curvature) = (w * (p - t), w * p * (1.0 - p));
            ga += residual * s;
            gb += residual;
            haa += curvature * s * s;
            hab += curvature * s;
            hbb += curvature;
        }
        let determinant = haa * hbb - hab * hab;
        let (da, db) = if fixed.is_some() || determinant <= 0.0 {
            (0.0, -gb / hbb)
        } else {
            (-(hbb * ga - hab * gb) / determinant, -(haa * gb - hab * ga) / determinant)
        };
        let mut step = 1.0;
        while step > 1e-10 {
            let next = loss(a + step * da, b + step * db);
            if next <= current {
                break;
            }
            step *= 0.5;
        }
        if step <= 1e-10 || !(da.is_finite() && db.is_finite()) {
            break;
        }
        (a, b) = (a + step * da, b + step * db);
        current = loss(a, b);
        if step * (da.abs() + db.abs()) < 1e-12 * (1.0 + a.abs() + b.abs()) {
            break;
        }
    }
    (a, b)
}

/// Fits a linear spline in log-odds with up to `most` knots, each as likely to lie below a case that happened as the next.
///
/// Where a straight line must choose between the many cases that are nearly sure not to happen and the few that are nearly
/// sure to, a spline bends: Lucena (2018), "Spline-based probability calibration", here linear and, by non-negative
/// weights on its pieces, never falling. Other arguments as in [`platt`]; with fewer than two different knots the fit is Platt's.
///
/// `offset` holds the log-odds that each case has whatever its score, such as the rate of where it comes from, and the map gives what
/// the score adds to them; an empty one means 0 each.
pub fn spline(scores: &[f64], labels: &[bool], weights: &[f64], offset: &[f64], most: usize) -> Calibration {
    let used: Vec<_> = cases(scores, labels, weights).collect();
    let offsets: Vec<f64> = counted(scores, labels, weights).map(|i| offset.get(i).copied().unwrap_or(0.0)).collect();
    let straight = || {
        let total: f64 = used.iter().map(|(.., weight)| weight).sum();
        let sum: f64 = used.iter().zip(&offsets).map(|((.., weight), offset)| weight * offset).sum();
        platt(scores, labels, weights).lowered(if total > 0.0 { sum / total } else { 0.0 })
    };
    let knots = knots(&used, most);
    if knots.len() < 2 {
        return straight();
    }
    let mut design = Design::new(knots.len() + 1);
    for (score, ..) in &used {
        let pieces = (0..=knots.len()).map(|piece| (piece, length_in(*score, &knots, piece) as f32));
        if design.push_row(pieces).is_err() {
            return straight();
        }
    }
    let labels: Vec<bool> = used.iter().map(|(_, label, _)| *label).collect();
    let weights: Vec<f64> = used.iter().map(|(.., weight)| *weight).collect();
    let Ok(fitted) = fit_non_negative(&design, &labels, &weights, &offsets, Ridge::to_zero(SPLINE_RIDGE), SPLINE_STEPS)
    else {
        return straight();
    };
    // Twice the least slope, so that rounding cannot fall below it.
    let slopes: Vec<f64> = fitted.coefficients.iter().map(|slope| slope.max(2.0 * LEAST_SLOPE)).collect();
    let mut points = vec![(knots[0] - 1.0, fitted.intercept - slopes[0]), (knots[0], fitted.intercept)];
    for (k, pair) in knots.windows(2).enumerate() {
        let (_, before) = points[points.len() - 1];
        points.push((pair[1], slopes[k + 1].mul_add(pair[1] - pair[0], before)));
    }
    let (last, level) = points[points.len() - 1];
    points.push((last + 1.0, level + slopes[knots.len()]));
    Calibration::new(points).unwrap_or_else(|_| straight())
}

/// Penalty on the slopes of a spline: what a hundredth of a case that happened weighs against.
const SPLINE_RIDGE: f64 = 0.01;
const SPLINE_STEPS: usize = 60;
/// The least distance of two knots.
const LEAST_PIECE: f64 = 0.25;

/// Places up to `most` knots at even quantiles of the cases that happened.
fn knots(used: &[(f64, bool, f64)], most: usize) -> Vec<f64> {
    let mut hits: Vec<(f64, f64)> =
        used.iter().filter(|(_, label, _)| *label).map(|(score, _, w)| (*score, *w)).collect();
    hits.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let total: f64 = hits.iter().map(|(_, w)| w).sum();
    let mut knots: Vec<f64> = Vec::with_capacity(most);
    let mut below = 0.0;
    for (score, weight) in hits {
        below += weight;
        let due = (knots.len() as f64 + 0.5) / most as f64;
        if knots.len() < most && below >= due * total && knots.last().is_none_or(|last| score - last >= LEAST_PIECE) {
            knots.push(score);
        }
    }
    knots
}

/// How far a score reaches into a piece: the first ends at the first knot and counts from it, the last has no end.
fn length_in(score: f64, knots: &[f64], piece: usize) -> f64 {
    match piece.checked_sub(1) {
        None => (score - knots[0]).min(0.0),
        Some(from) => {
            let end = knots.get(piece).copied().unwrap_or(f64::INFINITY);
            (score.min(end) - knots[from]).max(0.0)
        }
    }
}
