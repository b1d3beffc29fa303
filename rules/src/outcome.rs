//! What became of a row, horizon by horizon and hazard by hazard: what `fit` learns from.

use crate::grid::HOUR_MS;
use crate::hazard::{HAZARDS, HORIZON_HOURS};
use crate::judge::RowTruth;

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

impl Outcome {
    /// Reads what became of a row within each horizon; `judged` gives it for so many milliseconds ahead ([`crate::judge::judge`]). A horizon of
    /// which nobody can tell, be it that it passes the end of the data or that the instance was ended within it, is unknown, whatever
    /// happened before; a hazard is known where nothing happened in the horizon before its own.
    pub fn of(judged: impl Fn(i64) -> RowTruth) -> Self {
        let within = HORIZON_HOURS.map(|hours| match judged(hours as i64 * HOUR_MS) {
            RowTruth::Followed => Some(true),
            RowTruth::Quiet => Some(false),
            RowTruth::Censored(_) => None,
        });
        let mut hazard = within;
        for k in 1..HAZARDS {
            hazard[k] = within[k].filter(|_| within[k - 1] == Some(false));
        }
        Self { within, hazard }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::{Censored, Ending, judge};
    use crate::truth::Incident;

    const H: i64 = HOUR_MS;

    fn outcome(incidents: &[i64], endings: &[Ending], as_of: i64, end: i64) -> Outcome {
        let incident = |ts: &i64| Incident { instance_id: "i".to_owned(), ts: *ts, cause: None, predictable: None };
        let incidents: Vec<Incident> = incidents.iter().map(incident).collect();
        Outcome::of(|horizon| judge(&incidents, endings, end, as_of, horizon))
    }

    #[test]
    fn an_incident_counts_from_just_after_as_of_to_the_horizon_itself() {
        let of = |incidents: &[i64], as_of: i64| outcome(incidents, &[], as_of, 1000 * H);
        assert_eq!(of(&[24 * H], 0).within, [Some(true); 3]);
        assert_eq!(of(&[24 * H], 0).hazard, [Some(true), None, None]);
        assert_eq!(of(&[24 * H + 1], 0).within, [Some(false), Some(true), Some(true)]);
        assert_eq!(of(&[24 * H + 1], 0).hazard, [Some(false), Some(true), None]);
        assert_eq!(of(&[0], 0), Outcome::CENSORED);
        assert_eq!(of(&[0], 10 * H).within[0], Some(false));
        assert_eq!(of(&[0], 10 * H - 1), Outcome::CENSORED);
    }

    /// If those that an incident follows stayed where those that none follows go, hazards would be learned too high.
    #[test]
    fn a_horizon_that_passes_the_end_is_unknown_whatever_happened() {
        assert_eq!(outcome(&[50 * H], &[], 0, 60 * H).within, [Some(false), None, None]);
        assert_eq!(outcome(&[], &[], 0, 60 * H).within, [Some(false), None, None]);
        assert_eq!(outcome(&[50 * H], &[], 0, 72 * H).within, [Some(false), Some(true), None]);
    }

    #[test]
    fn an_instance_that_is_ended_is_no_healthy_one_within_any_horizon_that_holds_its_end() {
        let scaled_in = [Ending { at: 30 * H, until: i64::MAX, why: Censored::ScaleIn }];
        let found = outcome(&[], &scaled_in, 0, 1000 * H);
        assert_eq!((found.within, found.hazard), ([Some(false), None, None], [Some(false), None, None]));
    }
}
