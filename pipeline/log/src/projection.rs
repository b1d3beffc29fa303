//! Folds entries into tables of current state: one pure function serves the live path and the rebuild.

use super::envelope::Envelope;
use super::event::operator::OperatorAction;
use super::event::prediction::Resolved;
use super::event::{Event, recovery};
use super::port::{LogError, Recorded};
use super::row::{Ack, CurrentPrediction, Episode, Instance, InstanceEpisode, RecoveryRow, Row, Workload};
use super::table::{Key, Table};
use forewarn_domain::prediction::{Level, Prediction};
use forewarn_domain::silence::Silence;
use forewarn_domain::workload::WorkloadEpisode;
use forewarn_recovery::state::Recovery;
use std::collections::BTreeMap;

/// Names the rows that an event bears on.
pub fn keys(event: &Event) -> Vec<Key> {
    let key = |table, id: &str| Key { table, id: id.to_owned() };
    let of_prediction = |p: &Prediction| {
        let mut keys = vec![key(Table::PredictionsCurrent, &p.instance_id)];
        keys.extend(p.episode_id.as_ref().map(|id| key(Table::Episodes, id)));
        keys
    };
    match event {
        Event::PredictionMade(e) => of_prediction(&e.prediction),
        Event::PredictionUpdated(e) => of_prediction(&e.prediction),
        Event::PredictionAnnounced(e) => of_prediction(&e.prediction),
        Event::PredictionCleared(e) => of_prediction(&e.prediction),
        Event::PredictionObserved(e) => vec![key(Table::EpisodeStates, &e.instance_id)],
        Event::PredictionResolved(e) => e.episode_id.iter().fold(Vec::new(), |mut keys, id| {
            keys.push(key(Table::PredictionsCurrent, &e.instance_id));
            keys.push(key(Table::Episodes, id));
            keys
        }),
        Event::WorkloadPredicted(e) => vec![key(Table::WorkloadEpisodes, &e.episode.workload_episode_id)],
        Event::WorkloadUpdated(e) => vec![key(Table::WorkloadEpisodes, &e.episode.workload_episode_id)],
        Event::WorkloadCleared(e) => vec![key(Table::WorkloadEpisodes, &e.episode.workload_episode_id)],
        Event::IncidentObserved(e) => vec![key(Table::Incidents, &e.incident_id)],
        Event::ChangeMarked(e) => vec![key(Table::Changes, &e.change_id)],
        Event::OperatorActed(e) if matches!(e.action, OperatorAction::Silence | OperatorAction::Unsilence) => {
            vec![key(Table::Silences, &e.target)]
        }
        Event::OperatorActed(e) if e.action == OperatorAction::Ack => vec![key(Table::Acks, &e.target)],
        Event::HealthEvent(e) => vec![key(Table::HealthEvents, &e.event_arn)],
        Event::InstanceStateChanged(e) => vec![key(Table::Instances, &e.instance_id)],
        Event::InstanceCheckFailed(e) => vec![key(Table::Instances, &e.instance_id)],
        Event::InstanceLeft(e) => vec![key(Table::Instances, &e.instance_id)],
        Event::Recovery(e) => vec![key(Table::Recoveries, &e.recovery_id)],
        // These bear on no table.
        Event::SpotInterruptionWarned(_)
        | Event::SpotRebalanceRecommended(_)
        | Event::AlarmChanged(_)
        | Event::LogMatched(_)
        | Event::PriorEstimated(_)
        | Event::NoticeSent(_)
        | Event::NoticeFailed(_)
        | Event::PolicyChanged(_)
        | Event::OperatorActed(_)
        | Event::LogPruned(_)
        | Event::GroupChanged(_)
        | Event::VolumeChanged(_)
        | Event::Admission(_)
        | Event::Unknown { .. } => Vec::new(),
    }
}

