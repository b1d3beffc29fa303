//! One prediction run: analyzes one time, applies the predictions to their episodes, writes them to the log, and keeps them in the history.
//!
//! A run that was cut short is executed again: predictions, episodes and files have ids that depend on what they say alone, so that
//! what is there already stays.

mod error;

use crate::analyze::{Analysis, no_data};
use crate::announce::{self, Emitted};
use crate::error::AnalyzeError;
use crate::evidence::{Evidence, Look, Whose};
use crate::evidence_file;
use crate::fleet::{DeclaredChange, Fleet};
use crate::incidents;
use crate::prior::{self, KnownIncidents};
use crate::resolve::{self, ResolveError};
use crate::shard::Shard;
use crate::turn_tables::{Needs, TurnTables};
use forewarn_domain::previewer::RecoveryPreviewer;
use forewarn_domain::prior::Prior;
use forewarn_domain::round::Round;
use forewarn_domain::signal_map::SignalMap;
use forewarn_history::History;
use forewarn_log::StateLog;
use forewarn_rules::grid::reach;
use forewarn_rules::prior::{FleetRecord, PriorFrom};
use forewarn_rules::ruleset::RuleSet;
use forewarn_runtime::failpoint;
use forewarn_runtime::interrupt::Interrupt;
use forewarn_runtime::lease::{Lease, LeaseError, Leases};
use forewarn_runtime::metrics::{Metrics, OfLevel};
use forewarn_runtime::place::StatePlace;
use forewarn_runtime::schedule::{Progress, ProgressError, Schedule};
use forewarn_runtime::threads::Threads;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::OnceLock;

pub use error::{ConcludeError, PredictionRunError, TablesError};

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
    /// How often the fleet fails, where somebody states it; else it is estimated.
    pub stated_prior: Option<f64>,
    /// What gives predictions at high their plans, where somebody wants them.
    pub plans: Option<&'a dyn RecoveryPreviewer>,
    /// What is counted.
    pub metrics: &'a Metrics,
    /// How many threads gather evidence.
    pub threads: Threads,
}

/// What one time's run found, before it is written down.
#[derive(Debug)]
pub struct Prepared {
    pub analysis: Analysis,
    /// The predictions with their episodes.
    pub round: Round,
    /// What was known of the fleet; None where shards knew it.
    fleet: Option<Fleet>,
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

/// The part of the work that a lease is taken for.
pub const PART: &str = "analyze";
/// How far before the last run failures are looked for, milliseconds: what comes late comes within a day.
const LOOK_BACK_MS: i64 = 24 * 3_600_000;

/// How far back what is not resolved is looked into, milliseconds.
const OPEN_MS: i64 = 30 * LOOK_BACK_MS;

/// The turn to execute what is due: no other process has it while this lives.
#[derive(Debug)]
pub struct DueTurn {
    progress: Progress,
    /// Through when failures were looked for where everything was there.
    sought: Progress,
    begun: Option<i64>,
    /// What the history's small tables say: read once a turn.
    tables: OnceLock<TurnTables>,
    lease: Lease,
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
    /// Takes the turn where leases are taken; how far the runs have come is in `state`.
    ///
    /// # Errors
    /// When another process has it, or the progress can't be read.
    pub fn take(leases: &Leases, state: &StatePlace) -> Result<Self, TurnError> {
        let lease = leases.take(PART)?;
        let (progress, sought) = (state.progress(PART), state.progress("incidents"));
        let turn = Self { begun: progress.read()?, progress, sought, tables: OnceLock::new(), lease };
        turn.seek_from_the_beginning()?;
        Ok(turn)
    }

    /// Gives the lease.
    pub fn lease(&self) -> &Lease {
        &self.lease
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
        Ok(self.seek_from_the_beginning()?)
    }

    /// Writes down, before any run moves the progress, from when on failures are looked for: a conclusion that fails changes nothing of it.
    fn seek_from_the_beginning(&self) -> Result<(), ProgressError> {
        match (self.sought.read()?, self.begun) {
            (None, Some(begun)) => self.sought.write(begun),
            (Some(_), _) | (None, None) => Ok(()),
        }
    }

    /// Finds the failures since shortly before the time through which they were looked for, and resolves the episodes that are due. Doing
    /// it again changes nothing.
    ///
    /// What fails is said and stops nothing: another process may be writing to the history, and the next turn looks from the same time on.
    pub fn conclude(&self, history: &mut History, log: &dyn StateLog, now: i64) {
        match self.try_conclude(history, log, now) {
            Ok(c) => {
                tracing::debug!(incidents = c.incidents, hit = c.resolved.hit, missed = c.resolved.missed, "concluded");
            }
            Err(e) => tracing::warn!(error = %e, "how things turned out is asked again after the next run"),
        }
    }

