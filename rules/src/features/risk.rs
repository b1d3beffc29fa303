//! Risk: the probability that a series reaches its critical level, or passes all that it is used to, within each horizon.

use super::shape::{Shape, seasonal};
use super::{Feature, Levels, Row, Scratch, SignalFeatures, View, get, set};
use crate::grid::{CELLS_PER_HOUR, HOURS, Hour};
use forewarn_models::diffusion::diffusion;
use forewarn_models::exceed::{exceedances, variance_ratio};
use forewarn_models::passage::{Passage as FirstPassage, first_passage, passage_probabilities};
use forewarn_models::slope::Slope;

const DAY: usize = 24;
/// A steeper recent slope replaces the slower one when it differs by this many standard errors.
const SCALE_CHANGE_SE: f64 = 3.0;
/// Below this ratio of variances a series is taken to return to its level (a random walk has 1).
const REVERTING_RATIO: f64 = 0.35;
/// Beyond this Mann-Kendall z a series is trending whatever its variance ratio says.
const TRENDING_Z: f64 = 2.5;

/// The probabilities of reaching the critical level, by horizon.
const CROSSING: [Feature; 3] = [Feature::Q24, Feature::Q72, Feature::Q168];
/// Those of passing what is dangerous for the instance.
const BEYOND: [Feature; 3] = [Feature::X24, Feature::X72, Feature::X168];

pub(super) fn fill(
    row: &mut Row,
    view: &View<'_>,
    worse: f64,
    levels: &Levels,
    (shape, wanted): (&Shape, SignalFeatures),
    scratch: &mut Scratch,
) {
    let now = worse * get(row, Feature::Now);
    if now.is_nan() {
        return;
    }
    let critical = worse * levels.critical;
    let state = State {
        now: at_daily_peak(now, shape, view),
        drift: drift(shape),
        sigma: noise(shape, scratch),
        reverting: get(row, Feature::Trend).abs() < TRENDING_Z && reverting(scratch),
    };
    if state.reverting {
        scratch.y.clear();
        scratch.y.extend(view.hours.iter().map(|h| if worse > 0.0 { h.max } else { -h.min }));
    }
    let crossing = state.passage_to(critical, shape);
    if wanted.has_any(&CROSSING) {
        fill_probabilities(row, CROSSING, crossing.probabilities(critical, scratch));
    }
    if let Passage::Drifting { gap, drift, drift_se, sigma } = crossing {
        let FirstPassage { eta, lo, hi, .. } = first_passage(gap, drift, drift_se, sigma);
        set(row, Feature::EtaHours, eta.unwrap_or(f64::NAN));
        set(row, Feature::EtaLo, lo.unwrap_or(f64::NAN));
        set(row, Feature::EtaHi, hi.unwrap_or(f64::NAN));
    }
    let danger = danger(critical, levels.exhausted.map(|end| worse * end), view.hours, worse);
    fill_probabilities(row, BEYOND, state.passage_to(danger, shape).probabilities(danger, scratch));
}

fn fill_probabilities(row: &mut Row, features: [Feature; 3], probabilities: [f64; 3]) {
    for (feature, p) in features.into_iter().zip(probabilities) {
        set(row, feature, p);
    }
}

/// Where a series stands and how it moves; values are turned so that greater is worse.
struct State {
    now: f64,
    /// The drift per hour and its standard error.
    drift: (f64, f64),
    sigma: f64,
    reverting: bool,
}

/// How a series comes to reach a level.
enum Passage {
    /// It drifts there: the arguments of a first passage.
    Drifting { gap: f64, drift: f64, drift_se: f64, sigma: f64 },
    /// It returns to its own level, and the rate of its excursions decides.
    Excursions,
}

impl State {
    fn passage_to(&self, level: f64, shape: &Shape) -> Passage {
        if let Some(tooth) = &shape.tooth
            && self.now <= 2.0_f64.mul_add(tooth.peak_spread, tooth.peak)
            && tooth.peak < level
        {
            let spread = tooth.peak_spread / tooth.period.max(1.0).sqrt();
            let drift_se = spread / tooth.period.max(1.0);
            return Passage::Drifting { gap: level - tooth.peak, drift: tooth.peak_slope, drift_se, sigma: spread };
        }
        if self.now < level && self.reverting {
            return Passage::Excursions;
        }
        let (drift, drift_se) = self.drift;
        Passage::Drifting { gap: level - self.now, drift, drift_se, sigma: self.sigma }
    }
}

impl Passage {
    /// The probability of reaching `level` within each horizon. For excursions `scratch.y` holds the hours' worst values.
    fn probabilities(&self, level: f64, scratch: &mut Scratch) -> [f64; 3] {
        match *self {
            Self::Drifting { gap, drift, drift_se, sigma } => passage_probabilities(gap, drift, drift_se, sigma),
            Self::Excursions => exceedances(&scratch.y, level, 1.0, [24.0, 72.0, 168.0], 1.0, &mut scratch.values),
        }
    }
}

/// The drift per hour and its standard error: the slowest scale that the faster ones don't contradict.
fn drift(shape: &Shape) -> (f64, f64) {
    let mut chosen: Option<&Slope> = None;
    for faster in [&shape.slope_7d, &shape.slope_24h, &shape.slope_6h].into_iter().flatten() {
        let replace = chosen.is_none_or(|slow| {
            let se = slow.slope_se.hypot(faster.slope_se);
            (faster.per_unit - slow.per_unit).abs() > SCALE_CHANGE_SE * se
        });
        if replace {
            chosen = Some(faster);
        }
    }
    chosen.map_or((0.0, 0.0), |s| (s.per_unit, s.slope_se))
}

/// Diffusion per square root of an hour, of the hourly medians less their daily profile; 0 while too little is known.
fn noise(shape: &Shape, scratch: &mut Scratch) -> f64 {
    let from = shape.segment_start.min(HOURS - DAY);
    let sigma = diffusion(&scratch.flat[from..], &[6, 12, 24], &mut scratch.values);
    if sigma.is_nan() { 0.0 } else { sigma }
}

/// The last hour as it would be at the worst hour of the day.
fn at_daily_peak(now: f64, shape: &Shape, view: &View<'_>) -> f64 {
    let Some(profile) = &shape.profile else { return now };
    let current = seasonal(Some(profile), view, view.past().saturating_sub(1) / CELLS_PER_HOUR);
    let peak = profile.by_hour.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    (now - current + peak).max(now)
}

fn reverting(scratch: &mut Scratch) -> bool {
    variance_ratio(&scratch.flat, 12, &mut scratch.values).is_some_and(|r| r < REVERTING_RATIO)
}

/// The level that is dangerous for this instance, turned so that greater is worse: where the resource ends, or, where it
/// has no end, past the critical level and past what the earlier days' peaks have shown to be harmless.
fn danger(critical: f64, exhausted: Option<f64>, hours: &[Hour], worse: f64) -> f64 {
    if let Some(end) = exhausted {
        return end;
    }
    let mut peaks = [f64::NEG_INFINITY; HOURS / DAY - 1];
    for (peak, day) in peaks.iter_mut().zip(hours[..HOURS - DAY].chunks_exact(DAY)) {
        *peak = day.iter().filter(|h| h.n > 0).map(|h| worse * h.median).fold(f64::NEG_INFINITY, f64::max);
    }
    peaks.sort_unstable_by(f64::total_cmp);
    let habitual = peaks[peaks.len() - 2];
    if habitual > critical { habitual + 0.1 * habitual.abs() } else { critical }
}
