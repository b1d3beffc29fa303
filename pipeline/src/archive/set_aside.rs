//! Keeps records that can't be read, with the reason, so that nothing is lost and nothing stands in the way.

use crate::stream::{RecordError, Stored};
use std::fs;
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
        let name = crate::log::chain::sha256_hex(&stored.data);
        let (raw, why) = (self.0.join(format!("{name}.bin")), self.0.join(format!("{name}.json")));
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| SetAsideError { path, source }
        };
        fs::create_dir_all(&self.0).map_err(failed(&self.0))?;
        if why.exists() {
            return Ok(());
        }
        let reason = serde_json::json!({
            "seq": stored.seq,
            "reason": error.to_string(),
            "arrived_at": stored.arrived_at.map(crate::time::format_ms),
            "set_aside_at": crate::time::format_ms(now_ms),
            "bytes": stored.data.len(),
        });
        fs::write(&raw, &stored.data).map_err(failed(&raw))?;
        fs::write(&why, format!("{reason}\n")).map_err(failed(&why))?;
        tracing::warn!(seq = stored.seq, %error, "a record can't be read and was set aside in {}", self.0.display());
        Ok(())
    }
}