    fn try_conclude(&self, history: &mut History, log: &dyn StateLog, now: i64) -> Result<Concluded, ConcludeError> {
        let from = self.seek_from(now)?;
        let settings = forewarn_rules::incident::Settings::default();
        let tables = self.tables(history, log, None, now)?;
        let seen = incidents::observe_in(history, tables, log, from, now, &settings)?;
        failpoint::point("analyze.incidents_observed");
        let resolved = resolve::resolve_in(log, history, tables, &[], incidents::needed_since(from), now)?;
        failpoint::point("analyze.resolved");
        // Where nothing was heard it stays: what lay before the beginning is not looked for.
        self.sought.write(seen.through.max(from + LOOK_BACK_MS))?;
        Ok(Concluded { incidents: seen.logged, resolved })
    }

    /// The time from which failures are looked for: what comes late comes within a day of what came before it.
    fn seek_from(&self, now: i64) -> Result<i64, ProgressError> {
        Ok(self.sought.read()?.or(self.begun).unwrap_or(now).min(now) - LOOK_BACK_MS)
    }

    /// Reads the history's small tables, once: what rounds from `round` on need, and what it needs to see how things turned out.
    fn tables(
        &self,
        history: &History,
        log: &dyn StateLog,
        round: Option<i64>,
        now: i64,
    ) -> Result<&TurnTables, TablesError> {
        if let Some(tables) = self.tables.get() {
            return Ok(tables);
        }
        // A round that is caught up with may open an episode and clear it: what happened since long before it is needed too.
        let first = self.seek_from(now)?.min(round.map_or(i64::MAX, reach));
        let since = Some(incidents::needed_since(first));
        // How often the fleet fails is told by what failed in the weeks before.
        let incidents_since = since.min(round.map(FleetRecord::reach).or(since));
        let needs = Needs { round, since, incidents_since, ..Needs::default() };
        let needs = needs.with_open(&resolve::episodes(log)?, now.saturating_sub(OPEN_MS));
        let read = TurnTables::read(history, &needs)?;
        Ok(self.tables.get_or_init(|| read))
    }

