//! `forewarn import`: metrics from files into a history.

use super::common::{HistoryArg, MapArg, ThreadsArg, count, size};
use super::error::CliError;
use super::output::progress;
use super::{Context, End};
use forewarn_history::History;
use forewarn_history::import::{ImportOptions, ImportReport, OnError, Phase, import_files};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Imports metrics from Parquet or CSV files into a history.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  forewarn import --history H metrics.parquet
  forewarn import --history H --instance i-0123456789abcdef0 --metric CPUUtilization cpu.csv
  forewarn import --history H --column ts=Timestamp --column value=Average --tz Europe/Berlin export.csv

Long files need the columns instance_id, metric, ts and value; account, region, namespace, stat, device, period_s and
ingested_at are taken where they are there, and path, mountpoint, drive, interface, volume_id and the like say what device it is. A CSV of
one series needs timestamp and value. Folders are read whole (COLUMN=VALUE in their names too), and so are gzip, UTF-16, semicolons or tabs
with decimal commas, and what aws cloudwatch get-metric-statistics and get-metric-data print.")]
#[expect(clippy::doc_markdown, reason = "shown as help on a terminal, where backticks are noise")]
pub(super) struct Args {
    #[command(flatten)]
    history: HistoryArg,
    /// The files, or folders of them; - is standard input
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The instance, for files without such a column
    #[arg(long, value_name = "ID")]
    instance: Option<String>,
    /// The metric, for files without such a column
    #[arg(long, value_name = "NAME")]
    metric: Option<String>,
    /// The namespace, for files without such a column
    #[arg(long, value_name = "NAME")]
    namespace: Option<String>,
    /// The account, for files without such a column
    #[arg(long, value_name = "ID")]
    account: Option<String>,
    /// The region, for files without such a column
    #[arg(long, value_name = "NAME")]
    region: Option<String>,
    /// The statistic, for files without such a column
    #[arg(long, value_name = "NAME")]
    stat: Option<String>,
    /// The device, for files without such a column
    #[arg(long, value_name = "NAME")]
    device: Option<String>,
    /// The period in seconds, for files without such a column
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(i32).range(1..=86400))]
    period: Option<i32>,
    /// The time zone of times that carry none, such as Europe/Berlin [default: UTC]
    #[arg(long, value_name = "ZONE")]
    tz: Option<String>,
    /// Names a column of the files, such as ts=Timestamp; may be given again
    #[arg(long = "column", value_name = "OURS=THEIRS", value_parser = parse_column)]
    columns: Vec<(String, String)>,
    #[command(flatten)]
    map: MapArg,
    /// What a bad row does: fail (nothing is imported) or skip (it is counted)
    #[arg(long, value_name = "fail|skip", default_value = "fail", value_parser = parse_on_error)]
    on_error: OnError,
    /// How much is held in memory before it is spilled to disk
    #[arg(long, value_name = "SIZE", default_value = "128MiB", value_parser = size)]
    memory_limit: usize,
    #[command(flatten)]
    threads: ThreadsArg,
    /// A table of instances: instance_id, workload, instance_type, launched_at, seen_at (Parquet or CSV)
    #[arg(long, value_name = "FILE")]
    instances: Option<PathBuf>,
    /// A table of events such as scheduled maintenance: instance_id, ts, kind, code, starts_at, detail (Parquet or CSV)
    #[arg(long, value_name = "FILE")]
    events: Option<PathBuf>,
    /// Prints the report as JSON
    #[arg(long, value_name = "text|json", default_value = "text")]
    format: super::history::ReportFormat,
}

fn parse_column(text: &str) -> Result<(String, String), String> {
    let (ours, theirs) = text.split_once('=').ok_or("expected OURS=THEIRS, such as ts=Timestamp")?;
    Ok((ours.to_owned(), theirs.to_owned()))
}

fn parse_on_error(text: &str) -> Result<OnError, String> {
    match text {
        "fail" => Ok(OnError::Fail),
        "skip" => Ok(OnError::Skip),
        _ => Err("expected fail or skip".to_owned()),
    }
}

