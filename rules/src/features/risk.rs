//! Risk: the probability that a series reaches its critical level, or passes all that it is used to, within each horizon.

use super::shape::{Shape, seasonal};
use super::{Feature, Levels, Row, Scratch, View, get, set};
use crate::grid::{CELLS_PER_HOUR, HOURS, Hour};
use forewarn_models::diffusion::diffusion;
use forewarn_models::exceed::{exceedance, variance_ratio};
use forewarn_models::passage::{Passage, first_passage};
use forewarn_models::slope::Slope;

const DAY: usize = 24;
/// A steeper recent slope replaces the slower one when it differs by this many standard errors.
const SCALE_CHANGE_SE: f64 = 3.0;
/// Below this ratio of variances a series is taken to return to its level (a random walk has 1).
const REVERTING_RATIO: f64 = 0.35;
/// Beyond this Mann-Kendall z a series is trending whatever its variance ratio says.
const TRENDING_Z: f64 = 2.5;

pub(super) fn fill(row: &mut Row, view: &View<'_>, worse: f64, levels: &Levels, shape: &Shape, scratch: &mut Scratch) {
    let now = worse * get(row, Feature::Now);
    if now.is_nan() {
        return;
    }
    let critical = worse * levels.critical;
    let sigma = noise(shape, scratch);
    let now = at_daily_peak(now, shape, view);
    let drift = drift(shape);
    let crossing = passage_to(critical, now, drift, sigma, shape, row, view, worse, scratch);
    set(row, Feature::Q24, crossing.q24);
    set(row, Feature::Q72, crossing.q72);
    set(row, Feature::Q168, crossing.q168);
    set(row, Feature::EtaHours, crossing.eta.unwrap_or(f64::NAN));
    set(row, Feature::EtaLo, crossing.lo.unwrap_or(f64::NAN));
    set(row, Feature::EtaHi, crossing.hi.unwrap_or(f64::NAN));
    let danger = danger(critical, worse * levels.exhausted, view.hours, worse);
    let beyond = passage_to(danger, now, drift, sigma, shape, row, view, worse, scratch);
    set(row, Feature::X24, beyond.q24);
    set(row, Feature::X72, beyond.q72);
    set(row, Feature::X168, beyond.q168);
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

#[expect(clippy::too_many_arguments, reason = "the whole state of one series at one time")]
fn passage_to(
    level: f64,
    now: f64,
    (drift, drift_se): (f64, f64),
    sigma: f64,
    shape: &Shape,
    row: &Row,
    view: &View<'_>,
    worse: f64,
    scratch: &mut Scratch,
) -> Passage {
    if let Some(tooth) = &shape.tooth
        && now <= 2.0_f64.mul_add(tooth.peak_spread, tooth.peak)
        && tooth.peak < level
    {
        let spread = tooth.peak_spread / tooth.period.max(1.0).sqrt();
        return first_passage(level - tooth.peak, tooth.peak_slope, spread / tooth.period.max(1.0), spread);
    }
    if now < level && get(row, Feature::Trend).abs() < TRENDING_Z && reverting(scratch) {
        scratch.y.clear();
        scratch.y.extend(view.hours.iter().map(|h| if worse > 0.0 { h.max } else { -h.min }));
        let within = |hours: f64| exceedance(&scratch.y, level, 1.0, hours, 1.0);
        return Passage { q24: within(24.0), q72: within(72.0), q168: within(168.0), eta: None, lo: None, hi: None };
    }
    first_passage(level - now, drift, drift_se, sigma)
}

fn reverting(scratch: &mut Scratch) -> bool {
    variance_ratio(&scratch.flat, 12, &mut scratch.values).is_some_and(|r| r < REVERTING_RATIO)
}

/// The level that is dangerous for this instance, turned so that greater is worse: where the resource ends, or, where it
/// has no end, past the critical level and past what the earlier days' peaks have shown to be harmless.
fn danger(critical: f64, exhausted: f64, hours: &[Hour], worse: f64) -> f64 {
    if !exhausted.is_nan() {
        return exhausted;
    }
    let mut peaks = [f64::NEG_INFINITY; HOURS / DAY - 1];
    for (peak, day) in peaks.iter_mut().zip(hours[..HOURS - DAY].chunks_exact(DAY)) {
        *peak = day.iter().filter(|h| h.n > 0).map(|h| worse * h.median).fold(f64::NEG_INFINITY, f64::max);
    }
    peaks.sort_unstable_by(f64::total_cmp);
    let habitual = peaks[peaks.len() - 2];
    if habitual > critical { habitual + 0.1 * habitual.abs() } else { critical }
}
