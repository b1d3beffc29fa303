//! Checks entries in their order: that none is missing, that each is chained to the one before, and that each says what its hash says.

use super::chain;
use super::event::Event;
use super::port::Recorded;
use forewarn_runtime::telemetry::causes;
use std::collections::BTreeMap;

/// How far a check has come; whatever keeps the log hands in its entries one by one.
#[derive(Debug, Clone)]
pub struct Walk {
    /// The last position that was found good.
    pub position: u64,
    pub hash: String,
    /// The last version of each stream.
    pub versions: BTreeMap<String, u64>,
}

impl Default for Walk {
    /// Starts before the first entry of a log.
    fn default() -> Self {
        Self { position: 0, hash: chain::GENESIS.to_owned(), versions: BTreeMap::new() }
    }
}

impl Walk {
    /// Says what is wrong with the next entry, or gives its event.
    pub fn check(&self, entry: &Recorded) -> Result<Event, String> {
        let expected = self.position + 1;
        if entry.position != expected {
            return Err(format!("its position is {}, expected {expected}: an entry is missing", entry.position));
        }
        let version = self.versions.get(&entry.stream).map_or(1, |v| v + 1);
        if entry.version != version {
            return Err(format!("its version in stream {:?} is {}, expected {version}", entry.stream, entry.version));
        }
        if entry.previous_hash != self.hash {
            return Err("it is not chained to the entry before it".to_owned());
        }
        if let Some(what) = hash_fault(entry) {
            return Err(what);
        }
        entry.envelope.check().map_err(|e| format!("its envelope is not valid: {}", causes(&e)))?;
        entry.event().map_err(|e| format!("its data is not valid: {}", causes(&e)))
    }

    /// Goes past an entry that was found good.
    pub fn pass(&mut self, entry: &Recorded) {
        self.position = entry.position;
        self.hash.clone_from(&entry.hash);
        match self.versions.get_mut(&entry.stream) {
            Some(version) => *version = entry.version,
            None => drop(self.versions.insert(entry.stream.clone(), entry.version)),
        }
    }
}

/// Says so when an entry does not hash to what it says.
pub(super) fn hash_fault(entry: &Recorded) -> Option<String> {
    match chain::link(&entry.previous_hash, entry.position, &entry.stream, entry.version, &entry.envelope) {
        Ok(hash) if hash == entry.hash => None,
        Ok(hash) => Some(format!("its hash is {}, but its content hashes to {hash}: it was altered", entry.hash)),
        Err(e) => Some(format!("it cannot be hashed: {e}")),
    }
}
