//! Takes the stream into the history: ranges of records, written down before they are dealt with, become Parquet files, rows of
//! the small tables, and entries of the event log.
//!
//! **Invariant:** a range is written down (shard, first, last, name) before anything is made of it, and its checkpoint moves after
//! everything is durable. A restart redoes exactly that range: the same records make the same files under the same names.

mod range_buffer;
mod retry;
mod set_aside;
mod shell;
mod write;

pub use retry::{RetryReport, retry_set_aside};
pub use set_aside::{AsideRecord, SetAside, SetAsideError};
pub use shell::{ArchiveState, Gap, PART, drain};

use crate::event_log as events;
use crate::stream::{Consumer, Intent, Limit, RecordError, Stored, StreamError};
use forewarn_history::{History, HistoryError};
use forewarn_log::{LogError, StateLog};
use forewarn_runtime::failpoint;
use forewarn_runtime::interrupt::Interrupt;
use forewarn_runtime::lease::{Lease, LeaseError};
use forewarn_runtime::metrics::Metrics;
use range_buffer::RangeBuffer;
use serde::Serialize;
use std::collections::BTreeMap;

/// Samples that one commit takes at most; they and the files being written are all that is in memory.
pub const MOST_SAMPLES: usize = 1_000_000;
/// Encoded bytes that one commit takes at most.
pub const MOST_BYTES: usize = 64 << 20;
/// How much is read at a time: what a commit may take beyond its bound.
const READ: Limit = Limit { records: 100, bytes: 1 << 20 };

/// Explains why the archive stopped; what it did so far holds, and the next run goes on from there.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    #[error(transparent)]
    Stream(#[from] StreamError),
    /// The history failed, or another process writes to it.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// An event could not be taken into the log.
    #[error(transparent)]
    Event(#[from] events::TakeError),
    /// Another process archives.
    #[error(transparent)]
    Lease(#[from] LeaseError),
    #[error(transparent)]
    Log(#[from] LogError),
    /// What can't be read could not be set aside.
    #[error(transparent)]
    SetAside(#[from] SetAsideError),
    /// A newer forewarn wrote a record: the shard waits before it, the others went on.
    #[error(
        "shard {shard}: record {seq} has version {version}, newer than this forewarn knows; upgrade forewarn: the shard waits here, and \
         what came before is in the history"
    )]
    Newer {
        shard: String,
        /// The record.
        seq: String,
        /// What the record says it is.
        version: u8,
    },
    /// A range that was written down before a crash is not in the stream any more as it was.
    #[error(
        "shard {shard}: the range {first} to {last} was begun before, and reading it again ends at {found}; the stream has lost records"
    )]
    Changed {
        shard: String,
        /// First record.
        first: String,
        /// Last record.
        last: String,
        /// Where it ends now.
        found: String,
    },
}

/// What the archive did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ArchiveReport {
    /// Records read.
    pub records: u64,
    /// Samples in them.
    pub samples: u64,
    /// Rows written: samples without those that repeat a value of the same range.
    pub rows: u64,
    /// Samples that repeated a value of the same range.
    pub repeated: u64,
    /// Samples of days that the history has pruned, which were left out.
    pub expired: u64,
    /// Events taken into log and history.
    pub events: u64,
    /// Instances described.
    pub instances: u64,
    /// Records that can't be read and were set aside.
    pub set_aside: u64,
    /// Ranges dealt with.
    pub ranges: u64,
    /// Of them those that a crash had cut short.
    pub redone: u64,
    /// Files written.
    pub files: u64,
}

/// Takes a stream into a history.
#[derive(Debug)]
pub struct Archive<'a> {
    pub history: &'a mut History,
    /// The event log.
    pub log: &'a dyn StateLog,
    /// Where records go that can't be read.
    pub aside: &'a SetAside,
    /// What is counted.
    pub metrics: &'a Metrics,
    /// The time of the call, milliseconds: when events count as received.
    pub now_ms: i64,
    /// The right to archive, asked for before each range is begun and before it is told; none where ranges are handed over.
    pub lease: Option<&'a Lease>,
}

