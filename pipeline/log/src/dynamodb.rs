//! Keeps a log in one DynamoDB table, with its cursors, for many writers at once.
//!
//! Each append is one transaction onto the head that it looked at: positions have no gaps, the chain is right, and of two writers one
//! begins again. Tables of current state are not kept here: a reader folds the entries into a [`Projection`](super::Projection), from the
//! newest snapshot on.
//! What the items look like stands in `item`.

mod api;
mod append;
mod call_error;
mod cells;
mod cursors;
mod item;
mod plan;
mod prune;
mod pruned;
mod read;
mod rebuild;
mod signs;
mod snapshot;
mod table;
mod verify;

use super::checkpoint::Prefix;
use super::envelope::NewEvent;
use super::maintain::{Maintain, Snapshots};
use super::port::{AppendError, Appended, Cursors, EventLog, Expected, LogError, Recorded};
use super::report::{PruneReport, RebuildReport, VerifyReport};
pub use api::Api;
use append::Append;
use aws_config::SdkConfig;
pub use call_error::CallError;
pub use cells::DynamoCells;
use forewarn_domain::id::is_name;
use forewarn_domain::id::sha256_hex;
use forewarn_runtime::aws::Aws;
use forewarn_runtime::context::RuntimeContext;
use forewarn_runtime::lease::Guard;
use jiff::Timestamp;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
pub use table::make;

/// A log in a DynamoDB table; threads may share it, and processes may open the same table.
///
/// An append holds at most 32 new events of together 4 MB, each below 400 KB as an item (written twice).
#[derive(Debug)]
pub struct DynamoLog {
    api: Api,
    /// Names this handle among all writers.
    writer: String,
    /// How many appends were begun.
    appends: AtomicU64,
    /// Threads of one handle need not come in each other's way.
    turn: Mutex<()>,
    /// The readers that this handle has named.
    readers: cursors::Named,
    /// What must hold whenever something is appended.
    guard: Mutex<Option<Guard>>,
}

impl DynamoLog {
    /// Opens the log in the table called `table`, in the account and region of `config`.
    ///
    /// # Errors
    /// [`LogError::Foreign`] when there is no such table or it has other keys; when it cannot be reached, or is not active.
    pub fn open(aws: Aws, config: &SdkConfig, table: &str, ctx: RuntimeContext) -> Result<Self, LogError> {
        let log = Self::reach(aws, config, table, ctx);
        table::check(&log.api)?;
        read::head(&log.api)?;
        Ok(log)
    }

    /// Makes the table where there is none, with on-demand capacity and point-in-time recovery, and opens the log in it. Waits up to five
    /// minutes until it is active.
    ///
    /// # Errors
    /// When it cannot be made; otherwise as [`DynamoLog::open`].
    pub fn create(aws: Aws, config: &SdkConfig, table: &str, ctx: RuntimeContext) -> Result<Self, LogError> {
        let log = Self::reach(aws, config, table, ctx);
        table::create(&log.api)?;
        read::head(&log.api)?;
        Ok(log)
    }

    fn reach(aws: Aws, config: &SdkConfig, table: &str, ctx: RuntimeContext) -> Self {
        let now = ctx.clock.now_ms();
        let api = Api::new(aws, config, table, ctx);
        Self {
            api,
            writer: writer(now),
            appends: AtomicU64::new(0),
            turn: Mutex::new(()),
            readers: cursors::Named::default(),
            guard: Mutex::default(),
        }
    }

    /// Appends from now on only while a lease is the one that it was: the same transaction looks at it. None lifts that.
    pub fn write_under(&self, guard: Option<Guard>) {
        *self.guard.lock().unwrap_or_else(PoisonError::into_inner) = guard;
    }

