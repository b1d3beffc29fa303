//! Keeps a log in memory, for tests and for runs that leave nothing behind.

use super::chain;
use super::checkpoint::{Bound, Checkpoint, Prefix, STREAM};
use super::envelope::{Envelope, NewEvent};
use super::filter::Filter;
use super::maintain::{Maintain, Snapshots};
use super::port::{AppendError, Appended, Cursors, EventLog, Expected, LogError, Recorded};
use super::projection::Projection;
use super::report::{Fault, PruneReport, RebuildReport, VerifyReport};
use super::table::TABLES;
use super::walk::Walk;
use forewarn_domain::id::is_name;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A log in memory; clones share it.
#[derive(Debug, Clone, Default)]
pub struct MemoryLog {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug, Clone, Default)]
struct Inner {
    entries: BTreeMap<u64, Recorded>,
    by_id: BTreeMap<String, u64>,
    /// The positions of each stream's entries, by version.
    streams: BTreeMap<String, BTreeMap<u64, u64>>,
    /// Where the log ends, pruned or not.
    walk: Walk,
    cursors: BTreeMap<String, u64>,
    projection: Projection,
    checkpoint: Option<Checkpoint>,
    snapshot: Option<Prefix>,
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
        let chosen = inner.entries.values().filter(|e| filter.matches(e));
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
        let mut position = self.walk.position;
        let mut version = self.length(stream);
        let mut previous_hash = self.walk.hash.clone();
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
        self.walk.versions.get(stream).copied().unwrap_or(0)
    }

    /// Appends events, sealed already.
    fn append(
        &mut self,
        stream: &str,
        expected: Expected,
        events: &[NewEvent],
        sealed: &[Envelope],
    ) -> Result<Appended, AppendError> {
        let mut seen = BTreeSet::new();
        let is_new: Vec<bool> =
            sealed.iter().map(|e| !self.by_id.contains_key(&e.id) && seen.insert(e.id.clone())).collect();
        let actual = self.length(stream);
        if !seen.is_empty() && !expected.allows(actual) {
            return Err(AppendError::Conflict { stream: stream.to_owned(), expected, actual });
        }
        let fresh = sealed.iter().zip(&is_new).filter(|(_, new)| **new).map(|(e, _)| e.clone()).collect();
        let fresh = self.prepare(stream, fresh)?;
        let written = fresh.len();
        let typed = events.iter().zip(&is_new).filter(|(_, new)| **new).map(|(e, _)| &e.event);
        for (entry, event) in fresh.into_iter().zip(typed) {
            self.projection.fold(&entry.envelope, event);
            self.walk.pass(&entry);
            self.by_id.insert(entry.envelope.id.clone(), entry.position);
            self.streams.entry(stream.to_owned()).or_default().insert(entry.version, entry.position);
            self.entries.insert(entry.position, entry);
        }
        let found = sealed.iter().filter_map(|e| self.entries.get(self.by_id.get(&e.id)?));
        Ok(Appended { entries: found.cloned().collect(), written })
    }

    /// Forgets an entry.
    fn forget(&mut self, position: u64) {
        let Some(entry) = self.entries.remove(&position) else { return };
        self.by_id.remove(&entry.envelope.id);
        if let Some(versions) = self.streams.get_mut(&entry.stream) {
            versions.remove(&entry.version);
        }
    }

    fn slowest(&self) -> Option<(String, u64)> {
        let slowest = self.cursors.iter().min_by_key(|(name, position)| (**position, *name));
        slowest.map(|(name, position)| (name.clone(), *position))
    }
}

impl EventLog for MemoryLog {
    fn append(&self, stream: &str, expected: Expected, events: &[NewEvent]) -> Result<Appended, AppendError> {
        if !is_name(stream) {
            return Err(AppendError::Stream(stream.to_owned()));
        }
        let sealed = events.iter().map(NewEvent::seal).collect::<Result<Vec<_>, _>>()?;
        self.lock().append(stream, expected, events, &sealed)
    }

