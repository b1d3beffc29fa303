//! Publishes to an `EventBridge` bus: batches within AWS's limits; what it refused is tried again, and set aside where that is of no use.
//!
//! Delivery is at least once: a reply that got lost is asked for again, and the consumer drops what it has by `detail.event_id`.

pub mod entry;
pub mod plan;
#[cfg(feature = "aws")]
pub mod sdk;
pub mod verdict;

use super::announcement::Announcement;
use super::bus::{Bus, BusError, Published};
pub use super::fault::{Fault, Remedy};
use super::memory::{BusMemory, Parked};
use entry::Entry;
use forewarn_runtime::clock::Clock;
use forewarn_runtime::interrupt::Interrupt;
use forewarn_runtime::metrics::{Bus as BusLabel, Call, Metrics};
use forewarn_runtime::time::format_ms;
use plan::next_call;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use verdict::{Refused, Verdict};

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
    memory: Box<dyn BusMemory>,
}

/// What is left of a batch.
#[derive(Debug, Default)]
struct Work {
    pending: Vec<Entry>,
    /// How often an entry was refused, and whether another was taken since.
    tries: BTreeMap<String, (u32, bool)>,
    /// Entries that have a call of their own.
    single: BTreeSet<String>,
    /// What stays due: these episodes wait for their next turn.
    held: BTreeSet<String>,
    /// The first that stays due, how often it was tried, and why.
    first_held: Option<(String, u32, Fault)>,
    published: Published,
}

/// What a call came to: of each entry in order, or of all of them.
type Answer = Result<Vec<Option<Fault>>, Fault>;

impl<P: PutEvents> EventBridgeBus<P> {
    /// Makes a bus over a way to call AWS; `name` is for messages, and `memory` is its alone.
    pub fn new(
        name: String,
        put: P,
        clock: Arc<dyn Clock>,
        stop: Interrupt,
        metrics: Arc<Metrics>,
        memory: Box<dyn BusMemory>,
    ) -> Self {
        Self { name, put, clock, stop, metrics, memory }
    }

    /// Makes one call and counts it.
    fn call(&mut self, entries: &[&Entry]) -> Answer {
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
            Err(Fault { code: "UnexpectedReply".to_owned(), message, remedy: Remedy::Retry })
        });
        let (throttled, refused) = match &answer {
            Ok(faults) => (faults.iter().flatten().any(Fault::is_throttle), faults.iter().flatten().count()),
            Err(fault) => (fault.is_throttle(), entries.len()),
        };
        if throttled {
            self.metrics.throttles.get_or_create(&CALL).inc();
        }
        self.metrics.refused_entries.inc_by(refused as u64);
        answer
    }

    /// Sets an entry aside: durable before the cursor may pass it.
    fn park(&mut self, announcement: &Announcement, fault: &Fault) -> Result<(), BusError> {
        let id = &announcement.id;
        self.memory.park(Parked {
            bus: self.name.clone(),
            at: format_ms(self.clock.now_ms()),
            code: fault.code.clone(),
            message: fault.message.clone(),
            announcement: announcement.clone(),
        })?;
        self.metrics.dead_letter("emit");
        tracing::error!(
            bus = self.name,
            id,
            code = fault.code,
            message = fault.message,
            about = announcement.about(),
            "an announcement was refused for good and set aside; the others go on; `forewarn emit --retry-parked` tries it again"
        );
        Ok(())
    }

    /// Deals with what a call came to; gives how long to wait before the next, milliseconds.
    fn settle(
        &mut self,
        work: &mut Work,
        chosen: &[usize],
        answer: Answer,
        batch: &[Announcement],
    ) -> Result<u64, BusError> {
        let call_entries = if answer.is_err() { chosen.len() } else { 1 };
        let faults = answer.unwrap_or_else(|fault| vec![Some(fault); chosen.len()]);
        let entries: Vec<Entry> = chosen.iter().map(|i| work.pending[*i].clone()).collect();
        let taken: Vec<&str> =
            entries.iter().zip(&faults).filter(|(_, f)| f.is_none()).map(|(e, _)| e.id.as_str()).collect();
        if !taken.is_empty() {
            self.memory.note_sent(&taken)?;
            work.published.sent += taken.len() as u64;
            work.tries.values_mut().for_each(|t| t.1 = true);
        }
        let takes_others = !taken.is_empty();
        let mut done: BTreeSet<&str> = taken.into_iter().collect();
        let (mut wait, mut held_now) = (0, false);
        for (entry, fault) in entries.iter().zip(&faults) {
            let Some(fault) = fault else { continue };
            let tries = work.tries.entry(entry.id.clone()).or_default();
            *tries = (tries.0 + 1, tries.1 || takes_others);
            let (tried, bus_takes_others) = *tries;
            match (Refused { id: &entry.id, fault, tried, call_entries, bus_takes_others }).verdict() {
                Verdict::Again(ms) => {
                    tracing::debug!(id = entry.id, tried, %fault, "an entry was refused and is tried again");
                    wait = wait.max(ms);
                }
                Verdict::Alone => {
                    work.single.insert(entry.id.clone());
                }
                Verdict::Park => {
                    if let Some(announcement) = batch.iter().find(|a| a.id == entry.id) {
                        self.park(announcement, fault)?;
                    }
                    work.published.parked += 1;
                    done.insert(&entry.id);
                }
                Verdict::Hold => {
                    held_now = true;
                    work.held.insert(entry.key.clone());
                    work.first_held.get_or_insert_with(|| (entry.id.clone(), tried, fault.clone()));
                }
            }
        }
        work.pending.retain(|e| !done.contains(e.id.as_str()) && !work.held.contains(&e.key));
        if held_now && done.is_empty() {
            // Nothing at all of this call was taken: the bus is the reason, and asking on helps nobody.
            work.pending.clear();
        }
        Ok(wait)
    }
}

impl<P: PutEvents> Bus for EventBridgeBus<P> {
    fn publish(&mut self, batch: &[Announcement]) -> Result<Published, BusError> {
        let sent = self.memory.sent()?;
        let due: Vec<&Announcement> = batch.iter().filter(|a| !sent.contains(&a.id)).collect();
        let mut work = Work::default();
        work.published.skipped = (batch.len() - due.len()) as u64;
        for announcement in due {
            let entry = Entry::of(announcement);
            self.metrics.trimmed.inc_by(u64::from(entry.trimmed));
            if let Some(fault) = entry.fault() {
                self.park(announcement, &fault)?;
                work.published.parked += 1;
            } else {
                work.pending.push(entry);
            }
        }
        while !work.pending.is_empty() {
            let chosen = next_call(&work.pending, &work.single);
            let entries: Vec<&Entry> = chosen.iter().map(|i| &work.pending[*i]).collect();
            let answer = self.call(&entries);
            let wait = self.settle(&mut work, &chosen, answer, batch)?;
            if wait > 0 {
                self.metrics.retries.get_or_create(&CALL).inc();
                if !self.clock.pause(wait, &self.stop) {
                    return Err(BusError::Stopped { bus: format!("eventbridge {}", self.name) });
                }
            }
        }
        match work.first_held {
            Some((id, attempts, fault)) => {
                Err(BusError::Refused { bus: format!("eventbridge {}", self.name), id, attempts, fault })
            }
            None => Ok(work.published),
        }
    }

    fn caught_up(&mut self) -> Result<(), BusError> {
        self.memory.forget_sent()
    }
}

#[cfg(test)]
mod tests;
