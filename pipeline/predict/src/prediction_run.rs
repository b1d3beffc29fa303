//! One prediction run: analyzes one time, applies the predictions to their episodes, writes them to the log, and keeps them in the history.
//!
//! A run that was cut short is executed again: predictions, episodes and files have ids that depend on what they say alone, so that
//! what is there already stays.

use crate::analyze::{self, Analysis, AnalyzeError};
use crate::announce::{self, AnnounceError, Emitted};
use crate::fleet::{DeclaredChange, Fleet};
use crate::incidents::{self, IncidentsError};
use crate::resolve::{self, ResolveError};
use forewarn_domain::previewer::RecoveryPreviewer;
use forewarn_domain::round::Round;
use forewarn_domain::signal_map::SignalMap;
use forewarn_history::{History, HistoryError};
use forewarn_log::{LogError, SqliteLog};
use forewarn_rules::ruleset::RuleSet;
use forewarn_runtime::failpoint;
use forewarn_runtime::interrupt::Interrupt;
use forewarn_runtime::lease::{Lease, LeaseError};
use forewarn_runtime::metrics::{Metrics, OfLevel};
use forewarn_runtime::schedule::{Progress, ProgressError, Schedule};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;

/// What a prediction run works on.
#[derive(Debug, Clone, Copy)]
pub struct PredictionRun<'a> {
    pub history: &'a History,
    /// The rule set that speaks.
    pub ruleset: &'a RuleSet,
    /// A second rule set, which is only written down.
    pub shadow: Option<&'a RuleSet>,
    /// Which metrics feed which signals.
    pub map: &'a SignalMap,
    /// What gives predictions at high their plans, where somebody wants them.
    pub plans: Option<&'a dyn RecoveryPreviewer>,
    /// What is counted.
    pub metrics: &'a Metrics,
}

/// What one time's run found, before it is written down.
#[derive(Debug)]
pub struct Prepared {
    pub analysis: Analysis,
    /// The predictions with their episodes.
    pub round: Round,
    fleet: Fleet,
}

