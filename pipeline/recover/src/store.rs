//! A log that also answers where things stand now.

use forewarn_log::event::blob::BlobRef;
use forewarn_log::{AppendError, Appended, Cursors, EventLog, Expected, Filter, Key, LogError, NewEvent, Prefix};
use forewarn_log::{Projection, Recorded, Row, Snapshots, SqliteLog, StateLog, Table, Tables};
use forewarn_runtime::telemetry::causes;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

/// Entries read at a time.
const PAGE: usize = 1000;
/// Entries after which another snapshot is kept: what a start folds at most, some ten megabytes.
const SNAPSHOT_EVERY: u64 = 10_000;

/// A log with its tables, and what recoveries ask of it.
pub trait Store: StateLog {
    /// Checks that the log is whole and unaltered.
    ///
    /// # Errors
    /// [`LogError::Corrupt`] with the first entry that is not; otherwise when the log fails.
    fn check(&self) -> Result<(), LogError>;

    /// Keeps who did something where it can be forgotten, until a time; none where the store has no such place: then it is not kept at all.
    ///
    /// # Errors
    /// When the log fails.
    fn keep_name(&self, name: &str, until: Timestamp) -> Result<Option<BlobRef>, LogError>;

    /// Gives a whole table, by key.
    ///
    /// # Errors
    /// When the log fails.
    fn rows(&self, table: Table) -> Result<Vec<Row>, LogError> {
        Ok(self.table(table)?.into_values().collect())
    }

    /// Gives the ids of the recoveries that may still do something.
    ///
    /// # Errors
    /// When the log fails.
    fn open_recoveries(&self) -> Result<Vec<String>, LogError>;

    /// Gives the recovery of a lineage that a trigger has begun or joined, whether that is over or not; else the open one, the oldest
    /// where there are several.
    ///
    /// # Errors
    /// When the log fails.
    fn recovery_of(&self, lineage: &str, trigger_id: &str) -> Result<Option<String>, LogError>;
}

impl Store for SqliteLog {
    fn check(&self) -> Result<(), LogError> {
        let fault = self.verify()?.fault;
        fault.map_or(Ok(()), |f| Err(LogError::Corrupt { position: f.position, what: f.what }))
    }

    fn keep_name(&self, name: &str, until: Timestamp) -> Result<Option<BlobRef>, LogError> {
        self.put_blob(name.as_bytes(), until).map(Some)
    }

    fn open_recoveries(&self) -> Result<Vec<String>, LogError> {
        Self::open_recoveries(self)
    }

    fn recovery_of(&self, lineage: &str, trigger_id: &str) -> Result<Option<String>, LogError> {
        Self::recovery_of(self, lineage, trigger_id)
    }
}

/// A log that keeps no tables, with the tables made in memory: each question first reads, and checks, what has been appended since the last.
/// The first begins at the newest snapshot; whoever has folded many entries past it keeps another.
#[derive(Debug)]
pub struct ProjectedLog<L> {
    log: L,
    /// Keeps a snapshot after so many entries.
    every: u64,
    known: Mutex<Option<Known>>,
}

#[derive(Debug)]
struct Known {
    prefix: Prefix,
    /// Where the newest snapshot is, as far as is known.
    kept: u64,
}

impl<L: EventLog + Snapshots> ProjectedLog<L> {
    /// Takes a log; nothing is read yet.
    pub fn new(log: L) -> Self {
        Self::keeping_every(log, SNAPSHOT_EVERY)
    }

    /// Takes a log of which a snapshot is kept after so many entries.
    pub fn keeping_every(log: L, entries: u64) -> Self {
        Self { log, every: entries, known: Mutex::new(None) }
    }

    /// Gives the log itself.
    pub fn log(&self) -> &L {
        &self.log
    }

    fn newest(&self) -> Result<Known, LogError> {
        let prefix = self.log.newest()?;
        let kept = prefix.walk.position;
        Ok(Known { prefix, kept })
    }