/// Gives the row after an event, from the row before it; `None` is no row.
///
/// Predictions that arrive late never replace a later one: times are compared, not the order of arrival.
pub fn evolve(key: &Key, row: Option<Row>, envelope: &Envelope, event: &Event) -> Option<Row> {
    match (key.table, event) {
        (Table::PredictionsCurrent, Event::PredictionMade(e)) => Some(predicted(row, &e.prediction, true)),
        (Table::PredictionsCurrent, Event::PredictionUpdated(e)) => Some(predicted(row, &e.prediction, true)),
        (Table::PredictionsCurrent, Event::PredictionAnnounced(e)) => Some(predicted(row, &e.prediction, true)),
        (Table::PredictionsCurrent, Event::PredictionCleared(e)) => Some(predicted(row, &e.prediction, false)),
        (Table::PredictionsCurrent, Event::PredictionResolved(e)) => match row {
            Some(Row::Prediction(mut r)) if r.episode_id == e.episode_id => {
                r.open = false;
                Some(Row::Prediction(r))
            }
            other => other,
        },
        (Table::Episodes, _) => episode(&key.id, row, event).map(|e| Row::Episode(Box::new(e))),
        (Table::EpisodeStates, Event::PredictionObserved(e)) => match row {
            Some(Row::EpisodeState(r)) if later(&r.as_of, &e.as_of) => Some(Row::EpisodeState(r)),
            _ => Some(Row::EpisodeState(Box::new(InstanceEpisode {
                instance_id: e.instance_id.clone(),
                as_of: e.as_of.clone(),
                state: (*e.state).clone(),
            }))),
        },
        (Table::WorkloadEpisodes, Event::WorkloadPredicted(e)) => Some(workload(row, &e.episode, false)),
        (Table::WorkloadEpisodes, Event::WorkloadUpdated(e)) => Some(workload(row, &e.episode, false)),
        (Table::WorkloadEpisodes, Event::WorkloadCleared(e)) => Some(workload(row, &e.episode, true)),
        (Table::Incidents, Event::IncidentObserved(e)) => Some(Row::Incident(e.clone())),
        (Table::Changes, Event::ChangeMarked(e)) => Some(Row::Change(e.clone())),
        (Table::Silences, Event::OperatorActed(e)) => (e.action == OperatorAction::Silence).then(|| {
            Row::Silence(Silence {
                target: e.target.clone(),
                since: envelope.time.clone(),
                until: e.until.clone(),
                reason: e.reason.clone(),
            })
        }),
        (Table::Acks, Event::OperatorActed(e)) => Some(Row::Ack(Ack {
            target: e.target.clone(),
            at: envelope.time.clone(),
            verdict: e.verdict,
            note: e.reason.clone(),
        })),
        (Table::HealthEvents, Event::HealthEvent(e)) => Some(Row::Health(Box::new(e.clone()))),
        (Table::Recoveries, _) => Some(Row::Recovery(Box::new(recovered(row, envelope, event)?))),
        (Table::Instances, _) => Some(Row::Instance(instance(&key.id, row, envelope, event))),
        _ => row,
    }
}

fn workload(row: Option<Row>, episode: &WorkloadEpisode, over: bool) -> Row {
    match row {
        Some(Row::Workload(r)) if later(&r.episode.as_of, &episode.as_of) => Row::Workload(r),
        _ => Row::Workload(Box::new(Workload { open: !over, episode: episode.clone() })),
    }
}

fn predicted(row: Option<Row>, prediction: &Prediction, open: bool) -> Row {
    match row {
        Some(Row::Prediction(r)) if later(&r.as_of, &prediction.as_of) => Row::Prediction(r),
        _ => Row::Prediction(Box::new(CurrentPrediction {
            instance_id: prediction.instance_id.clone(),
            episode_id: prediction.episode_id.clone(),
            open,
            as_of: prediction.as_of.clone(),
            confidence: prediction.confidence,
            prediction: prediction.clone(),
        })),
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "most types bear on no episode")]
fn episode(id: &str, row: Option<Row>, event: &Event) -> Option<Episode> {
    let before = match row {
        Some(Row::Episode(e)) => Some(*e),
        _ => None,
    };
    match event {
        Event::PredictionMade(e) => {
            Some(with_announcement(level_of(id, before, &e.prediction, 0), &e.prediction, true))
        }
        Event::PredictionUpdated(e) => {
            Some(with_announcement(level_of(id, before, &e.prediction, 1), &e.prediction, false))
        }
        Event::PredictionAnnounced(e) => {
            Some(with_announcement(level_of(id, before, &e.prediction, 0), &e.prediction, false))
        }
        Event::PredictionCleared(e) => {
            let mut now = level_of(id, before, &e.prediction, 0);
            now.cleared_at = Some(e.prediction.as_of.clone());
            Some(now)
        }
        Event::PredictionResolved(e) => Some(resolved(id, before, e)),
        _ => before,
    }
}

fn level_of(id: &str, before: Option<Episode>, p: &Prediction, changes: u32) -> Episode {
    let mut now = before.unwrap_or_else(|| Episode::new(id, &p.instance_id));
    now.updates += changes;
    now.workload = now.workload.or_else(|| p.workload.clone());
    if now.opened_at.as_ref().is_none_or(|t| later(t, &p.as_of)) {
        now.opened_at = Some(p.as_of.clone());
    }
    if p.confidence > now.peak.unwrap_or(Level::Unassessable) {
        now.peak = Some(p.confidence);
    }
    if now.last_as_of.as_ref().is_none_or(|t| !later(t, &p.as_of)) {
        now.last_as_of = Some(p.as_of.clone());
        now.level = Some(p.confidence);
        now.failure_type = p.failure_type.or(now.failure_type);
    }
    now
}