/// Explains why a run did not come to its end; executing it again is safe.
#[derive(Debug, thiserror::Error)]
pub enum PredictionRunError {
    /// The analysis failed.
    #[error(transparent)]
    Analyze(#[from] AnalyzeError),
    /// What was found could not be written down.
    #[error(transparent)]
    Announce(#[from] AnnounceError),
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    History(#[from] HistoryError),
    /// The progress could not be kept.
    #[error(transparent)]
    Progress(#[from] ProgressError),
}

/// What was learned of how things turned out.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Concluded {
    /// Failures that are new.
    pub incidents: usize,
    /// How episodes turned out.
    #[serde(flatten)]
    pub resolved: resolve::Report,
}

/// Explains why it is not known how things turned out; asking again is safe.
#[derive(Debug, thiserror::Error)]
pub enum ConcludeError {
    /// Incidents could not be found or written down.
    #[error(transparent)]
    Incidents(#[from] IncidentsError),
    /// Episodes could not be resolved.
    #[error(transparent)]
    Resolve(#[from] ResolveError),
}

/// Finds the failures that began in `[from, now)` and resolves the episodes that are due. Doing it again changes nothing.
///
/// # Errors
/// When history or log fail.
fn conclude(history: &mut History, log: &SqliteLog, from: i64, now: i64) -> Result<Concluded, ConcludeError> {
    let seen = incidents::observe(history, log, from, now, &forewarn_rules::incident::Settings::default())?;
    failpoint::point("analyze.incidents_observed");
    let resolved = resolve::resolve(log, history, &[], now)?;
    failpoint::point("analyze.resolved");
    Ok(Concluded { incidents: seen.logged, resolved })
}

/// What runs did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct RunReport {
    /// Times that were due.
    pub due: u64,
    /// Times without any data in the seven days before.
    pub empty: u64,
    /// The last time dealt with.
    pub through: Option<String>,
    /// Instances analyzed, in the last run.
    pub instances: u64,
    /// Predictions by level, in the last run.
    pub levels: BTreeMap<&'static str, u64>,
    /// What happened to episodes.
    #[serde(flatten)]
    pub emitted: Emitted,
}

/// How far before the last run failures are looked for, milliseconds: what comes late comes within a day.
const LOOK_BACK_MS: i64 = 24 * 3_600_000;

/// The turn to execute what is due: no other process has it while this lives.
#[derive(Debug)]
pub struct DueTurn {
    progress: Progress,
    begun: Option<i64>,
    _lease: Lease,
}

/// Explains why it is not this process's turn.
#[derive(Debug, thiserror::Error)]
pub enum TurnError {
    /// Another process has it.
    #[error(transparent)]
    Lease(#[from] LeaseError),
    /// The progress can't be read or written.
    #[error(transparent)]
    Progress(#[from] ProgressError),
}

impl DueTurn {
    /// Takes the turn of a state directory.
    ///
    /// # Errors
    /// When another process has it, or the progress can't be read.
    pub fn take(state: &Path) -> Result<Self, TurnError> {
        let lease = Lease::take(state, "analyze")?;
        let progress = Progress::of(state, "analyze");
        Ok(Self { begun: progress.read()?, progress, _lease: lease })
    }

    /// Has the very first run be the first one due at or after a time.
    ///
    /// # Errors
    /// When the progress can't be written.
    pub fn begin_at(&mut self, from: i64) -> Result<(), TurnError> {
        if self.begun.is_none() {
            self.progress.write(from - 1)?;
            self.begun = Some(from - 1);
        }
        Ok(())
    }

    /// Finds the failures since shortly before the last run, and resolves the episodes that are due. Doing it again changes nothing.
    ///
    /// What fails is said and stops nothing: another process may be writing to the history, and the next run finds the same.
    pub fn conclude(&self, history: &mut History, log: &SqliteLog, now: i64) {
        match conclude(history, log, self.begun.unwrap_or(now).min(now) - LOOK_BACK_MS, now) {
            Ok(c) => {
                tracing::debug!(incidents = c.incidents, hit = c.resolved.hit, missed = c.resolved.missed, "concluded");
            }
            Err(e) => tracing::warn!(error = %e, "how things turned out is asked again after the next run"),
        }
    }

    /// Resolves the episodes that are due at a time that is not one of the schedule: what failed since is for the scheduled runs to find.
    ///
    /// # Errors
    /// When history or log fail.
    pub fn resolve(&self, history: &History, log: &SqliteLog, as_of: i64) -> Result<resolve::Report, ResolveError> {
        resolve::resolve(log, history, &[], as_of)
    }
}

impl PredictionRun<'_> {
    /// Executes every run of the schedule that is due, in order, and moves the progress after each; ends early when `stop` is raised.
    ///
    /// # Errors
    /// When a run does not come to its end.
    pub fn catch_up(
        &self,
        schedule: Schedule,
        turn: &DueTurn,
        log: &SqliteLog,
        now: i64,
        stop: &Interrupt,
    ) -> Result<RunReport, PredictionRunError> {
        let mut report = RunReport::default();
        for as_of in schedule.due(turn.progress.read()?, now) {
            if stop.is_raised() {
                break;
            }
            // What is caught up with is not looked at now.
            let run = Self { plans: self.plans.filter(|p| p.is_fresh(as_of)), ..*self };
            match run.execute(log, as_of, &mut report) {
                Ok(()) => {}
                Err(PredictionRunError::Analyze(AnalyzeError::NoData { .. })) => report.empty += 1,
                Err(e) => return Err(e),
            }
            failpoint::point("analyze.held");
            turn.progress.write(as_of)?;
            failpoint::point("analyze.progressed");
            report.due += 1;
            report.through = Some(forewarn_runtime::time::format_ms(as_of));
            self.metrics.dealt_with("analyze", as_of);
        }
        Ok(report)
    }

    /// Executes the run of one time.
    fn execute(&self, log: &SqliteLog, as_of: i64, report: &mut RunReport) -> Result<(), PredictionRunError> {
        let prepared = self.prepare(Some(log), as_of, |_, _| {})?;
        self.write(log, &prepared, report)?;
        self.keep(&prepared).map(drop)
    }

    /// Analyzes one time, applies its predictions to their episodes as the log has them, and gives those at high their plans; nothing is
    /// written. `progress` hears how many instances of how many are analyzed.
    ///
    /// # Errors
    /// When history or log fail, or there is no data.
    pub fn prepare(
        &self,
        log: Option<&SqliteLog>,
        as_of: i64,
        progress: impl Fn(u64, u64),
    ) -> Result<Prepared, PredictionRunError> {
        let changes = log.map_or_else(|| Ok(Vec::new()), DeclaredChange::of)?;
        let fleet = Fleet::read(self.history, &changes, as_of)?;
        let analysis = analyze::analyze(self.history, self.ruleset, self.map, &fleet, as_of, progress)?;
        failpoint::point("analyze.analyzed");
        let mut round = announce::round(log, &analysis, self.ruleset)?;
        if let Some(plans) = self.plans {
            plans.attach(&mut round);
        }
        Ok(Prepared { analysis, round, fleet })
    }

    /// Writes to the log what happened to episodes: from then on it can be announced.
    ///
    /// # Errors
    /// When it does not come to its end; what was written stays, and doing it again goes on from there.
    pub fn write(
        &self,
        log: &SqliteLog,
        prepared: &Prepared,
        report: &mut RunReport,
    ) -> Result<(), PredictionRunError> {
        let Prepared { analysis, round, .. } = prepared;
        report.emitted.add(announce::write(log, round)?);
        failpoint::point("analyze.written");
        report.instances = analysis.table.len() as u64;
        report.levels.clear();
        for level in &analysis.assessed.level {
            *report.levels.entry(level.name()).or_default() += 1;
            self.metrics.predictions.get_or_create(&OfLevel { confidence: level.name() }).inc();
        }
        Ok(())
    }

    /// Keeps the predictions in the history, those of the shadow too; gives the file, and whether it is new.
    ///
    /// # Errors
    /// When a file can't be written; doing it again writes the same.
    pub fn keep(&self, prepared: &Prepared) -> Result<(String, bool), PredictionRunError> {
        let Prepared { analysis, round, fleet } = prepared;
        let kept = announce::keep(self.history, analysis, self.ruleset, round)?;
        failpoint::point("analyze.kept");
        if let Some(shadow) = self.shadow
            && let Err(e) = crate::shadow::keep(self.history, self.map, fleet, analysis.as_of, shadow)
        {
            // The shadow is a trial: what people see goes on without it.
            tracing::warn!(error = %e, "the shadow rule set's round was not kept");
        }
        Ok(kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_process_has_the_turn_and_the_first_run_begins_where_it_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let mut turn = DueTurn::take(dir.path()).unwrap();
        assert!(matches!(DueTurn::take(dir.path()), Err(TurnError::Lease(_))));
        turn.begin_at(1_000).unwrap();
        assert_eq!(turn.progress.read().unwrap(), Some(999));
        assert_eq!(turn.begun, Some(999), "failures are looked for from there");
        drop(turn);
        let mut turn = DueTurn::take(dir.path()).unwrap();
        turn.begin_at(5_000).unwrap();
        assert_eq!(turn.progress.read().unwrap(), Some(999), "what has begun goes on");
    }
}
