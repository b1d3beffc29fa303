//! Keeps what stands in the place of pruned entries: where the chain goes on, how long the streams were, and the tables as
//! they stood.

use super::super::chain::canonical;
use super::super::port::LogError;
use super::super::projection::Projection;
use super::super::row::Row;
use super::super::table::{Key, TABLES};
use super::failed;
use forewarn_domain::id::sha256_hex;
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What a pruned log begins with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Checkpoint {
    /// The position of the last entry that was pruned.
    pub position: u64,
    /// Its hash, from which the chain goes on.
    pub hash: String,
    /// SHA-256 of position, hash, streams and tables as canonical JSON, in hexadecimal; the log's own entry names it.
    pub sha256: String,
    /// The last version of every stream that lost entries.
    #[serde(skip)]
    pub streams: BTreeMap<String, u64>,
    /// The tables of current state as of the position, row by row, as JSON texts.
    #[serde(skip)]
    pub tables: BTreeMap<String, BTreeMap<String, String>>,
}

impl Checkpoint {
    /// Makes a checkpoint of what a prefix of the log says.
    pub(super) fn new(
        position: u64,
        hash: String,
        streams: BTreeMap<String, u64>,
        projection: &Projection,
    ) -> Result<Self, LogError> {
        let mut tables: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
        for (key, row) in &projection.rows {
            let text = serde_json::to_string(row).map_err(|e| LogError::unavailable("write a checkpoint", e))?;
            tables.entry(key.table.name().to_owned()).or_default().insert(key.id.clone(), text);
        }
        let sha256 = digest(position, &hash, &streams, &tables);
        Ok(Self { position, hash, sha256, streams, tables })
    }

    /// Reads the checkpoint; none where nothing was pruned.
    pub(super) fn read(connection: &Connection) -> Result<Option<Self>, LogError> {
        let found: Option<(i64, String)> = connection
            .query_row("SELECT position, hash FROM checkpoint", [], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()
            .map_err(failed("read the checkpoint"))?;
        let Some((position, hash)) = found else { return Ok(None) };
        let mut streams = BTreeMap::new();
        let mut statement = connection
            .prepare("SELECT stream, version FROM checkpoint_streams")
            .map_err(failed("read the checkpoint"))?;
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
        let position = position as u64;
        let sha256 = digest(position, &hash, &streams, &tables);
        Ok(Some(Self { position, hash, sha256, streams, tables }))
    }

    /// Puts this checkpoint in the place of the one before.
    pub(super) fn write(&self, tx: &Transaction<'_>) -> Result<(), LogError> {
        tx.execute_batch("DELETE FROM checkpoint; DELETE FROM checkpoint_streams; DELETE FROM checkpoint_rows;")
            .map_err(failed("write the checkpoint"))?;
        let put = |sql: &str, values: &[&dyn rusqlite::ToSql]| {
            tx.execute(sql, values).map(|_| ()).map_err(failed("write the checkpoint"))
        };
        put(
            "INSERT INTO checkpoint(one, position, hash) VALUES (1, ?1, ?2)",
            params![self.position as i64, self.hash],
        )?;
        for (stream, version) in &self.streams {
            let sql = "INSERT INTO checkpoint_streams(stream, version) VALUES (?1, ?2)";
            put(sql, params![stream, *version as i64])?;
        }
        for (name, rows) in &self.tables {
            for (key, row) in rows {
                put("INSERT INTO checkpoint_rows(name, key, row) VALUES (?1, ?2, ?3)", params![name, key, row])?;
            }
        }
        Ok(())
    }

    /// Gives the tables as they stood, for entries to be folded into.
    pub(super) fn projection(&self) -> Result<Projection, LogError> {
        let mut projection = Projection::default();
        for table in TABLES {
            for (id, text) in self.tables.get(table.name()).into_iter().flatten() {
                let what = |e: serde_json::Error| LogError::Corrupt {
                    position: self.position,
                    what: format!("{} {id} of the checkpoint is no row: {e}", table.name()),
                };
                projection.rows.insert(Key { table, id: id.clone() }, Row::decode(table, text).map_err(what)?);
            }
        }
        Ok(projection)
    }
}

fn digest(
    position: u64,
    hash: &str,
    streams: &BTreeMap<String, u64>,
    tables: &BTreeMap<String, BTreeMap<String, String>>,
) -> String {
    let whole: Value = json!({ "hash": hash, "position": position, "streams": streams, "tables": tables });
    sha256_hex(canonical(&whole).to_string().as_bytes())
}
