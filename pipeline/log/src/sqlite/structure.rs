//! Checks that the file is whole as SQLite has it, without reading all of a large one at a stretch.

use super::super::port::LogError;
use super::super::report::Fault;
use super::failed;
use super::pace::Pace;
use rusqlite::types::Value;
use rusqlite::{Connection, ErrorCode, params_from_iter};

/// Most entries of a log whose file SQLite checks in one go.
const SMALL: i64 = 100_000;
/// Places of an index that are read at a time.
const STEP: usize = 20_000;

/// The indexes of the entries, each with its columns.
const INDEXES: [(&str, &str); 5] = [
    ("sqlite_autoindex_events_1", "id"),
    ("sqlite_autoindex_events_2", "stream, version"),
    ("events_by_type", "type, position"),
    ("events_by_subject", "subject, position"),
    ("events_by_time", "time_ms, position"),
];

/// Says what SQLite finds wrong with the file. The entries of a large log are read by whoever checks them; here their indexes are, step by
/// step, and SQLite checks every other table.
pub(super) fn fault(connection: &Connection, pace: &Pace) -> Result<Option<Fault>, LogError> {
    match said(connection, pace) {
        Ok(None) => Ok(None),
        Ok(Some(said)) => Ok(Some(Fault { position: 0, what: format!("SQLite says: {said}") })),
        Err(Failed::Sqlite(e)) if e.sqlite_error_code() == Some(ErrorCode::DatabaseCorrupt) => {
            Ok(Some(Fault { position: 0, what: format!("SQLite says: {e}") }))
        }
        Err(Failed::Sqlite(e)) => Err(failed("check the file")(e)),
        Err(Failed::Log(e)) => Err(e),
    }
}

enum Failed {
    Sqlite(rusqlite::Error),
    Log(LogError),
}

impl From<rusqlite::Error> for Failed {
    fn from(e: rusqlite::Error) -> Self {
        Self::Sqlite(e)
    }
}

fn said(connection: &Connection, pace: &Pace) -> Result<Option<String>, Failed> {
    let count = "SELECT coalesce(max(position) - min(position) + 1, 0) FROM events";
    let entries: i64 = connection.query_row(count, [], |row| row.get(0))?;
    if entries <= SMALL {
        return quick_check(connection, "1");
    }
    let mut statement =
        connection.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> 'events'")?;
    let tables = statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<Vec<String>>>()?;
    for table in tables {
        pace.look().map_err(Failed::Log)?;
        if let Some(said) = quick_check(connection, &table)? {
            return Ok(Some(said));
        }
    }
    INDEXES.iter().try_for_each(|(index, columns)| walk(connection, pace, index, columns))?;
    Ok(None)
}

fn quick_check(connection: &Connection, of: &str) -> Result<Option<String>, Failed> {
    let said: String = connection.query_row(&format!("PRAGMA quick_check({of})"), [], |row| row.get(0))?;
    Ok((said != "ok").then_some(said))
}

/// Reads an index from end to end: a page of it that is damaged shows as an error.
fn walk(connection: &Connection, pace: &Pace, index: &str, columns: &str) -> Result<(), Failed> {
    let width = columns.split(',').count();
    let places = (1..=width).map(|n| format!("?{n}")).collect::<Vec<_>>().join(", ");
    let mut last: Vec<Value> = Vec::new();
    loop {
        let after = if last.is_empty() { String::new() } else { format!("WHERE ({columns}) > ({places})") };
        let sql = format!(
            "SELECT {columns} FROM events INDEXED BY {index} {after} ORDER BY {columns} LIMIT 1 OFFSET {}",
            STEP - 1
        );
        let mut statement = connection.prepare(&sql)?;
        let mut rows = statement.query(params_from_iter(&last))?;
        let Some(row) = rows.next()? else { return Ok(()) };
        last = (0..width).map(|n| row.get(n)).collect::<rusqlite::Result<_>>()?;
        pace.look().map_err(Failed::Log)?;
    }
}
