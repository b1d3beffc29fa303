//! Forgets metrics by age, and keeps a note of what was forgotten.

use super::error::{HistoryError, Result};
use super::manifest::pretty;
use super::{Writer, commit};
use forewarn_runtime::time::{DAY_MS, format_day, format_ms};
use serde::{Deserialize, Serialize};

const NOTE: &str = "_pruned.json";

/// One pruning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PruneNote {
    /// When it was done, RFC 3339.
    pub at: String,
    /// The first day that was kept.
    pub kept_from: String,
    /// First and last day that went.
    pub days: (String, String),
    /// Files that went.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// What a pruning did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct PruneReport {
    /// The first day that was kept.
    pub kept_from: String,
    /// Files deleted.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Writer<'_> {
    /// Deletes the metrics of days that ended before a time. The note is written first: a crash in between leaves
    /// files that the next pruning deletes.
    pub fn prune(&mut self, older_than_ms: i64, now_ms: i64) -> Result<PruneReport> {
        let first_kept = older_than_ms.div_euclid(DAY_MS);
        let store = self.history().store();
        let files = self.history().metric_files(None, i64::MIN, first_kept.saturating_mul(DAY_MS))?;
        let bytes = files.iter().map(|f| f.entry.size).sum();
        let report = PruneReport { kept_from: format_day(first_kept), files: files.len() as u64, bytes };
        let (Some(first), Some(last)) = (files.first(), files.last()) else { return Ok(report) };
        let mut notes = self.history().pruned()?;
        notes.push(PruneNote {
            at: format_ms(now_ms),
            kept_from: report.kept_from.clone(),
            days: (format_day(first.partition.day), format_day(last.partition.day)),
            files: report.files,
            bytes,
        });
        store.put(NOTE, pretty(&notes, NOTE)?)?;
        forewarn_runtime::failpoint::point("prune.noted");
        commit::forget_records(store, |r| r.range.is_some_and(|(from, _)| from < first_kept.saturating_mul(DAY_MS)))?;
        for file in &files {
            store.delete(&file.entry.path)?;
            forewarn_runtime::failpoint::point("prune.deleted");
        }
        Ok(report)
    }
}

impl super::History {
    /// Says in words why there is nothing in a history without samples, and what to do.
    pub fn why_empty(&self) -> Result<String> {
        Ok(match self.pruned()?.last() {
            None => "the history is empty; import something first".to_owned(),
            Some(note) => format!(
                "nothing is left in the history: everything before {} was pruned at {}; import what is newer",
                note.kept_from, note.at
            ),
        })
    }

    /// Says in words which time the history holds, or why it holds none.
    pub fn held(&self) -> Result<String> {
        Ok(match self.time_range()? {
            None => self.why_empty()?,
            Some((first, last)) => {
                format!(
                    "the history holds {} to {}",
                    forewarn_runtime::time::format_ms(first),
                    forewarn_runtime::time::format_ms(last)
                )
            }
        })
    }

    /// Reads the notes of what was pruned, oldest first.
    pub fn pruned(&self) -> Result<Vec<PruneNote>> {
        let Some(bytes) = self.store().read(NOTE)? else { return Ok(Vec::new()) };
        let bad = |e: serde_json::Error| HistoryError::Json { path: self.store().describe(NOTE), why: e.to_string() };
        serde_json::from_slice(&bytes).map_err(bad)
    }
}
