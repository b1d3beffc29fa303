//! Recoveries in the event log: one stream for each, one for what an account and region admits.

use super::store::Store;
use forewarn_domain::id::event_id;
use forewarn_domain::time::UnixMs;
use forewarn_log::event::recovery::{admission_noted, happened, note_of};
use forewarn_log::{AppendError, Expected, LogError, NewEvent, Recorded, Row, Table};
use forewarn_recovery::admission::{Admission, AdmissionEvent};
use forewarn_recovery::event::RecoveryEvent;
use forewarn_recovery::state::Recovery;
use forewarn_runtime::clock::Clock;
use forewarn_runtime::failpoint;
use jiff::Timestamp;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// Entries read at a time.
const PAGE: usize = 500;

/// Explains why a recovery could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    #[error(transparent)]
    Log(#[from] LogError),
    /// The log refused what was to be appended.
    #[error("an event of recovery {recovery_id} can't be appended: {why}")]
    Append { recovery_id: String, why: String },
    /// The stream holds an event that can't follow on those before it.
    #[error("recovery {recovery_id} can't be read, nothing is done for it: {what}; run `forewarn log verify`")]
    IllegalTransition {
        recovery_id: String,
        /// Which event, and why.
        what: String,
    },
}

/// A recovery and how many entries its stream has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The recovery's id.
    pub id: String,
    /// The instance that it began with.
    pub instance_id: String,
    /// Entries of the stream.
    pub version: u64,
    /// Where it stands.
    pub state: Recovery,
}

/// The log as an executor uses it.
#[derive(Debug, Clone)]
pub struct Ledger {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    /// What has been read of the admission stream, and how far.
    admission: Arc<Mutex<(Admission, u64)>>,
    account: String,
    region: String,
}

/// Names the stream of a recovery.
pub fn stream_of(id: &str) -> String {
    format!("recovery/{id}")
}

/// Reads all that happened to a recovery, in order.
///
/// # Errors
/// When the log fails.
pub fn events(store: &dyn Store, id: &str) -> Result<Vec<Recorded>, LogError> {
    let (stream, mut all, mut from) = (stream_of(id), Vec::new(), 1);
    loop {
        // A page may be short though there is more, and the beginning of the stream may be pruned.
        let page = store.read(&stream, from, PAGE)?;
        let Some(last) = page.last() else { return Ok(all) };
        from = last.version + 1;
        all.extend(page);
    }
}

