//! `forewarn run`: the whole pipeline in one process.

use super::archive::StreamArg;
use super::buses::BusArgs;
use super::common::{HistoryArg, MapArg, RulesArg, StateArg, ThreadsArg, load_shadow, span};
use super::error::CliError;
use super::plans::PlanArgs;
use super::pull::PullArgs;
use super::{Context, End};
use crate::maintain::keep::Keep;
use crate::run::gate::Gate;
use crate::run::supervise::Part;
use crate::run::{Job, PARTS, PartName, parts, run, upkeep};
use crate::state::EMIT;
use forewarn_runtime::clock::SystemClock;
use forewarn_runtime::context::RuntimeContext;
use forewarn_runtime::interrupt::Interrupt;
use forewarn_runtime::metrics::Metrics;
use forewarn_runtime::schedule::Schedule;
use std::path::PathBuf;
use std::sync::Arc;

const NO_PLACE: &str = "ingest remembers in a directory what was asked of CloudWatch; run it on one machine with the same --stream and --state DIR";
const NO_BUS: &str = "emit has no bus: give --eventbridge, or name a file with FOREWARN_BUS";

/// Runs the pipeline: pulls, archives, predicts and announces, until it is told to end.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  forewarn run --history H --state S --select tag:AutoRecovery=enabled
  forewarn run --history s3://bucket/fleet --state S --stream kinesis:fleet --eventbridge fleet
  forewarn run --only archive,analyze,emit,maintain --history H --state S --metrics-listen 127.0.0.1:9464
  forewarn run --only metric-stream,archive,analyze,emit,maintain --metric-stream s3://bucket/metrics --history H --state S

A part that fails is started again and never stops the others. Ctrl-C and SIGTERM end it when each part
has finished what it is at, after eight seconds at most: the next run completes it.")]
pub(super) struct Args {
    #[command(flatten)]
    history: HistoryArg,
    #[command(flatten)]
    state: StateArg,
    #[command(flatten)]
    rules: RulesArg,
    #[command(flatten)]
    map: MapArg,
    #[command(flatten)]
    threads: ThreadsArg,
    #[command(flatten)]
    stream: StreamArg,
    #[command(flatten)]
    buses: BusArgs,
    #[command(flatten)]
    plans: PlanArgs,
    #[command(flatten)]
    pub(super) pull: PullArgs,
    /// The URLs of the SQS queues that EC2 events arrive in, comma-separated [default: the setting]
    #[arg(long, value_name = "URL")]
    queue: Option<String>,
    /// The s3:// prefixes that Metric Streams are delivered below, comma-separated [default: the setting]
    #[arg(long, value_name = "S3")]
    metric_stream: Option<String>,
    /// Only these parts
    #[arg(long, value_enum, value_name = "PART", value_delimiter = ',')]
    only: Vec<PartName>,
    /// The time between two rounds of predictions
    #[arg(long, value_name = "SPAN", default_value = "1h", value_parser = span)]
    every: i64,
    /// How long after the whole hour a round runs, so that the hour's data is there
    #[arg(long, value_name = "SPAN", default_value = "10m", value_parser = span)]
    offset: i64,
    /// How many missed rounds are caught up with at most
    #[arg(long, value_name = "N", default_value_t = 168)]
    most: usize,
    /// A second rule set that is scored silently: its predictions are kept in the history and never announced [default: the setting]
    #[arg(long, value_name = "FILE")]
    shadow: Option<PathBuf>,
    /// Serves forewarn's own metrics to Prometheus, such as 127.0.0.1:9464 [default: the setting]
    #[arg(long, value_name = "ADDR")]
    metrics_listen: Option<String>,
}

impl Args {
    pub(super) fn run(&self, context: &mut Context<'_>) -> Result<End, CliError> {
        let job = self.job(context)?;
        // What can't be run is refused before anything is opened or written.
        let only = self.parts(&job)?;
        let live = &context.settings.live;
        if let Some(address) = self.metrics_listen.as_ref().or(live.metrics_listen.as_ref()) {
            let bound = crate::listen::serve(address, Metrics::clone(&job.ctx.metrics), Arc::clone(&job.ctx.clock))
                .map_err(CliError::input)?;
            tracing::info!("serving metrics on http://{bound}/metrics");
        }
        // A bus that is new begins here, before any round.
        drop(forewarn_deliver::outbox::open(&*job.state.log(EMIT)?, &job.wanted, false, &job.ctx)?);
        let gate = Gate::new(only.contains(&PartName::Ingest));
        let sources = self.sources(&job, &only, &gate, context)?;
        run(&job, &only, &gate, sources);
        Ok(End::Done)
    }

