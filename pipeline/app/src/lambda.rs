//! The parts of the pipeline as Lambda functions: one bootstrap, the handler's name says which part an invocation is.
//!
//! `metric-stream`, `analyze`, `emit` and `maintain` are for schedules, `archive` for an event source mapping on Kinesis, `events` for one on SQS; both
//! answer with a partial batch response. The state is a table of DynamoDB; a directory is refused. `respond` takes what calls for a
//! recovery, however it comes; its log and policies are tables too.

use crate::maintain::{Days, Maintenance};
use crate::run::Job;
use crate::run::supervise::Failure;
use crate::run::upkeep::metric_stream_turn;
use crate::state::{ARCHIVE, MAINTAIN};
use forewarn_events::lambda as sqs;
use forewarn_history::History;
use forewarn_ingest::archive::Archive;
use forewarn_ingest::intake::{Intake, lambda as intake_lambda};
use forewarn_ingest::stream::lambda as kinesis;
use forewarn_ingest::stream::open;
use serde_json::{Value, json};
use std::sync::Arc;

/// The variable in which Lambda says which handler a function has.
pub const HANDLER: &str = "_HANDLER";

/// Why no handler pulls.
const NO_PULL: &str = "no handler pulls from CloudWatch: what was asked of it is remembered in SQLite, and a Lambda function has no place \
                       for that; run `forewarn ingest` on one machine with the same --stream, or let CloudWatch Metric Streams deliver to \
                       the handler metric-stream";

/// How long an invocation merges files, milliseconds: well within the fifteen minutes that one may last.
const MERGE_MS: i64 = 5 * 60_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handler {
    /// A part of the pipeline.
    Part(Part),
    /// Carries recoveries out.
    Respond,
}

/// A part of the pipeline, as a handler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Takes what Metric Streams delivered into the stream.
    MetricStream,
    /// Takes a batch of Kinesis records into the history.
    Archive,
    /// Takes a batch of SQS messages into the stream.
    Events,
    /// Executes the prediction runs that are due.
    Analyze,
    /// Announces.
    Emit,
    /// Merges small files, and lets go what is older than what is kept.
    Maintain,
}

impl Handler {
    /// Reads a handler's name; what stands before a dot is the file's, as Lambda has it.
    ///
    /// # Errors
    /// A sentence that names all handlers.
    pub fn parse(name: &str) -> Result<Self, String> {
        Ok(Self::Part(match name.rsplit('.').next().unwrap_or(name) {
            "metric-stream" | "metric_stream" => Part::MetricStream,
            "archive" => Part::Archive,
            "events" => Part::Events,
            "analyze" => Part::Analyze,
            "emit" => Part::Emit,
            "maintain" => Part::Maintain,
            "respond" => return Ok(Self::Respond),
            "ingest" => return Err(NO_PULL.to_owned()),
            _ => {
                return Err(format!(
                    "no handler is called {name:?}; there are metric-stream, archive, events, analyze, emit, maintain and respond"
                ));
            }
        }))
    }
}

/// Serves invocations until Lambda ends the process, each with its event and the time at which it is ended, milliseconds since 1970.
///
/// # Errors
/// When the runtime cannot be started or Lambda cannot be reached.
pub fn serve(answer: impl Fn(&Value, i64) -> Result<Value, Failure> + Send + Sync + 'static) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let answer = Arc::new(answer);
    runtime.block_on(lambda_runtime::run(lambda_runtime::service_fn(
        move |event: lambda_runtime::LambdaEvent<Value>| {
            let answer = Arc::clone(&answer);
            async move {
                let deadline_ms = i64::try_from(event.context.deadline).unwrap_or(i64::MAX);
                // Everything below blocks, and has runtimes of its own.
                tokio::task::spawn_blocking(move || answer(&event.payload, deadline_ms)).await?
            }
        },
    )))
}

/// Answers one invocation; `prefixes` are those that Metric Streams are delivered below.
///
/// # Errors
/// When it failed as a whole: Lambda then gives the same event again.
pub fn answer(job: &Job, part: Part, event: &Value, prefixes: &[String]) -> Result<Value, Failure> {
    match part {
        Part::MetricStream => Ok(serde_json::to_value(metric_stream_turn(job, prefixes)?)?),
        Part::Archive => archive(job, &serde_json::to_vec(event)?),
        Part::Events => events(job, &serde_json::to_vec(event)?),
        Part::Analyze => analyze(job),
        Part::Emit => emit(job),
        Part::Maintain => maintain(job),
    }
}

/// Takes each shard's records of a batch; one that fails is given again from its first record on.
fn archive(job: &Job, batch: &[u8]) -> Result<Value, Failure> {
    let log = job.state.log(ARCHIVE)?;
    let mut history = History::open_or_create(&job.history)?;
    let aside = job.state.aside(&job.history)?;
    let metrics = &job.ctx.metrics;
    let mut failures = kinesis::Failures::default();
    for shard_batch in kinesis::parse(batch)? {
        let now_ms = job.ctx.clock.now_ms();
        let mut archive = Archive { history: &mut history, log: &*log, aside: &aside, metrics, now_ms, lease: None };
        let Some(first) = shard_batch.records.first().map(|r| r.seq.clone()) else { continue };
        if let Err(e) = archive.take(&shard_batch.shard, shard_batch.records) {
            tracing::warn!(shard = shard_batch.shard, error = %e, "a shard's records are given again");
            failures.note(&shard_batch.shard, &first);
        }
    }
    Ok(serde_json::to_value(failures.response())?)
}

fn events(job: &Job, batch: &[u8]) -> Result<Value, Failure> {
    let mut producer = open::producer(&job.stream, job.state.place(), &job.ctx)?;
    let dead = job.state.dead(&job.history)?;
    let mut intake = Intake { producer: producer.as_mut(), dead: dead.as_ref(), metrics: &job.ctx.metrics };
    let response = intake_lambda::handle(&mut intake, &sqs::messages(batch)?, job.ctx.clock.now_ms());
    Ok(serde_json::to_value(response)?)
}

fn analyze(job: &Job) -> Result<Value, Failure> {
    let report = job.predict_due(History::open(&job.history)?, job.ctx.clock.now_ms())?;
    Ok(serde_json::to_value(report)?)
}

fn emit(job: &Job) -> Result<Value, Failure> {
    let sent: u64 = job.announce()?.iter().map(|(_, report)| report.sent).sum();
    Ok(json!({ "announced": sent }))
}

/// Lets go what is old, then merges for some minutes at most, and the next invocation goes on.
fn maintain(job: &Job) -> Result<Value, Failure> {
    let (ctx, begun) = (&job.ctx, job.ctx.clock.now_ms());
    let lease = job.state.leases().take(MAINTAIN)?;
    let maintenance = Maintenance { history: &job.history, state: &job.state, keep: job.keep, ctx, dry_run: false };
    let pruned = maintenance.prune();
    let mut merged = 0;
    while ctx.clock.now_ms() - begun < MERGE_MS {
        lease.check()?;
        let step = maintenance.compact(Days::All)?.compacted;
        merged += step;
        if step == 0 {
            break;
        }
    }
    if let Some(why) = pruned.failed.first() {
        return Err(why.clone().into());
    }
    Ok(json!({ "merged": merged, "pruned": pruned }))
}

#[cfg(test)]
mod tests;
