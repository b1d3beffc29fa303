//! Reads entries from the file.

use super::super::filter::Filter;
use super::super::port::{LogError, Recorded};
use super::failed;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, params_from_iter};

const COLUMNS: &str = "position, stream, version, envelope, previous_hash, hash";

/// Reads one row; the inner error says that its envelope is not one.
fn entry(row: &Row<'_>) -> rusqlite::Result<Result<Recorded, LogError>> {
    let position = row.get::<_, i64>(0)? as u64;
    let text: String = row.get(3)?;
    let envelope = match serde_json::from_str(&text) {
        Ok(envelope) => envelope,
        Err(e) => return Ok(Err(LogError::Corrupt { position, what: format!("its envelope is not one: {e}") })),
    };
    Ok(Ok(Recorded {
        position,
        stream: row.get(1)?,
        version: row.get::<_, i64>(2)? as u64,
        envelope,
        previous_hash: row.get(4)?,
        hash: row.get(5)?,
    }))
}

fn select(connection: &Connection, tail: &str, params: Vec<Value>) -> Result<Vec<Recorded>, LogError> {
    let sql = format!("SELECT {COLUMNS} FROM events {tail}");
    let mut statement = connection.prepare_cached(&sql).map_err(failed("ask for entries"))?;
    let rows = statement.query_map(params_from_iter(params), entry).map_err(failed("read entries"))?;
    rows.map(|row| row.map_err(failed("read an entry"))?).collect()
}

/// Makes an SQL integer that stays in range.
fn int(n: u64) -> Value {
    Value::Integer(i64::try_from(n).unwrap_or(i64::MAX))
}

/// Gives the last position and its hash.
pub(super) fn last(connection: &Connection) -> Result<Option<(u64, String)>, LogError> {
    let sql = "SELECT position, hash FROM events ORDER BY position DESC LIMIT 1";
    connection
        .prepare_cached(sql)
        .and_then(|mut statement| statement.query_row([], |row| Ok((row.get::<_, i64>(0)? as u64, row.get(1)?))))
        .optional()
        .map_err(failed("find the head"))
}

/// Finds an entry by the id of its event.
pub(super) fn by_id(connection: &Connection, id: &str) -> Result<Option<Recorded>, LogError> {
    Ok(select(connection, "WHERE id = ?1", vec![Value::Text(id.to_owned())])?.pop())
}

/// Gives the ids of recoveries that are open, the one that has waited longest first.
pub(super) fn open_recoveries(connection: &Connection) -> Result<Vec<String>, LogError> {
    let sql = "SELECT key FROM recoveries WHERE open ORDER BY updated_at, key";
    let mut statement = connection.prepare(sql).map_err(failed("ask for open recoveries"))?;
    let ids = statement.query_map([], |row| row.get(0)).map_err(failed("read open recoveries"))?;
    ids.map(|id| id.map_err(failed("read an open recovery"))).collect()
}

/// Gives the recovery of a lineage that knows a trigger, else the open one.
pub(super) fn recovery_of(
    connection: &Connection,
    lineage: &str,
    trigger_id: &str,
) -> Result<Option<String>, LogError> {
    let sql = "WITH known AS (
            SELECT key, open, opened_at,
                EXISTS (SELECT 1 FROM json_each(row, '$.state.triggers') WHERE value = ?2) AS has
            FROM recoveries WHERE lineage = ?1
        )
        SELECT key FROM known WHERE has OR open ORDER BY has DESC, opened_at, key LIMIT 1";
    let found = connection.query_row(sql, [lineage, trigger_id], |row| row.get(0)).optional();
    found.map_err(failed("ask for a recovery"))
}

/// Reads a stream.
pub(super) fn stream(
    connection: &Connection,
    stream: &str,
    from_version: u64,
    limit: usize,
) -> Result<Vec<Recorded>, LogError> {
    let tail = "WHERE stream = ?1 AND version >= ?2 ORDER BY version LIMIT ?3";
    select(connection, tail, vec![Value::Text(stream.to_owned()), int(from_version), int(limit as u64)])
}

/// Reads all streams.
pub(super) fn all(connection: &Connection, after: u64, limit: usize) -> Result<Vec<Recorded>, LogError> {
    select(connection, "WHERE position > ?1 ORDER BY position LIMIT ?2", vec![int(after), int(limit as u64)])
}

/// Reads what a filter chooses: SQL narrows, the filter decides.
pub(super) fn list(connection: &Connection, filter: &Filter) -> Result<Vec<Recorded>, LogError> {
    let limit = filter.limit.unwrap_or(usize::MAX);
    let mut chosen = Vec::new();
    let mut after = filter.after;
    while chosen.len() < limit {
        let page = narrowed(connection, filter, after)?;
        let Some(last) = page.last() else { break };
        after = last.position;
        chosen.extend(page.into_iter().filter(|e| filter.matches(e)).take(limit - chosen.len()));
    }
    Ok(chosen)
}

fn narrowed(connection: &Connection, filter: &Filter, after: u64) -> Result<Vec<Recorded>, LogError> {
    const PAGE: usize = 1000;
    let mut params = vec![int(after)];
    let mut clauses = vec!["position > ?1".to_owned()];
    let mut narrow = |clause: &str, value: Value| {
        params.push(value);
        clauses.push(format!("{clause} ?{}", params.len()));
    };
    if let Some(stream) = &filter.stream {
        narrow("stream =", Value::Text(stream.clone()));
    }
    if let Some(subject) = &filter.subject {
        narrow("subject =", Value::Text(subject.clone()));
    }
    // The column has milliseconds; one on each side leaves the exact decision to the filter.
    if let Some(from) = filter.from {
        narrow("time_ms >=", Value::Integer(from.as_millisecond() - 1));
    }
    if let Some(to) = filter.to {
        narrow("time_ms <=", Value::Integer(to.as_millisecond() + 1));
    }
    select(connection, &format!("WHERE {} ORDER BY position LIMIT {PAGE}", clauses.join(" AND ")), params)
}
