//! Tells the world what the log says: a durable cursor over the log feeds a bus.
//!
//! The outbox is not a second write: [`pump`] reads entries after its cursor, publishes the chosen ones, and moves the
//! cursor once they are durable on the bus. Delivery is at least once with stable ids; the JSON Lines bus makes it
//! once by skipping ids that it finds at its end. [`deliver`] feeds several buses, each with a cursor of its own.

pub mod announcement;
pub mod backlog;
pub mod bus;
pub mod eventbridge;
pub mod fault;
pub mod jsonl;
pub mod outbox;
pub mod stdout;
pub mod trim;

pub use announcement::{Announcement, detail_type_of};
pub use bus::{Bus, BusError, MemoryBus, Published};
pub use eventbridge::EventBridgeBus;
pub use jsonl::JsonLinesBus;
pub use outbox::{Deliveries, Delivery, Sink, SinkConfig, deliver};
pub use stdout::LinesBus;

use forewarn_log::{Cursors, EventLog, Filter, LogError};
use forewarn_runtime::failpoint;
use serde::Serialize;

/// Entries read, and at most announced, between two moves of the cursor.
pub const PAGE: usize = 256;

/// Says what a pump did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct PumpReport {
    /// Entries read.
    pub read: u64,
    /// Announcements published.
    pub sent: u64,
    /// Announcements that the bus had already.
    pub skipped: u64,
    /// Where the cursor stands now.
    pub position: u64,
}

/// Explains why a pump stopped; what it did so far holds, and the next run goes on from there.
#[derive(Debug, thiserror::Error)]
pub enum PumpError {
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Bus(#[from] BusError),
}

/// Publishes everything after the cursor that `filter` chooses and that has a detail-type, then moves the cursor.
///
/// # Errors
/// When the log or the bus fails, or an entry was written by a newer forewarn: the cursor stays before it.
pub fn pump<L: EventLog + Cursors>(
    log: &L,
    cursor: &str,
    bus: &mut dyn Bus,
    filter: &Filter,
) -> Result<PumpReport, PumpError> {
    let mut report = PumpReport { position: log.cursor(cursor)?, ..PumpReport::default() };
    loop {
        let page = log.read_all(report.position, PAGE)?;
        let Some(last) = page.last() else { return Ok(report) };
        failpoint::point("emit.read");
        let mut batch = Vec::new();
        for entry in page.iter().filter(|e| filter.matches(e)) {
            let position = entry.position;
            batch.extend(Announcement::of(entry).map_err(|source| LogError::Decode { position, source })?);
        }
        let published = if batch.is_empty() { Published::default() } else { bus.publish(&batch)? };
        failpoint::point("emit.published");
        log.advance(cursor, last.position)?;
        failpoint::point("emit.cursor_moved");
        report.read += page.len() as u64;
        report.sent += published.sent;
        report.skipped += published.skipped;
        report.position = last.position;
    }
}
