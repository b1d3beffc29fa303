//! Takes predictions up into episodes, writes what happened into the log, and announces it on the bus.

use crate::analyze::Analysis;
use crate::episode_events::{EpisodeError, EpisodeEvent, append_predictions};
use crate::silence;
use forewarn_domain::episode::{EpisodeChange, EpisodeState};
use forewarn_domain::id::event_id;
use forewarn_domain::prediction::Prediction;
use forewarn_domain::round::{Round, States, apply_predictions};
use forewarn_domain::silence::Silence;
use forewarn_domain::workload::{WorkloadEpisode, WorkloadEvent, Workloads};
use forewarn_history::{History, HistoryError, round_name};
use forewarn_log::event::prediction::Observed;
use forewarn_log::event::workload::{Cleared, Predicted, Updated};
use forewarn_log::table::Table;
use forewarn_log::{AppendError, Batch, Event, Expected, LogError, NewEvent, Row, StateLog};
use forewarn_rules::predict::ENGINE;
use forewarn_rules::ruleset::RuleSet;
use forewarn_runtime::failpoint;
use serde::Serialize;

mod quiet;

use quiet::{Quiet, release, release_workloads};

/// Observations that are written, and made durable, together. Cut short before it, the next run decides the same again.
const TOGETHER: usize = 256;

/// What emission did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Emitted {
    /// Episodes that opened.
    pub opened: u64,
    /// Episodes whose level changed.
    pub updated: u64,
    /// Episodes that were cleared.
    pub cleared: u64,
    /// Workload episodes that opened, were updated or cleared.
    pub workloads: u64,
    /// Episodes whose silence is over and that are announced now.
    pub released: u64,
    /// Announcements put on the bus.
    pub announced: u64,
}

impl Emitted {
    /// Adds what another emission did.
    pub fn add(&mut self, other: Self) {
        self.opened += other.opened;
        self.updated += other.updated;
        self.cleared += other.cleared;
        self.workloads += other.workloads;
        self.released += other.released;
        self.announced += other.announced;
    }
}

