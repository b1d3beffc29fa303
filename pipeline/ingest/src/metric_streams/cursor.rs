//! Remembers which objects below a prefix were taken: `STATE/metric-streams.sqlite`.
//!
//! Firehose names objects by the time at which their first record arrived, and tries to deliver for 24 hours: a key may appear below
//! ones that were taken. So the objects of the last [`LOOK_BACK_MS`] are remembered one by one, and everything up to a floor below
//! them counts as taken. What is remembered is bounded by what is delivered in that time, however long the prefix is followed.

use crate::stream::StreamError;
use crate::stream::sqlite::file::{self, Kind, failed};
use forewarn_history::ObjectSeen;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use std::path::Path;

/// The name of the file in the state.
pub const FILE: &str = "metric-streams.sqlite";
/// Marks the file: `FWMS`.
const APPLICATION_ID: i32 = 0x4657_4D53;
/// How long after others an object may appear below them and still be taken, milliseconds.
pub const LOOK_BACK_MS: i64 = 25 * 3_600_000;

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
pub struct Cursor {
    connection: Connection,
    shown: String,
    prefix: String,
}

impl Cursor {
    /// Opens the cursor of a prefix, making the file where there is none.
    ///
    /// # Errors
    /// When the file cannot be opened, is another program's, or was made by a newer forewarn.
    pub fn open(state: &Path, prefix: &str) -> Result<Self, StreamError> {
        let path = state.join(FILE);
        let connection = file::open(&path, Kind { application_id: APPLICATION_ID, schema: &[SCHEMA] })?;
        Ok(Self { connection, shown: path.display().to_string(), prefix: prefix.trim_end_matches('/').to_owned() })
    }

    /// Gives the path up to which everything was taken.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn floor(&self) -> Result<Option<String>, StreamError> {
        let sql = "SELECT path FROM floors WHERE prefix = ?1";
        let found = self.connection.query_row(sql, [&self.prefix], |row| row.get(0)).optional();
        found.map_err(failed(&self.shown, "read how far a prefix was taken"))
    }

    /// Notes that an object is about to be taken, and gives the time at which it counts as arrived: `now_ms`, or the time that was noted
    /// before where a crash cut its taking short. None where it was taken.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn begin(&self, object: &ObjectSeen, now_ms: i64) -> Result<Option<i64>, StreamError> {
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

    /// Notes that an object was taken.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn taken(&self, path: &str) -> Result<(), StreamError> {
        let sql = "UPDATE objects SET taken = 1 WHERE prefix = ?1 AND path = ?2";
        let done = self.connection.execute(sql, [&self.prefix, path]);
        done.map(drop).map_err(failed(&self.shown, "note that an object was taken"))
    }

    /// Raises the floor over the objects that no late one can come before, and forgets those.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn raise(&mut self) -> Result<(), StreamError> {
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

    /// Forgets objects whose taking was begun and which are no longer there: every one that is there has been taken.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn forget_begun(&self) -> Result<(), StreamError> {
        let done = self.connection.execute("DELETE FROM objects WHERE prefix = ?1 AND taken = 0", [&self.prefix]);
        done.map(drop).map_err(failed(&self.shown, "forget objects that are gone"))
    }

    /// Counts the objects that are remembered one by one, and gives when the newest of them was written.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn remembered(&self) -> Result<(u64, Option<i64>), StreamError> {
        let sql = "SELECT count(*), max(modified_ms) FROM objects WHERE prefix = ?1";
        let found = self
            .connection
            .query_row(sql, [&self.prefix], |row| Ok((row.get::<_, i64>(0)?.unsigned_abs(), row.get(1)?)));
        found.map_err(failed(&self.shown, "count objects"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;

    fn object(path: &str, modified_ms: i64) -> ObjectSeen {
        ObjectSeen { path: path.to_owned(), size: 1, etag: Some("e".to_owned()), modified_ms }
    }

    fn take(cursor: &mut Cursor, path: &str, modified_ms: i64) -> bool {
        let begun = cursor.begin(&object(path, modified_ms), modified_ms).unwrap();
        cursor.taken(path).unwrap();
        cursor.raise().unwrap();
        begun.is_some()
    }

    #[test]
    fn an_object_is_taken_once_and_one_that_comes_late_is_taken_too() {
        let dir = tempfile::tempdir().unwrap();
        let mut cursor = Cursor::open(dir.path(), "s3://b/p/").unwrap();
        assert!(take(&mut cursor, "01", HOUR) && take(&mut cursor, "03", 3 * HOUR));
        assert!(!take(&mut cursor, "03", 3 * HOUR));
        assert!(take(&mut cursor, "02", 20 * HOUR), "it was delivered late");
        let mut again = Cursor::open(dir.path(), "s3://b/p").unwrap();
        assert!(!take(&mut again, "02", 20 * HOUR));
        let rewritten = ObjectSeen { etag: Some("f".to_owned()), ..object("02", 21 * HOUR) };
        assert_eq!(again.begin(&rewritten, 7).unwrap(), Some(7), "other bytes are another object");
        assert!(take(&mut Cursor::open(dir.path(), "s3://other").unwrap(), "02", 20 * HOUR));
    }

    #[test]
    fn what_is_remembered_stays_bounded_however_long_a_prefix_is_followed() {
        let dir = tempfile::tempdir().unwrap();
        let mut cursor = Cursor::open(dir.path(), "s3://b/p").unwrap();
        for hour in 0..24 * 30 {
            assert!(take(&mut cursor, &format!("{hour:04}"), hour * HOUR));
            let (remembered, _) = cursor.remembered().unwrap();
            assert!(remembered <= 27, "hour {hour}: {remembered}");
        }
        assert_eq!(cursor.floor().unwrap().as_deref(), Some("0693"));
    }

    #[test]
    fn what_a_crash_cut_short_is_taken_again_as_if_at_the_same_time_and_holds_the_floor() {
        let dir = tempfile::tempdir().unwrap();
        let mut cursor = Cursor::open(dir.path(), "s3://b/p").unwrap();
        assert_eq!(cursor.begin(&object("01", HOUR), 5).unwrap(), Some(5));
        for hour in 2..100 {
            take(&mut cursor, &format!("{hour:02}"), hour * HOUR);
        }
        assert_eq!(cursor.floor().unwrap(), None);
        assert_eq!(cursor.begin(&object("01", HOUR), 99).unwrap(), Some(5));
        cursor.taken("01").unwrap();
        cursor.raise().unwrap();
        assert_eq!(cursor.floor().unwrap().as_deref(), Some("73"));
    }
}
