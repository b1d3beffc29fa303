//! Gathers what log and history know of incidents, of claims, and of how instances ended.

use super::instant;
use crate::episode_events::stream_of;
use forewarn_domain::id::event_id;
use forewarn_domain::prediction::Level;
use forewarn_history::{EventRow, History, IncidentRow};
use forewarn_log::event::incident::{IncidentClass, IncidentObserved};
use forewarn_log::event::instance::{InstanceState, LeftCause};
use forewarn_log::{Event, Filter, LogError, Recorded, Row, StateLog, Table};
use forewarn_rules::resolve::Claim;
use forewarn_rules::truth::Incident;
use std::collections::BTreeMap;

/// An incident with the id by which the log speaks of it.
#[derive(Debug, Clone)]
pub(super) struct KnownIncident {
    pub(super) id: String,
    pub(super) incident: Incident,
    /// Whether only a file tells of it, which somebody names for this resolution.
    pub(super) given: bool,
}

/// What the log knows of one instance.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// What was claimed, by episode, in order of time.
    pub(super) claims: BTreeMap<String, Vec<Claim>>,
    /// Changes of its state.
    pub(super) events: Vec<EventRow>,
}

/// Gives the failures that log and history know, each once, in order of instance and time.
///
/// # Errors
/// When log or history do not read.
pub fn incidents(log: Option<&dyn StateLog>, history: &History) -> Result<Vec<Incident>, super::ResolveError> {
    let known = match log {
        Some(log) => known_incidents(log, &history.incidents()?, &[])?,
        None => merge(BTreeMap::new(), &history.incidents()?, &[]),
    };
    Ok(known.into_iter().map(|k| k.incident).collect())
}

/// Gives the changes of state of every instance that the log knows.
///
/// # Errors
/// When the log does not read.
pub fn events(log: &dyn StateLog) -> Result<Vec<EventRow>, LogError> {
    let filter = Filter::types(["instance.left", "instance.state_changed", "spot.interruption_warned"]);
    let mut found = Vec::new();
    for entry in log.select(&filter)? {
        found.extend(event_row(&entry)?);
    }
    Ok(found)
}

/// As [`incidents`], with those of a file beside them, and with their ids.
pub(super) fn known_incidents(
    log: &dyn StateLog,
    kept: &[IncidentRow],
    given: &[Incident],
) -> Result<Vec<KnownIncident>, LogError> {
    let mut found = BTreeMap::new();
    for row in log.table(Table::Incidents)?.into_values() {
        if let Row::Incident(i) = row
            && i.class == IncidentClass::Failure
            && let Some(ts) = instant(&i.start)
        {
            found.entry((i.instance_id.clone(), ts)).or_insert_with(|| of_log(i, ts));
        }
    }
    Ok(merge(found, kept, given))
}

fn of_log(i: IncidentObserved, ts: i64) -> KnownIncident {
    let incident = Incident { instance_id: i.instance_id, ts, cause: i.cause, predictable: i.predictable };
    KnownIncident { id: i.incident_id, incident, given: false }
}

/// Adds what history and file know; what the log knows of the same failure stands.
fn merge(
    mut found: BTreeMap<(String, i64), KnownIncident>,
    kept: &[IncidentRow],
    given: &[Incident],
) -> Vec<KnownIncident> {
    let kept = kept.iter().cloned().map(|i| Incident {
        instance_id: i.instance_id,
        ts: i.ts,
        cause: i.cause,
        predictable: i.predictable,
    });
    for (incident, given) in kept.map(|i| (i, false)).chain(given.iter().map(|i| (i.clone(), true))) {
        found.entry((incident.instance_id.clone(), incident.ts)).or_insert_with(|| KnownIncident {
            id: event_id("incident", &[&incident.instance_id, &incident.ts.to_string()]),
            incident,
            given,
        });
    }
    found.into_values().collect()
}

/// Reads everything that the log says of one instance: in its own stream, and in those of its episodes.
#[expect(clippy::wildcard_enum_match_arm, reason = "most types make no claim")]
pub(super) fn about<'a>(
    log: &dyn StateLog,
    instance_id: &str,
    episodes: impl Iterator<Item = &'a str>,
) -> Result<Known, LogError> {
    let mut known = Known::default();
    let mut claims: BTreeMap<String, BTreeMap<i64, Level>> = BTreeMap::new();
    let mut entries = log.read(&format!("instance/{instance_id}"), 1, usize::MAX)?;
    for episode in episodes {
        entries.extend(log.read(&stream_of(episode), 1, usize::MAX)?);
    }
    entries.sort_by_key(|e| e.position);
    for entry in entries {
        known.events.extend(event_row(&entry)?);
        let event = entry.event().map_err(|source| LogError::Decode { position: entry.position, source })?;
        let (episode, as_of, level) = match event {
            Event::PredictionMade(e) => {
                (e.prediction.episode_id.clone(), e.prediction.as_of.clone(), e.prediction.confidence)
            }
            Event::PredictionUpdated(e) => {
                (e.prediction.episode_id.clone(), e.prediction.as_of.clone(), e.prediction.confidence)
            }
            Event::PredictionObserved(e) => {
                let last = e.state.last.as_ref().filter(|l| l.prediction_id == e.prediction_id);
                (last.and_then(|l| l.episode_id.clone()), e.as_of, e.confidence)
            }
            _ => continue,
        };
        if let (Some(episode), Some(as_of)) = (episode, instant(&as_of)) {
            claims.entry(episode).or_default().insert(as_of, level);
        }
    }
    let in_order = |of: BTreeMap<i64, Level>| of.into_iter().map(|(as_of, level)| Claim { as_of, level }).collect();
    known.claims = claims.into_iter().map(|(episode, of)| (episode, in_order(of))).collect();
    Ok(known)
}

/// Reads an entry as the change of an instance's state, in the words of a history's events.
#[expect(clippy::wildcard_enum_match_arm, reason = "most types change no instance's state")]
fn event_row(entry: &Recorded) -> Result<Option<EventRow>, LogError> {
    let event = entry.event().map_err(|source| LogError::Decode { position: entry.position, source })?;
    let Some(ts) = instant(&entry.envelope.time) else { return Ok(None) };
    let row = |instance_id: String, kind: &str, code: &str| EventRow {
        instance_id,
        ts,
        kind: kind.to_owned(),
        code: code.to_owned(),
        ..EventRow::default()
    };
    Ok(match event {
        Event::InstanceLeft(e) => Some(row(e.instance_id, "instance.left", left(e.cause))),
        Event::InstanceStateChanged(e) => {
            let row = row(e.instance_id, "instance.state_changed", state(e.state));
            Some(EventRow { detail: e.reason, ..row })
        }
        Event::SpotInterruptionWarned(e) => {
            let starts_at = instant(&e.at);
            Some(EventRow { starts_at, ..row(e.instance_id, "spot.interruption_warned", "interruption") })
        }
        _ => None,
    })
}

const fn left(cause: LeftCause) -> &'static str {
    match cause {
        LeftCause::Terminated => "terminated",
        LeftCause::ScaleIn => "scale_in",
        LeftCause::Spot => "spot",
        LeftCause::Recovery => "recovery",
        LeftCause::Maintenance => "maintenance",
        LeftCause::Gone => "gone",
    }
}

const fn state(state: InstanceState) -> &'static str {
    match state {
        InstanceState::Pending => "pending",
        InstanceState::Running => "running",
        InstanceState::Stopping => "stopping",
        InstanceState::Stopped => "stopped",
        InstanceState::ShuttingDown => "shutting-down",
        InstanceState::Terminated => "terminated",
    }
}
