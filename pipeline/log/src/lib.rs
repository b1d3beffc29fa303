//! Keeps the event log: the append-only, hash-chained truth that every table of current state is made from.
//!
//! An [`Event`] becomes an [`Envelope`] (CloudEvents 1.0) and is appended to a stream through the [`EventLog`] port.
//! Each entry takes the next global position in the same transaction, so positions have no gaps and a reader of
//! all entries never skips one. [`Projection`] folds entries into tables; the adapters keep them current with each
//! append, and [`SqliteLog::rebuild`] makes them again through the same function.

pub mod chain;
pub mod checkpoint;
pub mod conformance;
#[cfg(feature = "aws")]
pub mod dynamodb;
pub mod envelope;
pub mod event;
pub mod filter;
pub mod maintain;
pub mod memory;
pub mod port;
pub mod projection;
pub mod recorded;
pub mod report;
pub mod row;
pub mod spec;
pub mod sqlite;
pub mod state_log;
pub mod table;
pub mod walk;

pub use checkpoint::{Checkpoint, Prefix};
#[cfg(feature = "aws")]
pub use dynamodb::{DynamoCells, DynamoLog};
pub use envelope::{Envelope, InvalidEvent, NewEvent};
pub use event::{DecodeError, Event};
pub use filter::Filter;
pub use maintain::{Maintain, Snapshots};
pub use memory::MemoryLog;
pub use port::{AppendError, Appended, Batch, Cursors, EventLog, Expected, LogError, Recorded};
pub use projection::Projection;
pub use report::{Difference, Fault, PruneReport, RebuildReport, VerifyReport};
pub use row::Row;
pub use spec::{Log, LogSpec};
pub use sqlite::SqliteLog;
pub use state_log::{StateLog, Tables};
pub use table::{Key, Table};

use std::path::{Path, PathBuf};

/// Gives the log file within a state directory.
pub fn log_path(state: &Path) -> PathBuf {
    state.join("log.sqlite")
}
