//! How far a prefix was taken, in a SQLite file.

use super::{Cursor, LOOK_BACK_MS};
use crate::stream::StreamError;
use crate::stream::sqlite::file::{self, Kind, failed};
use forewarn_history::ObjectSeen;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use std::path::Path;

/// The name of the file in the state.
pub(super) const FILE: &str = "metric-streams.sqlite";
/// Marks the file: `FWMS`.
const APPLICATION_ID: i32 = 0x4657_4D53;

const SCHEMA: &str = "
CREATE TABLE floors(prefix TEXT PRIMARY KEY, path TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE objects(
  prefix TEXT NOT NULL,
  path TEXT NOT NULL,
  etag TEXT,
  modified_ms INTEGER NOT NULL,
  ingested_at INTEGER NOT NULL,
  taken INTEGER NOT NULL,
  PRIMARY KEY (prefix, path)
) STRICT, WITHOUT ROWID;
";

/// How far one prefix was taken.
#[derive(Debug)]
pub(super) struct FileCursor {
    connection: Connection,
    shown: String,
    prefix: String,
}

impl FileCursor {
    /// Opens the cursor of a prefix, making the file where there is none.
    ///
    /// # Errors
    /// When the file cannot be opened, is another program's, or was made by a newer forewarn.
    pub(super) fn open(state: &Path, prefix: &str) -> Result<Self, StreamError> {
        let path = state.join(FILE);
        let connection = file::open(&path, Kind { application_id: APPLICATION_ID, schema: &[SCHEMA] })?;
        Ok(Self { connection, shown: path.display().to_string(), prefix: prefix.trim_end_matches('/').to_owned() })
    }
}

impl Cursor for FileCursor {
    fn floor(&self) -> Result<Option<String>, StreamError> {
        let sql = "SELECT path FROM floors WHERE prefix = ?1";
        let found = self.connection.query_row(sql, [&self.prefix], |row| row.get(0)).optional();
        found.map_err(failed(&self.shown, "read how far a prefix was taken"))
    }

    fn begin(&mut self, object: &ObjectSeen, now_ms: i64) -> Result<Option<i64>, StreamError> {
        let fail = failed(&self.shown, "note that an object is taken");
        let sql = "SELECT taken, ingested_at FROM objects WHERE prefix = ?1 AND path = ?2 AND etag IS ?3";
        let known: Option<(bool, i64)> = self
            .connection
            .query_row(sql, params![self.prefix, object.path, object.etag], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()
            .map_err(&fail)?;
        match known {
            Some((true, _)) => Ok(None),
            Some((false, ingested_at)) => Ok(Some(ingested_at)),
            None => {
                let sql = "INSERT OR REPLACE INTO objects VALUES (?1, ?2, ?3, ?4, ?5, 0)";
                let row = params![self.prefix, object.path, object.etag, object.modified_ms, now_ms];
                self.connection.execute(sql, row).map_err(&fail)?;
                Ok(Some(now_ms))
            }
        }
    }

    fn taken(&mut self, path: &str) -> Result<(), StreamError> {
        let sql = "UPDATE objects SET taken = 1 WHERE prefix = ?1 AND path = ?2";
        let done = self.connection.execute(sql, [&self.prefix, path]);
        done.map(drop).map_err(failed(&self.shown, "note that an object was taken"))
    }

    fn raise(&mut self) -> Result<(), StreamError> {
        let fail = failed(&self.shown, "move on");
        let tx = self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(&fail)?;
        // The first that has to be remembered: not taken yet, or not older than the newest by the time to look back.
        let sql = "SELECT max(path) FROM objects WHERE prefix = ?1 AND path < (
                     SELECT min(path) FROM objects WHERE prefix = ?1 AND (taken = 0 OR modified_ms >= (
                       SELECT max(modified_ms) FROM objects WHERE prefix = ?1) - ?2))";
        let to = tx.query_row(sql, params![self.prefix, LOOK_BACK_MS], |row| row.get::<_, Option<String>>(0));
        if let Some(path) = to.map_err(&fail)? {
            let row = [&self.prefix, &path];
            tx.execute("INSERT OR REPLACE INTO floors VALUES (?1, ?2)", row).map_err(&fail)?;
            tx.execute("DELETE FROM objects WHERE prefix = ?1 AND path <= ?2", row).map_err(&fail)?;
        }
        tx.commit().map_err(&fail)
    }

    fn forget_begun(&mut self) -> Result<(), StreamError> {
        let done = self.connection.execute("DELETE FROM objects WHERE prefix = ?1 AND taken = 0", [&self.prefix]);
        done.map(drop).map_err(failed(&self.shown, "forget objects that are gone"))
    }

    fn remembered(&self) -> Result<(u64, Option<i64>), StreamError> {
        let sql = "SELECT count(*), max(modified_ms) FROM objects WHERE prefix = ?1";
        let found = self
            .connection
            .query_row(sql, [&self.prefix], |row| Ok((row.get::<_, i64>(0)?.unsigned_abs(), row.get(1)?)));
        found.map_err(failed(&self.shown, "count objects"))
    }
}