    /// Checks positions, versions, hashes, envelopes, streams and ids as far as the log goes now, and names the first bad entry. Reads every
    /// entry twice and its id.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub fn verify(&self) -> Result<VerifyReport, LogError> {
        verify::verify(&self.api)
    }

    /// Folds the log from its beginning, or its checkpoint, compares the newest snapshot with what the log says at its place, and keeps a
    /// new one.
    ///
    /// # Errors
    /// When the table cannot be read or written, or an entry cannot be understood.
    pub fn rebuild(&self) -> Result<RebuildReport, LogError> {
        rebuild::rebuild(&self.api, &self.mark())
    }

    /// Forgets the oldest entries: all before the first that happened at `before` or later, as far as every cursor has read.
    /// A checkpoint stands in their place, and an entry that names it is appended.
    ///
    /// # Errors
    /// When the table cannot be read or written, an entry cannot be understood, or another pruning came first. One that is cut short leaves
    /// a log that verifies; the next one goes on from there.
    pub fn prune(&self, before: Timestamp, now: Timestamp) -> Result<PruneReport, AppendError> {
        prune::prune(&self.api, self.mark(), before, now)
    }

    /// Names an append, a pruning or a snapshot, and no other.
    fn mark(&self) -> String {
        format!("{}-{}", self.writer, self.appends.fetch_add(1, Ordering::Relaxed))
    }
}

impl Maintain for DynamoLog {
    fn verify(&self) -> Result<VerifyReport, LogError> {
        Self::verify(self)
    }

    fn rebuild(&self) -> Result<RebuildReport, LogError> {
        Self::rebuild(self)
    }

    fn prune(&self, before: Timestamp, now: Timestamp) -> Result<PruneReport, AppendError> {
        Self::prune(self, before, now)
    }
}

impl Snapshots for DynamoLog {
    fn newest(&self) -> Result<Prefix, LogError> {
        snapshot::newest(&self.api)
    }

    fn keep(&self, prefix: &Prefix) -> Result<(), LogError> {
        snapshot::keep(&self.api, prefix, &self.mark())
    }
}

/// Names a writer as no other is named, in 16 hexadecimal digits: what the system draws for each process and handle, the time, the process.
fn writer(now_ms: i64) -> String {
    let drawn = RandomState::new().hash_one(now_ms);
    let mut name = sha256_hex(format!("{drawn}|{now_ms}|{}", std::process::id()).as_bytes());
    name.truncate(16);
    name
}

impl EventLog for DynamoLog {
    fn append(&self, stream: &str, expected: Expected, events: &[NewEvent]) -> Result<Appended, AppendError> {
        if !is_name(stream) {
            return Err(AppendError::Stream(stream.to_owned()));
        }
        let sealed = events.iter().map(NewEvent::seal).collect::<Result<Vec<_>, _>>()?;
        // What a panic cut short is in the table or not; nothing is held here.
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let guard = self.guard.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Append { api: &self.api, stream, expected, sealed: &sealed, beside: &[], mark: self.mark(), guard }.run()
    }

    fn read(&self, stream: &str, from_version: u64, limit: usize) -> Result<Vec<Recorded>, LogError> {
        read::stream(&self.api, stream, from_version, limit)
    }

    fn read_all(&self, after: u64, limit: usize) -> Result<Vec<Recorded>, LogError> {
        read::after(&self.api, after, limit)
    }

    fn length(&self, stream: &str) -> Result<u64, LogError> {
        Ok(read::tail(&self.api, stream)?.version)
    }

    fn head(&self) -> Result<u64, LogError> {
        Ok(read::head(&self.api)?.position)
    }
}

impl Cursors for DynamoLog {
    fn cursor(&self, name: &str) -> Result<u64, LogError> {
        Ok(self.readers.find(&self.api, name)?.unwrap_or(0))
    }

    fn has_cursor(&self, name: &str) -> Result<bool, LogError> {
        Ok(self.readers.find(&self.api, name)?.is_some())
    }

    fn advance(&self, name: &str, position: u64) -> Result<(), LogError> {
        self.readers.advance(&self.api, name, position)
    }
}
