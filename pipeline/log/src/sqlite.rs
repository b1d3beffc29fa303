//! Keeps a log in one SQLite file, with its tables of current state, cursors and expiring texts beside it.

mod blobs;
mod checkpoint;
mod pace;
mod prune;
mod query;
mod rebuild;
mod structure;
mod tables;
mod verify;

use super::chain;
use super::checkpoint::Prefix;
use super::envelope::{Envelope, NewEvent};
use super::filter::Filter;
use super::maintain::{Maintain, Snapshots};
use super::port::{AppendError, Appended, Batch, Cursors, EventLog, Expected, LogError, Recorded};
use super::report::{PruneReport, RebuildReport, VerifyReport};
use super::state_log::Tables;
use forewarn_domain::id::is_name;
use forewarn_runtime::context::RuntimeContext;
use forewarn_runtime::sqlite::patient;
use pace::Pace;
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Marks the file as a forewarn log: `FWLG`.
pub const APPLICATION_ID: i32 = 0x4657_4C47;
/// The version of the tables in the file.
pub const SCHEMA_VERSION: i32 = 5;

/// Statements that a connection keeps ready.
const STATEMENTS: usize = 64;

/// A log in a SQLite file; threads may share it, and processes may open the same file.
#[derive(Debug)]
pub struct SqliteLog {
    path: PathBuf,
    connection: Mutex<Connection>,
    /// By what clock long work goes, and until when.
    ctx: RuntimeContext,
}

/// Wraps a SQLite error, saying what was tried.
fn failed(doing: &'static str) -> impl FnOnce(rusqlite::Error) -> LogError {
    move |source| LogError::unavailable(doing, source)
}

impl SqliteLog {
    /// Opens the log at `path`, making it when there is none.
    ///
    /// # Errors
    /// When the file cannot be opened, is another program's, or was made by a newer forewarn.
    pub fn open(path: &Path) -> Result<Self, LogError> {
        let shown = path.display().to_string();
        let doing = format!("open {shown}");
        let unavailable = |source: rusqlite::Error| LogError::unavailable(doing.clone(), source);
        let mut connection = Connection::open(path).map_err(unavailable)?;
        patient(&mut connection).map_err(unavailable)?;
        tables::prepare(&mut connection, &shown)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        let ctx = RuntimeContext::standalone();
        Ok(Self { path: path.to_owned(), connection: Mutex::new(connection), ctx })
    }

    /// Lets long work on it go by this clock, and until this stop.
    #[must_use]
    pub fn within(mut self, ctx: RuntimeContext) -> Self {
        self.ctx = ctx;
        self
    }

    /// Gives the entries that a filter chooses, in order.
    ///
    /// # Errors
    /// When the file cannot be read or an entry is damaged.
    pub fn list(&self, filter: &Filter) -> Result<Vec<Recorded>, LogError> {
        query::list(&self.lock(), filter)
    }

    /// Makes every table of current state again from the log, and says whether anything differed. Others read and append meanwhile.
    ///
    /// # Errors
    /// When the file cannot be read or written, another forewarn rebuilds or prunes it, or an entry cannot be understood; the tables then
    /// stay as they were. One that is cut short leaves rows that are right beside rows as they were.
    pub fn rebuild(&self) -> Result<RebuildReport, LogError> {
        rebuild::rebuild(&self.path, &mut Pace::new(self.ctx.clone()))
    }

    /// Checks positions, versions, hashes, envelopes and cursors, and names the first bad entry. Others read and append meanwhile.
    ///
    /// # Errors
    /// When the file cannot be read at all.
    pub fn verify(&self) -> Result<VerifyReport, LogError> {
        verify::verify(&self.path, &Pace::new(self.ctx.clone()))
    }

    /// Forgets the oldest entries: all before the first that happened at `before` or later, as far as every cursor has read.
    /// A checkpoint stands in their place, and an entry that names it is appended. Others read and append meanwhile.
    ///
    /// # Errors
    /// When the file cannot be read or written, another forewarn rebuilds or prunes it, or an entry cannot be understood. One that is cut
    /// short leaves a log that verifies; the next one goes on from there.
    pub fn prune(&self, before: jiff::Timestamp, now: jiff::Timestamp) -> Result<PruneReport, AppendError> {
        prune::prune(&self.path, &mut Pace::new(self.ctx.clone()), before, now)
    }

