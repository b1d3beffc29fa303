//! The turns of maintenance, and of what Metric Streams deliver.

use super::Job;
use super::parts::waits;
use super::supervise::{Failure, Part};
use crate::maintain::{Days, Maintenance};
use crate::state::{MAINTAIN, State};
use forewarn_ingest::metric_streams::bucket::{BucketError, open_all, take_all};
use forewarn_ingest::metric_streams::take::{self, TakeReport, Taking};
use forewarn_ingest::stream::open;
use forewarn_runtime::context::RuntimeContext;
use forewarn_runtime::lease::LeaseError;
use forewarn_runtime::schedule::Schedule;
use std::collections::BTreeMap;

/// Between two looks at the disks, milliseconds.
const LOOK_MS: i64 = 60_000;
/// How often a disk that stays nearly full is said to be, milliseconds.
const SAY_AGAIN_MS: i64 = 3_600_000;
/// Small files are merged this often: readers are quick with a few files a day and slow with hundreds.
const COMPACTIONS: Schedule = Schedule { every: 15 * 60_000, offset: 5 * 60_000, most: 1 };
/// What is old goes, and all days are looked at, once a day.
const PRUNINGS: Schedule = Schedule { every: 24 * 3_600_000, offset: 3 * 3_600_000, most: 1 };
/// Between two looks at what was delivered, milliseconds: Firehose delivers each minute at most.
const DELIVERED_MS: i64 = 30_000;

/// Keeps the history in few files, and everything within what is kept. On a history without a lock it is the only one to compact.
pub(super) fn maintain(job: &Job) -> Part<'_> {
    job.ctx.metrics.period("maintain", PRUNINGS.every);
    let mut said = BTreeMap::new();
    let turn = move |_: &_| -> Result<i64, Failure> {
        let ctx = &job.ctx;
        let now = ctx.clock.now_ms();
        let _waiting = waits(job, "maintain", format!("the history {}", job.history));
        let _lease = job.state.leases().take(MAINTAIN)?;
        let maintenance = Maintenance { history: &job.history, state: &job.state, keep: job.keep, ctx, dry_run: false };
        for room in maintenance.look_at_disks().into_iter().filter(|r| r.low) {
            let last = said.get(&room.path).copied().unwrap_or(i64::MIN);
            if now.saturating_sub(last) >= SAY_AGAIN_MS {
                let percent = (room.free_share * 100.0).floor();
                tracing::warn!(
                    path = room.path,
                    free_bytes = room.free_bytes,
                    "nearly full: {percent} % free; free space on it, or keep less"
                );
                said.insert(room.path, now);
            }
        }
        // Merging needs room, and what is about to go needs no merging.
        let progress = job.state.place().progress("prune");
        if let Some(&slot) = PRUNINGS.due(progress.read()?, now).last() {
            let pruned = maintenance.prune();
            if pruned.pieces() > 0 {
                ctx.metrics.success("maintain", now);
            }
            if let Some(why) = pruned.failed.first() {
                return Err(why.clone().into());
            }
            progress.write(slot)?;
        }
        for (name, schedule, days) in [("compact", COMPACTIONS, Days::Recent), ("compact-all", PRUNINGS, Days::All)] {
            let progress = job.state.place().progress(name);
            let Some(&slot) = schedule.due(progress.read()?, now).last() else { continue };
            let report = maintenance.compact(days)?;
            if report.compacted > 0 {
                let (files_before, files_after) = (report.files_before, report.files_after);
                tracing::info!(files_before, files_after, repeated = report.duplicates_dropped, "compacted");
                ctx.metrics.success("maintain", now);
                return Ok(now);
            }
            progress.write(slot)?;
        }
        ctx.metrics.dealt_with("maintain", now);
        Ok(now + LOOK_MS)
    };
    Part { name: "maintain", turn: Box::new(turn) }
}

/// Takes what Metric Streams deliver below s3:// prefixes into the stream.
pub fn metric_stream<'a>(job: &'a Job, prefixes: &str) -> Part<'a> {
    let prefixes = self::prefixes(prefixes);
    job.ctx.metrics.period(take::PART, DELIVERED_MS);
    let turn = move |_: &_| -> Result<i64, Failure> {
        metric_stream_turn(job, &prefixes)?;
        Ok(job.ctx.clock.now_ms() + DELIVERED_MS)
    };
    Part { name: take::PART, turn: Box::new(turn) }
}

/// Explains why not everything was taken that was delivered.
#[derive(Debug, thiserror::Error)]
pub enum DeliveredError {
    /// Another process takes it.
    #[error(transparent)]
    Lease(#[from] LeaseError),
    #[error(transparent)]
    Bucket(#[from] BucketError),
}

/// Takes the turn, and what is new below prefixes such as `s3://bucket/prefix`. How far each was taken is read anew, for another process may
/// have gone on meanwhile.
///
/// # Errors
/// When another process has the turn; otherwise as [`take_all`].
pub fn take_delivered(
    (state, prefixes): (&State, &[String]),
    from_ms: Option<i64>,
    taking: &mut Taking<'_>,
    ctx: &RuntimeContext,
) -> Result<(), DeliveredError> {
    let _lease = state.leases().take(take::PART)?;
    Ok(take_all(&mut open_all(prefixes, &state.place())?, from_ms, taking, ctx)?)
}

/// Takes what is new below prefixes into the stream of a job.
pub(crate) fn metric_stream_turn(job: &Job, prefixes: &[String]) -> Result<TakeReport, Failure> {
    let ctx = &job.ctx;
    let begun = ctx.clock.now_ms();
    let _waiting = waits(job, take::PART, format!("the bucket {}", prefixes.join(", ")));
    let mut producer = open::producer(&job.stream, job.state.place(), ctx)?;
    let dead = job.state.dead(&job.history)?;
    let report = TakeReport::default();
    let mut taking = Taking { producer: producer.as_mut(), dead: dead.as_ref(), metrics: &ctx.metrics, report };
    let taken = take_delivered((&job.state, prefixes), None, &mut taking, ctx);
    let TakeReport { files, samples, dead, .. } = &taking.report;
    if *files > 0 {
        ctx.metrics.success(take::PART, begun);
        tracing::info!(files, samples, not_whole = dead, "taken from metric streams");
    }
    taken?;
    Ok(taking.report)
}

/// Reads prefixes that are parted by commas.
pub(crate) fn prefixes(text: &str) -> Vec<String> {
    text.split(',').map(|p| p.trim().to_owned()).filter(|p| !p.is_empty()).collect()
}

#[cfg(test)]
mod tests;
