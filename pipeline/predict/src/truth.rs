//! What became of every row: followed by an incident, not, or not to be known, with the reason.
//!
//! The next 24 hours of a row count as known when they lie within the range and the data; the yardstick, which sees the
//! predictions alone, takes the last of them for the end of the data, and so does this.

use forewarn_domain::time::HOUR_MS;
use forewarn_history::EventRow;
use forewarn_rules::judge::{self, Ending};
use forewarn_rules::truth::{Incident, OUTAGE_HOURS};
use std::collections::BTreeMap;

pub use forewarn_rules::judge::{Censored, RowTruth};

/// One day, milliseconds: the horizon of p24.
pub const DAY_MS: i64 = 24 * HOUR_MS;

/// What is known of every instance's past.
#[derive(Debug, Clone, Default)]
pub struct Truth {
    incidents: BTreeMap<String, Vec<Incident>>,
    endings: BTreeMap<String, Vec<Ending>>,
    end: i64,
}

/// What is known of one instance's past.
#[derive(Debug, Clone, Copy)]
pub struct InstanceTruth<'a> {
    /// Its incidents in order of time.
    pub incidents: &'a [Incident],
    /// What ended it that was no failure.
    pub endings: &'a [Ending],
    end: i64,
}

impl Truth {
    /// Orders incidents and the events that ended instances; the truth is known until `end`, milliseconds.
    pub fn new(incidents: &[Incident], events: &[EventRow], end: i64) -> Self {
        let mut truth = Self { end, ..Self::default() };
        for incident in incidents {
            truth.incidents.entry(incident.instance_id.clone()).or_default().push(incident.clone());
        }
        for known in truth.incidents.values_mut() {
            known.sort_by_key(|i| i.ts);
        }
        let mut starts: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
        for event in events.iter().filter(|e| is_start(e)) {
            starts.entry(&event.instance_id).or_default().push(event.ts);
        }
        for event in events {
            let Some((why, at, for_good)) = ending(event) else { continue };
            let back =
                starts.get(event.instance_id.as_str()).into_iter().flatten().copied().filter(|ts| *ts > at).min();
            let rest = if for_good { i64::MAX } else { at + OUTAGE_HOURS * HOUR_MS };
            let known = truth.endings.entry(event.instance_id.clone()).or_default();
            known.push(Ending { at, until: back.unwrap_or(rest), why });
        }
        truth
    }

    /// Gives the time until which the truth is known.
    pub const fn end(&self) -> i64 {
        self.end
    }

    /// Gives what is known of an instance.
    pub fn of(&self, instance_id: &str) -> InstanceTruth<'_> {
        InstanceTruth {
            incidents: self.incidents.get(instance_id).map_or(&[], Vec::as_slice),
            endings: self.endings.get(instance_id).map_or(&[], Vec::as_slice),
            end: self.end,
        }
    }
}

impl InstanceTruth<'_> {
    /// Gives what became of the row at `as_of` within 24 hours.
    pub fn row(&self, as_of: i64) -> RowTruth {
        self.within(as_of, DAY_MS)
    }

    /// Gives what became of the row at `as_of` within a horizon, milliseconds.
    pub fn within(&self, as_of: i64, horizon_ms: i64) -> RowTruth {
        judge::judge(self.incidents, self.endings, self.end, as_of, horizon_ms)
    }

    /// Gives the index of the first incident after `as_of`.
    pub fn next(&self, as_of: i64) -> Option<usize> {
        judge::next(self.incidents, as_of)
    }
}

/// Reads an event as the end of an instance that was no failure: why, when, and whether for good.
///
/// Kinds as in the event log, with or without `instance.`: `left` (code `terminated`, `scale_in`, `spot`, `recovery`,
/// `gone`), `state_changed` (code the state, detail EC2's reason) and `spot.interruption_warned`. A stop that EC2 blames on
/// itself (`Server.InternalError`) is no such end.
fn ending(event: &EventRow) -> Option<(Censored, i64, bool)> {
    let kind = event.kind.strip_prefix("instance.").unwrap_or(&event.kind);
    let reason = event.detail.as_deref().unwrap_or_default();
    match kind {
        "left" => {
            let why = match event.code.as_str() {
                "terminated" => Censored::User,
                "scale_in" => Censored::ScaleIn,
                "spot" => Censored::Spot,
                "recovery" => Censored::Recovery,
                _ => Censored::Gone,
            };
            Some((why, event.ts, true))
        }
        "spot.interruption_warned" => Some((Censored::Spot, event.starts_at.unwrap_or(event.ts), true)),
        "state" | "state_changed" => {
            let for_good = matches!(event.code.as_str(), "shutting-down" | "terminated");
            if !for_good && !matches!(event.code.as_str(), "stopping" | "stopped") {
                return None;
            }
            let why = if reason.contains("Spot") {
                Censored::Spot
            } else if reason.starts_with("Client.") || reason.starts_with("User initiated") {
                Censored::User
            } else if reason.is_empty() {
                Censored::Gone
            } else {
                return None;
            };
            Some((why, event.ts, for_good))
        }
        _ => None,
    }
}