    /// Gives the rows of a table of current state as stored, by key.
    ///
    /// # Errors
    /// When the file cannot be read or a row is damaged.
    pub fn table(&self, table: super::Table) -> Result<BTreeMap<String, super::Row>, LogError> {
        rebuild::stored(&self.lock(), table)
    }

    /// Gives one row of a table of current state.
    ///
    /// # Errors
    /// When the file cannot be read or the row is damaged.
    pub fn row(&self, table: super::Table, key: &str) -> Result<Option<super::Row>, LogError> {
        tables::get(&self.lock(), &super::Key { table, id: key.to_owned() })
    }

    /// Gives the ids of the recoveries that may still do something, and when each last moved, the oldest first.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn open_recoveries(&self) -> Result<Vec<String>, LogError> {
        query::open_recoveries(&self.lock())
    }

    /// Gives the recovery of a lineage that a trigger has begun or joined, whether that is over or not; else the open one, the oldest
    /// where there are several.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn recovery_of(&self, lineage: &str, trigger_id: &str) -> Result<Option<String>, LogError> {
        query::recovery_of(&self.lock(), lineage, trigger_id)
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        // A transaction that a panic cut short has been rolled back by its drop.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl EventLog for SqliteLog {
    fn append(&self, stream: &str, expected: Expected, events: &[NewEvent]) -> Result<Appended, AppendError> {
        if !is_name(stream) {
            return Err(AppendError::Stream(stream.to_owned()));
        }
        let sealed = events.iter().map(NewEvent::seal).collect::<Result<Vec<_>, _>>()?;
        let mut connection = self.lock();
        let tx = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(failed("begin an append; is another process holding the log?"))?;
        let appended = append(&tx, stream, expected, events, sealed)?;
        tx.commit().map_err(failed("commit an append"))?;
        Ok(appended)
    }

    fn append_each(&self, batches: &[Batch]) -> Result<Vec<Appended>, AppendError> {
        if batches.is_empty() {
            return Ok(Vec::new());
        }
        let mut sealed = Vec::with_capacity(batches.len());
        for batch in batches {
            if !is_name(&batch.stream) {
                return Err(AppendError::Stream(batch.stream.clone()));
            }
            sealed.push(batch.events.iter().map(NewEvent::seal).collect::<Result<Vec<_>, _>>()?);
        }
        let mut connection = self.lock();
        let tx = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(failed("begin an append; is another process holding the log?"))?;
        let each = batches.iter().zip(sealed);
        let appended = each.map(|(b, sealed)| append(&tx, &b.stream, b.expected, &b.events, sealed));
        let appended = appended.collect::<Result<Vec<_>, _>>()?;
        tx.commit().map_err(failed("commit an append"))?;
        Ok(appended)
    }

    fn read(&self, stream: &str, from_version: u64, limit: usize) -> Result<Vec<Recorded>, LogError> {
        query::stream(&self.lock(), stream, from_version, limit)
    }

    fn read_all(&self, after: u64, limit: usize) -> Result<Vec<Recorded>, LogError> {
        query::all(&self.lock(), after, limit)
    }

    fn select(&self, filter: &Filter) -> Result<Vec<Recorded>, LogError> {
        self.list(filter)
    }

    fn length(&self, stream: &str) -> Result<u64, LogError> {
        length(&self.lock(), stream)
    }

    fn head(&self) -> Result<u64, LogError> {
        Ok(query::last(&self.lock())?.map_or(0, |(position, _)| position))
    }
}

impl Tables for SqliteLog {
    fn table(&self, table: super::Table) -> Result<BTreeMap<String, super::Row>, LogError> {
        Self::table(self, table)
    }

    fn row(&self, table: super::Table, key: &str) -> Result<Option<super::Row>, LogError> {
        Self::row(self, table, key)
    }
}

impl Cursors for SqliteLog {
    fn cursor(&self, name: &str) -> Result<u64, LogError> {
        Ok(find_cursor(&self.lock(), name)?.unwrap_or(0))
    }

    fn has_cursor(&self, name: &str) -> Result<bool, LogError> {
        Ok(find_cursor(&self.lock(), name)?.is_some())
    }

