//! Judges a row against what happened: followed by an incident, not, or not to be known, with the reason.
//!
//! One definition serves the backtest, the live scorecard and the resolving of episodes, so that their figures are the same.

use crate::grid::HOUR_MS;
use crate::truth::{Incident, OUTAGE_HOURS};

/// Why what became of a row is not scored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Censored {
    /// An incident is under way: from its start to ten hours after it.
    Outage,
    /// The horizon passes the end of the range or of the data.
    PastEnd,
    /// A person or a program stopped or ended the instance.
    User,
    /// Its Auto Scaling group shrank.
    ScaleIn,
    /// Spot took it back.
    Spot,
    /// A recovery of ours ended it.
    Recovery,
    /// It left, and nothing says why.
    Gone,
    /// Nothing was said at this time: forewarn did not look.
    NoRound,
}

impl Censored {
    /// Gives the name in tables and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Outage => "outage",
            Self::PastEnd => "past_end",
            Self::User => "ended_by_user",
            Self::ScaleIn => "scale_in",
            Self::Spot => "spot",
            Self::Recovery => "recovery",
            Self::Gone => "gone",
            Self::NoRound => "no_round",
        }
    }
}

/// What became of a row within its horizon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowTruth {
    /// No incident began.
    Quiet,
    /// An incident began.
    Followed,
    /// Nobody can tell.
    Censored(Censored),
}

/// The end of an instance that was no failure: it is not judged from `at` until `until`, nor for the horizon before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ending {
    /// When it ended, milliseconds.
    pub at: i64,
    /// When it was back, milliseconds; [`i64::MAX`] for good.
    pub until: i64,
    /// What ended it.
    pub why: Censored,
}

/// Gives what became of the row at `as_of` within `horizon_ms`. `incidents` are the instance's, in order of time; the truth is
/// known until `known_until`.
pub fn judge(incidents: &[Incident], endings: &[Ending], known_until: i64, as_of: i64, horizon_ms: i64) -> RowTruth {
    let outage = |i: &Incident| (i.ts..i.ts + OUTAGE_HOURS * HOUR_MS).contains(&as_of);
    if incidents.iter().any(outage) {
        return RowTruth::Censored(Censored::Outage);
    }
    if as_of + horizon_ms > known_until {
        return RowTruth::Censored(Censored::PastEnd);
    }
    if let Some(over) = endings.iter().find(|e| (e.at..e.until).contains(&as_of)) {
        return RowTruth::Censored(over.why);
    }
    if next(incidents, as_of).is_some_and(|i| incidents[i].ts <= as_of + horizon_ms) {
        return RowTruth::Followed;
    }
    match endings.iter().find(|e| e.at > as_of && e.at <= as_of + horizon_ms) {
        Some(ended) => RowTruth::Censored(ended.why),
        None => RowTruth::Quiet,
    }
}

/// Gives the index of the first incident after `as_of`.
pub fn next(incidents: &[Incident], as_of: i64) -> Option<usize> {
    Some(incidents.partition_point(|i| i.ts <= as_of)).filter(|i| *i < incidents.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_horizon_decides_what_counts_as_followed() {
        let incident =
            |hour: i64| Incident { instance_id: "i".into(), ts: hour * HOUR_MS, cause: None, predictable: None };
        let incidents = [incident(100)];
        let row = |hour: i64, horizon: i64| judge(&incidents, &[], i64::MAX, hour * HOUR_MS, horizon * HOUR_MS);
        assert_eq!((row(75, 24), row(76, 24)), (RowTruth::Quiet, RowTruth::Followed));
        assert_eq!((row(27, 72), row(28, 72)), (RowTruth::Quiet, RowTruth::Followed));
        assert_eq!(row(100, 72), RowTruth::Censored(Censored::Outage));
    }
}
