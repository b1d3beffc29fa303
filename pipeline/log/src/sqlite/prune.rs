//! Forgets the oldest entries of the log, leaving a checkpoint that can be verified.
//!
//! **Invariant:** in one transaction the checkpoint is written, an entry that names its hash is appended, and what it covers is
//! deleted: a crash leaves all of it or nothing.

use super::super::event::pruned::LogPruned;
use super::super::port::{AppendError, Expected, LogError};
use super::super::projection::Projection;
use super::super::{Event, NewEvent};
use super::{Checkpoint, append, failed, query};
use forewarn_domain::id::event_id;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior};
use serde::Serialize;

/// Entries held in memory at a time.
const PAGE: usize = 1000;

/// The stream of the log's entries about itself.
const STREAM: &str = "log";

/// Says what a pruning did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PruneReport {
    /// Entries that went.
    pub entries: u64,
    /// Entries that are left, the one that names the checkpoint included.
    pub left: u64,
    /// The reader that has not come further, where one kept older entries from going.
    pub waits_for: Option<String>,
    /// What stands in the place of all pruned entries; null where none ever went.
    pub checkpoint: Option<Checkpoint>,
}

/// Prunes; see [`super::SqliteLog::prune`].
pub(super) fn prune(
    connection: &mut Connection,
    before: Timestamp,
    now: Timestamp,
) -> Result<PruneReport, AppendError> {
    let tx = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(failed("begin a pruning; is another process holding the log?"))?;
    let old = Checkpoint::read(&tx)?;
    let start = old.as_ref().map_or(0, |c| c.position);
    let (aged, reader) = (last_aged(&tx, before)?, slowest(&tx)?);
    let held = reader.filter(|(_, position)| *position < aged);
    let end = held.as_ref().map_or(aged, |(_, position)| *position);
    let waits_for = held.map(|(name, _)| name);
    let mut report = PruneReport { entries: 0, left: count(&tx)?, waits_for, checkpoint: old.clone() };
    if end <= start {
        return Ok(report);
    }
    let checkpoint = advance(&tx, old, end)?;
    checkpoint.write(&tx)?;
    let event = Event::LogPruned(LogPruned {
        position: checkpoint.position,
        hash: checkpoint.hash.clone(),
        entries: end - start,
        older_than: before.to_string(),
        checkpoint_sha256: checkpoint.sha256.clone(),
    });
    let id = event_id(event.type_(), &[&checkpoint.hash]);
    let new = [NewEvent::new(id, STREAM, now, event)];
    let sealed = new.iter().map(NewEvent::seal).collect::<Result<Vec<_>, _>>()?;
    append(&tx, STREAM, Expected::Any, &new, sealed)?;
    tx.execute("DELETE FROM events WHERE position <= ?1", [end as i64]).map_err(failed("delete pruned entries"))?;
    report.entries = end - start;
    report.left = count(&tx)?;
    report.checkpoint = Some(checkpoint);
    tx.commit().map_err(failed("commit a pruning"))?;
    Ok(report)
}

/// Folds the entries up to `end` into the checkpoint before.
fn advance(tx: &Transaction<'_>, old: Option<Checkpoint>, end: u64) -> Result<Checkpoint, LogError> {
    let mut projection = old.as_ref().map_or_else(|| Ok(Projection::default()), Checkpoint::projection)?;
    let (mut at, mut hash, mut streams) = old.map_or_else(
        || (0, super::super::chain::GENESIS.to_owned(), std::collections::BTreeMap::new()),
        |c| (c.position, c.hash, c.streams),
    );
    while at < end {
        let page = query::all(tx, at, PAGE.min((end - at) as usize))?;
        let Some(last) = page.last() else {
            return Err(LogError::Corrupt { position: at + 1, what: "it is missing".to_owned() });
        };
        for entry in &page {
            projection.apply(entry)?;
            streams.insert(entry.stream.clone(), entry.version);
        }
        (at, hash) = (last.position, last.hash.clone());
    }
    Checkpoint::new(at, hash, streams, &projection)
}

/// Gives the last position before the first entry that happened at `before` or later.
fn last_aged(tx: &Transaction<'_>, before: Timestamp) -> Result<u64, LogError> {
    let sql = "SELECT coalesce((SELECT min(position) - 1 FROM events WHERE time_ms >= ?1),
                               (SELECT max(position) FROM events), 0)";
    let position: i64 = tx
        .query_row(sql, [before.as_millisecond()], |row| row.get(0))
        .map_err(failed("find what is old enough to go"))?;
    Ok(position as u64)
}

/// Gives the reader that has come least far.
fn slowest(tx: &Transaction<'_>) -> Result<Option<(String, u64)>, LogError> {
    let sql = "SELECT name, position FROM cursors ORDER BY position, name LIMIT 1";
    tx.query_row(sql, [], |row| Ok((row.get(0)?, row.get::<_, i64>(1)? as u64)))
        .optional()
        .map_err(failed("read cursors"))
}

fn count(tx: &Transaction<'_>) -> Result<u64, LogError> {
    let n: i64 = tx.query_row("SELECT count(*) FROM events", [], |row| row.get(0)).map_err(failed("count entries"))?;
    Ok(n as u64)
}
