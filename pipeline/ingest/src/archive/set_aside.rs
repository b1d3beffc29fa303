//! Keeps records that can't be read, with the reason, so that nothing is lost and nothing stands in the way.

use crate::event_log::TakeError;
use crate::stream::{RecordError, Stored};
use forewarn_log::envelope::Envelope;
use forewarn_runtime::durable;
use std::io;
use std::path::{Path, PathBuf};

/// A directory of records that can't be read: `HASH.bin` as it came, `HASH.json` with the reason.
#[derive(Debug)]
pub struct SetAside(PathBuf);

/// Explains why a record could not be set aside; the archive stops before it rather than lose it.
#[derive(Debug, thiserror::Error)]
#[error("cannot set aside a record that can't be read: {}", path.display())]
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
