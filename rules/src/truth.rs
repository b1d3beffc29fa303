//! Ground truth: what became of an instance after a time, as far as the data tell.

use crate::grid::HOUR_MS;
use crate::hazard::{HAZARDS, HORIZON_HOURS};

/// Hours after an incident that are not scored: the outage and its repair.
pub const OUTAGE_HOURS: i64 = 10;

/// A failure that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incident {
    /// The instance.
    pub instance_id: String,
    /// When it began, milliseconds.
    pub ts: i64,
    /// What caused it, where known.
    pub cause: Option<String>,
    /// Whether anyone could have seen it coming, where known.
    pub predictable: Option<bool>,
}

/// What became of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// For each horizon (24, 72, 168 h), whether an incident began within it; None where the row is not scored or the data end.
    pub within: [Option<bool>; HAZARDS],
    /// For each conditional hazard, whether an incident began in its span given none before; None where unknown or not at risk.
    pub hazard: [Option<bool>; HAZARDS],
}

impl Outcome {
    /// A row that is not scored at all.
    pub const CENSORED: Self = Self { within: [None; HAZARDS], hazard: [None; HAZARDS] };
}

/// Gives the outcome of an instance at `as_of`. `incidents` are its incidents' times, in order; the truth is known until `end`.
///
/// Rows from an incident to ten hours after it are not scored. A horizon that passes the end of the data is known only if
/// an incident lies within it.
pub fn outcome(incidents: &[i64], as_of: i64, end: i64) -> Outcome {
    if incidents.iter().any(|&x| (x..x + OUTAGE_HOURS * HOUR_MS).contains(&as_of)) {
        return Outcome::CENSORED;
    }
    let next = incidents.iter().copied().find(|&x| x > as_of);
    let mut out = Outcome::CENSORED;
    let mut begin = as_of;
    for (k, hours) in HORIZON_HOURS.iter().enumerate() {
        let until = as_of + (*hours as i64) * HOUR_MS;
        let hit = next.is_some_and(|x| x <= until);
        out.within[k] = if hit { Some(true) } else { (until <= end).then_some(false) };
        let at_risk = next.is_none_or(|x| x > begin);
        out.hazard[k] = out.within[k].filter(|_| at_risk);
        begin = until;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const H: i64 = HOUR_MS;

    #[test]
    fn an_incident_counts_from_just_after_as_of_to_the_horizon_itself() {
        let end = 1000 * H;
        assert_eq!(outcome(&[24 * H], 0, end).within, [Some(true); 3]);
        assert_eq!(outcome(&[24 * H + 1], 0, end).within, [Some(false), Some(true), Some(true)]);
        assert_eq!(outcome(&[24 * H + 1], 0, end).hazard, [Some(false), Some(true), None]);
        assert_eq!(outcome(&[0], 0, end), Outcome::CENSORED);
        assert_eq!(outcome(&[0], 10 * H, end).within[0], Some(false));
        assert_eq!(outcome(&[0], 10 * H - 1, end), Outcome::CENSORED);
    }

    #[test]
    fn horizons_past_the_data_are_unknown_unless_the_incident_is_seen() {
        let o = outcome(&[50 * H], 0, 60 * H);
        assert_eq!(o.within, [Some(false), Some(true), Some(true)]);
        assert_eq!(outcome(&[], 0, 60 * H).within, [Some(false), None, None]);
    }
}