    fn advance(&self, name: &str, position: u64) -> Result<(), LogError> {
        let sql = "INSERT INTO cursors(name, position) VALUES (?1, ?2)
                   ON CONFLICT(name) DO UPDATE SET position = max(position, excluded.position)";
        let connection = self.lock();
        // Synced with the next append: what a reader sees again after a failure of power, it has seen before.
        pace::durable(&connection, false)?;
        let moved = connection.execute(sql, params![name, position as i64]).map_err(failed("move a cursor"));
        pace::durable(&connection, true)?;
        moved.map(drop)
    }
}

impl Snapshots for SqliteLog {
    fn newest(&self) -> Result<Prefix, LogError> {
        Prefix::after(checkpoint::read(&self.lock())?.as_ref())
    }

    /// The tables are in the file.
    fn keep(&self, _: &Prefix) -> Result<(), LogError> {
        Ok(())
    }
}

impl Maintain for SqliteLog {
    fn expire_texts(&self, now: jiff::Timestamp) -> Result<usize, LogError> {
        self.expire_blobs(now)
    }

    fn verify(&self) -> Result<VerifyReport, LogError> {
        Self::verify(self)
    }

    fn rebuild(&self) -> Result<RebuildReport, LogError> {
        Self::rebuild(self)
    }

    fn prune(&self, before: jiff::Timestamp, now: jiff::Timestamp) -> Result<PruneReport, AppendError> {
        Self::prune(self, before, now)
    }
}

/// Appends events, sealed already, within a transaction.
fn append(
    tx: &Transaction<'_>,
    stream: &str,
    expected: Expected,
    events: &[NewEvent],
    sealed: Vec<Envelope>,
) -> Result<Appended, AppendError> {
    let actual = length(tx, stream)?;
    let mut head = query::last(tx)?;
    let mut version = actual;
    let mut entries = Vec::with_capacity(sealed.len());
    for (envelope, new) in sealed.into_iter().zip(events) {
        if let Some(recorded) = query::by_id(tx, &envelope.id)? {
            entries.push(recorded);
            continue;
        }
        if !expected.allows(actual) {
            return Err(AppendError::Conflict { stream: stream.to_owned(), expected, actual });
        }
        version += 1;
        let entry = link(head.take(), stream, version, envelope)?;
        insert(tx, &entry, new)?;
        head = Some((entry.position, entry.hash.clone()));
        entries.push(entry);
    }
    Ok(Appended { entries, written: (version - actual) as usize })
}

fn find_cursor(connection: &Connection, name: &str) -> Result<Option<u64>, LogError> {
    let found: Option<i64> = connection
        .query_row("SELECT position FROM cursors WHERE name = ?1", [name], |row| row.get(0))
        .optional()
        .map_err(failed("read a cursor"))?;
    Ok(found.map(|p| p as u64))
}

fn length(connection: &Connection, stream: &str) -> Result<u64, LogError> {
    let sql = "SELECT coalesce((SELECT max(version) FROM events WHERE stream = ?1),
                               (SELECT version FROM checkpoint_streams WHERE stream = ?1), 0)";
    let version: i64 = connection
        .prepare_cached(sql)
        .and_then(|mut statement| statement.query_row([stream], |row| row.get(0)))
        .map_err(failed("read a stream's length"))?;
    Ok(version as u64)
}

fn link(head: Option<(u64, String)>, stream: &str, version: u64, envelope: Envelope) -> Result<Recorded, LogError> {
    let (last, previous_hash) = head.unwrap_or_else(|| (0, chain::GENESIS.to_owned()));
    let position = last + 1;
    let hash = chain::link(&previous_hash, position, stream, version, &envelope)
        .map_err(|e| LogError::unavailable("hash an entry", e))?;
    Ok(Recorded { position, stream: stream.to_owned(), version, envelope, previous_hash, hash })
}

fn insert(tx: &Transaction<'_>, entry: &Recorded, new: &NewEvent) -> Result<(), LogError> {
    let envelope = &entry.envelope;
    let text = chain::canonical_text(envelope).map_err(|e| LogError::unavailable("write an event as JSON", e))?;
    let sql = "INSERT INTO events(position, stream, version, id, type, subject, time_ms, envelope, previous_hash, hash)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
    tx.prepare_cached(sql)
        .and_then(|mut statement| {
            statement.execute(params![
                entry.position as i64,
                entry.stream,
                entry.version as i64,
                envelope.id,
                envelope.type_,
                envelope.subject,
                new.time.as_millisecond(),
                text,
                entry.previous_hash,
                entry.hash,
            ])
        })
        .map_err(failed("write an entry"))?;
    tables::project(tx, envelope, &new.event)
}
