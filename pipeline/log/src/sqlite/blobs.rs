//! Keeps texts that must be able to go away, outside the chain and with their own expiry.

use super::super::event::blob::BlobRef;
use super::super::port::LogError;
use super::{SqliteLog, failed};
use forewarn_domain::id::sha256_hex;
use jiff::Timestamp;
use rusqlite::{OptionalExtension, params};

impl SqliteLog {
    /// Keeps a text until `expires`; a text kept twice stays until the later time.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn put_blob(&self, body: &[u8], expires: Timestamp) -> Result<BlobRef, LogError> {
        let sha256 = sha256_hex(body);
        let sql = "INSERT INTO blobs(sha256, body, expires_ms) VALUES (?1, ?2, ?3)
                   ON CONFLICT(sha256) DO UPDATE SET expires_ms = max(expires_ms, excluded.expires_ms)";
        self.lock().execute(sql, params![sha256, body, expires.as_millisecond()]).map_err(failed("keep a text"))?;
        Ok(BlobRef { sha256, bytes: body.len() as u64 })
    }

    /// Gives a text, or nothing when it has gone.
    ///
    /// # Errors
    /// When the file cannot be read, or what is kept is not what was put there.
    pub fn blob(&self, reference: &BlobRef) -> Result<Option<Vec<u8>>, LogError> {
        let body: Option<Vec<u8>> = self
            .lock()
            .query_row("SELECT body FROM blobs WHERE sha256 = ?1", [&reference.sha256], |row| row.get(0))
            .optional()
            .map_err(failed("read a text"))?;
        match body {
            Some(body) if sha256_hex(&body) != reference.sha256 => {
                Err(LogError::Corrupt { position: 0, what: format!("text {} was altered", reference.sha256) })
            }
            found => Ok(found),
        }
    }

    /// Forgets the texts whose time has come, and says how many.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn expire_blobs(&self, now: Timestamp) -> Result<usize, LogError> {
        self.lock()
            .execute("DELETE FROM blobs WHERE expires_ms <= ?1", [now.as_millisecond()])
            .map_err(failed("forget texts"))
    }
}