impl Ledger {
    /// Takes a log for an account and region.
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>, home: (&str, &str)) -> Self {
        let admission = Arc::default();
        Self { store, clock, admission, account: home.0.to_owned(), region: home.1.to_owned() }
    }

    /// The log.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// The time.
    pub fn now(&self) -> UnixMs {
        UnixMs(self.clock.now_ms())
    }

    /// Gives a recovery; one that never began is new.
    ///
    /// # Errors
    /// When the log fails, or its stream makes no sense.
    pub fn load(&self, id: &str, instance_id: &str) -> Result<Entry, LedgerError> {
        let Some(Row::Recovery(row)) = self.store.row(Table::Recoveries, id)? else {
            let (id, instance_id) = (id.to_owned(), instance_id.to_owned());
            return Ok(Entry { id, instance_id, version: 0, state: Recovery::default() });
        };
        if let Some(what) = row.illegal {
            return Err(LedgerError::IllegalTransition { recovery_id: row.recovery_id, what });
        }
        Ok(Entry { id: row.recovery_id, instance_id: row.instance_id, version: row.version, state: row.state })
    }

    /// Appends what happened to a recovery; false when somebody else appended first: read it again and decide again.
    ///
    /// # Errors
    /// When the log fails, or an event can't follow.
    pub fn append(&self, entry: &mut Entry, events: &[RecoveryEvent]) -> Result<bool, LedgerError> {
        let illegal = |e: &dyn fmt::Display| LedgerError::Append { recovery_id: entry.id.clone(), why: e.to_string() };
        let mut state = entry.state.clone();
        let mut new = Vec::with_capacity(events.len());
        for (n, event) in events.iter().enumerate() {
            state = state.evolve(event).map_err(|e| illegal(&e))?;
            let version = (entry.version + 1 + n as u64).to_string();
            let text = serde_json::to_string(event).map_err(|e| illegal(&e))?;
            let id = event_id("recovery", &[&entry.id, &version, &text]);
            new.push(self.event(id, &entry.instance_id, happened(&entry.id, &entry.instance_id, event.clone())));
        }
        let expected = Expected::Version(entry.version);
        match self.store.append(&stream_of(&entry.id), expected, &new) {
            // An event that is there already is another executor's, who decided the same.
            Ok(appended) if appended.written < new.len() => return Ok(false),
            Ok(_) => {}
            Err(AppendError::Conflict { .. }) => return Ok(false),
            Err(AppendError::Log(e)) => return Err(e.into()),
            Err(e) => return Err(illegal(&e)),
        }
        failpoint::point("respond.appended");
        entry.version += events.len() as u64;
        entry.state = state;
        Ok(true)
    }

    /// Gives what the account and region admits now, and how many entries say so.
    ///
    /// # Errors
    /// When the log fails.
    pub fn admission(&self) -> Result<(Admission, u64), LedgerError> {
        let mut known = self.admission.lock().unwrap_or_else(PoisonError::into_inner);
        // Before anything is read: what then is not there, though the stream has it, was pruned.
        let had = if known.1 == 0 { self.store.length(&self.admission_stream())? } else { 0 };
        loop {
            let page = self.store.read(&self.admission_stream(), known.1 + 1, PAGE)?;
            for entry in &page {
                let event = decode(entry)?;
                if let Some(note) = note_of(&event) {
                    known.0 = std::mem::take(&mut known.0).evolve(note);
                }
                known.1 = entry.version;
            }
            // A page may be short though there is more.
            if page.is_empty() {
                known.1 = known.1.max(had);
                return Ok(known.clone());
            }
        }
    }

    /// Appends what the account and region takes note of; false when somebody else appended first.
    ///
    /// # Errors
    /// When the log fails.
    pub fn note(&self, version: u64, notes: &[AdmissionEvent]) -> Result<bool, LedgerError> {
        let mut new = Vec::with_capacity(notes.len());
        for (n, note) in notes.iter().enumerate() {
            let failed = |e: serde_json::Error| LedgerError::Append { recovery_id: "-".to_owned(), why: e.to_string() };
            let text = serde_json::to_string(note).map_err(failed)?;
            let id = event_id("admission", &[&self.admission_stream(), &(version + n as u64).to_string(), &text]);
            new.push(self.event(id, &self.account, admission_noted(&self.account, &self.region, note.clone())));
        }
        match self.store.append(&self.admission_stream(), Expected::Version(version), &new) {
            Ok(appended) if appended.written < new.len() => Ok(false),
            Ok(_) => {
                failpoint::point("respond.noted");
                Ok(true)
            }
            Err(AppendError::Conflict { .. }) => Ok(false),
            Err(AppendError::Log(e)) => Err(e.into()),
            Err(e) => Err(LedgerError::Append { recovery_id: "-".to_owned(), why: e.to_string() }),
        }
    }

    fn admission_stream(&self) -> String {
        format!("admission/{}/{}", self.account, self.region)
    }

    fn event(&self, id: String, subject: &str, event: forewarn_log::Event) -> NewEvent {
        let time = Timestamp::from_millisecond(self.now().0).unwrap_or_default();
        NewEvent::new(id, subject, time, event)
    }
}

fn decode(entry: &Recorded) -> Result<forewarn_log::Event, LogError> {
    entry.event().map_err(|source| LogError::Decode { position: entry.position, source })
}
