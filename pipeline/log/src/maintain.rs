//! Defines what is done with a log beside appending and reading: it is checked, rebuilt and pruned, and snapshots of it are kept.

use super::checkpoint::Prefix;
use super::port::{AppendError, EventLog, LogError};
use super::report::{PruneReport, RebuildReport, VerifyReport};
use jiff::Timestamp;

/// Keeps what a prefix of the log comes to, so that who folds the log need not begin with its first entry.
///
/// A snapshot adds nothing to the log: lost, damaged or of a newer version, it is passed over, and more is folded.
pub trait Snapshots {
    /// Gives the newest prefix that is kept whole, at the checkpoint of a pruned log or after it; where there is none, that one, or the
    /// empty log.
    ///
    /// # Errors
    /// When the store fails, or the checkpoint is damaged.
    fn newest(&self) -> Result<Prefix, LogError>;

    /// Keeps a prefix, where the store does not keep the tables themselves; it counts once it is written to the end.
    ///
    /// # Errors
    /// When the store fails.
    fn keep(&self, prefix: &Prefix) -> Result<(), LogError>;
}

/// Checks, rebuilds and prunes a log, while others read and append.
pub trait Maintain: EventLog {
    /// Forgets the texts outside the chain whose time has come, where any are kept, and says how many.
    ///
    /// # Errors
    /// When the store fails.
    fn expire_texts(&self, _now: Timestamp) -> Result<usize, LogError> {
        Ok(0)
    }

    /// Checks the log from its beginning, or its checkpoint, to its end, and names the first fault.
    ///
    /// # Errors
    /// When the store fails.
    fn verify(&self) -> Result<VerifyReport, LogError>;

    /// Makes again whatever is kept of the tables, and says whether it was what the log says.
    ///
    /// # Errors
    /// When the store fails, or an entry cannot be understood.
    fn rebuild(&self) -> Result<RebuildReport, LogError>;

    /// Forgets the oldest entries: all before the first that happened at `before` or later, as far as every cursor has read. A checkpoint
    /// stands in their place, and an entry that names it is appended. Cut short anywhere, the log verifies, and the next one goes on.
    ///
    /// # Errors
    /// When the store fails, or an entry cannot be understood.
    fn prune(&self, before: Timestamp, now: Timestamp) -> Result<PruneReport, AppendError>;
}