    /// Resolves the episodes that are due at a time that is not one of the schedule: what failed since is for the scheduled runs to find.
    ///
    /// # Errors
    /// When history or log fail.
    pub fn resolve(&self, history: &History, log: &dyn StateLog, as_of: i64) -> Result<resolve::Report, ResolveError> {
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
        log: &dyn StateLog,
        now: i64,
        stop: &Interrupt,
    ) -> Result<RunReport, PredictionRunError> {
        let mut report = RunReport::default();
        let due = schedule.due(turn.progress.read()?, now);
        let (Some(&first), Some(&last)) = (due.first(), due.last()) else { return Ok(report) };
        let tables = turn.tables(self.history, log, Some(first), now)?;
        let known = KnownIncidents::of(self.history, &tables.incidents, first, last)?;
        let changes = DeclaredChange::of(log)?;
        for as_of in due {
            if stop.is_raised() {
                break;
            }
            turn.lease.check()?;
            // What is caught up with is not looked at now.
            let run = Self { plans: self.plans.filter(|p| p.is_fresh(as_of)), ..*self };
            let fleet = Fleet::of(&tables.instances, &tables.events, &changes, as_of);
            let prior = self.prior(Some(log), Some(&known), as_of)?;
            match run.execute(log, (fleet, prior), as_of, &mut report) {
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
    fn execute(
        &self,
        log: &dyn StateLog,
        known: (Fleet, PriorFrom),
        as_of: i64,
        report: &mut RunReport,
    ) -> Result<(), PredictionRunError> {
        let prepared = self.prepare_of(Some(log), known, as_of, |_, _| {})?;
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
        log: Option<&dyn StateLog>,
        as_of: i64,
        progress: impl Fn(u64, u64),
    ) -> Result<Prepared, PredictionRunError> {
        self.prepare_of(log, (self.fleet(log, as_of)?, self.prior(log, None, as_of)?), as_of, progress)
    }

    fn fleet(&self, log: Option<&dyn StateLog>, as_of: i64) -> Result<Fleet, PredictionRunError> {
        let changes = log.map_or_else(|| Ok(Vec::new()), DeclaredChange::of)?;
        Ok(Fleet::read(self.history, &changes, as_of)?)
    }

    fn look<'a>(&'a self, fleet: &'a Fleet, prior: &'a PriorFrom, as_of: i64) -> Look<'a> {
        let Self { history, ruleset, map, threads, .. } = *self;
        Look { history, ruleset, map, fleet, as_of, prior, threads }
    }

    /// Finds the prior of a round; `known` are the incidents, read where they were not.
    fn prior(
        &self,
        log: Option<&dyn StateLog>,
        known: Option<&KnownIncidents>,
        as_of: i64,
    ) -> Result<PriorFrom, PredictionRunError> {
        if let Some(rate) = self.stated_prior {
            return Ok(PriorFrom::Given(Prior::stated(rate)));
        }
        let read = if known.is_none() { KnownIncidents::read(self.history, as_of)? } else { KnownIncidents::default() };
        Ok(known.unwrap_or(&read).prior(log.map(|log| log as _), self.ruleset, as_of)?)
    }

    fn prepare_of(
        &self,
        log: Option<&dyn StateLog>,
        (fleet, prior): (Fleet, PriorFrom),
        as_of: i64,
        progress: impl Fn(u64, u64),
    ) -> Result<Prepared, PredictionRunError> {
        let analysis = self.look(&fleet, &prior, as_of).analyze(progress)?;
        self.prepared(log, analysis, Some(fleet))
    }

    fn prepared(
        &self,
        log: Option<&dyn StateLog>,
        analysis: Analysis,
        fleet: Option<Fleet>,
    ) -> Result<Prepared, PredictionRunError> {
        failpoint::point("analyze.analyzed");
        let mut round = announce::round(log, &analysis, self.ruleset)?;
        if let Some(plans) = self.plans {
            plans.attach(&mut round);
        }
        Ok(Prepared { analysis, round, fleet })
    }

    /// Gathers the evidence of a shard and keeps it in the history for [`PredictionRun::merge`]; gives its place and how many instances
    /// it has.
    ///
    /// # Errors
    /// When history or log fail.
    pub fn shard(
        &self,
        log: Option<&dyn StateLog>,
        as_of: i64,
        shard: Shard,
        progress: impl Fn(u64, u64),
    ) -> Result<(String, Evidence), PredictionRunError> {
        let fleet = self.fleet(log, as_of)?;
        // Evidence knows of no prior: the whole fleet's is estimated where it is merged.
        let look = self.look(&fleet, &PriorFrom::Evidence, as_of);
        let evidence = look.gather(Whose::Shard(shard), progress)?;
        Ok((look.keep_evidence(shard, &evidence)?, evidence))
    }

    /// Does as [`PredictionRun::prepare`] with what shards have gathered.
    ///
    /// # Errors
    /// When a shard is missing or damaged, history or log fail, or there is no data.
    pub fn merge(&self, log: Option<&dyn StateLog>, as_of: i64) -> Result<Prepared, PredictionRunError> {
        let evidence = evidence_file::merge(self.history, self.ruleset, self.map, as_of)?;
        if evidence.rows.is_empty() {
            return Err(no_data(self.history, as_of, Whose::Everybody)?.into());
        }
        let analysis =
            Analysis::of(evidence, as_of, self.ruleset, &self.prior(log, None, as_of)?).map_err(AnalyzeError::from)?;
        self.prepared(log, analysis, None)
    }

    /// Deletes what shards gathered of a time, once what it says is written down.
    ///
    /// # Errors
    /// When it can't be deleted.
    pub fn forget_shards(&self, prepared: &Prepared) -> Result<(), PredictionRunError> {
        Ok(evidence_file::forget(self.history, self.ruleset, prepared.analysis.as_of)?)
    }

    /// Writes to the log what happened to episodes: from then on it can be announced.
    ///
    /// # Errors
    /// When it does not come to its end; what was written stays, and doing it again goes on from there.
    pub fn write(
        &self,
        log: &dyn StateLog,
        prepared: &Prepared,
        report: &mut RunReport,
    ) -> Result<(), PredictionRunError> {
        let Prepared { analysis, round, .. } = prepared;
        if let Some(prior) = &analysis.table.prior {
            prior::write(log, self.ruleset, analysis.as_of, prior)?;
        }
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
        let prior = analysis.table.prior.clone().map_or(PriorFrom::Evidence, PriorFrom::Given);
        if let Some(shadow) = self.shadow
            && let Err(e) = crate::shadow::keep(
                self.history,
                (analysis, self.ruleset),
                shadow,
                fleet.as_ref().map(|fleet| self.look(fleet, &prior, analysis.as_of)).as_ref(),
            )
        {
            // The shadow is a trial: what people see goes on without it.
            tracing::warn!(error = %e, "the shadow rule set's round was not kept");
        }
        Ok(kept)
    }
}

#[cfg(test)]
mod tests;
