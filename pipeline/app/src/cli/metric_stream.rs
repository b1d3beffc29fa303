//! `forewarn metric-stream`: puts what a CloudWatch Metric Stream delivered into the stream.

use super::archive::StreamArg;
use super::common::{StateArg, count, time};
use super::error::CliError;
use super::history::ReportFormat;
use super::{Context, End};
use crate::run::upkeep::{self, DeliveredError};
use forewarn_ingest::metric_streams::bucket::BucketError;
use forewarn_ingest::metric_streams::take::{ObjectError, ObjectName, TakeReport, Taking};
use forewarn_ingest::stream::open;
use forewarn_runtime::clock::SystemClock;
use forewarn_runtime::context::RuntimeContext;
use forewarn_runtime::interrupt::Interrupt;
use forewarn_runtime::metrics::unregistered;
use forewarn_runtime::telemetry::causes;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Puts CloudWatch Metric Streams, as Firehose delivers them, into the stream.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  forewarn metric-stream firehose-2026-02-15-06.gz
  forewarn metric-stream ./delivered --stream kinesis:forewarn
  forewarn metric-stream s3://bucket/metrics/ --follow

Of a bucket each object is taken once: the state remembers which were. Points that say what can't be are skipped and counted; an object that can't be read is
referred to in the dead letters (`forewarn events dead`).

Exit codes: 0 done, 1 failed (run it again: it goes on where it ended), 2 usage, or nothing of some file could be taken.")]
#[expect(clippy::doc_markdown, reason = "shown as help on a terminal, where backticks are noise")]
pub(super) struct Args {
    #[command(flatten)]
    state: StateArg,
    #[command(flatten)]
    stream: StreamArg,
    /// Goes on taking what is delivered below s3:// prefixes, until it is told to end
    #[arg(long)]
    follow: bool,
    /// How long following waits between two looks
    #[arg(long, value_name = "SPAN", default_value = "30s", value_parser = super::common::span, requires = "follow")]
    every: i64,
    /// Passes over objects below s3:// prefixes that were written before this time
    #[arg(long, value_name = "T")]
    from: Option<String>,
    /// Prints text or JSON
    #[arg(long, value_enum, default_value = "text")]
    format: ReportFormat,
    /// Files, directories of them, or s3://BUCKET/PREFIX: JSON or OpenTelemetry 1.0, plain or gzip
    #[arg(required = true, value_name = "FILE|DIR|S3")]
    files: Vec<PathBuf>,
}

impl From<DeliveredError> for CliError {
    fn from(e: DeliveredError) -> Self {
        match e {
            DeliveredError::Bucket(BucketError::Bucket(e)) => e.into(),
            DeliveredError::Bucket(_) | DeliveredError::Lease(_) => Self::failed(e),
        }
    }
}

impl Args {
    pub(super) fn run(&self, context: &mut Context<'_>) -> Result<End, CliError> {
        let (prefixes, files): (Vec<_>, Vec<_>) =
            self.files.iter().cloned().partition(|p| p.to_str().is_some_and(|p| p.starts_with("s3://")));
        if self.follow && !files.is_empty() {
            return Err(CliError::input("--follow takes s3:// prefixes alone; files are taken once"));
        }
        let spec = self.stream.spec(context)?;
        let ctx = RuntimeContext { metrics: unregistered(), clock: Arc::new(SystemClock), stop: Interrupt::listen()? };
        let from_ms = self.from.as_deref().map(|t| time(t, context)).transpose()?;
        let state = self.state.open(context, &ctx)?;
        let mut producer = open::producer(&spec, state.place(), &ctx).map_err(CliError::failed)?;
        let dead = self.state.dead(context)?;
        let report = TakeReport::default();
        let mut taking = Taking { producer: producer.as_mut(), dead: dead.as_ref(), metrics: &ctx.metrics, report };
        for path in all_files(&files)? {
            take_file(&path, &mut taking, context.now_ms)?;
        }
        if !prefixes.is_empty() {
            let prefixes: Vec<String> = prefixes.iter().map(|p| p.display().to_string()).collect();
            loop {
                match upkeep::take_delivered((&state, &prefixes), from_ms, &mut taking, &ctx) {
                    Err(e) if self.follow => tracing::error!("{}; it goes on from there", causes(&e)),
                    taken => taken?,
                }
                if !self.follow || ctx.stop.is_raised() || !ctx.clock.pause(self.every.unsigned_abs(), &ctx.stop) {
                    break;
                }
            }
        }
        let report = taking.report;
        self.say(&report, context)?;
        if report.nothing_taken > 0 {
            context.out.finish()?;
            return Err(CliError::input(format!(
                "nothing of {} files could be taken; `forewarn events dead` says why",
                count(report.nothing_taken)
            )));
        }
        Ok(End::Done)
    }

    fn say(&self, report: &TakeReport, context: &mut Context<'_>) -> Result<(), CliError> {
        if self.format == ReportFormat::Json {
            return context.out.json(report);
        }
        let skipped: Vec<String> = report.skipped.iter().map(|(why, n)| format!("{} {why}", count(*n))).collect();
        let skipped = if skipped.is_empty() { "none".to_owned() } else { skipped.join(", ") };
        context.out.line(format_args!(
            "{} files: {} samples into the stream, {} datapoints that no signal reads, {} of no instance; skipped: {skipped}; {} files not \
             read to their end",
            count(report.files),
            count(report.samples),
            count(report.unread),
            count(report.of_no_instance),
            count(report.dead)
        ))
    }
}

fn take_file(path: &Path, taking: &mut Taking<'_>, now_ms: i64) -> Result<(), CliError> {
    let uri = path.display().to_string();
    let failed = |e: std::io::Error| CliError::input(format!("cannot read {uri}: {e}"));
    let file = File::open(path).map_err(failed)?;
    let name = ObjectName { uri: &uri, bytes: file.metadata().map_err(failed)?.len(), etag: None };
    taking.take(name, file, now_ms).map_err(|e| match e {
        ObjectError::Fetch { .. } => CliError::input(e),
        ObjectError::Stream(_) | ObjectError::Dead(_) => CliError::failed(e),
    })
}

/// Gives the files, those of directories by name.
fn all_files(given: &[PathBuf]) -> Result<Vec<PathBuf>, CliError> {
    let failed = |path: &Path, e: std::io::Error| CliError::input(format!("cannot read {}: {e}", path.display()));
    let mut files = Vec::new();
    for path in given {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let mut inside = Vec::new();
        for entry in std::fs::read_dir(path).map_err(|e| failed(path, e))? {
            inside.push(entry.map_err(|e| failed(path, e))?.path());
        }
        inside.sort();
        files.extend(all_files(&inside)?);
    }
    Ok(files)
}
