//! Lays out the file, and keeps the tables of current state in step with each entry.

use super::super::envelope::Envelope;
use super::super::event::Event;
use super::super::port::LogError;
use super::super::projection::{evolve, keys};
use super::super::row::Row;
use super::super::table::{Key, TABLES, Table};
use super::{APPLICATION_ID, SCHEMA_VERSION, failed};
use forewarn_runtime::sqlite::{patient, write_ahead};
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

const EVENTS: &str = "
CREATE TABLE events(
  position INTEGER PRIMARY KEY,
  stream TEXT NOT NULL,
  version INTEGER NOT NULL,
  id TEXT NOT NULL UNIQUE,
  type TEXT NOT NULL,
  subject TEXT NOT NULL,
  time_ms INTEGER NOT NULL,
  envelope TEXT NOT NULL,
  previous_hash TEXT NOT NULL,
  hash TEXT NOT NULL,
  UNIQUE(stream, version)
) STRICT;
CREATE INDEX events_by_type ON events(type, position);
CREATE INDEX events_by_subject ON events(subject, position);
CREATE INDEX events_by_time ON events(time_ms, position);
CREATE TRIGGER events_are_never_changed BEFORE UPDATE ON events
  BEGIN SELECT RAISE(ABORT, 'entries of the event log are never changed'); END;
