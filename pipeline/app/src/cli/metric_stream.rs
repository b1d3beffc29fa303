//! `forewarn metric-stream`: puts what a CloudWatch Metric Stream delivered into the stream.

use super::archive::StreamArg;
use super::common::create_dir;
use super::common::{StateArg, count};
use super::error::CliError;
use super::history::ReportFormat;
use super::{Context, End};
use forewarn_events::{DeadLetters, JsonLinesDead};
use forewarn_ingest::metric_streams::{MAX_BYTES, read};
use forewarn_ingest::stream::{Record, open};
use forewarn_runtime::context::RuntimeContext;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Puts CloudWatch Metric Streams, as Firehose delivers them, into the stream.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  forewarn metric-stream firehose-2026-02-15-06.gz
  forewarn metric-stream ./delivered --stream kinesis:forewarn")]
pub(super) struct Args {
    #[command(flatten)]
    state: StateArg,
    #[command(flatten)]
    stream: StreamArg,
    /// Prints text or JSON
    #[arg(long, value_enum, default_value = "text")]
    format: ReportFormat,
    /// Files, or directories of them: JSON or OpenTelemetry 1.0, plain or gzip
    #[arg(required = true, value_name = "FILE|DIR")]
    files: Vec<PathBuf>,
}

/// What became of the files.
#[derive(Debug, Default, serde::Serialize)]
struct Report {
    files: u64,
    samples: u64,
    /// Datapoints that no signal reads.
    unread: u64,
    /// Datapoints of something that is no instance.
    of_no_instance: u64,
    /// Files set aside.
    dead: u64,
}

impl Args {
    pub(super) fn run(&self, context: &mut Context<'_>) -> Result<End, CliError> {
        let dir = self.state.dir(context);
        create_dir(&dir)?;
        let spec = self.stream.spec(context)?;
        let ctx = RuntimeContext::standalone();
        let mut producer = open::producer(&spec, &dir, &ctx).map_err(CliError::failed)?;
        let dead = JsonLinesDead::in_state(&dir);
        let mut report = Report::default();
        for path in all_files(&self.files)? {
            report.files += 1;
            let raw = load(&path)?;
            match read(&raw, context.now_ms) {
                Ok(readings) => {
                    report.unread += readings.unread;
                    report.of_no_instance += readings.of_no_instance;
                    report.samples += readings.batches.iter().map(|b| b.samples() as u64).sum::<u64>();
                    let records: Vec<Record> = readings.batches.into_iter().map(Record::Samples).collect();
                    producer.put(&records).map_err(CliError::failed)?;
                }
                Err(reason) => {
                    dead.put(&reason, &path.display().to_string(), &raw, context.now_ms)?;
                    tracing::warn!(file = %path.display(), "file set aside: {reason}");
                    report.dead += 1;
                }
            }
        }
        if self.format == ReportFormat::Json {
            context.out.json(&report)?;
        } else {
            context.out.line(format_args!(
                "{} files: {} samples into the stream, {} datapoints that no signal reads, {} of no instance; {} files set aside",
                count(report.files),
                count(report.samples),
                count(report.unread),
                count(report.of_no_instance),
                count(report.dead)
            ))?;
        }
        Ok(End::Done)
    }
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

/// Reads a file, but no more of it than is taken.
fn load(path: &Path) -> Result<Vec<u8>, CliError> {
    let failed = |e: std::io::Error| CliError::input(format!("cannot read {}: {e}", path.display()));
    let mut raw = Vec::new();
    let file = std::fs::File::open(path).map_err(failed)?;
    file.take(MAX_BYTES as u64 + 1).read_to_end(&mut raw).map_err(failed)?;
    Ok(raw)
}