/// Remembers whether the news of an episode reached anybody.
fn with_announcement(mut now: Episode, p: &Prediction, begins: bool) -> Episode {
    now.unannounced = p.silence_id.is_some() && (begins || now.unannounced);
    now.silence_id.clone_from(&p.silence_id);
    now
}

fn resolved(id: &str, before: Option<Episode>, e: &Resolved) -> Episode {
    let mut now = before.unwrap_or_else(|| Episode::new(id, &e.instance_id));
    now.outcome = Some(e.outcome);
    now.resolved_at = Some(e.at.clone());
    now.incident_id.clone_from(&e.incident_id);
    now.verdict = e.verdict.or(now.verdict);
    now
}

#[expect(clippy::wildcard_enum_match_arm, reason = "most types bear on no instance")]
fn instance(id: &str, row: Option<Row>, envelope: &Envelope, event: &Event) -> Instance {
    let mut now = match row {
        Some(Row::Instance(i)) => i,
        _ => Instance {
            instance_id: id.to_owned(),
            state: None,
            state_at: None,
            failed_check: None,
            failed_since: None,
            left_at: None,
            left_cause: None,
        },
    };
    match event {
        Event::InstanceStateChanged(e) if now.state_at.as_ref().is_none_or(|t| !later(t, &envelope.time)) => {
            now.state = Some(e.state);
            now.state_at = Some(envelope.time.clone());
        }
        Event::InstanceCheckFailed(e) if now.failed_since.as_ref().is_none_or(|t| !later(t, &e.since)) => {
            now.failed_check = Some(e.check);
            now.failed_since = Some(e.since.clone());
        }
        Event::InstanceLeft(e) => {
            now.left_at = Some(envelope.time.clone());
            now.left_cause = Some(e.cause);
        }
        _ => {}
    }
    now
}

/// Moves a recovery on by one event of its stream.
fn recovered(row: Option<Row>, envelope: &Envelope, event: &Event) -> Option<RecoveryRow> {
    let (id, instance_id, event) = recovery::of(event)?;
    let mut now = match row {
        Some(Row::Recovery(row)) => *row,
        _ => RecoveryRow {
            recovery_id: id.to_owned(),
            instance_id: instance_id.to_owned(),
            lineage: String::new(),
            version: 0,
            open: true,
            opened_at: envelope.time.clone(),
            updated_at: envelope.time.clone(),
            illegal: None,
            state: Recovery::default(),
        },
    };
    now.version += 1;
    now.updated_at.clone_from(&envelope.time);
    match now.state.clone().evolve(event) {
        Ok(state) => now.state = state,
        Err(e) => now.illegal = now.illegal.or_else(|| Some(format!("event {}: {e}", now.version))),
    }
    now.lineage.clone_from(&now.state.lineage);
    now.open = now.state.is_open();
    Some(now)
}

/// Says whether `a` is later than `b`; text decides where one is not a time, so that the answer is always the same.
fn later(a: &str, b: &str) -> bool {
    match (a.parse::<jiff::Timestamp>(), b.parse::<jiff::Timestamp>()) {
        (Ok(a), Ok(b)) => a > b,
        _ => a > b,
    }
}

/// All tables in memory, and the types that none of them understands.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Projection {
    pub rows: BTreeMap<Key, Row>,
    /// How many entries there were of each unknown type.
    pub unknown: BTreeMap<String, u64>,
}

impl Projection {
    /// Takes in the next entry.
    ///
    /// # Errors
    /// When the entry cannot be understood.
    pub fn apply(&mut self, entry: &Recorded) -> Result<(), LogError> {
        let event = entry.event().map_err(|source| LogError::Decode { position: entry.position, source })?;
        self.fold(&entry.envelope, &event);
        Ok(())
    }

    /// Takes in the next event, decoded already.
    pub fn fold(&mut self, envelope: &Envelope, event: &Event) {
        if let Event::Unknown { type_, .. } = event {
            *self.unknown.entry(type_.clone()).or_default() += 1;
        }
        for key in keys(event) {
            let row = self.rows.remove(&key);
            if let Some(row) = evolve(&key, row, envelope, event) {
                self.rows.insert(key, row);
            }
        }
    }

    /// Gives the rows of one table, in the order of their keys.
    pub fn table(&self, table: Table) -> impl Iterator<Item = (&str, &Row)> {
        self.rows.iter().filter(move |(k, _)| k.table == table).map(|(k, row)| (k.id.as_str(), row))
    }
}
