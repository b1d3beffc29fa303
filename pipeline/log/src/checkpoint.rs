//! What stands in the place of a prefix of the log: where the chain goes on, how long the streams were, and the tables as they stood.

use super::envelope::{InvalidEvent, NewEvent};
use super::event::Event;
use super::event::pruned::LogPruned;
use super::port::{AppendError, LogError, Recorded};
use super::projection::Projection;
use super::row::Row;
use super::table::{Key, TABLES};
use super::walk::Walk;
use forewarn_domain::id::{event_id, sha256_hex};
use jiff::Timestamp;
use serde::Serialize;
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
    /// Makes a checkpoint of its parts, with its hash.
    ///
    /// # Errors
    /// When they cannot be written as JSON.
    pub(super) fn of(
        position: u64,
        hash: String,
        streams: BTreeMap<String, u64>,
        tables: BTreeMap<String, BTreeMap<String, String>>,
    ) -> Result<Self, LogError> {
        /// Fields in the order of canonical JSON; the maps are in it by themselves.
        #[derive(Serialize)]
        struct Whole<'a> {
            hash: &'a str,
            position: u64,
            streams: &'a BTreeMap<String, u64>,
            tables: &'a BTreeMap<String, BTreeMap<String, String>>,
        }
        let whole = Whole { hash: &hash, position, streams: &streams, tables: &tables };
        let text = serde_json::to_vec(&whole).map_err(|e| LogError::unavailable("write a checkpoint", e))?;
        Ok(Self { position, sha256: sha256_hex(&text), hash, streams, tables })
    }

    /// Gives the tables as they stood, for entries to be folded into.
    ///
    /// # Errors
    /// [`LogError::Corrupt`] when a row of it cannot be read.
    pub fn projection(&self) -> Result<Projection, LogError> {
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

    /// Gives where the chain and the streams go on after it; from the beginning where there is none.
    pub(super) fn walk(checkpoint: Option<&Self>) -> Walk {
        checkpoint.map_or_else(Walk::default, |c| Walk {
            position: c.position,
            hash: c.hash.clone(),
            versions: c.streams.clone(),
        })
    }

    /// Says so when the log's last entry about a pruning does not name what stands in the place of pruned entries.
    pub(super) fn fault(said: Option<&LogPruned>, found: Option<&Self>) -> Option<String> {
        let said = said.map(|p| (p.position, p.hash.as_str(), p.checkpoint_sha256.as_str()));
        let found = found.map(|c| (c.position, c.hash.as_str(), c.sha256.as_str()));
        let what = match (said, found) {
            (said, found) if said == found => return None,
            (Some(_), Some(_)) => "the checkpoint is not the one that the log names: it was altered",
            (None, _) => "no entry of the log names the checkpoint",
            (_, None) => "the log names a checkpoint that is missing",
        };
        Some(what.to_owned())
    }
}

/// What a prefix of the log comes to: where its chain and its streams go on, and the tables.
#[derive(Debug, Clone, Default)]
pub struct Prefix {
    pub walk: Walk,
    pub projection: Projection,
}

impl Prefix {
    /// Begins at a checkpoint, or with an empty log.
    ///
    /// # Errors
    /// As [`Checkpoint::projection`].
    pub fn after(checkpoint: Option<&Checkpoint>) -> Result<Self, LogError> {
        let Some(c) = checkpoint else { return Ok(Self::default()) };
        Ok(Self { walk: Checkpoint::walk(checkpoint), projection: c.projection()? })
    }

    /// Takes in the next entry, whose content is trusted.
    ///
    /// # Errors
    /// When it is not the next one, or cannot be understood.
    pub fn take(&mut self, entry: &Recorded) -> Result<(), LogError> {
        let expected = self.walk.position + 1;
        if entry.position != expected {
            let what = format!("it is missing; entry {} comes instead", entry.position);
            return Err(LogError::Corrupt { position: expected, what });
        }
        self.projection.apply(entry)?;
        self.walk.pass(entry);
        Ok(())
    }