    /// Says which parts there are: those that were asked for, else those that this state has a place for.
    fn parts(&self, job: &Job) -> Result<Vec<PartName>, CliError> {
        let lacks = |part: &PartName| {
            if *part == PartName::Ingest && job.state.local().is_none() {
                Some(NO_PLACE)
            } else if *part == PartName::Emit && !job.wanted.is_any() {
                Some(NO_BUS)
            } else {
                None
            }
        };
        if let Some(why) = self.only.iter().find_map(lacks) {
            return Err(CliError::input(why));
        }
        let mut parts = if self.only.is_empty() { PARTS.to_vec() } else { self.only.clone() };
        parts.retain(|part| {
            let why = lacks(part);
            if let Some(why) = why {
                tracing::warn!("a part is left out: {why}");
            }
            why.is_none()
        });
        Ok(parts)
    }

    /// Settles everything that the parts share.
    pub(super) fn job(&self, context: &Context<'_>) -> Result<Job, CliError> {
        let (ruleset, _) = self.rules.load(context)?;
        let shadow = load_shadow(self.shadow.as_ref(), context);
        let metrics = Arc::new(Metrics::default());
        metrics.started.set(context.now_ms as f64 / 1000.0);
        let ctx = RuntimeContext { metrics, clock: Arc::new(SystemClock), stop: Interrupt::listen()? };
        let state = self.state.open(context, &ctx)?;
        Ok(Job {
            history: self.history.location(context).to_owned(),
            stream: self.stream.spec(context)?,
            ruleset,
            shadow,
            names: self.map.names(),
            keep: Keep::of(&context.settings.live)?,
            wanted: self.buses.wanted(&self.state, &state.place(), context)?,
            plans: self.plans.planner(&self.state, context)?,
            rounds: Schedule { every: self.every, offset: self.offset, most: self.most },
            threads: self.threads.threads(context)?,
            ctx,
            state,
        })
    }

    /// Says below which prefixes Metric Streams are delivered: the flag over the setting.
    pub(super) fn delivered<'a>(&'a self, context: &'a Context<'_>) -> Option<&'a str> {
        self.metric_stream.as_deref().or(context.settings.live.metric_stream.as_deref())
    }

    /// Makes the parts that pull.
    fn sources<'a>(
        &self,
        job: &'a Job,
        only: &[PartName],
        gate: &'a Gate,
        context: &Context<'_>,
    ) -> Result<Vec<Part<'a>>, CliError> {
        let mut sources = Vec::new();
        if only.contains(&PartName::Ingest) {
            let pulling = parts::Pulling {
                job: self.pull.settled(self.pull.follow(), context)?.job(&job.ctx),
                places: self.pull.places(context)?,
            };
            sources.push(parts::ingest(job, pulling, gate));
        }
        if only.contains(&PartName::Events) {
            match self.queue.as_ref().or(context.settings.live.queue.as_ref()) {
                Some(queue) => sources.push(events(job, queue)?),
                None if self.only.is_empty() => {
                    tracing::info!("no queue is named (--queue), so EC2 events are not taken");
                }
                None => return Err(CliError::input("--only events needs --queue, or the setting queue")),
            }
        }
        if only.contains(&PartName::MetricStream) {
            match self.delivered(context) {
                Some(prefixes) => sources.push(upkeep::metric_stream(job, prefixes)),
                None if self.only.is_empty() => {}
                None => {
                    return Err(CliError::input(
                        "--only metric-stream needs --metric-stream, or the setting metric_stream",
                    ));
                }
            }
        }
        Ok(sources)
    }
}

#[cfg(feature = "aws")]
fn events<'a>(job: &'a Job, queue: &str) -> Result<Part<'a>, CliError> {
    let aws = forewarn_runtime::aws::Aws::load().map_err(CliError::failed)?;
    Ok(parts::events(job, aws, queue.to_owned()))
}

#[cfg(not(feature = "aws"))]
fn events<'a>(_: &'a Job, _: &str) -> Result<Part<'a>, CliError> {
    Err(CliError::input("this forewarn was built without AWS; build it with the feature `aws`"))
}
