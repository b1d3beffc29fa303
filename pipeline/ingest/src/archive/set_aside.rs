//! Keeps records that can't be read, with the reason, so that nothing is lost and nothing stands in the way.

use crate::event_log::TakeError;
use crate::stream::{RecordError, Stored};
use forewarn_events::Bounds;
use forewarn_log::envelope::Envelope;
use forewarn_runtime::durable;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// A directory of records that can't be read: `HASH.bin` as it came, `HASH.json` with the reason.
#[derive(Debug)]
pub struct SetAside(PathBuf);

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
#[error("cannot keep or read what was set aside: {}", path.display())]
pub struct SetAsideError {
    path: PathBuf,
    #[source]
    source: io::Error,
}

impl SetAside {
    /// Uses the directory `unreadable` of a state directory; it is made when it is needed.
    pub fn of(state: &Path) -> Self {
        Self(state.join("unreadable"))
    }

    /// Keeps a record; the same record again changes nothing.
    ///
    /// # Errors
    /// When the directory can't be written.
    pub fn put(&self, stored: &Stored, error: &RecordError, now_ms: i64) -> Result<(), SetAsideError> {
        self.keep(&stored.data, &stored.seq, &error.to_string(), now_ms)
    }

    /// Keeps an event that the log will never take; the same event again changes nothing.
    ///
    /// # Errors
    /// When the directory can't be written.
    pub fn put_event(&self, envelope: &Envelope, error: &TakeError, now_ms: i64) -> Result<(), SetAsideError> {
        let data = serde_json::to_vec(envelope).unwrap_or_else(|_| envelope.id.clone().into_bytes());
        self.keep(&data, &envelope.id, &error.to_string(), now_ms)
    }

    /// Lists what is kept, the oldest first.
    ///
    /// # Errors
    /// When the directory can't be read.
    pub fn list(&self) -> Result<Vec<AsideRecord>, SetAsideError> {
        let failed = |path: &Path, source| SetAsideError { path: path.to_owned(), source };
        let entries = match fs::read_dir(&self.0) {
            Ok(entries) => entries,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(failed(&self.0, e)),
        };
        let mut found = Vec::new();
        for entry in entries {
            let path = entry.map_err(|e| failed(&self.0, e))?.path();
            let Some(hash) = path.file_name().and_then(|n| n.to_str()).and_then(|n| n.strip_suffix(".bin")) else {
                continue;
            };
            let bytes = path.metadata().map_err(|e| failed(&path, e))?.len();
            found.push(AsideRecord { at_ms: self.set_aside_at(hash), hash: hash.to_owned(), bytes });
        }
        found.sort();
        Ok(found)
    }

    /// Reads what the note says of the time; what has no note, because a crash came between, is as old as can be.
    fn set_aside_at(&self, hash: &str) -> i64 {
        let note = fs::read(self.0.join(format!("{hash}.json"))).ok();
        let note = note.and_then(|text| serde_json::from_slice::<serde_json::Value>(&text).ok());
        let at = note.as_ref().and_then(|note| note.get("set_aside_at")?.as_str());
        at.and_then(|at| forewarn_runtime::time::parse_instant(at, None).ok()).unwrap_or(i64::MIN)
    }

    /// Gives a record as it came.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn read(&self, record: &AsideRecord) -> Result<Vec<u8>, SetAsideError> {
        let path = self.0.join(format!("{}.bin", record.hash));
        fs::read(&path).map_err(|source| SetAsideError { path, source })
    }

    /// Forgets a record. Its note goes first: while the note is there the same record is not kept again.
    ///
    /// # Errors
    /// When a file can't be deleted.
    pub fn forget(&self, record: &AsideRecord) -> Result<(), SetAsideError> {
        for ending in ["json", "bin"] {
            let path = self.0.join(format!("{}.{ending}", record.hash));
            match fs::remove_file(&path) {
                Err(source) if source.kind() != io::ErrorKind::NotFound => return Err(SetAsideError { path, source }),
                Ok(()) | Err(_) => {}
            }
        }
        Ok(())
    }

    /// Forgets the oldest beyond bounds, and gives those; with `dry_run` it only says which they are.
    ///
    /// # Errors
    /// When the directory can't be read or a file not be deleted.
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
        let name = forewarn_domain::id::sha256_hex(data);
        let (raw, why) = (self.0.join(format!("{name}.bin")), self.0.join(format!("{name}.json")));
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| SetAsideError { path, source }
        };
        if why.exists() {
            return Ok(());
        }
        let set_aside_at = forewarn_runtime::time::format_ms(now_ms);
        let note =
            serde_json::json!({"what": what, "reason": reason, "set_aside_at": set_aside_at, "bytes": data.len()});
        durable::write(&raw, data).map_err(failed(&raw))?;
        durable::write(&why, format!("{note}\n").as_bytes()).map_err(failed(&why))?;
        tracing::warn!(what, reason, "set aside in {}", self.0.display());
        Ok(())
    }
}
