//! Defines the bus that announcements go to.

use super::announcement::Announcement;
use std::collections::BTreeSet;

/// Says what a bus did with a batch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Published {
    /// Announcements taken.
    pub sent: u64,
    /// Announcements that it had already.
    pub skipped: u64,
}

/// Explains why a batch was not published.
#[derive(Debug, thiserror::Error)]
pub enum BusError {
    /// The bus failed; publishing the batch again is safe.
    #[error("bus {bus}: cannot {doing}")]
    Unavailable {
        /// The bus.
        bus: String,
        /// What was tried.
        doing: &'static str,
        /// Why it failed.
        #[source]
        source: std::io::Error,
    },
    /// Another process is writing to the bus; try again when it has ended.
    #[error("bus {bus}: another forewarn is writing to it; try again when it has ended")]
    Busy {
        /// The bus.
        bus: String,
    },
    /// The file holds something else.
    #[error("bus {bus}: the file ends with lines that are not announcements; give another file, or move this one away")]
    Foreign {
        /// The bus.
        bus: String,
    },
    /// An announcement cannot be written as JSON.
    #[error("bus {bus}: announcement {id:?} cannot be written as JSON")]
    Json {
        /// The bus.
        bus: String,
        /// The announcement.
        id: String,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
}

/// Takes announcements, in order.
pub trait Bus {
    /// Publishes a batch; when it returns, the batch is durable.
    ///
    /// After an error any part of the batch may have been taken; publishing it again is safe, because ids are stable.
    ///
    /// # Errors
    /// When the bus fails.
    fn publish(&mut self, batch: &[Announcement]) -> Result<Published, BusError>;
}

/// A bus in memory, for tests; it skips ids that it has, as the others do.
#[derive(Debug, Clone, Default)]
pub struct MemoryBus {
    /// What was published, in order.
    pub published: Vec<Announcement>,
    ids: BTreeSet<String>,
}

impl Bus for MemoryBus {
    fn publish(&mut self, batch: &[Announcement]) -> Result<Published, BusError> {
        let mut done = Published::default();
        for announcement in batch {
            if self.ids.insert(announcement.id.clone()) {
                self.published.push(announcement.clone());
                done.sent += 1;
            } else {
                done.skipped += 1;
            }
        }
        Ok(done)
    }
}