fn is_start(event: &EventRow) -> bool {
    let kind = event.kind.strip_prefix("instance.").unwrap_or(&event.kind);
    matches!(kind, "state" | "state_changed") && matches!(event.code.as_str(), "running" | "pending")
}

#[cfg(test)]
mod tests {
    use super::*;

    const H: i64 = HOUR_MS;

    fn incident(ts: i64) -> Incident {
        Incident { instance_id: "i-a".to_owned(), ts, cause: None, predictable: None }
    }

    fn event(ts: i64, kind: &str, code: &str, detail: &str) -> EventRow {
        EventRow {
            instance_id: "i-a".to_owned(),
            ts,
            kind: kind.to_owned(),
            code: code.to_owned(),
            detail: Some(detail.to_owned()),
            ..EventRow::default()
        }
    }

    #[test]
    fn a_row_is_followed_from_a_day_ahead_and_not_scored_in_the_outage() {
        let truth = Truth::new(&[incident(100 * H)], &[], 500 * H);
        let row = |hour: i64| truth.of("i-a").row(hour * H);
        assert_eq!(row(75), RowTruth::Quiet);
        assert_eq!((row(76), row(99)), (RowTruth::Followed, RowTruth::Followed));
        assert_eq!((row(100), row(109)), (RowTruth::Censored(Censored::Outage), RowTruth::Censored(Censored::Outage)));
        assert_eq!((row(110), row(476)), (RowTruth::Quiet, RowTruth::Quiet));
        assert_eq!(row(477), RowTruth::Censored(Censored::PastEnd));
        assert_eq!(truth.of("i-b").row(100 * H), RowTruth::Quiet);
    }

    #[test]
    fn a_day_that_somebody_else_ended_is_never_counted_as_quiet() {
        let stop = event(50 * H, "instance.state_changed", "stopping", "Client.UserInitiatedShutdown");
        let back = event(80 * H, "state", "running", "");
        let truth = Truth::new(&[incident(30 * H)], &[stop.clone(), back], 500 * H);
        let row = |t: &Truth, hour: i64| t.of("i-a").row(hour * H);
        assert_eq!(
            row(&truth, 29),
            RowTruth::Followed,
            "an incident within the day counts whatever else happens in it"
        );
        assert_eq!(row(&truth, 45), RowTruth::Censored(Censored::User));
        assert_eq!(row(&truth, 79), RowTruth::Censored(Censored::User));
        assert_eq!(row(&truth, 80), RowTruth::Quiet);
        let unsaid = Truth::new(&[], &[stop], 500 * H);
        assert_eq!((row(&unsaid, 59), row(&unsaid, 60)), (RowTruth::Censored(Censored::User), RowTruth::Quiet));
    }

    #[test]
    fn what_ended_an_instance_is_told_by_its_event() {
        let why = |kind: &str, code: &str, detail: &str| {
            let truth = Truth::new(&[], &[event(50 * H, kind, code, detail)], 500 * H);
            [truth.of("i-a").row(40 * H), truth.of("i-a").row(400 * H)]
        };
        let censored = |c| [RowTruth::Censored(c); 2];
        assert_eq!(why("left", "scale_in", ""), censored(Censored::ScaleIn));
        assert_eq!(why("instance.left", "recovery", ""), censored(Censored::Recovery));
        assert_eq!(why("instance.left", "who knows", ""), censored(Censored::Gone));
        assert_eq!(why("spot.interruption_warned", "terminate", ""), censored(Censored::Spot));
        assert_eq!(why("state_changed", "terminated", "Server.SpotInstanceTermination"), censored(Censored::Spot));
        assert_eq!(why("state_changed", "stopped", "Server.InternalError"), [RowTruth::Quiet; 2]);
        assert_eq!(why("scheduled", "instance-retirement", ""), [RowTruth::Quiet; 2]);
    }
}
