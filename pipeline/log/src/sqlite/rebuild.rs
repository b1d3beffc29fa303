//! Makes the tables of current state again from the log: from its checkpoint, where it was pruned, and the entries after it.

use super::super::port::LogError;
use super::super::projection::Projection;
use super::super::row::Row;
use super::super::table::{Key, TABLES, Table};
use super::{Checkpoint, failed, query, tables};
use rusqlite::{Connection, TransactionBehavior};
use serde::Serialize;
use std::collections::BTreeMap;

/// Entries held in memory at a time.
const PAGE: usize = 1000;

/// The first row that was not what the log says.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    pub table: Table,
    /// The row's key.
    pub key: String,
    /// What stood there; null for nothing, a text for something that was no row.
    pub was: Option<serde_json::Value>,
    /// What the log says; null for nothing.
    pub now: Option<serde_json::Value>,
}

/// Says what a rebuild found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RebuildReport {
    /// Entries replayed.
    pub entries: u64,
    /// Rows of each table.
    pub rows: BTreeMap<&'static str, u64>,
    /// Entries of types that this forewarn does not know.
    pub unknown: BTreeMap<String, u64>,
    /// True when every table was what the log says.
    pub identical: bool,
    /// How many rows were not.
    pub differences: u64,
    /// The first of them.
    pub first_difference: Option<Difference>,
}

/// Replays the log in one transaction and puts the result in place.
pub(super) fn rebuild(connection: &mut Connection) -> Result<RebuildReport, LogError> {
    let tx = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(failed("begin a rebuild; is another process holding the log?"))?;
    let checkpoint = Checkpoint::read(&tx)?;
    let mut projection = checkpoint.as_ref().map_or_else(|| Ok(Projection::default()), Checkpoint::projection)?;
    let mut entries = 0;
    let mut after = checkpoint.map_or(0, |c| c.position);
    loop {
        let page = query::all(&tx, after, PAGE)?;
        let Some(last) = page.last() else { break };
        after = last.position;
        for entry in &page {
            projection.apply(entry)?;
            entries += 1;
        }
    }
    let mut report = RebuildReport {
        entries,
        rows: BTreeMap::new(),
        unknown: std::mem::take(&mut projection.unknown),
        identical: true,
        differences: 0,
        first_difference: None,
    };
    for table in TABLES {
        let was = texts(&tx, table)?;
        let mut now = BTreeMap::new();
        for (key, row) in projection.table(table) {
            let text = serde_json::to_string(row).map_err(|e| LogError::unavailable("write current state", e))?;
            now.insert(key.to_owned(), text);
        }
        report.rows.insert(table.name(), now.len() as u64);
        compare(table, &was, &now, &mut report);
        tx.execute(&format!("DELETE FROM {}", table.name()), []).map_err(failed("clear current state"))?;
        for (id, row) in projection.table(table) {
            tables::put(&tx, &Key { table, id: id.to_owned() }, Some(row))?;
        }
    }
    tx.commit().map_err(failed("commit a rebuild"))?;
    report.identical = report.differences == 0;
    Ok(report)
}

fn compare(table: Table, was: &BTreeMap<String, String>, now: &BTreeMap<String, String>, report: &mut RebuildReport) {
    let keys: std::collections::BTreeSet<&String> = was.keys().chain(now.keys()).collect();
    for key in keys {
        let (before, after) = (was.get(key), now.get(key));
        if before == after {
            continue;
        }
        report.differences += 1;
        report.first_difference.get_or_insert_with(|| {
            let shown = |text: Option<&String>| {
                text.map(|t| serde_json::from_str(t).unwrap_or_else(|_| serde_json::Value::String(t.clone())))
            };
            Difference { table, key: key.clone(), was: shown(before), now: shown(after) }
        });
    }
}

/// Gives the rows of a table as stored, by key.
pub(super) fn stored(connection: &Connection, table: Table) -> Result<BTreeMap<String, Row>, LogError> {
    let name = table.name();
    let decode = |(key, text): (String, String)| {
        let row = Row::decode(table, &text)
            .map_err(|e| LogError::unavailable(format!("read {name} {key}; run `forewarn log rebuild`"), e))?;
        Ok((key, row))
    };
    texts(connection, table)?.into_iter().map(decode).collect()
}

fn texts(connection: &Connection, table: Table) -> Result<BTreeMap<String, String>, LogError> {
    let sql = format!("SELECT key, row FROM {}", table.name());
    let mut statement = connection.prepare(&sql).map_err(failed("ask for current state"))?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).map_err(failed("read current state"))?;
    rows.collect::<rusqlite::Result<_>>().map_err(failed("read current state"))
}
