//! Publishes to an `EventBridge` bus: batches within AWS's limits, and what it refused is tried again.
//!
//! Delivery is at least once: a reply that got lost is asked for again, and the consumer drops what it has by `detail.event_id`.

pub mod entry;
pub mod plan;
#[cfg(feature = "aws")]
pub mod sdk;

use super::announcement::Announcement;
use super::bus::{Bus, BusError, Published};
pub use super::fault::Fault;
use entry::Entry;
use forewarn_runtime::clock::Clock;
use forewarn_runtime::interrupt::Interrupt;
use forewarn_runtime::metrics::{Bus as BusLabel, Call, Metrics};
use plan::{ATTEMPTS, backoff_ms, next_call};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The call, for counting.
const CALL: Call = Call { service: "eventbridge", operation: "PutEvents" };

/// Makes one call of `PutEvents`.
pub trait PutEvents: Send {
    /// Sends entries, at most ten; for each in order says why it was refused, or nothing when it was taken.
    ///
    /// # Errors
    /// When the call as a whole failed; any of the entries may have been taken nevertheless.
    fn put(&mut self, entries: &[&Entry]) -> Result<Vec<Option<Fault>>, Fault>;
}

/// A bus of `EventBridge`.
#[derive(Debug)]
pub struct EventBridgeBus<P> {
    name: String,
    put: P,
    clock: Arc<dyn Clock>,
    stop: Interrupt,
    metrics: Arc<Metrics>,
    /// What was taken of a batch that failed later: not sent again by this process.
    taken: BTreeSet<String>,
}

impl<P: PutEvents> EventBridgeBus<P> {
    /// Makes a bus over a way to call AWS; `name` is for messages.
    pub fn new(name: String, put: P, clock: Arc<dyn Clock>, stop: Interrupt, metrics: Arc<Metrics>) -> Self {
        Self { name, put, clock, stop, metrics, taken: BTreeSet::new() }
    }

    /// Makes one call; gives which of the entries were taken, and the faults of the others.
    fn call(&mut self, entries: &[&Entry]) -> Vec<Option<Fault>> {
        self.metrics.calls.get_or_create(&CALL).inc();
        let answer = self.put.put(entries);
        if answer.is_ok() {
            self.metrics.answered(&CALL);
        } else {
            // Said at once: it is tried again for minutes.
            self.metrics.failed(&CALL);
            self.metrics.buses.failed(&BusLabel { bus: "eventbridge" });
        }
        let answer = answer.and_then(|faults| {
            if faults.len() == entries.len() {
                return Ok(faults);
            }
            let message = format!("{} entries were sent, {} answered", entries.len(), faults.len());
            Err(Fault { code: "UnexpectedReply".to_owned(), message, transient: true })
        });
        let faults = answer.unwrap_or_else(|fault| vec![Some(fault); entries.len()]);
        if faults.iter().flatten().any(Fault::is_throttle) {
            self.metrics.throttles.get_or_create(&CALL).inc();
        }
        self.metrics.refused_entries.inc_by(faults.iter().flatten().count() as u64);
        faults
    }

    fn refused(&self, entry: &Entry, attempts: u32, fault: Fault) -> BusError {
        BusError::Refused { bus: self.name.clone(), id: entry.id.clone(), attempts, fault }
    }
}

impl<P: PutEvents> Bus for EventBridgeBus<P> {
    fn publish(&mut self, batch: &[Announcement]) -> Result<Published, BusError> {
        let mut pending: Vec<Entry> = batch.iter().filter(|a| !self.taken.contains(&a.id)).map(Entry::of).collect();
        let skipped = (batch.len() - pending.len()) as u64;
        let sent = pending.len() as u64;
        self.metrics.trimmed.inc_by(pending.iter().filter(|e| e.trimmed).count() as u64);
        let mut attempts: BTreeMap<String, u32> = BTreeMap::new();
        while !pending.is_empty() {
            let chosen = next_call(&pending);
            let entries: Vec<&Entry> = chosen.iter().map(|i| &pending[*i]).collect();
            let faults = self.call(&entries);
            let (mut left, mut wait) = (Vec::new(), None);
            for (i, fault) in chosen.into_iter().zip(faults) {
                let entry = &pending[i];
                let Some(fault) = fault else {
                    self.taken.insert(entry.id.clone());
                    continue;
                };
                let tried = attempts.entry(entry.id.clone()).and_modify(|n| *n += 1).or_insert(1);
                if !fault.transient || *tried >= ATTEMPTS {
                    left.push((entry.clone(), *tried, fault));
                } else {
                    tracing::debug!(id = entry.id, tried, %fault, "an entry was refused and is tried again");
                    wait = wait.max(Some(backoff_ms(*tried, &entry.id)));
                }
            }
            // Given up only now, so that what the same call took is remembered.
            if let Some((entry, tried, fault)) = left.into_iter().next() {
                return Err(self.refused(&entry, tried, fault));
            }
            pending.retain(|e| !self.taken.contains(&e.id));
            if let Some(ms) = wait {
                self.metrics.retries.get_or_create(&CALL).inc();
                if !self.clock.pause(ms, &self.stop) {
                    return Err(BusError::Stopped { bus: self.name.clone() });
                }
            }
        }
        self.taken.clear();
        Ok(Published { sent, skipped })
    }
}

#[cfg(test)]
mod tests;