CREATE TABLE cursors(name TEXT PRIMARY KEY, position INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE blobs(
  sha256 TEXT PRIMARY KEY,
  body BLOB NOT NULL,
  expires_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX blobs_by_expiry ON blobs(expires_ms);
";

/// What version 2 added: the checkpoint of a pruned log. Only what it covers may be deleted.
const CHECKPOINT: &str = "
CREATE TABLE checkpoint(
  one INTEGER PRIMARY KEY CHECK (one = 1),
  position INTEGER NOT NULL,
  hash TEXT NOT NULL
) STRICT;
CREATE TABLE checkpoint_streams(stream TEXT PRIMARY KEY, version INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE checkpoint_rows(
  name TEXT NOT NULL,
  key TEXT NOT NULL,
  row TEXT NOT NULL,
  PRIMARY KEY (name, key)
) STRICT, WITHOUT ROWID;
DROP TRIGGER IF EXISTS events_are_never_deleted;
CREATE TRIGGER events_are_never_deleted BEFORE DELETE ON events
  WHEN OLD.position > coalesce((SELECT position FROM checkpoint), 0)
  BEGIN SELECT RAISE(ABORT, 'entries of the event log are never deleted'); END;
";

/// What version 5 added: each trigger asks for the recoveries of its lineage.
const INDEXES: &str = "CREATE INDEX IF NOT EXISTS recoveries_by_lineage ON recoveries(lineage)";

/// Columns of each table that SQLite computes from the row's JSON, so that plain SQL can ask for them.
const fn computed(table: Table) -> &'static [&'static str] {
    match table {
        Table::PredictionsCurrent => &["episode_id", "open", "as_of", "confidence"],
        Table::Episodes => {
            &["instance_id", "workload", "opened_at", "level", "peak", "failure_type", "cleared_at", "outcome"]
        }
        Table::EpisodeStates => &["as_of"],
        Table::WorkloadEpisodes => &["open", "workload", "failure_type", "level", "since", "as_of"],
        Table::Incidents => &["instance_id", "start", "end", "class", "cause", "predictable"],
        Table::Changes => &["instance_id", "workload", "kind", "at", "until", "text"],
        Table::Silences => &["since", "until", "reason"],
        Table::Acks => &["at", "verdict", "note"],
        Table::HealthEvents => &["service", "code", "category", "status", "region", "start", "end"],
        Table::Recoveries => &["instance_id", "lineage", "open", "opened_at", "updated_at"],
        Table::Instances => &["state", "failed_check", "failed_since", "left_at", "left_cause"],
    }
}

/// Sets up a connection, and the file when it is empty; nothing is changed in a file that is not ours.
pub(super) fn prepare(connection: &mut Connection, path: &str) -> Result<(), LogError> {
    if identity(connection, path)? == (0, 0) {
        create(connection, path)?;
    }
    let (application, version) = identity(connection, path)?;
    let foreign = |what: String| LogError::Foreign { path: path.to_owned(), what };
    if application != APPLICATION_ID {
        return Err(foreign("this SQLite file belongs to another program; give another --state".to_owned()));
    }
    if (1..SCHEMA_VERSION).contains(&version) {
        upgrade(connection, path)?;
    }
    if version > SCHEMA_VERSION {
        let what = format!("made by a newer forewarn (tables {version}, known {SCHEMA_VERSION}); upgrade forewarn");
        return Err(foreign(what));
    }
    write_ahead(connection).and_then(|()| patient(connection)).map_err(failed("switch to write-ahead logging"))?;
    connection.pragma_update(None, "synchronous", "FULL").map_err(failed("set synchronous=FULL"))
}

fn identity(connection: &Connection, path: &str) -> Result<(i32, i32), LogError> {
    let read = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
    let not_ours = |e: rusqlite::Error| {
        if e.sqlite_error_code() == Some(rusqlite::ErrorCode::NotADatabase) {
            return LogError::Foreign { path: path.to_owned(), what: "this is not a SQLite file".to_owned() };
        }
        failed("read the file's identity")(e)
    };
    Ok((read("application_id").map_err(not_ours)?, read("user_version").map_err(failed("read the file's version"))?))
}

fn create(connection: &mut Connection, path: &str) -> Result<(), LogError> {
    let tx =
        connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed("begin making the log"))?;
    // Another process may have made it while this one waited.
    if identity(&tx, path)? == (0, 0) {
        let others: i64 = tx
            .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
            .map_err(failed("look at the file"))?;
        if others > 0 {
            let what = "this SQLite file belongs to another program; give another --state".to_owned();
            return Err(LogError::Foreign { path: path.to_owned(), what });
        }
        tx.execute_batch(EVENTS).map_err(failed("make the log"))?;
        tx.execute_batch(CHECKPOINT).map_err(failed("make the log"))?;
        current_state(&tx)?;
        tx.pragma_update(None, "application_id", APPLICATION_ID).map_err(failed("mark the file"))?;
        tx.pragma_update(None, "user_version", SCHEMA_VERSION).map_err(failed("mark the file"))?;
    }
    tx.commit().map_err(failed("make the log"))
}

/// Makes the tables of current state that are not there yet.
fn current_state(tx: &Transaction<'_>) -> Result<(), LogError> {
    for table in TABLES {
        let column = |c: &&str| format!(",\n  \"{c}\" GENERATED ALWAYS AS (row ->> '$.{c}') VIRTUAL");
        let columns = computed(table).iter().map(column).collect::<Vec<_>>().concat();
        let name = table.name();
        let sql =
            format!("CREATE TABLE IF NOT EXISTS {name}(\n  key TEXT PRIMARY KEY,\n  row TEXT NOT NULL{columns}\n)");
        tx.execute_batch(&sql).map_err(failed("make a table of current state"))?;
    }
    tx.execute_batch(INDEXES).map_err(failed("make an index of current state"))
}

/// Brings a file of an older version up to date (version 3 added a table); its entries stay as they are.
fn upgrade(connection: &mut Connection, path: &str) -> Result<(), LogError> {
    let tx = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(failed("begin bringing the log up to date"))?;
    // Another process may have done it while this one waited.
    let version = identity(&tx, path)?.1;
    if version < SCHEMA_VERSION {
        if version == 1 {
            tx.execute_batch(CHECKPOINT).map_err(failed("bring the log up to date"))?;
        }
        current_state(&tx)?;
        tx.pragma_update(None, "user_version", SCHEMA_VERSION).map_err(failed("mark the file"))?;
    }
    tx.commit().map_err(failed("bring the log up to date"))
}

/// Brings the tables of current state up to an event.
pub(super) fn project(tx: &Transaction<'_>, envelope: &Envelope, event: &Event) -> Result<(), LogError> {
    for key in keys(event) {
        let before = get(tx, &key)?;
        let after = evolve(&key, before, envelope, event);
        put(tx, &key, after.as_ref())?;
    }
    Ok(())
}

/// Reads one row.
pub(super) fn get(tx: &Connection, key: &Key) -> Result<Option<Row>, LogError> {
    let sql = format!("SELECT row FROM {} WHERE key = ?1", key.table.name());
    let text: Option<String> = tx
        .prepare_cached(&sql)
        .and_then(|mut statement| statement.query_row([&key.id], |row| row.get(0)))
        .optional()
        .map_err(failed("read current state"))?;
    text.map(|text| Row::decode(key.table, &text)).transpose().map_err(|e| {
        LogError::unavailable(format!("read {} {}; run `forewarn log rebuild`", key.table.name(), key.id), e)
    })
}

/// Writes or removes one row.
pub(super) fn put(tx: &Transaction<'_>, key: &Key, row: Option<&Row>) -> Result<(), LogError> {
    let table = key.table.name();
    let written = match row {
        Some(row) => {
            let text = serde_json::to_string(row).map_err(|e| LogError::unavailable("write current state", e))?;
            tx.prepare_cached(&format!("INSERT OR REPLACE INTO {table}(key, row) VALUES (?1, ?2)"))
                .and_then(|mut statement| statement.execute(params![key.id, text]))
        }
        None => tx
            .prepare_cached(&format!("DELETE FROM {table} WHERE key = ?1"))
            .and_then(|mut statement| statement.execute([&key.id])),
    };
    written.map(drop).map_err(failed("write current state"))
}
