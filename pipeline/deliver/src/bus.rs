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
    /// Announcements that it refused for good and that were set aside.
    pub parked: u64,
}

/// Explains why a batch was not published.
#[derive(Debug, thiserror::Error)]
pub enum BusError {
    /// The bus failed; publishing the batch again is safe.
    #[error("bus {bus}: cannot {doing}")]
    Unavailable {
        bus: String,
        /// What was tried.
        doing: &'static str,
        #[source]
        source: std::io::Error,
    },
    /// Another process is writing to the bus; try again when it has ended.
    #[error("bus {bus}: another forewarn is writing to it; try again when it has ended")]
    Busy { bus: String },
    /// The file holds something else.
    #[error("bus {bus}: the file ends with lines that are not announcements; give another file, or move this one away")]
    Foreign { bus: String },
    /// An announcement cannot be written as JSON.
    #[error("bus {bus}: announcement {id:?} cannot be written as JSON")]
    Json {
        bus: String,
        /// The announcement.
        id: String,
        #[source]
        source: serde_json::Error,
    },
    /// The bus refused an announcement, as often as it was tried or until somebody changes something.
    #[error("bus {bus}: announcement {id} was refused after {attempts} tries; what is due stays due")]
    Refused {
        bus: String,
        /// The announcement.
        id: String,
        /// How often it was tried.
        attempts: u32,
        /// Why.
        #[source]
        fault: super::fault::Fault,
    },
    /// The bus cannot be reached at all.
    #[error("bus {bus}: cannot be reached")]
    Unreachable {
        bus: String,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Somebody asked to stop while the bus waited to try again.
    #[error("bus {bus}: stopped while waiting to try again; what is due stays due")]
    Stopped { bus: String },
    /// The bus did not open, as was said before.
    #[error("bus {bus}: did not open; open it again")]
    Closed { bus: String },
}

/// Takes announcements, in order.
pub trait Bus {
    /// Publishes a batch; when it returns, the batch is durable.
    ///
    /// After an error any part of the batch may have been taken; publishing it again is safe, because ids are stable. Events of
    /// one episode arrive in their order.
    ///
    /// # Errors
    /// When the bus fails.
    fn publish(&mut self, batch: &[Announcement]) -> Result<Published, BusError>;

    /// Hears that the cursor stands at the end of the log: what the bus remembers of what it took is needed no more.
    ///
    /// # Errors
    /// When that can't be written down.
    fn caught_up(&mut self) -> Result<(), BusError> {
        Ok(())
    }
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
