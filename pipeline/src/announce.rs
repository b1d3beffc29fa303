//! Takes predictions up into episodes, writes what happened into the log, and announces it on the bus.

use crate::analyze::Analysis;
use crate::emit::{self, EpisodeEvent, JsonLinesBus, append_predictions};
use crate::history::{History, HistoryError};
use crate::log::envelope::event_id;
use crate::log::event::prediction::Observed;
use crate::log::projection::Table;
use crate::log::{AppendError, Event, EventLog, Expected, Filter, LogError, NewEvent, Row, SqliteLog};
use forewarn_rules::episode::EpisodeState;
use forewarn_rules::predict::ENGINE;
use forewarn_rules::prediction::Prediction;
use forewarn_rules::round::{States, Taken, take_up};
use forewarn_rules::ruleset::RuleSet;
use serde::Serialize;
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
    /// The history could not be written.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// The predictions could not be written as Parquet.
    #[error("cannot write the predictions as Parquet: {0}")]
    Render(Box<dyn std::error::Error + Send + Sync>),
    /// The outbox stopped.
    #[error(transparent)]
    Pump(#[from] emit::PumpError),
}

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

/// Takes an analysis up into the episodes that a log has, most urgent first; without a log, none has begun yet.
///
/// # Errors
/// When the log does not read, or a stored state can't be read as one.
pub fn round(log: Option<&SqliteLog>, analysis: &Analysis, ruleset: &RuleSet) -> Result<Vec<Taken>, AnnounceError> {
    let states = log.map_or_else(|| Ok(States::new()), states)?;
    Ok(take_up(analysis.predictions(ruleset, true), &states, ruleset.levels())?)
}

/// Writes a round into the log and announces what is new. Doing it again changes nothing.
///
/// # Errors
/// When log or bus fail.
pub fn emit(log: &SqliteLog, bus: &Path, round: &[Taken]) -> Result<Emitted, AnnounceError> {
    let mut report = Emitted::default();
    for taken in round {
        let what: Vec<EpisodeEvent> = taken.events.iter().map(EpisodeEvent::of).collect();
        for event in append_predictions(log, &taken.prediction, &what)? {
            *match event {
                EpisodeEvent::Made => &mut report.opened,
                EpisodeEvent::Updated { .. } => &mut report.updated,
                EpisodeEvent::Cleared { .. } => &mut report.cleared,
            } += 1;
        }
        if taken.keep {
            observe(log, &taken.prediction, taken.after.clone())?;
        }
    }
    let mut bus = JsonLinesBus::open(bus)?;
    report.announced = emit::pump(log, CURSOR, &mut bus, &Filter::default())?.sent;
    Ok(report)
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
    round: &[Taken],
) -> Result<(String, bool), AnnounceError> {
    let mut predictions: Vec<Prediction> = round.iter().map(|t| t.prediction.clone()).collect();
    predictions.sort_by(|a, b| a.instance_id.cmp(&b.instance_id));
    let bytes = crate::render::parquet(&predictions).map_err(AnnounceError::Render)?;
    let at = crate::time::format_ms(analysis.as_of).replace(['-', ':'], "");
    let name = format!("{at}-{}-{ENGINE}", &ruleset.sha256()[..16]);
    Ok(history.put_predictions(analysis.as_of, &name, bytes)?)
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
    use std::collections::BTreeMap;

    const HOUR: i64 = 3_600_000;
    const NOON: i64 = 1_771_156_800_000;

    /// What is found of one instance, whose status check has flapped and then failed for four hours, or which is well.
    fn analysis(ruleset: &RuleSet, as_of: i64, failing: bool) -> Analysis {
        let mut row = vec![f64::NAN; WIDTH];
        for (name, value) in [
            ("instance_age_days", 30.0),
            ("instance_coverage", 1.0),
            ("instance_silence_hours", 0.1),
            ("instance_signals", 6.0),
            ("cpu_n", 2016.0),
            ("memory_n", 2016.0),
            ("status_hours_critical", if failing { 4.0 } else { 0.0 }),
            ("status_lift_6h", if failing { 0.7 } else { 0.0 }),
            ("status_bursts_24h", if failing { 8.0 } else { 0.0 }),
            ("status_x24", if failing { 1.0 } else { 0.0 }),
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
        let emitted = emit(&log, &bus, &round(Some(&log), analysis, ruleset).unwrap()).unwrap();
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
        let taken = round(Some(&log), &failing, &ruleset).unwrap().remove(0);
        append_predictions(&log, &taken.prediction, &[EpisodeEvent::Made]).unwrap();
        assert!(log.table(Table::EpisodeStates).unwrap().is_empty());
        let (emitted, _, bus) = run(dir.path(), &ruleset, &failing);
        assert_eq!(emitted, Emitted { announced: 1, ..Emitted::default() });
        assert_eq!(bus.lines().count(), 1);
        assert!(states(&log).unwrap()["i-a"].open.is_some());
    }
}
