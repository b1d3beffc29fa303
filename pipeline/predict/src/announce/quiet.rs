//! What silences have to do with a round: what is known before it, and what is announced because the quiet is over.

use super::{AnnounceError, append_workload, silences, workloads};
use crate::episode_events::EpisodeError;
use crate::episode_events::stream_of;
use crate::silence;
use forewarn_domain::episode::EpisodeChange;
use forewarn_domain::id::event_id;
use forewarn_domain::prediction::Prediction;
use forewarn_domain::round::Round;
use forewarn_domain::silence::Silence;
use forewarn_domain::workload::{WorkloadEpisode, WorkloadEvent, Workloads};
use forewarn_log::event::prediction::Announced;
use forewarn_log::row::Episode;
use forewarn_log::table::Table;
use forewarn_log::{Event, Expected, LogError, NewEvent, Row, StateLog};
use std::collections::BTreeMap;

/// What is silenced before a round, and which episodes were kept back.
pub(super) struct Quiet {
    pub(super) silences: Vec<Silence>,
    pub(super) workloads: Workloads,
    kept_back: BTreeMap<String, Episode>,
}

impl Quiet {
    pub(super) fn read(log: &dyn StateLog) -> Result<Self, LogError> {
        let mut kept_back = BTreeMap::new();
        for (id, row) in log.table(Table::Episodes)? {
            if let Row::Episode(episode) = row
                && episode.silence_id.is_some()
            {
                kept_back.insert(id, *episode);
            }
        }
        Ok(Self { silences: silences(log)?, workloads: workloads(log)?, kept_back })
    }

    /// Gives the prediction's episode where its last news was kept back.
    pub(super) fn episode(&self, prediction: &Prediction) -> Option<&Episode> {
        self.kept_back.get(prediction.episode_id.as_deref()?)
    }
}

/// Announces an episode after a silence, once for each; gives how many entries that made.
pub(super) fn release(log: &dyn StateLog, prediction: &Prediction, after_silence: &str) -> Result<u64, AnnounceError> {
    let Some(episode) = prediction.episode_id.clone() else { return Ok(0) };
    let time = prediction.as_of.parse().map_err(|source| EpisodeError::Time {
        id: prediction.prediction_id.clone(),
        as_of: prediction.as_of.clone(),
        source,
    })?;
    let event = Event::PredictionAnnounced(Announced {
        after_silence: after_silence.to_owned(),
        prediction: Box::new(prediction.clone()),
    });
    let id = event_id(event.type_(), &[&episode, after_silence]);
    let new = NewEvent::new(id, prediction.instance_id.clone(), time, event);
    Ok(log.append(&stream_of(&episode), Expected::Any, &[new])?.written as u64)
}

/// Announces workload episodes whose silence is over and of which the round says nothing else.
pub(super) fn release_workloads(log: &dyn StateLog, round: &Round, quiet: &Quiet) -> Result<u64, AnnounceError> {
    let Some(as_of) = round.taken.first().map(|t| t.prediction.as_of.clone()) else { return Ok(0) };
    let spoken = |id: &str| round.workloads.iter().any(|e| e.episode.workload_episode_id == id);
    let mut released = 0;
    for (id, episode) in quiet.workloads.iter().filter(|(id, _)| !spoken(id)) {
        if silence::due_workload(episode, &quiet.silences, &as_of).is_some() {
            tracing::debug!(id, "the silence is over");
            let episode = WorkloadEpisode { as_of: as_of.clone(), ..episode.clone() };
            let event = WorkloadEvent { change: EpisodeChange::Updated, from: episode.level, episode };
            released += append_workload(log, &event, None)?;
        }
    }
    Ok(released)
}
