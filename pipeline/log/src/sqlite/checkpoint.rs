//! Keeps the checkpoint in the file: where the chain goes on in one row, streams and tables in tables of their own.

use super::super::checkpoint::Checkpoint;
use super::super::port::LogError;
use super::failed;
use super::pace::Pace;
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use std::collections::BTreeMap;

/// Gives where the checkpoint stands, and its hash; none where nothing was pruned.
pub(super) fn place(connection: &Connection) -> Result<Option<(u64, String)>, LogError> {
    connection
        .query_row("SELECT position, hash FROM checkpoint", [], |row| Ok((row.get::<_, i64>(0)? as u64, row.get(1)?)))
        .optional()
        .map_err(failed("read the checkpoint"))
}

/// Reads the checkpoint; none where nothing was pruned.
pub(super) fn read(connection: &Connection) -> Result<Option<Checkpoint>, LogError> {
    let Some((position, hash)) = place(connection)? else { return Ok(None) };
    let mut streams = BTreeMap::new();
    let mut statement =
        connection.prepare("SELECT stream, version FROM checkpoint_streams").map_err(failed("read the checkpoint"))?;
    let rows = statement
        .query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)? as u64)))
        .map_err(failed("read the checkpoint"))?;
    for row in rows {
        let (stream, version) = row.map_err(failed("read the checkpoint"))?;
        streams.insert(stream, version);
    }
    let mut tables: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    let mut statement =
        connection.prepare("SELECT name, key, row FROM checkpoint_rows").map_err(failed("read the checkpoint"))?;
    let rows = statement
        .query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?)))
        .map_err(failed("read the checkpoint"))?;
    for row in rows {
        let (name, key, text) = row.map_err(failed("read the checkpoint"))?;
        tables.entry(name).or_default().insert(key, text);
    }
    Checkpoint::of(position, hash, streams, tables).map(Some)
}

/// A table that is filled beside the one in use, takes its name, and is emptied under a third.
struct Beside {
    table: &'static str,
    columns: &'static str,
    key: &'static str,
}

const BESIDE: [Beside; 2] = [
    Beside { table: "checkpoint_streams", columns: "stream TEXT PRIMARY KEY, version INTEGER NOT NULL", key: "stream" },
    Beside {
        table: "checkpoint_rows",
        columns: "name TEXT NOT NULL, key TEXT NOT NULL, row TEXT NOT NULL, PRIMARY KEY (name, key)",
        key: "name, key",
    },
];

/// Writes streams and tables beside those in use; nothing looks at them yet.
pub(super) fn stage(connection: &Connection, pace: &mut Pace, new: &Checkpoint) -> Result<(), LogError> {
    for Beside { table, columns, .. } in BESIDE {
        connection
            .execute_batch(&format!("CREATE TABLE {table}_next({columns}) STRICT, WITHOUT ROWID"))
            .map_err(failed("make room for a checkpoint"))?;
    }
    let mut streams = new.streams.iter().peekable();
    while streams.peek().is_some() {
        pace.step(|most| {
            insert(connection, "INSERT INTO checkpoint_streams_next VALUES (?1, ?2)", |put| {
                streams.by_ref().take(most).try_for_each(|(stream, version)| put(params![stream, *version as i64]))
            })
        })?;
    }
    let mut rows =
        new.tables.iter().flat_map(|(name, rows)| rows.iter().map(move |(k, row)| (name, k, row))).peekable();
    while rows.peek().is_some() {
        pace.step(|most| {
            insert(connection, "INSERT INTO checkpoint_rows_next VALUES (?1, ?2, ?3)", |put| {
                rows.by_ref().take(most).try_for_each(|(name, key, row)| put(params![name, key, row]))
            })
        })?;
    }
    Ok(())
}

/// Inserts rows in a transaction of their own.
fn insert(
    connection: &Connection,
    sql: &str,
    rows: impl FnOnce(&mut dyn FnMut(&[&dyn rusqlite::ToSql]) -> rusqlite::Result<()>) -> rusqlite::Result<()>,
) -> Result<(), LogError> {
    let written = || {
        let tx = connection.unchecked_transaction()?;
        {
            let mut statement = tx.prepare(sql)?;
            rows(&mut |values| statement.execute(values).map(drop))?;
        }
        tx.commit()
    };
    written().map_err(failed("write a checkpoint"))
}

/// Puts the staged checkpoint in the place of the one before.
pub(super) fn publish(tx: &Transaction<'_>, new: &Checkpoint) -> Result<(), LogError> {
    let publish = || {
        for Beside { table, .. } in BESIDE {
            tx.execute_batch(&format!(
                "ALTER TABLE {table} RENAME TO {table}_old; ALTER TABLE {table}_next RENAME TO {table};"
            ))?;
        }
        tx.execute("DELETE FROM checkpoint", [])?;
        let sql = "INSERT INTO checkpoint(one, position, hash) VALUES (1, ?1, ?2)";
        tx.execute(sql, params![new.position as i64, new.hash]).map(drop)
    };
    publish().map_err(failed("write the checkpoint"))
}

/// Clears away what was staged and never published, and what a published one replaced.
pub(super) fn clear_away(connection: &Connection, pace: &mut Pace) -> Result<(), LogError> {
    for Beside { table, key, .. } in BESIDE {
        for name in [format!("{table}_next"), format!("{table}_old")] {
            let there = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = ?1";
            let there: i64 =
                connection.query_row(there, [&name], |row| row.get(0)).map_err(failed("look for old checkpoints"))?;
            if there == 0 {
                continue;
            }
            let sql = format!("DELETE FROM {name} WHERE ({key}) IN (SELECT {key} FROM {name} LIMIT ?1)");
            let clear = |most: usize| connection.execute(&sql, [most as i64]).map_err(failed("clear old checkpoints"));
            while pace.step(clear)? > 0 {}
            connection.execute_batch(&format!("DROP TABLE {name}")).map_err(failed("clear old checkpoints"))?;
        }
    }
    Ok(())
}
