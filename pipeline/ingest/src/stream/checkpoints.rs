//! Keeps how far each consumer of a stream has come and what it was about to do: in SQLite, or in cells.
//!
//! The embedded stream has these tables in its own file; a consumer of another stream has them in `checkpoints.sqlite`.

mod cells;
pub mod conformance;

pub use cells::CellCheckpoints;

use super::order::compare;
use super::port::{Checkpoints, Intent, StreamError};
use super::sqlite::file::{self, Kind, failed};
use forewarn_runtime::failpoint;
use forewarn_runtime::place::StatePlace;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The name of the file in the state.
pub const FILE: &str = "checkpoints.sqlite";
/// Marks the file: `FWCP`.
pub const APPLICATION_ID: i32 = 0x4657_4350;

pub(super) const SCHEMA: &str = "
CREATE TABLE consumers(stream TEXT NOT NULL, consumer TEXT NOT NULL, PRIMARY KEY (stream, consumer)) STRICT, WITHOUT ROWID;
CREATE TABLE checkpoints(
  stream TEXT NOT NULL,
  consumer TEXT NOT NULL,
  shard TEXT NOT NULL,
  seq TEXT,
  ended INTEGER NOT NULL DEFAULT 0,
  caught_up_ms INTEGER,
  PRIMARY KEY (stream, consumer, shard)
) STRICT, WITHOUT ROWID;
CREATE TABLE intents(
  stream TEXT NOT NULL,
  consumer TEXT NOT NULL,
  shard TEXT NOT NULL,
  first TEXT NOT NULL,
  last TEXT NOT NULL,
  name TEXT NOT NULL,
  PRIMARY KEY (stream, consumer, shard)
) STRICT, WITHOUT ROWID;
";

/// What a consumer is known to have done with a shard.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    /// The last record that has been dealt with.
    pub seq: Option<String>,
    /// Whether the shard is closed and all of it has been dealt with.
    pub ended: bool,
    /// When everything that had arrived had been dealt with, milliseconds.
    pub caught_up_ms: Option<i64>,
}

/// What is remembered of the shards of a stream beside their checkpoints.
pub trait Standings: Checkpoints {
    /// Gives what is known of every shard.
    ///
    /// # Errors
    /// When the store fails.
    fn standings(&self) -> Result<BTreeMap<String, Standing>, StreamError>;

    /// Notes that a shard is closed and that all of it has been dealt with.
    ///
    /// # Errors
    /// When the store fails.
    fn end(&self, shard: &str) -> Result<(), StreamError>;

    /// Forgets shards that were dealt with to their end and are no longer there.
    ///
    /// # Errors
    /// When the store fails.
    fn forget_ended(&self, is_there: &dyn Fn(&str) -> bool) -> Result<(), StreamError>;

    /// Notes that everything that had arrived in a shard by a time has been dealt with.
    ///
    /// # Errors
    /// When the store fails.
    fn caught_up(&self, shard: &str, at_ms: i64) -> Result<(), StreamError>;
}

/// Opens the checkpoints that `consumer` has of `stream` in a place.
///
/// # Errors
/// When the place cannot be opened.
pub fn open(place: &StatePlace, stream: &str, consumer: &str) -> Result<Box<dyn Standings>, StreamError> {
    match place {
        StatePlace::Dir(dir) => Ok(Box::new(SqliteCheckpoints::open(&dir.join(FILE), stream, consumer)?)),
        StatePlace::Cells(cells) => Ok(Box::new(CellCheckpoints::new(Arc::clone(cells), stream, consumer))),
    }
}

/// The checkpoints of one consumer of one stream; threads may share it.
#[derive(Debug)]
pub struct SqliteCheckpoints {
    connection: Mutex<Connection>,
    path: String,
    stream: String,
    consumer: String,
}

impl SqliteCheckpoints {
    /// Opens the checkpoints that `consumer` has of `stream` in the file at `path`, making the file where there is none.
    ///
    /// # Errors
    /// When the file cannot be opened, is another program's, or was made by a newer forewarn.
    pub fn open(path: &Path, stream: &str, consumer: &str) -> Result<Self, StreamError> {
        let connection = file::open(path, Kind { application_id: APPLICATION_ID, schema: &[SCHEMA] })?;
        Self::of(connection, &path.display().to_string(), stream, consumer)
    }

    /// Takes a connection to a file that has [`SCHEMA`], and makes the consumer known there.
    pub(super) fn of(connection: Connection, path: &str, stream: &str, consumer: &str) -> Result<Self, StreamError> {
        connection
            .execute("INSERT INTO consumers VALUES (?1, ?2) ON CONFLICT DO NOTHING", [stream, consumer])
            .map_err(failed(path, "make the consumer known"))?;
        Ok(Self {
            connection: Mutex::new(connection),
            path: path.to_owned(),
            stream: stream.to_owned(),
            consumer: consumer.to_owned(),
        })
    }

    /// Gives the name of the stream that the checkpoints are of.
    pub fn stream(&self) -> &str {
        &self.stream
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        // A transaction that a panic cut short has been rolled back by its drop.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Standings for SqliteCheckpoints {
    fn standings(&self) -> Result<BTreeMap<String, Standing>, StreamError> {
        let fail = failed(&self.path, "read the checkpoints");
        let connection = self.lock();
        let sql = "SELECT shard, seq, ended, caught_up_ms FROM checkpoints WHERE stream = ?1 AND consumer = ?2";
        let mut rows = connection.prepare(sql).map_err(&fail)?;
        let read = |row: &rusqlite::Row<'_>| {
            Ok((row.get(0)?, Standing { seq: row.get(1)?, ended: row.get(2)?, caught_up_ms: row.get(3)? }))
        };
        let found = rows.query_map([&self.stream, &self.consumer], read).map_err(&fail)?;
        found.collect::<Result<_, _>>().map_err(&fail)
    }