impl Archive<'_> {
    /// Takes everything that is waiting, what a crash cut short first; ends early, between ranges, when `stop` is raised.
    ///
    /// # Errors
    /// When stream, history or log fail.
    pub fn drain(&mut self, consumer: &mut dyn Consumer, stop: &Interrupt) -> Result<ArchiveReport, ArchiveError> {
        let mut report = ArchiveReport::default();
        self.resume(consumer, &mut report)?;
        let mut shards: BTreeMap<String, RangeBuffer> = BTreeMap::new();
        let mut held = (0, 0);
        let mut waiting: BTreeMap<String, ArchiveError> = BTreeMap::new();
        while !stop.is_raised() {
            let Some(batch) = consumer.read(READ)? else {
                if shards.is_empty() {
                    break;
                }
                // A shard's children are read once what was read of it has been dealt with.
                self.deal_with(consumer, std::mem::take(&mut shards), &mut report)?;
                held = (0, 0);
                continue;
            };
            if waiting.contains_key(&batch.shard) {
                continue;
            }
            let range_buffer = shards.entry(batch.shard.clone()).or_default();
            let before = range_buffer.size();
            match self.add(&batch.shard, range_buffer, batch.records) {
                Err(newer @ ArchiveError::Newer { .. }) => {
                    tracing::error!(%newer, "a shard waits");
                    waiting.insert(batch.shard, newer);
                }
                added => added?,
            }
            let after = range_buffer.size();
            held = (held.0 + after.0 - before.0, held.1 + after.1 - before.1);
            if held.0 >= MOST_SAMPLES || held.1 >= MOST_BYTES {
                self.deal_with(consumer, std::mem::take(&mut shards), &mut report)?;
                held = (0, 0);
            }
        }
        self.deal_with(consumer, shards, &mut report)?;
        consumer.trim()?;
        match waiting.pop_first() {
            Some((_, newer)) => Err(newer),
            None => Ok(report),
        }
    }

    /// Takes records that were handed over rather than read, such as an invocation's; nothing is checkpointed.
    ///
    /// # Errors
    /// When history or log fail.
    pub fn take(&mut self, shard: &str, records: Vec<Stored>) -> Result<ArchiveReport, ArchiveError> {
        let mut report = ArchiveReport::default();
        let mut range_buffer = RangeBuffer::default();
        self.add(shard, &mut range_buffer, records)?;
        if let Some(intent) = range_buffer.intent(shard) {
            self.carry_out(&intent, &range_buffer, &mut report)?;
        }
        Ok(report)
    }

    /// Redoes the ranges that were begun and not finished.
    fn resume(&mut self, consumer: &mut dyn Consumer, report: &mut ArchiveReport) -> Result<(), ArchiveError> {
        for intent in consumer.checkpoints().intents()? {
            tracing::info!(
                shard = intent.shard,
                first = intent.first,
                last = intent.last,
                "redoing a range that was cut short"
            );
            let batch = consumer.read_range(&intent.shard, &intent.first, &intent.last)?;
            let mut range_buffer = RangeBuffer::default();
            self.add(&intent.shard, &mut range_buffer, batch.records)?;
            if !range_buffer.is_from_to(&intent.first, &intent.last) {
                let Intent { shard, first, last, .. } = intent;
                return Err(ArchiveError::Changed { shard, first, last, found: range_buffer.last().to_owned() });
            }
            self.carry_out(&intent, &range_buffer, report)?;
            self.check_lease()?;
            consumer.checkpoints().finish(&intent.shard, &intent.last)?;
            failpoint::point("archive.finished");
            report.redone += 1;
        }
        Ok(())
    }

    /// Whoever has taken over does the same ranges: what this one says of them must not undo what that one says.
    fn check_lease(&self) -> Result<(), ArchiveError> {
        Ok(self.lease.map_or(Ok(()), Lease::check)?)
    }

    /// Takes records in, up to one that a newer forewarn wrote.
    fn add(&self, shard: &str, range_buffer: &mut RangeBuffer, records: Vec<Stored>) -> Result<(), ArchiveError> {
        for stored in records {
            match range_buffer.add(stored) {
                Ok(()) => {}
                Err((stored, RecordError::Newer(version))) => {
                    return Err(ArchiveError::Newer { shard: shard.to_owned(), seq: stored.seq, version });
                }
                Err((stored, error)) => {
                    self.aside.put(&stored, &error, self.now_ms)?;
                    self.metrics.dead_letter("archive");
                }
            }
        }
        failpoint::point("archive.read");
        Ok(())
    }

    fn deal_with(
        &mut self,
        consumer: &dyn Consumer,
        shards: BTreeMap<String, RangeBuffer>,
        report: &mut ArchiveReport,
    ) -> Result<(), ArchiveError> {
        for (shard, range_buffer) in shards {
            let Some(intent) = range_buffer.intent(&shard) else { continue };
            self.check_lease()?;
            consumer.checkpoints().intend(&intent)?;
            failpoint::point("archive.intended");
            self.carry_out(&intent, &range_buffer, report)?;
            self.check_lease()?;
            consumer.checkpoints().finish(&shard, &intent.last)?;
            failpoint::point("archive.finished");
        }
        Ok(())
    }

    /// Makes of a range what is to be made of it; doing it again changes nothing.
    fn carry_out(
        &mut self,
        intent: &Intent,
        range_buffer: &RangeBuffer,
        report: &mut ArchiveReport,
    ) -> Result<(), ArchiveError> {
        let mut rows = Vec::new();
        let arrived: Vec<_> =
            range_buffer.events.iter().map(|(e, at)| (e.as_ref(), at.unwrap_or(self.now_ms))).collect();
        for ((envelope, _), taken) in arrived.iter().zip(events::take(self.log, &arrived)?) {
            match taken {
                Ok(fresh) => rows.extend(fresh),
                Err(e) => {
                    self.aside.put_event(envelope, &e, self.now_ms)?;
                    self.metrics.dead_letter("archive");
                    report.set_aside += 1;
                }
            }
        }
        failpoint::point("archive.logged");
        let mut writer = self.history.writer()?;
        if writer.record(&intent.name)?.is_none() {
            let done = write::commit(&mut writer, &intent.name, range_buffer)?;
            report.rows += done.rows;
            report.repeated += done.repeated;
            report.expired += done.expired;
            report.files += done.files;
            self.metrics.archived_rows.inc_by(done.rows);
        }
        failpoint::point("archive.committed");
        writer.put_events(&rows)?;
        writer.put_instances(&write::seen_rows(range_buffer))?;
        failpoint::point("archive.tables_written");
        // The checkpoint remembers from here on; until it moves, the intent makes the same again.
        writer.forget(&intent.name)?;
        report.records += range_buffer.records;
        report.samples += range_buffer.size().0 as u64;
        report.events += range_buffer.events.len() as u64;
        report.instances += range_buffer.instances.len() as u64;
        report.set_aside += range_buffer.unreadable;
        report.ranges += 1;
        Ok(())
    }
}