impl Args {
    pub(super) fn run(&self, context: &mut Context<'_>) -> Result<End, CliError> {
        let tables = self.instances.is_some() || self.events.is_some();
        if self.files.is_empty() && !tables && self.map.map.is_empty() {
            return Err(CliError::input("nothing to import: name files, or --instances, --events or --map"));
        }
        let instances = self.instances.as_deref().map(forewarn_history::import::read_instances).transpose()?;
        let events = self.events.as_deref().map(forewarn_history::import::read_events).transpose()?;
        let mut history = History::open_or_create(self.history.location(context))?;
        let report = if self.files.is_empty() {
            history.writer()?.add_signals(&self.map.names())?;
            ImportReport::default()
        } else {
            let bar = progress("importing");
            let report = import_files(&mut history, &self.files, &self.options(context)?, &mut |p| {
                bar.set_message(match p.phase {
                    Phase::Read => "reading",
                    Phase::Write => "writing",
                });
                bar.set_length(p.total);
                bar.set_position(p.done);
            })?;
            bar.finish_and_clear();
            report
        };
        let mut writer = history.writer()?;
        if let Some(rows) = instances {
            writer.import_instances(rows, context.now_ms)?;
        }
        if let Some(rows) = &events {
            writer.put_events(rows)?;
        }
        drop(writer);
        match self.format {
            super::history::ReportFormat::Json => context.out.json(&report)?,
            super::history::ReportFormat::Text => say(&report, &history.location(), context)?,
        }
        Ok(End::Done)
    }

    fn options(&self, context: &Context<'_>) -> Result<ImportOptions, CliError> {
        Ok(ImportOptions {
            instance: self.instance.clone(),
            metric: self.metric.clone(),
            namespace: self.namespace.clone(),
            account: self.account.clone(),
            region: self.region.clone(),
            stat: self.stat.clone(),
            device: self.device.clone(),
            period_s: self.period,
            tz: self.tz.clone(),
            columns: self.columns.iter().cloned().collect::<BTreeMap<_, _>>(),
            signal_map: self.map.names(),
            on_error: self.on_error,
            memory_limit_bytes: self.memory_limit,
            threads: self.threads.threads(context)?,
            ..ImportOptions::at(context.now_ms)
        })
    }
}

/// Tells a person what an import did.
pub(super) fn say(report: &ImportReport, location: &str, context: &mut Context<'_>) -> Result<(), CliError> {
    let already = if report.already_imported { " (imported before: nothing changed)" } else { "" };
    context.out.line(format_args!(
        "{} rows of {} series of {} instances into {location}{already}",
        count(report.rows_written),
        count(report.series),
        count(report.instances)
    ))?;
    if let (Some(from), Some(to)) = (&report.from, &report.to) {
        context.out.line(format_args!("from {from} to {to}"))?;
    }
    if !report.told_apart_by.is_empty() {
        let names: Vec<String> = report.told_apart_by.iter().map(|name| format!("`{name}`")).collect();
        let device: Vec<String> = report.told_apart_by.iter().map(|name| format!("{name}=VALUE")).collect();
        context.out.line(format_args!(
            "rows differ only in {}, which nobody here knows: the device says {}",
            names.join(" and "),
            device.join(",")
        ))?;
    }
    if report.rows_replacing > 0 && !report.already_imported {
        let n = count(report.rows_replacing);
        context.out.line(format_args!("{n} rows replace what the history had for their time otherwise"))?;
    }
    if report.rows_contradicting > 0 {
        let n = count(report.rows_contradicting);
        context.out.line(format_args!(
            "{n} rows contradict another row of the same series and time: the greater value counts"
        ))?;
    }
    for (metric, values) in &report.outside {
        let n = count(*values);
        context
            .out
            .line(format_args!("{metric}: {n} values that its signal can't have are kept out of it; check the unit"))?;
    }
    for (words, series) in &report.doubtful {
        context.out.line(format_args!("{words} ({} series): it is kept out of its signal", count(*series)))?;
    }
    if report.rows_missing > 0 {
        context.out.line(format_args!("{} rows without a value were left out", count(report.rows_missing)))?;
    }
    if report.rows_skipped > 0 {
        context.out.line(format_args!("{} bad rows were skipped; the first:", count(report.rows_skipped)))?;
        for error in &report.errors {
            context.out.line(format_args!("  {error}"))?;
        }
    }
    if !report.unused_metrics.is_empty() {
        context.out.line("kept, but read by no signal (--map NAME=SIGNAL lets one):")?;
        for (name, rows) in &report.unused_metrics {
            context.out.line(format_args!("  {name}  {} rows", count(*rows)))?;
        }
    }
    Ok(())
}
