//! Tries again what was set aside, after an upgrade: what reads now is taken into the history, what does not stays.
//!
//! **Invariant:** a record is forgotten after it was taken; one that a crash left is taken again under the same name, which changes
//! nothing.

use super::set_aside::AsideRecord;
use super::shell::{ArchiveState, PART};
use super::{Archive, ArchiveError, ArchiveReport};
use crate::stream::{Record, Stored};
use forewarn_history::History;
use forewarn_log::envelope::Envelope;
use forewarn_runtime::context::RuntimeContext;
use forewarn_runtime::failpoint;
use serde::Serialize;

/// The shard that the records count as, in names of files.
const SHARD: &str = "set-aside";

/// What became of records that were set aside.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct RetryReport {
    /// Records tried.
    pub tried: u64,
    /// Records taken, and no longer set aside.
    pub taken: u64,
    /// Records that can't be read even now, or that the log does not take.
    pub left: u64,
    /// Samples in those taken.
    pub samples: u64,
    /// Events in those taken.
    pub events: u64,
}

/// Tries every record that a state has set aside, the oldest first; ends early, between two, when it is interrupted.
///
/// # Errors
/// When another process archives with this state, or history, log or the records fail.
pub fn retry_set_aside(
    history: &str,
    state: &ArchiveState<'_>,
    ctx: &RuntimeContext,
) -> Result<RetryReport, ArchiveError> {
    let lease = state.leases.take(PART)?;
    let mut history = History::open_or_create(history)?;
    let (aside, metrics, now_ms) = (state.aside, &ctx.metrics, ctx.clock.now_ms());
    let mut archive = Archive { history: &mut history, log: state.log, aside, metrics, now_ms, lease: Some(&lease) };
    let mut report = RetryReport::default();
    for record in aside.list()? {
        if ctx.stop.is_raised() {
            break;
        }
        lease.check()?;
        report.tried += 1;
        let Some(stored) = readable(&record, aside.read(&record)?) else {
            report.left += 1;
            continue;
        };
        let ArchiveReport { samples, events, set_aside, .. } = archive.take(SHARD, stored)?;
        failpoint::point("archive.retried");
        if set_aside > 0 {
            report.left += 1;
            continue;
        }
        aside.forget(&record)?;
        report.taken += 1;
        report.samples += samples;
        report.events += events;
    }
    Ok(report)
}

/// Gives what a record is in the stream, where it reads by now: a record, or an event that the log did not take.
fn readable(record: &AsideRecord, data: Vec<u8>) -> Option<Vec<Stored>> {
    let encoded = if Record::decode(&data).is_ok() {
        vec![data]
    } else {
        let envelope: Envelope = serde_json::from_slice(&data).ok()?;
        Record::Event(Box::new(envelope)).encode().ok()?
    };
    let arrived_at = (record.at_ms > i64::MIN).then_some(record.at_ms);
    let stored = |(n, data)| Stored { seq: format!("{}-{n}", record.hash), arrived_at, data };
    Some(encoded.into_iter().enumerate().map(stored).collect())
}
