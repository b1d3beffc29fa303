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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::projection::Table;
    use forewarn_rules::feature::{WIDTH, column_index};
    use forewarn_rules::predict::Identity;
    use forewarn_rules::signal::SIGNALS;
    use forewarn_rules::table::FeatureTable;

    const HOUR: i64 = 3_600_000;
    const NOON: i64 = 1_771_156_800_000;

    /// What is found of one instance, whose status check has failed for two hours or which is well.
    fn analysis(ruleset: &RuleSet, as_of: i64, failing: bool) -> Analysis {
        let mut row = vec![f64::NAN; WIDTH];
        for (name, value) in [
            ("instance_age_days", 30.0),
            ("instance_coverage", 1.0),
            ("instance_silence_hours", 0.1),
            ("instance_signals", 6.0),
            ("cpu_n", 2016.0),
            ("memory_n", 2016.0),
            ("status_hours_critical", if failing { 2.0 } else { 0.0 }),
        ] {
            row[column_index(name).unwrap()] = value;
        }
        let mut table = FeatureTable::new();
        table.push("i-a", as_of, &row, &vec![None; SIGNALS.len()]);
        Analysis {
            as_of,
            identities: vec![Identity::default()],
            sparks: vec![BTreeMap::new()],
            assessed: ruleset.assess(&table).unwrap(),
            table,
            samples: 0,
            unused: BTreeMap::new(),
        }
    }

    /// Emits as a process of its own does, and gives the entries of the log and the bus after it.
    fn run(dir: &Path, ruleset: &RuleSet, analysis: &Analysis) -> (Emitted, u64, String) {
        let log = SqliteLog::open(&log_path(dir)).unwrap();
        let bus = dir.join("events.jsonl");
        let emitted = emit(&log, &bus, analysis, ruleset).unwrap();
        (emitted, log.head().unwrap(), std::fs::read_to_string(bus).unwrap())
    }

    #[test]
    fn emitting_again_writes_nothing() {
        let (dir, ruleset) = (tempfile::tempdir().unwrap(), RuleSet::builtin(&|_| None).unwrap());
        let failing = analysis(&ruleset, NOON, true);
        let first = run(dir.path(), &ruleset, &failing);
        assert_eq!(first.0, Emitted { opened: 1, announced: 1, ..Emitted::default() });
        assert_eq!(first.2.lines().count(), 1);
        assert_eq!(run(dir.path(), &ruleset, &failing), (Emitted::default(), first.1, first.2));
    }

    #[test]
    fn an_episode_goes_on_across_runs_until_it_is_cleared_once() {
        let (dir, ruleset) = (tempfile::tempdir().unwrap(), RuleSet::builtin(&|_| None).unwrap());
        run(dir.path(), &ruleset, &analysis(&ruleset, NOON, true));
        let mut cleared = Vec::new();
        for hour in 1..=48 {
            let (emitted, ..) = run(dir.path(), &ruleset, &analysis(&ruleset, NOON + hour * HOUR, false));
            assert_eq!(emitted.opened, 0);
            if emitted.cleared > 0 {
                cleared.push(hour as f64);
            }
        }
        assert_eq!(cleared.len(), 1, "{cleared:?}");
        assert!(cleared[0] >= ruleset.levels().clear_after, "{cleared:?}");
        let log = SqliteLog::open(&log_path(dir.path())).unwrap();
        assert!(log.rebuild().unwrap().identical);
        let lines = std::fs::read_to_string(dir.path().join("events.jsonl")).unwrap().lines().count();
        assert_eq!(lines, 2, "one announcement for its beginning, one for its end");
    }

    #[test]
    fn a_run_that_stopped_halfway_is_taken_up_without_saying_anything_twice() {
        let (dir, ruleset) = (tempfile::tempdir().unwrap(), RuleSet::builtin(&|_| None).unwrap());
        let failing = analysis(&ruleset, NOON, true);
        let log = SqliteLog::open(&log_path(dir.path())).unwrap();
        let (prediction, ..) = stamped(&failing, &ruleset, &States::new(), false).unwrap().remove(0);
        append_prediction(&log, &prediction, EpisodeEvent::Made).unwrap();
        assert!(log.table(Table::EpisodeStates).unwrap().is_empty());
        let (emitted, _, bus) = run(dir.path(), &ruleset, &failing);
        assert_eq!(emitted, Emitted { announced: 1, ..Emitted::default() });
        assert_eq!(bus.lines().count(), 1);
        assert!(states(&log).unwrap()["i-a"].open.is_some());
    }
}
