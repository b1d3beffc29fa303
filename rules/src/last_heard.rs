//! What a signal that has fallen silent still says: an agent that dies with the fault must not turn the alarm into "healthy".

use crate::grid::{CELL_MS, CELLS_PER_HOUR, HABIT_HOURS, HOUR_MS};
use forewarn_domain::signal::Signal;

/// From how many hours of silence on a signal is looked at as of its last sample; until then it is only late.
const HELD_FROM_HOURS: i64 = 2;
/// For how many hours of silence what it showed last says as much as it did.
const HELD_FULLY_HOURS: f64 = 12.0;
/// From how many hours on it says nothing more: as many as habits reach back beyond what features look at, so that no more is read.
const HELD_HOURS: i64 = HABIT_HOURS as i64;

/// A series that has fallen silent, looked at as of its last sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LastHeard {
    /// When its last sample was over, milliseconds.
    pub(crate) until: i64,
    /// The end of that hour, as of which it is looked at.
    pub(crate) at: i64,
}

impl LastHeard {
    /// Says of a series that was heard until `until` whether it is looked at as of then: while all of its signal are silent. Where
    /// another device is still heard, it was not the agent that died, and the device has gone.
    pub(crate) fn of(until: i64, newest_of_signal: i64, as_of: i64) -> Option<Self> {
        let hours = (as_of - until).div_euclid(HOUR_MS);
        let is_held = (HELD_FROM_HOURS..HELD_HOURS).contains(&hours) && until + HOUR_MS > newest_of_signal;
        is_held.then_some(Self { until, at: (until - 1).div_euclid(HOUR_MS) * HOUR_MS + HOUR_MS })
    }

    /// Gives for how many hours it has been silent.
    pub(crate) fn hours(self, as_of: i64) -> f64 {
        (as_of - self.until) as f64 / HOUR_MS as f64
    }

    /// Gives the share of the last 24 hours that its cells cover, of which the first begins at `start`.
    pub(crate) fn coverage(cells: &[f64], start: i64, as_of: i64) -> f64 {
        const DAY: i64 = 24 * CELLS_PER_HOUR as i64;
        let day = (as_of - 1).div_euclid(CELL_MS) + 1 - DAY;
        let times = (start / CELL_MS)..;
        times.zip(cells).filter(|(cell, v)| *cell >= day && !v.is_nan()).count() as f64 / DAY as f64
    }
}

/// Says whether what a signal showed last is held after so many hours of silence.
pub(crate) fn is_held(signal: Signal, hours: f64) -> bool {
    is_measured(signal) && (HELD_FROM_HOURS as f64..HELD_HOURS as f64).contains(&hours)
}

/// Says whether a signal is measured all the time, so that silence means that nobody measures. Checks and events speak when there is
/// something to say, and are over when they are over.
pub(crate) const fn is_measured(signal: Signal) -> bool {
    !matches!(signal, Signal::Status | Signal::Maintenance | Signal::Log | Signal::Anomaly)
}

/// Says how much of what a signal showed last still counts, from 1 down to 0; hours that aren't known are none.
pub(crate) fn still_counts(signal: Signal, hours: f64) -> f64 {
    if !is_measured(signal) || hours.is_nan() {
        return 1.0;
    }
    let left = (HELD_HOURS as f64 - hours) / (HELD_HOURS as f64 - HELD_FULLY_HOURS);
    left.clamp(0.0, 1.0)
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "these values come out exactly")]
mod tests {
    use super::*;

    #[test]
    fn what_was_seen_last_counts_fully_for_half_a_day_and_then_fades() {
        let at = |hours| still_counts(Signal::Memory, hours);
        assert_eq!([at(0.0), at(12.0), at(18.0), at(24.0), at(90.0), at(f64::NAN)], [1.0, 1.0, 0.5, 0.0, 0.0, 1.0]);
        assert_eq!(still_counts(Signal::Log, 90.0), 1.0, "no line is no silence");
    }

    #[test]
    fn a_series_is_held_while_all_of_its_signal_are_silent() {
        let held =
            |silent: i64, other: i64| LastHeard::of(-silent * HOUR_MS - 1, -other * HOUR_MS - 1, 0).map(|held| held.at);
        assert_eq!([1, 2, 23, 24].map(|h| held(h, h)), [None, Some(-2 * HOUR_MS), Some(-23 * HOUR_MS), None]);
        assert_eq!([held(5, 0), held(5, 4)], [None, None], "a device has gone");
    }

    #[test]
    fn coverage_is_that_of_the_last_day() {
        let cells: Vec<f64> = (0..30 * 12).map(|i| if i < 18 * 12 { 1.0 } else { f64::NAN }).collect();
        assert_eq!(LastHeard::coverage(&cells, 0, 30 * HOUR_MS), 0.5);
    }
}
