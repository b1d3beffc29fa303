//! Takes predictions up into episodes, writes what happened into the log, and announces it on the bus.

use crate::analyze::Analysis;
use crate::emit::{self, EpisodeEvent, JsonLinesBus, append_prediction};
use crate::log::envelope::event_id;
use crate::log::event::prediction::Observed;
use crate::log::projection::Table;
use crate::log::{AppendError, Event, EventLog, Expected, Filter, LogError, NewEvent, Row, SqliteLog};
use forewarn_rules::episode::{EpisodeChange, EpisodeState, step};
use forewarn_rules::prediction::{Level, Prediction};
use forewarn_rules::ruleset::RuleSet;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The cursor of the JSON Lines bus.
const CURSOR: &str = "bus";

/// The log file within a state directory.
pub fn log_path(state: &Path) -> PathBuf {
    state.join("log.sqlite")
}

/// What emission did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Emitted {
    /// Episodes that opened.
    pub opened: u64,
    /// Episodes whose level changed.
    pub updated: u64,
    /// Episodes that were cleared.
    pub cleared: u64,
    /// Announcements put on the bus.
    pub announced: u64,
}

/// Why emission stopped; what was written stays, and running it again goes on from there.
#[derive(Debug, thiserror::Error)]
pub enum AnnounceError {
    /// The log failed.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The log refused an append.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// An episode could not be stepped.
    #[error(transparent)]
    Step(#[from] forewarn_rules::episode::EpisodeError),
    /// An episode's event was refused.
    #[error(transparent)]
    Episode(#[from] emit::EpisodeError),
    /// The bus failed.
    #[error(transparent)]
    Bus(#[from] emit::BusError),
    /// The outbox stopped.
    #[error(transparent)]
    Pump(#[from] emit::PumpError),
}

/// Episodes as the log has them, by instance.
pub type States = BTreeMap<String, EpisodeState>;

/// Reads where every instance's episodes stand.
///
/// # Errors
/// When the log does not read.
pub fn states(log: &SqliteLog) -> Result<States, LogError> {
    let mut states = States::new();
    for row in log.table(Table::EpisodeStates)?.into_values() {
        if let Row::EpisodeState(row) = row {
            states.insert(row.instance_id, row.state);
        }
    }
    Ok(states)
}

/// Builds the predictions of an analysis with their place in their episodes: those at risk or unassessable, those whose
/// episode is open, and with `all` every one. Most urgent first. Gives the states after them as well.
///
/// # Errors
/// When a stored state can't be read as one.
pub fn stamped(
    analysis: &Analysis,
    ruleset: &RuleSet,
    states: &States,
    all: bool,
) -> Result<Vec<(Prediction, EpisodeState, Vec<forewarn_rules::episode::EpisodeEvent>)>, AnnounceError> {
    let nothing = EpisodeState::default();
    let mut out = Vec::new();
    let open = |id: &str| states.get(id).is_some_and(|s| s.open.is_some());
    for mut prediction in analysis.predictions(ruleset, true) {
        if !all && prediction.confidence == Level::None && !open(&prediction.instance_id) {
            continue;
        }
        let before = states.get(&prediction.instance_id).unwrap_or(&nothing);
        let (after, events) = step(before, &prediction, ruleset.levels())?;
        after.stamp(&mut prediction);
        out.push((prediction, after, events));
    }
    Ok(out)
}

/// Writes an analysis into the log and announces what is new. Doing it again changes nothing.
///
/// # Errors
/// When log or bus fail.
pub fn emit(log: &SqliteLog, bus: &Path, analysis: &Analysis, ruleset: &RuleSet) -> Result<Emitted, AnnounceError> {
    let states = states(log)?;
    let mut report = Emitted::default();
    for (prediction, after, events) in stamped(analysis, ruleset, &states, false)? {
        for event in &events {
            let (what, count) = match event.change {
                EpisodeChange::Opened => (EpisodeEvent::Made, &mut report.opened),
                EpisodeChange::Updated => (EpisodeEvent::Updated { previous: event.from }, &mut report.updated),
                EpisodeChange::Cleared => (EpisodeEvent::Cleared { previous: event.from }, &mut report.cleared),
            };
            *count += append_prediction(log, &prediction, what)?.written as u64;
        }
        let before = states.get(&prediction.instance_id);
        let matters = after.open.is_some() || before.is_some_and(|b| b.open.is_some());
        if matters && before != Some(&after) {
            observe(log, &prediction, after)?;
        }
    }
    let mut bus = JsonLinesBus::open(bus)?;
    report.announced = emit::pump(log, CURSOR, &mut bus, &Filter::default())?.sent;
    Ok(report)
}

/// Keeps where the episode stands after a prediction, so that hysteresis goes on from there in the next run.
fn observe(log: &SqliteLog, prediction: &Prediction, state: EpisodeState) -> Result<(), AnnounceError> {
    let event = Event::PredictionObserved(Observed {
        instance_id: prediction.instance_id.clone(),
        prediction_id: prediction.prediction_id.clone(),
        as_of: prediction.as_of.clone(),
        confidence: prediction.confidence,
        state: Box::new(state),
    });
    let id = event_id(event.type_(), &[&prediction.prediction_id]);
    let time = prediction.as_of.parse().map_err(|source| emit::EpisodeError::Time {
        id: prediction.prediction_id.clone(),
        as_of: prediction.as_of.clone(),
        source,
    })?;
    let new = NewEvent::new(id, prediction.instance_id.clone(), time, event);
    log.append(&format!("instance/{}", prediction.instance_id), Expected::Any, &[new])?;
    Ok(())
}
