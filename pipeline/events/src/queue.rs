//! The port to a queue that gives a message again until it is deleted.

use std::error::Error as StdError;

/// A message as a queue gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// Its id, the same however often it is given.
    pub id: String,
    /// What deletes it.
    pub receipt: String,
    pub body: String,
    /// When it was sent, milliseconds, where the queue says so: how long it has waited.
    pub sent_at: Option<i64>,
}

/// Explains why a queue did not do what was asked; trying again may help.
#[derive(Debug, thiserror::Error)]
#[error("queue {queue}: cannot {doing}")]
pub struct QueueError {
    pub queue: String,
    /// What was tried.
    pub doing: &'static str,
    #[source]
    pub source: Box<dyn StdError + Send + Sync>,
}

/// A queue that gives a message again until it is deleted.
pub trait Queue: Send + std::fmt::Debug {
    /// Gives the queue's name.
    fn name(&self) -> &str;

    /// Waits a bounded time for messages; none when none came.
    ///
    /// # Errors
    /// When the queue fails.
    fn receive(&mut self) -> Result<Vec<Received>, QueueError>;

    /// Deletes messages by their receipts, and gives those that were not deleted.
    ///
    /// # Errors
    /// When the call as a whole fails; any of them may have been deleted.
    fn delete(&mut self, receipts: &[String]) -> Result<Vec<String>, QueueError>;
}
