//! Keeps records that can't be read, with the reason, so that nothing is lost and nothing stands in the way.

use crate::event_log::TakeError;
use crate::stream::{RecordError, Stored};
use forewarn_events::Bounds;
use forewarn_history::{HistoryError, Store};
use forewarn_log::envelope::Envelope;
use std::path::Path;

/// The folder, in a state directory.
const DIR: &str = "unreadable";
/// The folder, in a history.
const IN_HISTORY: &str = "_unreadable";

/// A folder of records that can't be read: `HASH.bin` as it came, `HASH.json` with the reason.
#[derive(Debug)]
pub struct SetAside {
    store: Store,
    folder: &'static str,
}

/// A record that was set aside.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct AsideRecord {
    /// When it was set aside, milliseconds; the least there is where its note is gone.
    pub at_ms: i64,
    /// SHA-256 of its bytes, in hexadecimal.
    pub hash: String,
    pub bytes: u64,
}

/// Explains why a record could not be set aside; the archive stops before it rather than lose it.
#[derive(Debug, thiserror::Error)]
#[error("cannot keep or read what was set aside: {path}")]
pub struct SetAsideError {
    path: String,
    #[source]
    source: Box<dyn std::error::Error + Send + Sync>,
}

impl SetAside {
    /// Uses the directory `unreadable` of a state directory; it is made when it is needed.
    pub fn of(state: &Path) -> Self {
        Self { store: Store::in_dir(state), folder: DIR }
    }

    /// Uses the folder `_unreadable` of the history at a location, where no disk lasts.
    ///
    /// # Errors
    /// When the location is none.
    pub fn in_history(location: &str) -> Result<Self, HistoryError> {
        Ok(Self { store: Store::open(location)?, folder: IN_HISTORY })
    }

    /// Keeps a record; the same record again changes nothing.
    ///
    /// # Errors
    /// When the folder can't be written.
    pub fn put(&self, stored: &Stored, error: &RecordError, now_ms: i64) -> Result<(), SetAsideError> {
        self.keep(&stored.data, &stored.seq, &error.to_string(), now_ms)
    }

    /// Keeps an event that the log will never take; the same event again changes nothing.
    ///
    /// # Errors
    /// When the folder can't be written.
    pub fn put_event(&self, envelope: &Envelope, error: &TakeError, now_ms: i64) -> Result<(), SetAsideError> {
        let data = serde_json::to_vec(envelope).unwrap_or_else(|_| envelope.id.clone().into_bytes());
        self.keep(&data, &envelope.id, &error.to_string(), now_ms)
    }

    /// Lists what is kept, the oldest first.
    ///
    /// # Errors
    /// When the folder can't be read.
    pub fn list(&self) -> Result<Vec<AsideRecord>, SetAsideError> {
        let mut found = Vec::new();
        for entry in self.store.list(self.folder).map_err(self.failed(""))? {
            let name = entry.path.rsplit('/').next().unwrap_or_default();
            let Some(hash) = name.strip_suffix(".bin") else { continue };
            found.push(AsideRecord { at_ms: self.set_aside_at(hash)?, hash: hash.to_owned(), bytes: entry.size });
        }
        found.sort();
        Ok(found)
    }

    /// Reads what the note says of the time; what has no note, because a crash came between, is as old as can be.
    fn set_aside_at(&self, hash: &str) -> Result<i64, SetAsideError> {
        let note = self.store.read(&self.path(hash, "json")).map_err(self.failed(hash))?;
        let note = note.and_then(|text| serde_json::from_slice::<serde_json::Value>(&text).ok());
        let at = note.as_ref().and_then(|note| note.get("set_aside_at")?.as_str());
        Ok(at.and_then(|at| forewarn_runtime::time::parse_instant(at, None).ok()).unwrap_or(i64::MIN))
    }

    /// Gives a record as it came.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn read(&self, record: &AsideRecord) -> Result<Vec<u8>, SetAsideError> {
        let read = self.store.read(&self.path(&record.hash, "bin")).map_err(self.failed(&record.hash))?;
        let gone = || SetAsideError { path: self.describe(&record.hash), source: "it is gone".into() };
        read.map(|bytes| bytes.to_vec()).ok_or_else(gone)
    }

    /// Forgets a record. Its note goes first: while the note is there the same record is not kept again.
    ///
    /// # Errors
    /// When a file can't be deleted.
    pub fn forget(&self, record: &AsideRecord) -> Result<(), SetAsideError> {
        let delete = |ending: &str| self.store.delete(&self.path(&record.hash, ending));
        ["json", "bin"].into_iter().try_for_each(delete).map_err(self.failed(&record.hash))
    }

    /// Forgets the oldest beyond bounds, and gives those; with `dry_run` it only says which they are.
    ///
    /// # Errors
    /// When the folder can't be read or a file not be deleted.
    pub fn prune(&self, bounds: Bounds, now_ms: i64, dry_run: bool) -> Result<Vec<AsideRecord>, SetAsideError> {
        let mut records = self.list()?;
        let pieces: Vec<(i64, u64)> = records.iter().map(|r| (r.at_ms, r.bytes)).collect();
        records.truncate(bounds.going(&pieces, now_ms));
        if !dry_run {
            records.iter().try_for_each(|record| self.forget(record))?;
        }
        Ok(records)
    }

    fn keep(&self, data: &[u8], what: &str, reason: &str, now_ms: i64) -> Result<(), SetAsideError> {
        let hash = forewarn_domain::id::sha256_hex(data);
        let set_aside_at = forewarn_runtime::time::format_ms(now_ms);
        let note =
            serde_json::json!({"what": what, "reason": reason, "set_aside_at": set_aside_at, "bytes": data.len()});
        // The note last: where it stands the record does.
        let put = |ending: &str, bytes| self.store.put_new(&self.path(&hash, ending), bytes);
        let kept = put("bin", data.to_vec()).and_then(|_| put("json", format!("{note}\n").into_bytes()));
        if kept.map_err(self.failed(&hash))? {
            tracing::warn!(what, reason, "set aside in {}", self.store.describe(self.folder));
        }
        Ok(())
    }

    fn path(&self, hash: &str, ending: &str) -> String {
        format!("{}/{hash}.{ending}", self.folder)
    }

    fn describe(&self, hash: &str) -> String {
        self.store.describe(&format!("{}/{hash}", self.folder))
    }

    fn failed(&self, hash: &str) -> impl Fn(HistoryError) -> SetAsideError + use<> {
        let path = self.describe(hash);
        move |e| SetAsideError { path: path.clone(), source: e.into() }
    }
}
