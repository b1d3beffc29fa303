//! A log that also answers where things stand now.

use crate::log::{AppendError, Appended, Expected, NewEvent, Recorded};
use crate::log::{EventLog, Key, LogError, Projection, Row, SqliteLog, Table};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Entries read at a time.
const PAGE: usize = 1000;

/// A log, and the tables that follow from it.
pub trait Store: EventLog + Send + Sync + fmt::Debug {
    /// Gives one row of a table of current state.
    ///
    /// # Errors
    /// When the log fails.
    fn row(&self, table: Table, key: &str) -> Result<Option<Row>, LogError>;

    /// Gives a whole table, by key.
    ///
    /// # Errors
    /// When the log fails.
    fn rows(&self, table: Table) -> Result<Vec<Row>, LogError>;

    /// Gives the ids of the recoveries that may still do something.
    ///
    /// # Errors
    /// When the log fails.
    fn open_recoveries(&self) -> Result<Vec<String>, LogError>;

    /// Gives the open recovery of a lineage, the oldest where there are several.
    ///
    /// # Errors
    /// When the log fails.
    fn open_recovery_of(&self, lineage: &str) -> Result<Option<String>, LogError>;
}

impl Store for SqliteLog {
    fn row(&self, table: Table, key: &str) -> Result<Option<Row>, LogError> {
        Self::row(self, table, key)
    }

    fn rows(&self, table: Table) -> Result<Vec<Row>, LogError> {
        Ok(self.table(table)?.into_values().collect())
    }

    fn open_recoveries(&self) -> Result<Vec<String>, LogError> {
        Self::open_recoveries(self)
    }

    fn open_recovery_of(&self, lineage: &str) -> Result<Option<String>, LogError> {
        Self::open_recovery_of(self, lineage)
    }
}

/// A log that keeps no tables, with the tables made in memory: each question first reads what has been appended since the last.
#[derive(Debug)]
pub struct Folded<L> {
    log: L,
    known: Mutex<(Projection, u64)>,
}

impl<L: EventLog> Folded<L> {
    /// Takes a log; nothing is read yet.
    pub fn new(log: L) -> Self {
        Self { log, known: Mutex::default() }
    }

    fn current(&self) -> Result<MutexGuard<'_, (Projection, u64)>, LogError> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let page = self.log.read_all(known.1, PAGE)?;
            for entry in &page {
                known.0.apply(entry)?;
                known.1 = entry.position;
            }
            if page.is_empty() {
                return Ok(known);
            }
        }
    }
}

impl<L: EventLog> EventLog for Folded<L> {
    fn append(&self, stream: &str, expected: Expected, events: &[NewEvent]) -> Result<Appended, AppendError> {
        self.log.append(stream, expected, events)
    }

    fn read(&self, stream: &str, from_version: u64, limit: usize) -> Result<Vec<Recorded>, LogError> {
        self.log.read(stream, from_version, limit)
    }

    fn read_all(&self, after: u64, limit: usize) -> Result<Vec<Recorded>, LogError> {
        self.log.read_all(after, limit)
    }

    fn length(&self, stream: &str) -> Result<u64, LogError> {
        self.log.length(stream)
    }

    fn head(&self) -> Result<u64, LogError> {
        self.log.head()
    }
}

impl<L: EventLog + Send + Sync + fmt::Debug> Store for Folded<L> {
    fn row(&self, table: Table, key: &str) -> Result<Option<Row>, LogError> {
        Ok(self.current()?.0.rows.get(&Key { table, id: key.to_owned() }).cloned())
    }

    fn rows(&self, table: Table) -> Result<Vec<Row>, LogError> {
        Ok(self.current()?.0.table(table).map(|(_, row)| row.clone()).collect())
    }

    fn open_recoveries(&self) -> Result<Vec<String>, LogError> {
        let known = self.current()?;
        let open = known.0.table(Table::Recoveries).filter(|(_, row)| matches!(row, Row::Recovery(r) if r.open));
        Ok(open.map(|(id, _)| id.to_owned()).collect())
    }

    fn open_recovery_of(&self, lineage: &str) -> Result<Option<String>, LogError> {
        let known = self.current()?;
        let of_it = known.0.table(Table::Recoveries).filter_map(|(_, row)| {
            let Row::Recovery(r) = row else { return None };
            (r.open && r.lineage == lineage).then_some((&r.opened_at, &r.recovery_id))
        });
        Ok(of_it.min().map(|(_, id)| id.clone()))
    }
}
