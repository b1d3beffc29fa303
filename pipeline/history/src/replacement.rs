//! The notes of compactions: which file stands for which, and what of them an interrupted one left to do.

use super::entry::Entry;
use super::error::{HistoryError, Result};
use super::store::Store;
use forewarn_runtime::failpoint;
use serde::{Deserialize, Serialize};

pub(super) const NOTES: &str = "_compact";

/// A compaction's note.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Replacement {
    pub(super) output: String,
    pub(super) replaces: Vec<String>,
    /// When the replaced files may be deleted.
    pub(super) delete_after_ms: i64,
}

/// Reads all notes.
pub(super) fn replacements(store: &Store) -> Result<Vec<Replacement>> {
    Ok(notes(store)?.into_iter().map(|(_, note)| note).collect())
}

fn notes(store: &Store) -> Result<Vec<(String, Replacement)>> {
    let mut found = Vec::new();
    for entry in store.list(NOTES)?.into_iter().filter(Entry::is_json) {
        let Some(bytes) = store.read(&entry.path)? else { continue };
        let bad = |e: serde_json::Error| HistoryError::Json { path: store.describe(&entry.path), why: e.to_string() };
        found.push((entry.path.clone(), serde_json::from_slice(&bytes).map_err(bad)?));
    }
    Ok(found)
}

/// Deletes what finished compactions replaced, and notes of those that never got so far.
///
/// Without a time, only what needs no clock is done: a note whose grace may still run is left alone.
pub(super) fn finish_interrupted(store: &Store, now_ms: Option<i64>) -> Result<()> {
    for (path, note) in notes(store)? {
        let placed = match store.local_root() {
            Some(root) => root.join(&note.output).exists(),
            None => store.list(parent(&note.output))?.iter().any(|e| e.path == note.output),
        };
        if !placed {
            store.delete(&path)?;
        } else if now_ms.is_some_and(|now| now >= note.delete_after_ms) {
            delete_replaced(store, &path, &note)?;
        }
    }
    Ok(())
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(dir, _)| dir)
}

pub(super) fn delete_replaced(store: &Store, note_path: &str, note: &Replacement) -> Result<()> {
    for old in &note.replaces {
        store.delete(old)?;
        failpoint::point("compact.deleted");
    }
    store.delete(note_path)
}
