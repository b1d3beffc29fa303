//! `forewarn maintain`: what the part `maintain` of `run` does, once and at once.

use super::common::{HistoryArg, StateArg, count};
use super::error::CliError;
use super::history::ReportFormat;
use super::{Context, End};
use crate::maintain::keep::Keep;
use crate::maintain::{Days, Gone, Maintenance, Pruned, Room};
use crate::state::MAINTAIN;
use forewarn_history::{CompactReport, PruneReport};
use forewarn_runtime::clock::SystemClock;
use forewarn_runtime::context::RuntimeContext;
use forewarn_runtime::interrupt::Interrupt;
use forewarn_runtime::metrics::unregistered;
use serde::Serialize;
use std::sync::Arc;

/// Compacts the history, and lets go what is older than what is kept.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  forewarn maintain --history H --state S --dry-run
  FOREWARN_RETAIN_HISTORY=120d forewarn maintain --history H --state S

What is kept is set by retain_history, retain_predictions, retain_log (400d each), retain_dead_letters (90d,64MiB) and retain_set_aside (400d,1GiB); `forever`
keeps everything. Days with more than compact_files (16) files a bucket are merged. `forewarn run` does this all the time.")]
pub(super) struct Args {
    #[command(flatten)]
    history: HistoryArg,
    #[command(flatten)]
    state: StateArg,
    /// Says what would be merged and what would go, and changes nothing
    #[arg(long)]
    dry_run: bool,
    /// Prints text or JSON
    #[arg(long, value_enum, default_value = "text")]
    format: ReportFormat,
}

#[derive(Debug, Serialize)]
struct Report {
    dry_run: bool,
    compacted: CompactReport,
    pruned: Pruned,
    disks: Vec<Room>,
}

impl Args {
    pub(super) fn run(&self, context: &mut Context<'_>) -> Result<End, CliError> {
        let keep = Keep::of(&context.settings.live)?;
        let ctx = RuntimeContext { metrics: unregistered(), clock: Arc::new(SystemClock), stop: Interrupt::listen()? };
        let (history, state) = (self.history.location(context).to_owned(), self.state.open(context, &ctx)?);
        let lease = state.leases().take(MAINTAIN).map_err(CliError::failed)?;
        let maintenance = Maintenance { history: &history, state: &state, keep, ctx: &ctx, dry_run: self.dry_run };
        // Merging needs room, and what is about to go needs no merging.
        let pruned = maintenance.prune();
        let mut compacted = CompactReport::default();
        loop {
            lease.check().map_err(CliError::failed)?;
            let step = maintenance.compact(Days::All).map_err(CliError::Failed)?;
            add(&mut compacted, &step);
            if self.dry_run || step.compacted == 0 || ctx.stop.is_raised() {
                break;
            }
        }
        let report = Report { dry_run: self.dry_run, compacted, pruned, disks: maintenance.look_at_disks() };
        match self.format {
            ReportFormat::Json => context.out.json(&report)?,
            ReportFormat::Text => say(&report, context)?,
        }
        Ok(if report.pruned.failed.is_empty() { End::Done } else { End::Faults })
    }
}

fn add(all: &mut CompactReport, step: &CompactReport) {
    all.partitions = step.partitions;
    all.compacted += step.compacted;
    all.files_before += step.files_before;
    all.files_after += step.files_after;
    all.bytes_before += step.bytes_before;
    all.bytes_after += step.bytes_after;
    all.rows_read += step.rows_read;
    all.duplicates_dropped += step.duplicates_dropped;
}

fn say(report: &Report, context: &mut Context<'_>) -> Result<(), CliError> {
    let (would, c, p) = (if report.dry_run { "would be " } else { "" }, &report.compacted, &report.pruned);
    let out = &mut *context.out;
    out.line(format_args!(
        "history: {} files of {} days and buckets {would}merged",
        count(c.files_before),
        count(c.compacted)
    ))?;
    let gone = |what: &str, r: &Option<PruneReport>| match r {
        Some(r) => {
            format!("{what}: {} files ({} bytes) before {} {would}deleted", count(r.files), count(r.bytes), r.kept_from)
        }
        None => format!("{what}: kept"),
    };
    out.line(gone("history", &p.history))?;
    out.line(gone("predictions", &p.predictions))?;
    match (&p.log_before, p.log) {
        (Some(before), Some(n)) => out.line(format_args!("log: {} entries before {before} pruned", count(n)))?,
        (Some(before), None) => out.line(format_args!("log: entries before {before} {would}pruned"))?,
        (None, _) => out.line("log: kept")?,
    }
    let pieces = |what: &str, g: &Option<Gone>| {
        let g = g.unwrap_or_default();
        format!("{what}: {} ({} bytes) {would}deleted", count(g.pieces), count(g.bytes))
    };
    out.line(pieces("dead letters", &p.dead_letters))?;
    out.line(pieces("set aside", &p.set_aside))?;
    for room in &report.disks {
        let low = if room.low { "; nearly full" } else { "" };
        out.line(format_args!(
            "disk of {}: {} bytes free, {:.0} %{low}",
            room.path,
            count(room.free_bytes),
            room.free_share * 100.0
        ))?;
    }
    p.failed.iter().try_for_each(|why| out.line(format_args!("failed: {why}")))
}
