//! Defines the ports: what a log must do, whatever it is kept in.

use super::envelope::{InvalidEvent, NewEvent};
use super::event::DecodeError;
use super::filter::Filter;
pub use super::recorded::Recorded;
use serde::Serialize;
use std::error::Error as StdError;

/// Entries that are read at a time where a filter chooses among them.
const SELECT_PAGE: usize = 1000;

/// What the caller believes about a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// Anything.
    Any,
    /// The stream does not exist.
    NoStream,
    /// The stream has exactly this many entries.
    Version(u64),
}

impl Expected {
    /// Says whether a stream of `actual` entries is what was expected.
    pub fn allows(self, actual: u64) -> bool {
        match self {
            Self::Any => true,
            Self::NoStream => actual == 0,
            Self::Version(n) => actual == n,
        }
    }
}

/// What an append did.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Appended {
    /// The entries in the order of the request; those that were there before as they were recorded then.
    pub entries: Vec<Recorded>,
    /// How many of them are new.
    pub written: usize,
}

/// One of several appends that are made together.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    pub stream: String,
    pub expected: Expected,
    pub events: Vec<NewEvent>,
}

/// Explains why nothing was appended.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// The stream is not as expected: read it again and decide again.
    #[error("stream {stream:?} has {actual} entries, expected {expected:?}; read it again and decide again")]
    Conflict {
        stream: String,
        /// What was expected.
        expected: Expected,
        /// How many entries it has.
        actual: u64,
    },
    /// The event is not fit for the log: mend the input.
    #[error(transparent)]
    Invalid(#[from] InvalidEvent),
    /// The stream's name is not fit for the log: mend the input.
    #[error("stream name {0:?} must be short and without control characters")]
    Stream(String),
    /// The store cannot take so much at once, and nothing was written: append less.
    #[error("cannot append to stream {stream:?}: {what}")]
    TooLarge {
        stream: String,
        /// What is too much, and how much is allowed.
        what: String,
    },
    /// The log could not be reached or read: try again, or look at it.
    #[error(transparent)]
    Log(#[from] LogError),
}

/// Explains why the log could not be read.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The store failed; trying again may help.
    #[error("event log: cannot {doing}")]
    Unavailable {
        /// What was tried.
        doing: String,
        /// What the store said.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The log holds something that it should not: run `forewarn log verify`.
    #[error("event log: entry {position} is damaged: {what}; run `forewarn log verify`")]
    Corrupt {
        /// Where.
        position: u64,
        /// What is wrong.
        what: String,
    },
    /// An entry cannot be understood.
    #[error("event log: entry {position} cannot be read")]
    Decode {
        /// Where.
        position: u64,
        #[source]
        source: DecodeError,
    },
    /// The file is another program's, or a newer forewarn's.
    #[error("{path}: {what}")]
    Foreign {
        /// The file.
        path: String,
        what: String,
    },
}

impl LogError {
    /// Wraps what a store said.
    pub fn unavailable(doing: impl Into<String>, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::Unavailable { doing: doing.into(), source: source.into() }
    }
}

/// Keeps events in streams and in one global order.
///
/// The conformance suite [`run`](super::conformance::run) says in code what the words below say.
pub trait EventLog {
    /// Appends events to a stream, all or none, and updates the tables of current state in the same transaction.
    ///
    /// An id that is already in the log, in whatever stream, is not written again: the entry recorded first is
    /// returned. When nothing is left to write, the expected version is not looked at, so a repeated append succeeds.
    ///
    /// # Errors
    /// [`AppendError::Conflict`] when the stream is not as expected; otherwise as the variants say.
    fn append(&self, stream: &str, expected: Expected, events: &[NewEvent]) -> Result<Appended, AppendError>;

    /// Appends to several streams, each as [`EventLog::append`] does, in their order. A store that can makes one transaction of them, which is
    /// made durable once; elsewhere, after an error, those before the one that failed are written.
    ///
    /// # Errors
    /// As [`EventLog::append`].
    fn append_each(&self, batches: &[Batch]) -> Result<Vec<Appended>, AppendError> {
        batches.iter().map(|b| self.append(&b.stream, b.expected, &b.events)).collect()
    }

    /// Reads a stream from `from_version` on (1 is the first), at most `limit` entries, in order.
    ///
    /// # Errors
    /// When the store fails or an entry is damaged.
    fn read(&self, stream: &str, from_version: u64, limit: usize) -> Result<Vec<Recorded>, LogError>;

    /// Reads all streams after position `after` (0 for the beginning), at most `limit` entries, in order.
    ///
    /// An entry that is returned is durable, and everything before it has been returned or can be read.
    ///
    /// # Errors
    /// When the store fails or an entry is damaged.
    fn read_all(&self, after: u64, limit: usize) -> Result<Vec<Recorded>, LogError>;

    /// Gives the entries that a filter chooses, in order. One that names no stream reads everything in most stores.
    ///
    /// # Errors
    /// When the store fails or an entry is damaged.
    fn select(&self, filter: &Filter) -> Result<Vec<Recorded>, LogError> {
        let limit = filter.limit.unwrap_or(usize::MAX);
        if let Some(stream) = &filter.stream {
            let entries = self.read(stream, 1, usize::MAX)?;
            return Ok(entries.into_iter().filter(|e| filter.matches(e)).take(limit).collect());
        }
        let (mut after, mut chosen) = (filter.after, Vec::new());
        while chosen.len() < limit {
            let page = self.read_all(after, SELECT_PAGE)?;
            let Some(last) = page.last() else { break };
            after = last.position;
            chosen.extend(page.into_iter().filter(|e| filter.matches(e)).take(limit - chosen.len()));
        }
        Ok(chosen)
    }

    /// Gives how many entries a stream has had, pruned ones included: the version of its last one; 0 where there is none.
    ///
    /// # Errors
    /// When the store fails.
    fn length(&self, stream: &str) -> Result<u64, LogError>;

    /// Gives the last position; 0 for an empty log.
    ///
    /// # Errors
    /// When the store fails.
    fn head(&self) -> Result<u64, LogError>;
}

/// Remembers how far readers of all have come.
pub trait Cursors {
    /// Gives the position of a cursor; 0 when it has never moved.
    ///
    /// # Errors
    /// When the store fails.
    fn cursor(&self, name: &str) -> Result<u64, LogError>;

    /// Says whether a cursor was ever moved, be it to 0.
    ///
    /// # Errors
    /// When the store fails.
    fn has_cursor(&self, name: &str) -> Result<bool, LogError>;

    /// Moves a cursor forward; a cursor never moves back.
    ///
    /// The move outlives the process. It is sure to outlive a failure of power only once something was appended after it: a reader may
    /// then see entries again, and never misses one.
    ///
    /// # Errors
    /// When the store fails.
    fn advance(&self, name: &str, position: u64) -> Result<(), LogError>;
}
