//! Makes the tables of current state again from the log: from its checkpoint, where it was pruned, and the entries after it.
//!
//! What the log says is folded in memory, then compared with the tables a range of keys at a time, each against the entries of that very
//! moment. A range that is as it should be is only read; one that is not is mended in a short transaction. Appends go on meanwhile: a row
//! that was found right, or mended, stays right through them.

use super::super::checkpoint::Prefix;
use super::super::port::LogError;
use super::super::report::RebuildReport;
use super::super::row::Row;
use super::super::table::{Key, TABLES, Table};
use super::pace::{MOST_ROWS, Pace, connect, durable, exclusive};
use super::{checkpoint, failed, query};
use rusqlite::{Connection, TransactionBehavior, params};
use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Included, Unbounded};
use std::path::Path;

/// Entries held in memory at a time.
const PAGE: usize = 1000;

/// Rebuilds; see [`super::SqliteLog::rebuild`].
pub(super) fn rebuild(path: &Path, pace: &mut Pace) -> Result<RebuildReport, LogError> {
    let _exclusive = exclusive(path)?;
    let mut connection = connect(path)?;
    durable(&connection, false)?;
    let mut log = Prefix::after(checkpoint::read(&connection)?.as_ref())?;
    let mut report = RebuildReport::default();
    catch_up(&connection, &mut log, &mut report, || pace.look())?;
    for table in TABLES {
        let mut after = None;
        loop {
            let tx = connection.unchecked_transaction().map_err(failed("look at current state"))?;
            let range = compare(&tx, &mut log, table, after.as_deref(), MOST_ROWS, &mut report)?;
            drop(tx);
            let until = if range.differing.is_empty() {
                pace.look()?;
                range.until
            } else {
                pace.step(|most| mend(&mut connection, &mut log, table, after.as_deref(), most, &mut report))?
            };
            if until.is_none() {
                break;
            }
            after = until;
        }
        report.rows.insert(table.name(), log.projection.table(table).count() as u64);
    }
    report.unknown = std::mem::take(&mut log.projection.unknown);
    Ok(report)
}

/// Takes in the entries that are not yet.
fn catch_up(
    connection: &Connection,
    log: &mut Prefix,
    report: &mut RebuildReport,
    look: impl Fn() -> Result<(), LogError>,
) -> Result<(), LogError> {
    loop {
        let page = query::all(connection, log.walk.position, PAGE)?;
        for entry in &page {
            log.take(entry)?;
            report.entries += 1;
        }
        if page.len() < PAGE {
            return Ok(());
        }
        look()?;
    }
}

/// Some rows of a table, in the order of their keys.
struct Range {
    /// The last key that was compared; none where the table ends with it.
    until: Option<String>,
    differing: Vec<DifferingRow>,
}

/// A row that is not what the log says; both as JSON texts.
#[derive(Debug, PartialEq)]
struct DifferingRow {
    key: String,
    was: Option<String>,
    now: Option<String>,
}

/// Compares the rows after a key with what the log says at the same moment, at most so many on either side.
fn compare(
    tx: &Connection,
    log: &mut Prefix,
    table: Table,
    after: Option<&str>,
    most: usize,
    report: &mut RebuildReport,
) -> Result<Range, LogError> {
    catch_up(tx, log, report, || Ok(()))?;
    let was = page(tx, table, after, most)?;
    let from =
        after.map_or(Included(Key { table, id: String::new() }), |id| Excluded(Key { table, id: id.to_owned() }));
    let rows = log.projection.rows.range((from, Unbounded)).take_while(|(key, _)| key.table == table).take(most);
    let mut now = BTreeMap::new();
    for (key, row) in rows {
        let text = serde_json::to_string(row).map_err(|e| LogError::unavailable("write current state", e))?;
        now.insert(key.id.clone(), text);
    }
    Ok(range(was, now, most))
}