    fn read(&self, stream: &str, from_version: u64, limit: usize) -> Result<Vec<Recorded>, LogError> {
        let inner = self.lock();
        let places = inner.streams.get(stream).into_iter().flat_map(|versions| versions.range(from_version..));
        Ok(places.take(limit).filter_map(|(_, position)| inner.entries.get(position)).cloned().collect())
    }

    fn read_all(&self, after: u64, limit: usize) -> Result<Vec<Recorded>, LogError> {
        let inner = self.lock();
        Ok(inner.entries.range((Excluded(after), Unbounded)).take(limit).map(|(_, e)| e.clone()).collect())
    }

    fn length(&self, stream: &str) -> Result<u64, LogError> {
        Ok(self.lock().length(stream))
    }

    fn head(&self) -> Result<u64, LogError> {
        Ok(self.lock().walk.position)
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

impl Snapshots for MemoryLog {
    fn newest(&self) -> Result<Prefix, LogError> {
        let inner = self.lock();
        let from = inner.checkpoint.as_ref().map_or(0, |c| c.position);
        match &inner.snapshot {
            Some(prefix) if prefix.walk.position > from => Ok(prefix.clone()),
            _ => Prefix::after(inner.checkpoint.as_ref()),
        }
    }

    fn keep(&self, prefix: &Prefix) -> Result<(), LogError> {
        self.lock().snapshot = Some(prefix.clone());
        Ok(())
    }
}

impl Maintain for MemoryLog {
    fn verify(&self) -> Result<VerifyReport, LogError> {
        let inner = self.lock();
        let mut check = Prefix::after(inner.checkpoint.as_ref())?;
        let mut fault = None;
        let mut entries = 0;
        for entry in inner.entries.values() {
            match check.check_and_take(entry) {
                Ok(()) => entries += 1,
                Err(LogError::Corrupt { position, what }) => {
                    fault = Some(Fault { position, what });
                    break;
                }
                Err(e) => return Err(e),
            }
        }
        Ok(VerifyReport {
            entries,
            checkpoint: inner.checkpoint.clone(),
            streams: check.walk.versions.len() as u64,
            hash: check.walk.hash,
            unknown: check.projection.unknown,
            fault,
        })
    }

    fn rebuild(&self) -> Result<RebuildReport, LogError> {
        let mut inner = self.lock();
        let mut made = Prefix::after(inner.checkpoint.as_ref())?;
        for entry in inner.entries.values() {
            made.take(entry)?;
        }
        let mut report = RebuildReport { entries: inner.entries.len() as u64, ..RebuildReport::default() };
        report.identical = made.projection.rows == inner.projection.rows;
        for table in TABLES {
            report.rows.insert(table.name(), made.projection.table(table).count() as u64);
        }
        report.unknown.clone_from(&made.projection.unknown);
        inner.projection = made.projection;
        Ok(report)
    }

    fn prune(&self, before: Timestamp, now: Timestamp) -> Result<PruneReport, AppendError> {
        let mut inner = self.lock();
        let start = inner.checkpoint.as_ref().map_or(0, |c| c.position);
        let bound = Bound { before, reader: inner.slowest() };
        let (prefix, waits_for) = bound.fold(inner.checkpoint.as_ref(), |after| {
            Ok(inner.entries.range(after + 1..).map(|(_, entry)| entry.clone()).collect())
        })?;
        let end = prefix.walk.position;
        if end > start {
            let new = prefix.checkpoint()?;
            let event = [bound.event(&new, end - start, now)];
            let sealed = event.iter().map(NewEvent::seal).collect::<Result<Vec<_>, _>>()?;
            inner.append(STREAM, Expected::Any, &event, &sealed)?;
            (start + 1..=end).for_each(|position| inner.forget(position));
            inner.checkpoint = Some(new);
        }
        let left = inner.entries.len() as u64;
        Ok(PruneReport { entries: end - start, left, waits_for, checkpoint: inner.checkpoint.clone() })
    }
}
