//! Everything at once: ingest, events, metric streams, archive, analyze, emit and maintenance as supervised parts of one process.
//!
//! Each part is the same function that its own command calls; here it has turns, and the others go on when it fails.

pub mod gate;
pub mod parts;
pub mod supervise;
pub mod upkeep;

use crate::maintain::keep::Keep;
use crate::state::{ANALYZE, EMIT, State};
use forewarn_deliver::{PumpReport, SinkConfig, backlog};
use forewarn_domain::signal_map::SignalMap;
use forewarn_history::History;
use forewarn_ingest::archive::{ArchiveReport, Gap};
use forewarn_ingest::stream::StreamSpec;
use forewarn_predict::prediction_run::{DueTurn, PredictionRun, RunReport};
use forewarn_recover::planner::Planner;
use forewarn_rules::ruleset::RuleSet;
use forewarn_runtime::context::RuntimeContext;
use forewarn_runtime::schedule::Schedule;
use forewarn_runtime::threads::Threads;
use gate::Gate;
use std::collections::BTreeMap;
use supervise::{Failure, Part};

/// A part of the pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum PartName {
    /// Pulls metrics from `CloudWatch` into the stream.
    Ingest,
    /// Takes EC2 events from queues into the stream.
    Events,
    /// Takes the stream into the history.
    Archive,
    /// Predicts.
    Analyze,
    /// Announces.
    Emit,
    /// Takes what Metric Streams deliver into the stream.
    MetricStream,
    /// Merges small files, lets go what is older than what is kept, and looks whether disks have room.
    Maintain,
}

/// Every part.
pub const PARTS: [PartName; 7] = [
    PartName::Ingest,
    PartName::Events,
    PartName::MetricStream,
    PartName::Archive,
    PartName::Analyze,
    PartName::Emit,
    PartName::Maintain,
];

/// What is run.
#[derive(Debug)]
pub struct Job {
    /// Where the history is.
    pub history: String,
    /// Everything that is kept beside it.
    pub state: State,
    pub stream: StreamSpec,
    /// The rule set that speaks.
    pub ruleset: RuleSet,
    /// The rule set that is only written down.
    pub shadow: Option<RuleSet>,
    /// Metric names that feed signals beside the history's own.
    pub names: BTreeMap<String, forewarn_domain::signal::Signal>,
    /// Where announcements go.
    pub wanted: SinkConfig,
    /// When rounds are held.
    pub rounds: Schedule,
    /// What gives predictions at high their plans, where somebody wants them.
    pub plans: Option<Planner>,
    /// What is kept, and for how long.
    pub keep: Keep,
    /// How many threads analyze.
    pub threads: Threads,
    /// Vital signs, time, and the way to end.
    pub ctx: RuntimeContext,
}

impl Job {
    /// Gives the history's own names and these over them.
    pub(crate) fn map(&self, history: &forewarn_history::History) -> SignalMap {
        let mut names = history.manifest().signal_map.clone();
        names.extend(self.names.clone());
        SignalMap::new(names)
    }

    /// Takes the turn, executes the prediction runs that are due, and sees how earlier ones turned out.
    pub(crate) fn predict_due(&self, mut history: History, now: i64) -> Result<RunReport, Failure> {
        let turn = DueTurn::take(&self.state.leases(), &self.state.place())?;
        let log = self.state.log_under(ANALYZE, turn.lease())?;
        // A bus that is new begins here, before what this round says.
        drop(forewarn_deliver::outbox::open(&*log, &self.wanted, false, &self.ctx)?);
        let map = self.map(&history);
        let previewer = self.plans.as_ref().map(|p| p.on(&*log));
        let run = PredictionRun {
            history: &history,
            ruleset: &self.ruleset,
            shadow: self.shadow.as_ref(),
            map: &map,
            stated_prior: None,
            plans: previewer.as_ref().map(|p| p as _),
            metrics: &self.ctx.metrics,
            threads: self.threads,
        };
        let report = run.catch_up(self.rounds, &turn, &*log, now, &self.ctx.stop)?;
        // A run over an hour without data is held, and is no success.
        if report.due > report.empty {
            self.ctx.metrics.success("analyze", self.ctx.clock.now_ms());
        }
        turn.conclude(&mut history, &*log, self.ctx.clock.now_ms());
        Ok(report)
    }

    /// Takes the turn, and announces what the log has and a bus has not; says how much each bus was sent.
    pub(crate) fn announce(&self) -> Result<Vec<(&'static str, PumpReport)>, Failure> {
        let _lease = self.state.leases().take(EMIT)?;
        let log = self.state.log(EMIT)?;
        let mut sinks = forewarn_deliver::outbox::open(&*log, &self.wanted, false, &self.ctx)?;
        if sinks.is_empty() {
            return Err(
                "there is no bus to announce on; set FOREWARN_EVENTBRIDGE, or name a file with FOREWARN_BUS".into()
            );
        }
        let (metrics, now) = (&self.ctx.metrics, || self.ctx.clock.now_ms());
        backlog::begin(&sinks, metrics, now());
        let names: Vec<&str> = sinks.iter().map(|sink| sink.name).collect();
        let waiting = parts::waits(self, EMIT, format!("the buses {}", names.join(", ")));
        let deliveries = forewarn_deliver::deliver(&*log, &mut sinks, metrics);
        drop(waiting);
        backlog::tell(&*log, &deliveries.0, metrics, now())?;
        Ok(deliveries.checked()?)
    }

    /// Takes what waits in the stream into the history.
    pub(crate) fn archive(&self) -> Result<ArchiveReport, Failure> {
        Ok(self.state.archive(&self.history, &self.stream, Gap::Stop, &self.ctx)?)
    }
}

#[cfg(test)]
impl Job {
    /// Makes one for a test: with the state in `dir`, and nobody told but a file there.
    pub(crate) fn sample(dir: &std::path::Path, history: String, ctx: RuntimeContext) -> Self {
        Self {
            history,
            state: State::open(crate::state::StateSpec::Dir(dir.to_owned()), &ctx).expect("a directory"),
            stream: StreamSpec::Embedded,
            ruleset: RuleSet::builtin(&|_| None).expect("the rule set that is built in"),
            shadow: None,
            names: BTreeMap::new(),
            wanted: SinkConfig {
                file: Some(dir.join("events.jsonl")),
                eventbridge: None,
                stdout: false,
                state: forewarn_runtime::place::StatePlace::Dir(dir.to_owned()),
                stale_after_ms: 3_600_000,
            },
            rounds: Schedule { every: 3_600_000, offset: 0, most: 1 },
            plans: None,
            keep: Keep::default(),
            threads: Threads::ONE,
            ctx,
        }
    }
}

/// Runs the parts until the interrupt is raised, and ends when each has finished its turn.
///
/// `sources` are the parts that pull: they are made by the caller, who knows where from.
pub fn run<'a>(job: &'a Job, only: &[PartName], gate: &'a Gate, sources: Vec<Part<'a>>) {
    let mut all = sources;
    for name in only {
        all.extend(match name {
            PartName::Archive => Some(parts::archive(job, gate)),
            PartName::Analyze => Some(parts::analyze(job, gate)),
            PartName::Emit => Some(parts::emit(job)),
            PartName::Maintain => Some(upkeep::maintain(job)),
            PartName::Ingest | PartName::Events | PartName::MetricStream => None,
        });
    }
    supervise::supervise(all, job.ctx.clock.as_ref(), &job.ctx.metrics, &job.ctx.stop);
}
