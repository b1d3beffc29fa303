//! `forewarn history`: makes, describes, checks, compacts and prunes a history.

use super::common::{HistoryArg, count, span, time};
use super::error::CliError;
use super::{Context, End};
use clap::Subcommand;
use forewarn_history::{CompactOptions, DEFAULT_BUCKETS, History, Manifest};

/// A bucket has a file a day at least, so that more of them are a burden.
const MOST_BUCKETS: i64 = 1024;

/// The form of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum ReportFormat {
    /// For people.
    Text,
    /// One JSON document.
    Json,
}

/// Makes, describes, checks, compacts and prunes a history.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Makes an empty history; without it the first import or archive makes one of 16 buckets
    Create {
        #[command(flatten)]
        history: HistoryArg,
        /// How many buckets instances are spread over, for good: as many as threads or shards are to analyze them at a time
        #[arg(long, value_name = "N", default_value_t = DEFAULT_BUCKETS, value_parser = clap::value_parser!(u16).range(1..=MOST_BUCKETS))]
        buckets: u16,
    },
    /// Describes what a history holds: series, gaps, raw duplicates, range
    Stats(Plain),
    /// Checks every file; ends with 1 when one has a fault
    Verify(Plain),
    /// Merges the small files of each day and drops what repeats
    Compact {
        #[command(flatten)]
        plain: Plain,
        /// How long superseded files stay for readers that have them open [default: 0s, on S3 15m]
        #[arg(long, value_name = "SPAN", value_parser = grace)]
        grace: Option<i64>,
        /// Leaves days that end after this time alone
        #[arg(long, value_name = "T")]
        before: Option<String>,
    },
    /// Forgets days before a time, leaving a note of what went
    Prune {
        #[command(flatten)]
        plain: Plain,
        /// Forget what is older: a span such as 90d, or a time
        #[arg(long, value_name = "SPAN|T")]
        older_than: String,
    },
    /// Lets days that were pruned count again, so that they can be imported anew
    KeepFrom {
        #[command(flatten)]
        plain: Plain,
        /// The first day to keep
        #[arg(value_name = "T")]
        from: String,
    },
}

#[derive(Debug, clap::Args)]
struct Plain {
    #[command(flatten)]
    history: HistoryArg,
    /// Prints the report as text or as JSON
    #[arg(long, value_enum, default_value = "text")]
    format: ReportFormat,
}

fn grace(text: &str) -> Result<i64, String> {
    if text == "0" || text == "0s" { Ok(0) } else { span(text) }
}

impl Args {
    pub(super) fn run(&self, context: &mut Context<'_>) -> Result<End, CliError> {
        match &self.command {
            Command::Create { history, buckets } => {
                let manifest = Manifest { buckets: *buckets, ..Manifest::default() };
                let made = History::create(history.location(context), &manifest)?;
                context.out.line(format_args!("made {} with {buckets} buckets", made.location()))?;
                Ok(End::Done)
            }
            Command::Stats(plain) => stats(plain, context),
            Command::Verify(plain) => verify(plain, context),
            Command::Compact { plain, grace, before } => {
                let before_ms = before.as_deref().map(|t| time(t, context)).transpose()?;
                let now_ms = context.now_ms;
                compact(
                    plain,
                    &CompactOptions { now_ms, grace_ms: *grace, before_ms, ..CompactOptions::default() },
                    context,
                )
            }
            Command::Prune { plain, older_than } => prune(plain, older_than, context),
            Command::KeepFrom { plain, from } => keep_from(plain, time(from, context)?, context),
        }
    }
}

fn stats(plain: &Plain, context: &mut Context<'_>) -> Result<End, CliError> {
    let stats = plain.history.open(context)?.stats()?;
    if plain.format == ReportFormat::Json {
        context.out.json(&stats)?;
        return Ok(End::Done);
    }
    let out = &mut *context.out;
    out.line(format_args!(
        "{} rows, {} series, {} instances",
        count(stats.rows),
        count(stats.series),
        count(stats.instances)
    ))?;
    if let (Some(from), Some(to)) = (&stats.from, &stats.to) {
        out.line(format_args!("from {from} to {to}"))?;
    }
    out.line(format_args!("{} files, {} bytes", count(stats.files), count(stats.bytes)))?;
    out.line(format_args!(
        "{} raw duplicates, {} gaps ({} periods)",
        count(stats.raw_duplicates),
        count(stats.gaps),
        count(stats.missing_periods)
    ))?;
    for metric in &stats.metrics {
        let signal = metric.signal.map_or("no signal", forewarn_domain::signal::Signal::name);
        out.line(format_args!(
            "  {} {}  {} series, {} rows  ({signal})",
            metric.namespace,
            metric.metric,
            count(metric.series),
            count(metric.rows)
        ))?;
    }
    Ok(End::Done)
}

fn verify(plain: &Plain, context: &mut Context<'_>) -> Result<End, CliError> {
    let report = plain.history.open(context)?.verify()?;
    if plain.format == ReportFormat::Json {
        context.out.json(&report)?;
    } else {
        let faults = report.faults.len() as u64;
        context.out.line(format_args!(
            "{} files, {} rows, {} faults",
            count(report.files),
            count(report.rows),
            count(faults)
        ))?;
        for fault in &report.faults {
            context.out.line(format_args!("  {}: {}", fault.file, fault.fault))?;
        }
    }
    Ok(if report.faults.is_empty() { End::Done } else { End::Faults })
}

fn compact(plain: &Plain, options: &CompactOptions, context: &mut Context<'_>) -> Result<End, CliError> {
    let report = plain.history.open(context)?.writer()?.compact(options)?;
    if plain.format == ReportFormat::Json {
        context.out.json(&report)?;
    } else {
        context.out.line(format_args!(
            "{} of {} partitions compacted: {} files became {}, {} bytes became {}, {} duplicates dropped",
            count(report.compacted),
            count(report.partitions),
            count(report.files_before),
            count(report.files_after),
            count(report.bytes_before),
            count(report.bytes_after),
            count(report.duplicates_dropped)
        ))?;
    }
    Ok(End::Done)
}

fn prune(plain: &Plain, older_than: &str, context: &mut Context<'_>) -> Result<End, CliError> {
    let before = match forewarn_runtime::time::parse_span(older_than) {
        Some(ms) => context.now_ms - ms,
        None => time(older_than, context)?,
    };
    let mut history = plain.history.open(context)?;
    let report = history.writer()?.prune(before, context.now_ms)?;
    if plain.format == ReportFormat::Json {
        context.out.json(&report)?;
    } else {
        context.out.line(format_args!(
            "{} files ({} bytes) before {} deleted",
            count(report.files),
            count(report.bytes),
            report.kept_from
        ))?;
    }
    Ok(End::Done)
}

fn keep_from(plain: &Plain, from_ms: i64, context: &mut Context<'_>) -> Result<End, CliError> {
    let mut history = plain.history.open(context)?;
    history.writer()?.keep_from(from_ms, context.now_ms)?;
    let kept_from = history.kept_from()?.map(forewarn_runtime::time::format_day);
    if plain.format == ReportFormat::Json {
        context.out.json(&serde_json::json!({ "kept_from": kept_from }))?;
    } else {
        context
            .out
            .line(format_args!("everything counts from {} on", kept_from.as_deref().unwrap_or("the beginning")))?;
    }
    Ok(End::Done)
}