/// Compares as far as both sides reach.
fn range(was: BTreeMap<String, String>, now: BTreeMap<String, String>, most: usize) -> Range {
    let full = [&was, &now].into_iter().filter(|side| side.len() >= most).filter_map(|side| side.keys().last());
    let until = full.min().cloned();
    let within = |key: &String| until.as_ref().is_none_or(|end| key <= end);
    let mut sides: BTreeMap<String, (Option<String>, Option<String>)> = BTreeMap::new();
    for (key, text) in was.into_iter().filter(|(key, _)| within(key)) {
        sides.entry(key).or_default().0 = Some(text);
    }
    for (key, text) in now.into_iter().filter(|(key, _)| within(key)) {
        sides.entry(key).or_default().1 = Some(text);
    }
    let differ = sides.into_iter().filter(|(_, (was, now))| was != now);
    Range { differing: differ.map(|(key, (was, now))| DifferingRow { key, was, now }).collect(), until }
}

/// Compares once more while nobody writes, and puts right what is wrong; gives the last key that was compared.
fn mend(
    connection: &mut Connection,
    log: &mut Prefix,
    table: Table,
    after: Option<&str>,
    most: usize,
    report: &mut RebuildReport,
) -> Result<Option<String>, LogError> {
    let tx = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(failed("mend current state; is another process holding the log?"))?;
    let found = compare(&tx, log, table, after, most, report)?;
    let name = table.name();
    for DifferingRow { key, was, now } in found.differing {
        if let Some(text) = &now {
            let sql = format!("INSERT OR REPLACE INTO {name}(key, row) VALUES (?1, ?2)");
            tx.execute(&sql, params![key, text]).map_err(failed("mend current state"))?;
        } else {
            let sql = format!("DELETE FROM {name} WHERE key = ?1");
            tx.execute(&sql, [&key]).map_err(failed("mend current state"))?;
        }
        report.differs(table, &key, was.as_deref(), now.as_deref());
    }
    tx.commit().map_err(failed("mend current state"))?;
    Ok(found.until)
}

/// Gives the rows of a table as stored, by key.
pub(super) fn stored(connection: &Connection, table: Table) -> Result<BTreeMap<String, Row>, LogError> {
    let name = table.name();
    let decode = |(key, text): (String, String)| {
        let row = Row::decode(table, &text)
            .map_err(|e| LogError::unavailable(format!("read {name} {key}; run `forewarn log rebuild`"), e))?;
        Ok((key, row))
    };
    texts(connection, &format!("SELECT key, row FROM {name}"), [])?.into_iter().map(decode).collect()
}

/// Gives rows of a table after a key, as texts.
fn page(
    connection: &Connection,
    table: Table,
    after: Option<&str>,
    most: usize,
) -> Result<BTreeMap<String, String>, LogError> {
    let name = table.name();
    match after {
        None => texts(connection, &format!("SELECT key, row FROM {name} ORDER BY key LIMIT ?1"), [most as i64]),
        Some(after) => {
            let sql = format!("SELECT key, row FROM {name} WHERE key > ?2 ORDER BY key LIMIT ?1");
            texts(connection, &sql, params![most as i64, after])
        }
    }
}

fn texts(
    connection: &Connection,
    sql: &str,
    values: impl rusqlite::Params,
) -> Result<BTreeMap<String, String>, LogError> {
    let mut statement = connection.prepare(sql).map_err(failed("ask for current state"))?;
    let rows =
        statement.query_map(values, |row| Ok((row.get(0)?, row.get(1)?))).map_err(failed("read current state"))?;
    rows.collect::<rusqlite::Result<_>>().map_err(failed("read current state"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn side(keys: &[&str]) -> BTreeMap<String, String> {
        keys.iter().map(|k| ((*k).to_owned(), "{}".to_owned())).collect()
    }

    #[test]
    fn a_range_reaches_as_far_as_both_sides_were_read() {
        let keys = |range: &Range| range.differing.iter().map(|w| w.key.clone()).collect::<Vec<_>>();
        let found = range(side(&["a", "c", "d"]), side(&["a", "b", "e"]), 3);
        assert_eq!(
            (keys(&found), found.until.as_deref()),
            (vec!["b".to_owned(), "c".to_owned(), "d".to_owned()], Some("d"))
        );
        let found = range(side(&["d"]), side(&["a", "b", "c"]), 3);
        assert_eq!((keys(&found).len(), found.until.as_deref()), (3, Some("c")), "d is compared in the next range");
        let found = range(side(&["d"]), side(&["a"]), 3);
        assert_eq!((keys(&found).len(), found.until), (2, None));
    }
}