    /// Answers from the tables as they are now.
    fn ask<T>(&self, answer: impl FnOnce(&Projection) -> T) -> Result<T, LogError> {
        let mut held = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let known = match held.take() {
            Some(known) => held.insert(known),
            None => held.insert(self.newest()?),
        };
        while self.log.head()? > known.prefix.walk.position {
            let page = self.log.read_all(known.prefix.walk.position, PAGE)?;
            let Some(first) = page.first() else { break };
            if first.position > known.prefix.walk.position + 1 {
                // What comes next was pruned since; the checkpoint, or a snapshot after it, has it.
                let newest = self.newest()?;
                if newest.prefix.walk.position > known.prefix.walk.position {
                    *known = newest;
                    continue;
                }
            }
            for entry in &page {
                known.prefix.check_and_take(entry)?;
            }
        }
        if known.prefix.walk.position >= known.kept + self.every {
            // It makes the next start quicker and nothing else.
            if let Err(e) = self.log.keep(&known.prefix) {
                tracing::warn!(error = %causes(&e), "no snapshot of the log was kept");
            }
            known.kept = known.prefix.walk.position;
        }
        Ok(answer(&known.prefix.projection))
    }
}

impl<L: EventLog> EventLog for ProjectedLog<L> {
    fn append(&self, stream: &str, expected: Expected, events: &[NewEvent]) -> Result<Appended, AppendError> {
        self.log.append(stream, expected, events)
    }

    fn read(&self, stream: &str, from_version: u64, limit: usize) -> Result<Vec<Recorded>, LogError> {
        self.log.read(stream, from_version, limit)
    }

    fn read_all(&self, after: u64, limit: usize) -> Result<Vec<Recorded>, LogError> {
        self.log.read_all(after, limit)
    }

    fn select(&self, filter: &Filter) -> Result<Vec<Recorded>, LogError> {
        self.log.select(filter)
    }

    fn length(&self, stream: &str) -> Result<u64, LogError> {
        self.log.length(stream)
    }

    fn head(&self) -> Result<u64, LogError> {
        self.log.head()
    }
}

impl<L: Cursors> Cursors for ProjectedLog<L> {
    fn cursor(&self, name: &str) -> Result<u64, LogError> {
        self.log.cursor(name)
    }

    fn has_cursor(&self, name: &str) -> Result<bool, LogError> {
        self.log.has_cursor(name)
    }

    fn advance(&self, name: &str, position: u64) -> Result<(), LogError> {
        self.log.advance(name, position)
    }
}

impl<L: EventLog + Snapshots> Tables for ProjectedLog<L> {
    fn table(&self, table: Table) -> Result<BTreeMap<String, Row>, LogError> {
        self.ask(|tables| tables.table(table).map(|(id, row)| (id.to_owned(), row.clone())).collect())
    }

    fn row(&self, table: Table, key: &str) -> Result<Option<Row>, LogError> {
        self.ask(|tables| tables.rows.get(&Key { table, id: key.to_owned() }).cloned())
    }
}

impl<L: EventLog + Cursors + Snapshots + Send + Sync + fmt::Debug> Store for ProjectedLog<L> {
    fn check(&self) -> Result<(), LogError> {
        self.ask(|_| ())
    }

    fn keep_name(&self, _: &str, _: Timestamp) -> Result<Option<BlobRef>, LogError> {
        Ok(None)
    }

    fn open_recoveries(&self) -> Result<Vec<String>, LogError> {
        self.ask(|tables| {
            let open = tables.table(Table::Recoveries).filter(|(_, row)| matches!(row, Row::Recovery(r) if r.open));
            open.map(|(id, _)| id.to_owned()).collect()
        })
    }

    fn recovery_of(&self, lineage: &str, trigger_id: &str) -> Result<Option<String>, LogError> {
        self.ask(|tables| {
            let of_it = tables.table(Table::Recoveries).filter_map(|(_, row)| {
                let Row::Recovery(r) = row else { return None };
                let has = r.state.triggers.contains(trigger_id);
                (r.lineage == lineage && (has || r.open)).then_some((!has, &r.opened_at, &r.recovery_id))
            });
            of_it.min().map(|(_, _, id)| id.clone())
        })
    }
}
