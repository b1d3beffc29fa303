//! Risk: the probability that a series reaches its critical level, or passes all that it is used to, within each horizon.

use super::{Feature, Levels, Row, Scratch, SignalFeatures, View, get, set};
use crate::grid::{HOURS, Hour};
use forewarn_models::forecast::Forecast;

const DAY: usize = 24;
/// The share of a level that no forecast is surer than.
const LEAST_SPREAD: f64 = 0.002;
/// The probability within a week from which the time of a crossing is told.
const TOLD: f64 = 0.05;

/// The probabilities of reaching the critical level, by horizon.
const CROSSING: [Feature; 3] = [Feature::Q24, Feature::Q72, Feature::Q168];
/// Those of passing what is dangerous for the instance.
const BEYOND: [Feature; 3] = [Feature::X24, Feature::X72, Feature::X168];
/// When the critical level is reached.
const WHEN: [Feature; 3] = [Feature::EtaLo, Feature::EtaHours, Feature::EtaHi];

pub(super) fn fill(
    row: &mut Row,
    view: &View<'_>,
    worse: f64,
    levels: &Levels,
    wanted: SignalFeatures,
    scratch: &mut Scratch,
) {
    let critical = worse * levels.critical;
    let danger = danger(critical, levels.exhausted.map(|end| worse * end), view.hours, worse);
    let least_spread = LEAST_SPREAD * levels.critical.abs().max(danger.abs());
    // Of what is not heard now, such as a file system that was unmounted, nothing is foreseen.
    if get(row, Feature::Now).is_nan() {
        return;
    }
    let Some(forecast) = Forecast::of(&scratch.hourly, least_spread) else { return };
    if wanted.has_any(&CROSSING) || wanted.has_any(&WHEN) {
        let crossing = forecast.by_horizon(critical);
        fill_each(row, CROSSING, crossing);
        if wanted.has_any(&WHEN) && crossing[2] >= TOLD {
            let when = forecast.quantiles(critical, crossing, [0.1, 0.5, 0.9]);
            fill_each(row, WHEN, when.map(|hours| hours.unwrap_or(f64::NAN)));
        }
    }
    fill_each(row, BEYOND, forecast.by_horizon(danger));
}

fn fill_each(row: &mut Row, features: [Feature; 3], values: [f64; 3]) {
    for (feature, value) in features.into_iter().zip(values) {
        set(row, feature, value);
    }
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
