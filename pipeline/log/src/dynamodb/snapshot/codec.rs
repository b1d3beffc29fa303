//! Writes what a prefix of the log comes to as compressed lines of JSON, cut into parts that fit into items, and reads it back.

use super::super::super::checkpoint::{Checkpoint, Prefix};
use super::super::super::port::LogError;
use super::super::super::row::Row;
use super::super::super::table::{Key, TABLES, Table};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use forewarn_domain::id::sha256_hex;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read, Write};

/// Bytes of one part; DynamoDB's bound for the whole item is 400 KiB.
pub(super) const PART_BYTES: usize = 350_000;

/// What a line of a snapshot says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line<'a> {
    /// The first: the place in the chain.
    At {
        position: u64,
        hash: String,
    },
    Stream(String, u64),
    /// The table's name, the row's key, and the row as JSON text.
    Row(std::borrow::Cow<'a, str>, String, String),
}

/// Compressed lines in parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Parts {
    pub(super) parts: Vec<Vec<u8>>,
    /// SHA-256 of all parts together, in hexadecimal.
    pub(super) sha256: String,
}

impl Parts {
    /// Takes parts as they were read; says nothing about whether they are right.
    pub(super) fn read(parts: Vec<Vec<u8>>) -> Self {
        let sha256 = sha256_hex(&parts.concat());
        Self { parts, sha256 }
    }

    fn lines(&self) -> impl BufRead {
        let empty: Box<dyn Read> = Box::new(io::empty());
        let whole = self.parts.iter().fold(empty, |all, part| Box::new(all.chain(part.as_slice())));
        BufReader::new(GzDecoder::new(whole))
    }
}

fn unwritten(e: impl std::error::Error + Send + Sync + 'static) -> LogError {
    LogError::unavailable("write a snapshot", e)
}

/// Writes a prefix.
pub(super) fn encode(prefix: &Prefix) -> Result<Parts, LogError> {
    let mut out = GzEncoder::new(Vec::new(), Compression::fast());
    let mut put = |line: &Line<'_>| -> Result<(), LogError> {
        serde_json::to_writer(&mut out, line).map_err(unwritten)?;
        out.write_all(b"\n").map_err(unwritten)
    };
    let walk = &prefix.walk;
    put(&Line::At { position: walk.position, hash: walk.hash.clone() })?;
    for (stream, version) in &walk.versions {
        put(&Line::Stream(stream.clone(), *version))?;
    }
    for (key, row) in &prefix.projection.rows {
        let text = serde_json::to_string(row).map_err(unwritten)?;
        put(&Line::Row(key.table.name().into(), key.id.clone(), text))?;
    }
    let bytes = out.finish().map_err(unwritten)?;
    let sha256 = sha256_hex(&bytes);
    Ok(Parts { parts: bytes.chunks(PART_BYTES).map(<[u8]>::to_vec).collect(), sha256 })
}

/// Reads a prefix.
pub(super) fn prefix(parts: &Parts) -> Result<Prefix, String> {
    let mut prefix = Prefix::default();
    each(parts, |line| {
        match line {
            Line::At { position, hash } => (prefix.walk.position, prefix.walk.hash) = (position, hash),
            Line::Stream(stream, version) => drop(prefix.walk.versions.insert(stream, version)),
            Line::Row(name, id, text) => {
                let table = table(&name)?;
                let row = Row::decode(table, &text).map_err(|e| format!("{name} {id} is no row: {e}"))?;
                prefix.projection.rows.insert(Key { table, id }, row);
            }
        }
        Ok(())
    })?;
    Ok(prefix)
}

/// Reads it as the checkpoint of a pruned log, with its hash made anew.
pub(super) fn checkpoint(parts: &Parts) -> Result<Checkpoint, String> {
    let (mut position, mut hash, mut streams) = (0, String::new(), BTreeMap::new());
    let mut tables: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    each(parts, |line| {
        match line {
            Line::At { position: p, hash: h } => (position, hash) = (p, h),
            Line::Stream(stream, version) => drop(streams.insert(stream, version)),
            Line::Row(name, id, text) => drop(tables.entry(name.into_owned()).or_default().insert(id, text)),
        }
        Ok(())
    })?;
    Checkpoint::of(position, hash, streams, tables).map_err(|e| e.to_string())
}

fn each(parts: &Parts, mut take: impl FnMut(Line<'static>) -> Result<(), String>) -> Result<(), String> {
    for line in parts.lines().lines() {
        let line = line.map_err(|e| format!("it does not decompress: {e}"))?;
        take(serde_json::from_str(&line).map_err(|e| format!("a line of it cannot be read: {e}"))?)?;
    }
    Ok(())
}

fn table(name: &str) -> Result<Table, String> {
    TABLES.into_iter().find(|t| t.name() == name).ok_or_else(|| format!("it has a table {name:?}, which is not known"))
}
