//! Holds a round: analyzes one time, takes the predictions up into their episodes, writes them down, and keeps them in the history.
//!
//! A round that was cut short is held again: predictions, episodes and files have ids that depend on what they say alone, so that
//! what is there already stays.

use crate::analyze::{self, Analysis, AnalyzeError};
use crate::announce::{self, AnnounceError, Emitted};
use crate::fleet::{DeclaredChange, Fleet};
use crate::incidents::{self, IncidentsError};
use crate::resolve::{self, ResolveError};
use forewarn_domain::previewer::RecoveryPreviewer;
use forewarn_domain::signal_map::SignalMap;
use forewarn_history::{History, HistoryError};
use forewarn_log::{LogError, SqliteLog};
use forewarn_rules::ruleset::RuleSet;
use forewarn_runtime::failpoint;
use forewarn_runtime::interrupt::Interrupt;
use forewarn_runtime::metrics::{Metrics, OfLevel};
use forewarn_runtime::schedule::{Progress, ProgressError, Schedule};
use serde::Serialize;
use std::collections::BTreeMap;

/// Everything that a round is held with.
#[derive(Debug, Clone, Copy)]
pub struct Rounds<'a> {
    pub history: &'a History,
    /// The event log.
    pub log: &'a SqliteLog,
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

/// Explains why a round was not held to its end; holding it again is safe.
#[derive(Debug, thiserror::Error)]
pub enum RoundsError {
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
pub fn conclude(history: &mut History, log: &SqliteLog, from: i64, now: i64) -> Result<Concluded, ConcludeError> {
    let seen = incidents::observe(history, log, from, now, &forewarn_rules::incident::Settings::default())?;
    failpoint::point("analyze.incidents_observed");
    let resolved = resolve::resolve(log, history, &[], now)?;
    failpoint::point("analyze.resolved");
    Ok(Concluded { incidents: seen.logged, resolved })
}

/// What rounds did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Held {
    /// Times that were due.
    pub due: u64,
    /// Times without any data in the seven days before.
    pub empty: u64,
    /// The last time dealt with.
    pub through: Option<String>,
    /// Instances looked at, in the last round.
    pub instances: u64,
    /// Predictions by level, in the last round.
    pub levels: BTreeMap<&'static str, u64>,
    /// What happened to episodes.
    #[serde(flatten)]
    pub emitted: Emitted,
}

impl Rounds<'_> {
    /// Holds every round of the schedule that is due, in order, and moves the progress after each; ends early when `stop` is raised.
    ///
    /// # Errors
    /// When a round can't be held to its end.
    pub fn catch_up(
        &self,
        schedule: Schedule,
        progress: &Progress,
        now: i64,
        stop: &Interrupt,
    ) -> Result<Held, RoundsError> {
        let mut held = Held::default();
        for as_of in schedule.due(progress.read()?, now) {
            if stop.is_raised() {
                break;
            }
            match self.hold(as_of, &mut held) {
                Ok(_) => {}
                Err(RoundsError::Analyze(AnalyzeError::NoData { .. })) => held.empty += 1,
                Err(e) => return Err(e),
            }
            failpoint::point("analyze.held");
            progress.write(as_of)?;
            failpoint::point("analyze.progressed");
            held.due += 1;
            held.through = Some(forewarn_runtime::time::format_ms(as_of));
            self.metrics.success("analyze", as_of);
        }
        Ok(held)
    }

    /// Holds the round of one time.
    ///
    /// # Errors
    /// When it can't be held to its end; what was written stays, and holding it again goes on from there.
    pub fn hold(&self, as_of: i64, held: &mut Held) -> Result<Analysis, RoundsError> {
        let fleet = Fleet::read(self.history, &DeclaredChange::of(self.log)?, as_of)?;
        let analysis = analyze::analyze(self.history, self.ruleset, self.map, &fleet, as_of, |_, _| {})?;
        failpoint::point("analyze.analyzed");
        let mut round = announce::round(Some(self.log), &analysis, self.ruleset)?;
        if let Some(planner) = self.plans.filter(|p| p.is_fresh(as_of)) {
            planner.attach(&mut round);
        }
        let emitted = announce::write(self.log, &round)?;
        failpoint::point("analyze.written");
        announce::keep(self.history, &analysis, self.ruleset, &round)?;
        failpoint::point("analyze.kept");
        if let Some(shadow) = self.shadow
            && let Err(e) = crate::shadow::keep(self.history, self.map, &fleet, as_of, shadow)
        {
            // The shadow is a trial: what people see goes on without it.
            tracing::warn!(error = %e, "the shadow rule set's round was not kept");
        }
        held.emitted.add(emitted);
        held.instances = analysis.table.len() as u64;
        held.levels.clear();
        for level in &analysis.assessed.level {
            *held.levels.entry(level.name()).or_default() += 1;
            self.metrics.predictions.get_or_create(&OfLevel { confidence: level.name() }).inc();
        }
        Ok(analysis)
    }
}
