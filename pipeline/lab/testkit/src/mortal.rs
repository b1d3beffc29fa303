//! A log as a process that dies leaves it: so many appends and moves of a cursor succeed, and then none.

use forewarn_log::{AppendError, Appended, Cursors, EventLog, Expected, LogError, MemoryLog, NewEvent, Prefix};
use forewarn_log::{Recorded, Snapshots};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How often something still succeeds; its clones are the same one.
#[derive(Debug, Clone)]
pub struct Left(Arc<AtomicUsize>);

impl Left {
    /// Says how often from now on: `usize::MAX` for always.
    pub fn set(&self, count: usize) {
        self.0.store(count, Ordering::SeqCst);
    }

    fn take(&self, doing: &str) -> Result<(), LogError> {
        let taken = self.0.try_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1));
        taken.map(drop).map_err(|_| LogError::unavailable(doing, "the process has died"))
    }
}

impl Default for Left {
    fn default() -> Self {
        Self(Arc::new(AtomicUsize::new(usize::MAX)))
    }
}

/// A log in memory that lives until it is told otherwise.
#[derive(Debug, Default)]
pub struct MortalLog {
    log: MemoryLog,
    /// Appends that still succeed.
    pub appends: Left,
    /// Moves of a cursor that still succeed.
    pub moves: Left,
}

impl From<MemoryLog> for MortalLog {
    fn from(log: MemoryLog) -> Self {
        Self { log, ..Self::default() }
    }
}

impl EventLog for MortalLog {
    fn append(&self, stream: &str, expected: Expected, events: &[NewEvent]) -> Result<Appended, AppendError> {
        self.appends.take("append").map_err(AppendError::Log)?;
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

impl Cursors for MortalLog {
    fn cursor(&self, name: &str) -> Result<u64, LogError> {
        self.log.cursor(name)
    }

    fn has_cursor(&self, name: &str) -> Result<bool, LogError> {
        self.log.has_cursor(name)
    }

    fn advance(&self, name: &str, position: u64) -> Result<(), LogError> {
        self.moves.take("move a cursor")?;
        self.log.advance(name, position)
    }
}

impl Snapshots for MortalLog {
    fn newest(&self) -> Result<Prefix, LogError> {
        self.log.newest()
    }

    fn keep(&self, prefix: &Prefix) -> Result<(), LogError> {
        self.log.keep(prefix)
    }
}