/// Why emission stopped; what was written stays, and running it again goes on from there.
#[derive(Debug, thiserror::Error)]
pub enum AnnounceError {
    #[error(transparent)]
    Log(#[from] LogError),
    /// The log refused an append.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// An episode could not be stepped.
    #[error(transparent)]
    Step(#[from] forewarn_domain::episode::EpisodeError),
    /// An episode's event was refused.
    #[error(transparent)]
    Episode(#[from] EpisodeError),
    /// The history could not be written.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// The predictions could not be written as Parquet.
    #[error("cannot write the predictions as Parquet: {0}")]
    Render(Box<dyn std::error::Error + Send + Sync>),
}

/// Reads where every instance's episodes stand.
///
/// # Errors
/// When the log does not read.
pub fn states(log: &dyn StateLog) -> Result<States, LogError> {
    let mut states = States::new();
    for row in log.table(Table::EpisodeStates)?.into_values() {
        if let Row::EpisodeState(row) = row {
            states.insert(row.instance_id, row.state);
        }
    }
    Ok(states)
}

/// Reads the workload episodes that are open.
///
/// # Errors
/// When the log does not read.
pub fn workloads(log: &dyn StateLog) -> Result<Workloads, LogError> {
    let mut open = Workloads::new();
    for row in log.table(Table::WorkloadEpisodes)?.into_values() {
        if let Row::Workload(row) = row
            && row.open
        {
            open.insert(row.episode.workload_episode_id.clone(), row.episode);
        }
    }
    Ok(open)
}

/// Reads the silences that were asked for and not lifted; each says itself when it ends.
///
/// # Errors
/// When the log does not read.
pub fn silences(log: &dyn StateLog) -> Result<Vec<Silence>, LogError> {
    let rows = log.table(Table::Silences)?.into_values();
    Ok(rows.filter_map(|row| if let Row::Silence(silence) = row { Some(silence) } else { None }).collect())
}

/// Takes an analysis up into the episodes that a log has, most urgent first; without a log, none has begun yet.
///
/// # Errors
/// When the log does not read, or a stored state can't be read as one.
pub fn round(log: Option<&dyn StateLog>, analysis: &Analysis, ruleset: &RuleSet) -> Result<Round, AnnounceError> {
    let states = log.map_or_else(|| Ok(States::new()), states)?;
    let workloads = log.map_or_else(|| Ok(Workloads::new()), workloads)?;
    Ok(apply_predictions(
        analysis.predictions(ruleset, true),
        &states,
        &workloads,
        ruleset.levels(),
        ruleset.episodes(),
    )?)
}

/// Writes a round into the log; announcing it is left to the buses. Doing it again changes nothing.
///
/// A workload's end is written last: cut short before that, the next run decides the same again.
///
/// # Errors
/// When the log fails.
pub fn write(log: &dyn StateLog, round: &Round) -> Result<Emitted, AnnounceError> {
    let mut report = Emitted::default();
    let quiet = Quiet::read(log)?;
    let (over, news): (Vec<_>, Vec<_>) = round.workloads.iter().partition(|e| e.change == EpisodeChange::Cleared);
    for event in news {
        report.workloads +=
            append_workload(log, event, forewarn_domain::silence::of_workload(&quiet.silences, &event.episode))?;
    }
    let mut observed = Vec::new();
    for taken in &round.taken {
        let before = quiet.episode(&taken.prediction);
        let what: Vec<EpisodeEvent> = taken.events.iter().map(EpisodeEvent::of).collect();
        failpoint::point("analyze.writing");
        let mut prediction = taken.prediction.clone();
        let silenced = forewarn_domain::silence::of(&quiet.silences, &prediction);
        prediction.silence_id = what.first().and_then(|w| silence::stamp(*w, silenced, before));
        for event in append_predictions(log, &prediction, &what)? {
            *match event {
                EpisodeEvent::Opened => &mut report.opened,
                EpisodeEvent::Updated { .. } => &mut report.updated,
                EpisodeEvent::Cleared { .. } => &mut report.cleared,
            } += 1;
        }
        if let Some(silence) = silence::due(taken, &quiet.silences, before) {
            report.released += release(log, &taken.prediction, &silence)?;
        }
        if taken.keep {
            let after = observation(&taken.prediction, taken.after.clone())?;
            if what.is_empty() {
                observed.push(after);
            } else {
                // At once: that its episode opened must not outlive where it stands by more than this.
                log.append_each(&[after])?;
            }
        }
        if observed.len() == TOGETHER {
            log.append_each(&observed)?;
            observed.clear();
        }
    }
    log.append_each(&observed)?;
    report.released += release_workloads(log, round, &quiet)?;
    for event in over {
        let before = quiet.workloads.get(&event.episode.workload_episode_id);
        report.workloads += append_workload(log, event, before.and_then(|b| b.silence_id.clone()))?;
    }
    failpoint::point("analyze.appended");
    Ok(report)
}

/// Writes what happened to a workload, once; gives how many entries that made.
fn append_workload(
    log: &dyn StateLog,
    event: &WorkloadEvent,
    silence_id: Option<String>,
) -> Result<u64, AnnounceError> {
    let (previous, episode) = (event.from, Box::new(WorkloadEpisode { silence_id, ..event.episode.clone() }));
    let id = episode.workload_episode_id.clone();
    let (as_of, workload) = (episode.as_of.clone(), episode.workload.clone());
    let (event, parts) = match event.change {
        EpisodeChange::Opened => (Event::WorkloadPredicted(Predicted { episode }), vec![id.as_str()]),
        EpisodeChange::Updated => (Event::WorkloadUpdated(Updated { previous, episode }), vec![id.as_str(), &as_of]),
        EpisodeChange::Cleared => (Event::WorkloadCleared(Cleared { previous, episode }), vec![id.as_str()]),
    };
    let event_id = event_id(event.type_(), &parts);
    let time = as_of.parse().map_err(|source| EpisodeError::Time { id: id.clone(), as_of: as_of.clone(), source })?;
    let new = NewEvent::new(event_id, workload, time, event);
    Ok(log.append(&format!("workload/{id}"), Expected::Any, &[new])?.written as u64)
}

/// Keeps a round in the history's `predictions/`: a row for each instance, in order of id. The same time, rule set and engine give
/// the same name, and the file that came first stays. Gives the path, and whether it is new.
///
/// # Errors
/// When the file can't be made or written.
pub fn keep(
    history: &History,
    analysis: &Analysis,
    ruleset: &RuleSet,
    round: &Round,
) -> Result<(String, bool), AnnounceError> {
    keep_predictions(history, analysis.as_of, round.taken.iter().map(|t| t.prediction.clone()).collect(), ruleset)
}

/// Keeps predictions of one time, as [`keep`] does those of a round.
///
/// # Errors
/// As [`keep`].
pub fn keep_predictions(
    history: &History,
    as_of: i64,
    mut predictions: Vec<Prediction>,
    ruleset: &RuleSet,
) -> Result<(String, bool), AnnounceError> {
    predictions.sort_by(|a, b| a.instance_id.cmp(&b.instance_id));
    let bytes = forewarn_history::prediction_table::parquet(&predictions).map_err(AnnounceError::Render)?;
    Ok(history.put_predictions(as_of, &round_name(as_of, ruleset.sha256(), ENGINE), bytes)?)
}

/// Says where the episode stands after a prediction, so that hysteresis goes on from there in the next run.
fn observation(prediction: &Prediction, state: EpisodeState) -> Result<Batch, AnnounceError> {
    let event = Event::PredictionObserved(Observed {
        instance_id: prediction.instance_id.clone(),
        prediction_id: prediction.prediction_id.clone(),
        as_of: prediction.as_of.clone(),
        confidence: prediction.confidence,
        state: Box::new(state),
    });
    let id = event_id(event.type_(), &[&prediction.prediction_id]);
    let time = prediction.as_of.parse().map_err(|source| EpisodeError::Time {
        id: prediction.prediction_id.clone(),
        as_of: prediction.as_of.clone(),
        source,
    })?;
    let new = NewEvent::new(id, prediction.instance_id.clone(), time, event);
    Ok(Batch { stream: format!("instance/{}", prediction.instance_id), expected: Expected::Any, events: vec![new] })
}

#[cfg(test)]
mod tests;
