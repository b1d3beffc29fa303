//! What a bus remembers beside its cursor: what it took of a backlog that isn't through yet, and what it refused for good.

mod cell;
mod file;

use crate::announcement::Announcement;
use crate::bus::BusError;
pub use cell::CellMemory;
pub use file::FileMemory;
use forewarn_runtime::place::StatePlace;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// An announcement that a bus refused for good.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Parked {
    /// The bus, by name or ARN.
    pub bus: String,
    /// When it was set aside (RFC 3339, UTC).
    pub at: String,
    /// The code that the bus gave.
    pub code: String,
    /// What the bus said.
    pub message: String,
    pub announcement: Announcement,
}

/// Remembers for a bus; what is noted is durable when the call returns.
pub trait BusMemory: Send + std::fmt::Debug {
    /// Gives the ids that the bus took since [`BusMemory::forget_sent`].
    ///
    /// # Errors
    /// When they can't be read, or another process feeds the bus.
    fn sent(&mut self) -> Result<&BTreeSet<String>, BusError>;

    /// Notes that the bus took announcements; where they were set aside, they are no longer.
    ///
    /// # Errors
    /// When it can't be written.
    fn note_sent(&mut self, ids: &[&str]) -> Result<(), BusError>;

    /// Forgets what was sent: the cursor stands behind all of it.
    ///
    /// # Errors
    /// When it can't be written.
    fn forget_sent(&mut self) -> Result<(), BusError>;

    /// Sets an announcement aside, in the place of one with its id.
    ///
    /// # Errors
    /// When it can't be written: the announcement then stays due.
    fn park(&mut self, parked: Parked) -> Result<(), BusError>;

    /// Gives what the bus refused for good, by id; who feeds the bus meanwhile is not disturbed.
    ///
    /// # Errors
    /// When it can't be read.
    fn parked(&self) -> Result<BTreeMap<String, Parked>, BusError>;
}

/// Gives what a bus remembers in a place, by the name of its cursor; nothing is read yet.
pub fn of(place: &StatePlace, name: &'static str) -> Box<dyn BusMemory> {
    match place {
        StatePlace::Dir(dir) => Box::new(FileMemory::in_state(dir, name)),
        StatePlace::Cells(cells) => Box::new(CellMemory::new(Arc::clone(cells), name)),
    }
}

/// A memory that goes with the process, for tests.
#[derive(Debug, Clone, Default)]
pub struct ShortMemory {
    sent: BTreeSet<String>,
    /// What was set aside, by id.
    pub parked: BTreeMap<String, Parked>,
}

impl BusMemory for ShortMemory {
    fn sent(&mut self) -> Result<&BTreeSet<String>, BusError> {
        Ok(&self.sent)
    }

    fn note_sent(&mut self, ids: &[&str]) -> Result<(), BusError> {
        self.sent.extend(ids.iter().map(|id| (*id).to_owned()));
        self.parked.retain(|id, _| !ids.contains(&id.as_str()));
        Ok(())
    }

    fn forget_sent(&mut self) -> Result<(), BusError> {
        self.sent.clear();
        Ok(())
    }

    fn park(&mut self, parked: Parked) -> Result<(), BusError> {
        self.parked.insert(parked.announcement.id.clone(), parked);
        Ok(())
    }

    fn parked(&self) -> Result<BTreeMap<String, Parked>, BusError> {
        Ok(self.parked.clone())
    }
}

#[cfg(test)]
mod tests;
