//! Forgets the oldest entries of the log, leaving a checkpoint that can be verified.
//!
//! **Invariant:** the checkpoint takes the place of the one before, and an entry that names its hash is appended, in one transaction.
//! Before it nothing has changed; after it what the checkpoint covers counts no more, and is deleted from the oldest on. A crash at any
//! point leaves a log that verifies, and the next pruning clears away what is left over.

use super::super::NewEvent;
use super::super::checkpoint::{Bound, Checkpoint, STREAM};
use super::super::port::{AppendError, Expected, LogError};
use super::super::report::PruneReport;
use super::pace::{Pace, connect, durable, exclusive};
use super::{append, checkpoint, failed, query};
use forewarn_runtime::failpoint;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use std::path::Path;

/// Entries held in memory at a time.
const PAGE: usize = 1000;

/// Prunes; see [`super::SqliteLog::prune`].
pub(super) fn prune(
    path: &Path,
    pace: &mut Pace,
    before: Timestamp,
    now: Timestamp,
) -> Result<PruneReport, AppendError> {
    let _exclusive = exclusive(path)?;
    let mut connection = connect(path)?;
    durable(&connection, false)?;
    checkpoint::clear_away(&connection, pace)?;
    let old = checkpoint::read(&connection)?;
    let start = old.as_ref().map_or(0, |c| c.position);
    sweep(&connection, pace, start)?;
    let bound = Bound { before, reader: slowest(&connection)? };
    let (prefix, waits_for) = bound.fold(old.as_ref(), |after| {
        pace.look()?;
        query::all(&connection, after, PAGE)
    })?;
    let end = prefix.walk.position;
    if end > start {
        let new = prefix.checkpoint()?;
        drop(prefix);
        checkpoint::stage(&connection, pace, &new)?;
        failpoint::point("log.prune.staged");
        durable(&connection, true)?;
        pace.step(|_| publish(&mut connection, start, &new, &bound, now))?;
        durable(&connection, false)?;
        failpoint::point("log.prune.published");
        sweep(&connection, pace, end)?;
        checkpoint::clear_away(&connection, pace)?;
        let left = head(&connection)?.saturating_sub(end);
        return Ok(PruneReport { entries: end - start, left, waits_for, checkpoint: Some(new) });
    }
    Ok(PruneReport { entries: 0, left: head(&connection)?.saturating_sub(start), waits_for, checkpoint: old })
}

/// Puts a staged checkpoint in the place of the one at `start`, and says so in the log.
fn publish(
    connection: &mut Connection,
    start: u64,
    new: &Checkpoint,
    bound: &Bound,
    now: Timestamp,
) -> Result<(), AppendError> {
    let event = [bound.event(new, new.position - start, now)];
    let sealed = event.iter().map(NewEvent::seal).collect::<Result<Vec<_>, _>>()?;
    let tx = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(failed("publish a checkpoint; is another process holding the log?"))?;
    if checkpoint::place(&tx)?.map_or(0, |(position, _)| position) != start {
        return Err(LogError::unavailable("prune", "another pruning came first; start it again").into());
    }
    checkpoint::publish(&tx, new)?;
    append(&tx, STREAM, Expected::Any, &event, sealed)?;
    tx.commit().map_err(failed("publish a checkpoint"))?;
    Ok(())
}

/// Deletes what the checkpoint covers, the oldest first.
fn sweep(connection: &Connection, pace: &mut Pace, end: u64) -> Result<(), LogError> {
    // One bound alone: of two SQLite looks one up, and reads every entry below it to try the other.
    let sql = "DELETE FROM events WHERE position <= ?1";
    while let Some(first) = first(connection)?.filter(|first| *first <= end) {
        pace.step(|most| {
            let last = end.min(first.saturating_add(most as u64 - 1));
            connection.execute(sql, params![last as i64]).map_err(failed("delete entries"))
        })?;
        failpoint::point("log.prune.deleted");
    }
    Ok(())
}

fn first(connection: &Connection) -> Result<Option<u64>, LogError> {
    let found: Option<i64> = connection
        .query_row("SELECT min(position) FROM events", [], |row| row.get(0))
        .map_err(failed("find the first entry"))?;
    Ok(found.map(|p| p as u64))
}

fn head(connection: &Connection) -> Result<u64, LogError> {
    Ok(query::last(connection)?.map_or(0, |(position, _)| position))
}

/// Gives the reader that has come least far.
fn slowest(connection: &Connection) -> Result<Option<(String, u64)>, LogError> {
    let sql = "SELECT name, position FROM cursors ORDER BY position, name LIMIT 1";
    connection
        .query_row(sql, [], |row| Ok((row.get(0)?, row.get::<_, i64>(1)? as u64)))
        .optional()
        .map_err(failed("read cursors"))
}
