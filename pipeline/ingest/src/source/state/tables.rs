//! Lays out the file.

use super::{StateError, failed};
use forewarn_runtime::sqlite::write_ahead;
use rusqlite::{Connection, TransactionBehavior};

/// Marks the file as the state of an ingest: `FWIN`.
const APPLICATION_ID: i32 = 0x4657_494E;
/// The version of the tables.
const VERSION: i32 = 1;

const TABLES: &str = "
CREATE TABLE places(
  id INTEGER PRIMARY KEY,
  label TEXT NOT NULL,
  region TEXT NOT NULL,
  account TEXT,
  discovered_at INTEGER,
  discovered_all_at INTEGER,
  scope TEXT,
  unmapped_all INTEGER NOT NULL DEFAULT 0,
  UNIQUE(label, region)
) STRICT;
CREATE TABLE instances(
  place INTEGER NOT NULL,
  id TEXT NOT NULL,
  instance TEXT NOT NULL,
  sent TEXT,
  seen_at INTEGER NOT NULL,
  PRIMARY KEY (place, id)
) STRICT, WITHOUT ROWID;
CREATE TABLE volumes(
  place INTEGER NOT NULL,
  id TEXT NOT NULL,
  instance_id TEXT NOT NULL,
  PRIMARY KEY (place, id)
) STRICT, WITHOUT ROWID;
CREATE TABLE series(
  id INTEGER PRIMARY KEY,
  place INTEGER NOT NULL,
  instance_id TEXT NOT NULL,
  namespace TEXT NOT NULL,
  metric TEXT NOT NULL,
  dimensions TEXT NOT NULL,
  stat TEXT NOT NULL,
  device TEXT NOT NULL,
  period_s INTEGER NOT NULL,
  begins INTEGER NOT NULL,
  listed_at INTEGER NOT NULL,
  done_until INTEGER,
  last_ts INTEGER,
  tail BLOB,
  UNIQUE(place, instance_id, namespace, metric, dimensions, stat, period_s)
) STRICT;
CREATE INDEX series_by_name ON series(place, namespace, metric, dimensions);
CREATE TABLE backfills(
  job TEXT NOT NULL,
  series INTEGER NOT NULL,
  done_until INTEGER NOT NULL,
  PRIMARY KEY (job, series)
) STRICT, WITHOUT ROWID;
CREATE TABLE billed(
  place INTEGER NOT NULL,
  month TEXT NOT NULL,
  metrics INTEGER NOT NULL,
  PRIMARY KEY (place, month)
) STRICT, WITHOUT ROWID;
CREATE TABLE outbox(id INTEGER PRIMARY KEY, records BLOB NOT NULL, progress BLOB NOT NULL) STRICT;
";

/// Tables that a file may lack: an earlier forewarn had none of them, and does without them.
const LATER: &str = "
CREATE TABLE IF NOT EXISTS breakers(
  place INTEGER PRIMARY KEY,
  failures INTEGER NOT NULL,
  since INTEGER NOT NULL,
  tried_at INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS gaps(
  series INTEGER NOT NULL,
  begins INTEGER NOT NULL,
  ends INTEGER NOT NULL,
  tries INTEGER NOT NULL,
  next_at INTEGER NOT NULL,
  PRIMARY KEY (series, begins)
) STRICT, WITHOUT ROWID;
";

/// Sets up a connection, and the file when it is empty; nothing is changed in a file that is not ours.
pub(super) fn prepare(connection: &mut Connection, path: &str) -> Result<(), StateError> {
    let e = || failed("open it");
    if identity(connection)? == (0, 0) {
        let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(e())?;
        let tables: i64 = tx.query_row("SELECT count(*) FROM sqlite_schema", [], |r| r.get(0)).map_err(e())?;
        if tables == 0 {
            tx.execute_batch(TABLES).map_err(e())?;
            tx.pragma_update(None, "application_id", APPLICATION_ID).map_err(e())?;
            tx.pragma_update(None, "user_version", VERSION).map_err(e())?;
        }
        tx.commit().map_err(e())?;
    }
    match identity(connection)? {
        (APPLICATION_ID, VERSION) => {}
        (APPLICATION_ID, newer) => {
            let what = format!("version {newer} is none that this forewarn knows ({VERSION}); upgrade forewarn");
            return Err(StateError::Foreign(path.to_owned(), what));
        }
        _ => return Err(StateError::Foreign(path.to_owned(), "not the state of an ingest; choose --state".to_owned())),
    }
    write_ahead(connection).map_err(e())?;
    connection.execute_batch(LATER).map_err(e())?;
    connection.pragma_update(None, "synchronous", "FULL").map_err(e())
}

fn identity(connection: &Connection) -> Result<(i32, i32), StateError> {
    let pragma = |name| connection.pragma_query_value(None, name, |r| r.get(0)).map_err(failed("open it"));
    Ok((pragma("application_id")?, pragma("user_version")?))
}