    /// Takes in the next entry once it is found good.
    ///
    /// # Errors
    /// [`LogError::Corrupt`] when it is not.
    pub fn check_and_take(&mut self, entry: &Recorded) -> Result<(), LogError> {
        let event = self.walk.check(entry);
        let event = event.map_err(|what| LogError::Corrupt { position: entry.position, what })?;
        self.projection.fold(&entry.envelope, &event);
        self.walk.pass(entry);
        Ok(())
    }

    /// Writes it down.
    pub(super) fn checkpoint(&self) -> Result<Checkpoint, LogError> {
        let mut tables: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
        for (key, row) in &self.projection.rows {
            let text = serde_json::to_string(row).map_err(|e| LogError::unavailable("write a checkpoint", e))?;
            tables.entry(key.table.name().to_owned()).or_default().insert(key.id.clone(), text);
        }
        let Walk { position, hash, versions } = &self.walk;
        Checkpoint::of(*position, hash.clone(), versions.clone(), tables)
    }
}

/// How far entries may go: those that happened before a time, as far as every reader has read.
#[derive(Debug, Clone)]
pub(super) struct Bound {
    pub(super) before: Timestamp,
    /// The reader that has come least far, and where it stands.
    pub(super) reader: Option<(String, u64)>,
}

/// Whether an entry may go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fate {
    Goes,
    /// It happened too late.
    Stays,
    /// This reader has not read it.
    WaitsFor(String),
}

impl Bound {
    /// Decides about an entry; what comes after one that does not go does not go either.
    pub(super) fn fate(&self, entry: &Recorded) -> Result<Fate, InvalidEvent> {
        // As precise as what every adapter stores: milliseconds.
        if entry.envelope.timestamp()?.as_millisecond() >= self.before.as_millisecond() {
            return Ok(Fate::Stays);
        }
        Ok(match &self.reader {
            Some((name, position)) if entry.position > *position => Fate::WaitsFor(name.clone()),
            _ => Fate::Goes,
        })
    }

    /// Folds the entries that may go, page by page; also gives the reader that keeps the next one.
    pub(super) fn fold(
        &self,
        old: Option<&Checkpoint>,
        mut page_after: impl FnMut(u64) -> Result<Vec<Recorded>, LogError>,
    ) -> Result<(Prefix, Option<String>), AppendError> {
        let mut prefix = Prefix::after(old)?;
        loop {
            let page = page_after(prefix.walk.position)?;
            if page.is_empty() {
                return Ok((prefix, None));
            }
            for entry in &page {
                match self.fate(entry)? {
                    Fate::Goes => prefix.take(entry)?,
                    Fate::Stays => return Ok((prefix, None)),
                    Fate::WaitsFor(reader) => return Ok((prefix, Some(reader))),
                }
            }
        }
    }

    /// Makes the entry that names a checkpoint in the place of so many entries.
    pub(super) fn event(&self, checkpoint: &Checkpoint, entries: u64, now: Timestamp) -> NewEvent {
        let event = Event::LogPruned(LogPruned {
            position: checkpoint.position,
            hash: checkpoint.hash.clone(),
            entries,
            older_than: self.before.to_string(),
            checkpoint_sha256: checkpoint.sha256.clone(),
        });
        NewEvent::new(event_id(event.type_(), &[&checkpoint.hash]), STREAM, now, event)
    }
}

/// The stream of the log's entries about itself.
pub(super) const STREAM: &str = "log";

#[cfg(test)]
mod tests {
    use super::super::chain::canonical;
    use super::*;
    use serde_json::json;

    #[test]
    fn the_hash_is_that_of_canonical_json() {
        let streams = BTreeMap::from([("b/\u{e9}".to_owned(), 2), ("a\"".to_owned(), 1)]);
        let rows = BTreeMap::from([("k\n".to_owned(), r#"{"x":1}"#.to_owned())]);
        let tables = BTreeMap::from([("z".to_owned(), BTreeMap::new()), ("acks".to_owned(), rows)]);
        let made = Checkpoint::of(7, "ab".to_owned(), streams.clone(), tables.clone()).unwrap();
        let whole = json!({ "hash": "ab", "position": 7, "streams": streams, "tables": tables });
        assert_eq!(made.sha256, sha256_hex(canonical(&whole).to_string().as_bytes()));
    }
}
