//! Keeps a log in memory, for tests and for runs that leave nothing behind.

use super::chain;
use super::envelope::{Envelope, NewEvent};
use super::filter::Filter;
use super::port::{AppendError, Appended, Cursors, EventLog, Expected, LogError, Recorded};
use super::projection::Projection;
use forewarn_domain::id::is_name;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A log in memory; clones share it.
#[derive(Debug, Clone, Default)]
pub struct MemoryLog {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug, Clone, Default)]
struct Inner {
    entries: Vec<Recorded>,
    by_id: BTreeMap<String, usize>,
    streams: BTreeMap<String, Vec<usize>>,
    cursors: BTreeMap<String, u64>,
    projection: Projection,
}

impl MemoryLog {
    /// Makes an empty log.
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives the tables of current state.
    pub fn projection(&self) -> Projection {
        self.lock().projection.clone()
    }

    /// Gives the entries that a filter chooses.
    pub fn list(&self, filter: &Filter) -> Vec<Recorded> {
        let inner = self.lock();
        let chosen = inner.entries.iter().filter(|e| filter.matches(e));
        chosen.take(filter.limit.unwrap_or(usize::MAX)).cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing that can panic stands between the first and the last change of an append.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Makes the entries that `fresh` events become, without touching anything.
    fn prepare(&self, stream: &str, fresh: Vec<Envelope>) -> Result<Vec<Recorded>, LogError> {
        let mut position = self.entries.len() as u64;
        let mut version = self.length(stream);
        let mut previous_hash = self.entries.last().map_or(chain::GENESIS, |e| &e.hash).to_owned();
        let mut entries = Vec::with_capacity(fresh.len());
        for envelope in fresh {
            position += 1;
            version += 1;
            let hash = chain::link(&previous_hash, position, stream, version, &envelope)
                .map_err(|e| LogError::unavailable("hash an entry", e))?;
            let previous_hash = std::mem::replace(&mut previous_hash, hash.clone());
            entries.push(Recorded { position, stream: stream.to_owned(), version, envelope, previous_hash, hash });
        }
        Ok(entries)
    }

    fn length(&self, stream: &str) -> u64 {
        self.streams.get(stream).map_or(0, Vec::len) as u64
    }
}

impl EventLog for MemoryLog {
    fn append(&self, stream: &str, expected: Expected, events: &[NewEvent]) -> Result<Appended, AppendError> {
        if !is_name(stream) {
            return Err(AppendError::Stream(stream.to_owned()));
        }
        let sealed = events.iter().map(NewEvent::seal).collect::<Result<Vec<_>, _>>()?;
        let mut inner = self.lock();
        let mut seen = BTreeSet::new();
        let is_new: Vec<bool> =
            sealed.iter().map(|e| !inner.by_id.contains_key(&e.id) && seen.insert(e.id.clone())).collect();
        let actual = inner.length(stream);
        if !seen.is_empty() && !expected.allows(actual) {
            return Err(AppendError::Conflict { stream: stream.to_owned(), expected, actual });
        }
        let fresh = sealed.iter().zip(&is_new).filter(|(_, new)| **new).map(|(e, _)| e.clone()).collect();
        let fresh = inner.prepare(stream, fresh)?;
        let written = fresh.len();
        let typed = events.iter().zip(&is_new).filter(|(_, new)| **new).map(|(e, _)| &e.event);
        for (entry, event) in fresh.into_iter().zip(typed) {
            let place = inner.entries.len();
            inner.projection.fold(&entry.envelope, event);
            inner.by_id.insert(entry.envelope.id.clone(), place);
            inner.streams.entry(stream.to_owned()).or_default().push(place);
            inner.entries.push(entry);
        }
        let entries = sealed.iter().filter_map(|e| inner.by_id.get(&e.id)).map(|&i| inner.entries[i].clone()).collect();
        Ok(Appended { entries, written })
    }

    fn read(&self, stream: &str, from_version: u64, limit: usize) -> Result<Vec<Recorded>, LogError> {
        let inner = self.lock();
        let skip = from_version.saturating_sub(1) as usize;
        let places = inner.streams.get(stream).map_or(&[][..], Vec::as_slice);
        Ok(places.iter().skip(skip).take(limit).map(|&i| inner.entries[i].clone()).collect())
    }

    fn read_all(&self, after: u64, limit: usize) -> Result<Vec<Recorded>, LogError> {
        let inner = self.lock();
        Ok(inner.entries.iter().skip(usize::try_from(after).unwrap_or(usize::MAX)).take(limit).cloned().collect())
    }

    fn length(&self, stream: &str) -> Result<u64, LogError> {
        Ok(self.lock().length(stream))
    }

    fn head(&self) -> Result<u64, LogError> {
        Ok(self.lock().entries.len() as u64)
    }
}

impl Cursors for MemoryLog {
    fn cursor(&self, name: &str) -> Result<u64, LogError> {
        Ok(self.lock().cursors.get(name).copied().unwrap_or(0))
    }

    fn has_cursor(&self, name: &str) -> Result<bool, LogError> {
        Ok(self.lock().cursors.contains_key(name))
    }

    fn advance(&self, name: &str, position: u64) -> Result<(), LogError> {
        let mut inner = self.lock();
        let cursor = inner.cursors.entry(name.to_owned()).or_default();
        *cursor = (*cursor).max(position);
        Ok(())
    }
}