    fn end(&self, shard: &str) -> Result<(), StreamError> {
        let sql = "INSERT INTO checkpoints(stream, consumer, shard, ended) VALUES (?1, ?2, ?3, 1)
                   ON CONFLICT DO UPDATE SET ended = 1";
        let done = self.lock().execute(sql, [&self.stream, &self.consumer, shard]);
        done.map(|_| ()).map_err(failed(&self.path, "note the end of a shard"))
    }

    fn forget_ended(&self, is_there: &dyn Fn(&str) -> bool) -> Result<(), StreamError> {
        let fail = failed(&self.path, "forget a shard that is gone");
        for (shard, standing) in self.standings()? {
            if standing.ended && !is_there(&shard) {
                let sql = "DELETE FROM checkpoints WHERE stream = ?1 AND consumer = ?2 AND shard = ?3";
                self.lock().execute(sql, [&self.stream, &self.consumer, &shard]).map_err(&fail)?;
            }
        }
        Ok(())
    }

    fn caught_up(&self, shard: &str, at_ms: i64) -> Result<(), StreamError> {
        let sql = "INSERT INTO checkpoints(stream, consumer, shard, caught_up_ms) VALUES (?1, ?2, ?3, ?4)
                   ON CONFLICT DO UPDATE SET caught_up_ms = max(coalesce(caught_up_ms, 0), excluded.caught_up_ms)";
        let done = self.lock().execute(sql, params![self.stream, self.consumer, shard, at_ms]);
        done.map(|_| ()).map_err(failed(&self.path, "note how far a shard was read"))
    }
}

const CHECKPOINT: &str = "SELECT seq FROM checkpoints WHERE stream = ?1 AND consumer = ?2 AND shard = ?3";

impl Checkpoints for SqliteCheckpoints {
    fn checkpoint(&self, shard: &str) -> Result<Option<String>, StreamError> {
        let found =
            self.lock().query_row(CHECKPOINT, [&self.stream, &self.consumer, shard], |row| row.get(0)).optional();
        found.map(Option::flatten).map_err(failed(&self.path, "read a checkpoint"))
    }

    fn intend(&self, intent: &Intent) -> Result<(), StreamError> {
        failpoint::point("archive.intend_begun");
        let sql = "INSERT OR REPLACE INTO intents VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        let row = [&self.stream, &self.consumer, &intent.shard, &intent.first, &intent.last, &intent.name];
        self.lock().execute(sql, row).map_err(failed(&self.path, "write down what is about to be done"))?;
        failpoint::point("archive.intend_done");
        Ok(())
    }

    fn intents(&self) -> Result<Vec<Intent>, StreamError> {
        let fail = failed(&self.path, "read what was about to be done");
        let connection = self.lock();
        let sql = "SELECT shard, first, last, name FROM intents WHERE stream = ?1 AND consumer = ?2 ORDER BY shard";
        let mut rows = connection.prepare(sql).map_err(&fail)?;
        let read = |row: &rusqlite::Row<'_>| {
            Ok(Intent { shard: row.get(0)?, first: row.get(1)?, last: row.get(2)?, name: row.get(3)? })
        };
        let found = rows.query_map([&self.stream, &self.consumer], read).map_err(&fail)?;
        found.collect::<Result<_, _>>().map_err(&fail)
    }

    fn finish(&self, shard: &str, last: &str) -> Result<(), StreamError> {
        let fail = failed(&self.path, "move a checkpoint");
        failpoint::point("archive.finish_begun");
        let mut connection = self.lock();
        let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(&fail)?;
        let key = [&self.stream, &self.consumer, shard];
        let before: Option<String> =
            tx.query_row(CHECKPOINT, key, |row| row.get(0)).optional().map_err(&fail)?.flatten();
        // Two consumers of one name may overlap for a moment; the slower one takes nothing back.
        if before.is_none_or(|b| compare(&b, last) == Ordering::Less) {
            let sql = "INSERT INTO checkpoints(stream, consumer, shard, seq) VALUES (?1, ?2, ?3, ?4)
                       ON CONFLICT DO UPDATE SET seq = excluded.seq";
            tx.execute(sql, [&self.stream, &self.consumer, shard, last]).map_err(&fail)?;
        }
        let sql = "DELETE FROM intents WHERE stream = ?1 AND consumer = ?2 AND shard = ?3";
        tx.execute(sql, key).map_err(&fail)?;
        failpoint::point("archive.finish_written");
        tx.commit().map_err(&fail)?;
        failpoint::point("archive.finish_done");
        Ok(())
    }

    fn forget(&self, shard: &str) -> Result<(), StreamError> {
        let fail = failed(&self.path, "forget a shard");
        let mut connection = self.lock();
        let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(&fail)?;
        for table in ["checkpoints", "intents"] {
            let sql = format!("DELETE FROM {table} WHERE stream = ?1 AND consumer = ?2 AND shard = ?3");
            tx.execute(&sql, [&self.stream, &self.consumer, shard]).map_err(&fail)?;
        }
        tx.commit().map_err(&fail)
    }
}
