//! The notes of compactions: which file stands for which, what of them counts, and what an interrupted one left to do.
//!
//! **Invariant:** what a note replaces stops to count when its output appears, and never counts again: an output may itself be
//! replaced or pruned, so what it stands for is deleted before it, and the note last.

use super::entry::Entry;
use super::error::{HistoryError, Result};
use super::store::Store;
use forewarn_runtime::failpoint;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

pub(super) const NOTES: &str = "_compact";

/// How often a listing that compactions overtook is made again.
const LISTED_AGAIN: usize = 5;

/// A compaction's note.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Replacement {
    pub(super) output: String,
    pub(super) replaces: Vec<String>,
    /// When the replaced files may be deleted.
    pub(super) delete_after_ms: i64,
}

/// Notes that were read before, by path: the name of a note depends on what it says.
#[derive(Debug, Default)]
pub(super) struct KnownNotes(Mutex<BTreeMap<String, Replacement>>);

/// All notes of a history, each with its path.
#[derive(Debug, Default)]
pub(super) struct Replacements(Vec<(String, Replacement)>);

impl Replacements {
    /// Reads the notes.
    pub(super) fn load(store: &Store) -> Result<Self> {
        Self::load_new(store, &KnownNotes::default())
    }

    /// Reads the notes that were not read before: a listing is made for each bucket, and each would ask for all of them.
    fn load_new(store: &Store, known: &KnownNotes) -> Result<Self> {
        let mut known = known.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut found = Vec::new();
        for entry in store.list(NOTES)?.into_iter().filter(Entry::is_json) {
            if let Some(note) = known.get(&entry.path) {
                found.push((entry.path, note.clone()));
                continue;
            }
            let Some(bytes) = store.read(&entry.path)? else { continue };
            let bad =
                |e: serde_json::Error| HistoryError::Json { path: store.describe(&entry.path), why: e.to_string() };
            found.push((entry.path.clone(), serde_json::from_slice(&bytes).map_err(bad)?));
        }
        *known = found.iter().cloned().collect();
        Ok(Self(found))
    }

    fn notes(&self) -> impl Iterator<Item = &Replacement> {
        self.0.iter().map(|(_, note)| note)
    }

    /// Gives the outputs that have come to be: those that are seen, and those that another such output stands for.
    fn placed(&self, seen: &BTreeSet<&str>) -> BTreeSet<&str> {
        let mut placed: BTreeSet<&str> = self.notes().map(|n| n.output.as_str()).filter(|o| seen.contains(o)).collect();
        loop {
            let hidden = self.replaced_by(&placed);
            let more: Vec<&str> =
                self.notes().map(|n| n.output.as_str()).filter(|o| hidden.contains(o) && !placed.contains(o)).collect();
            if more.is_empty() {
                return placed;
            }
            placed.extend(more);
        }
    }

    fn replaced_by<'a>(&'a self, outputs: &BTreeSet<&str>) -> BTreeSet<&'a str> {
        let done = self.notes().filter(|n| outputs.contains(n.output.as_str()));
        done.flat_map(|n| n.replaces.iter().map(String::as_str)).collect()
    }

    /// Gives the files that don't count beside those seen.
    pub(super) fn hidden(&self, seen: &BTreeSet<&str>) -> BTreeSet<&str> {
        self.replaced_by(&self.placed(seen))
    }

    /// Gives the notes whose output was not seen though files that it replaces are gone: the listing saw neither old nor new.
    pub(super) fn overtook<'a>(&'a self, seen: &BTreeSet<&str>) -> impl Iterator<Item = &'a Replacement> {
        let placed = self.placed(seen);
        let gone = self.notes().filter(|n| n.replaces.iter().any(|old| !seen.contains(old.as_str())));
        gone.filter(move |n| !placed.contains(n.output.as_str())).collect::<Vec<_>>().into_iter()
    }

    /// Deletes the files that a note replaces, those first that they stand for themselves, then the note.
    pub(super) fn delete_replaced(&self, store: &Store, note_path: &str, note: &Replacement) -> Result<()> {
        let mut done = BTreeSet::new();
        self.delete_below(store, (note_path, note), &mut done)
    }

    fn delete_below<'a>(
        &'a self,
        store: &Store,
        (path, note): (&'a str, &'a Replacement),
        done: &mut BTreeSet<&'a str>,
    ) -> Result<()> {
        if !done.insert(path) {
            return Ok(());
        }
        for (below_path, below) in &self.0 {
            if note.replaces.contains(&below.output) {
                self.delete_below(store, (below_path, below), done)?;
            }
        }
        for old in &note.replaces {
            store.delete(old)?;
            failpoint::point("compact.deleted");
        }
        store.delete(path)
    }

    /// Deletes the notes with such an output; the files have gone.
    pub(super) fn delete_where(&self, store: &Store, output: impl Fn(&str) -> bool) -> Result<()> {
        self.0.iter().filter(|(_, n)| output(&n.output)).try_for_each(|(path, _)| store.delete(path))
    }
}

/// Lists the files that count, again while compactions overtake the listing: where one `within` what is asked for replaced files, it
/// may have seen neither old nor new.
pub(super) fn listed_again<F>(
    store: &Store,
    known: &KnownNotes,
    list: impl Fn() -> Result<Vec<F>>,
    path_of: impl Fn(&F) -> &str,
    within: impl Fn(&str) -> bool,
) -> Result<Vec<F>> {
    let mut again = LISTED_AGAIN;
    loop {
        let mut files = list()?;
        let replaced = Replacements::load_new(store, known)?;
        let seen: BTreeSet<String> = files.iter().map(|f| path_of(f).to_owned()).collect();
        let seen = seen.iter().map(String::as_str).collect();
        if again == 0 || !replaced.overtook(&seen).any(|note| within(&note.output)) {
            let hidden = replaced.hidden(&seen);
            files.retain(|f| !hidden.contains(path_of(f)));
            return Ok(files);
        }
        again -= 1;
    }
}

/// Lists and reads; again where a file was compacted away after it was listed: what replaced it is listed then.
pub(super) fn not_gone<T>(mut attempt: impl FnMut() -> Result<T>) -> Result<T> {
    let mut again = LISTED_AGAIN;
    loop {
        match attempt() {
            Err(e) if e.is_gone() && again > 0 => again -= 1,
            done => return done,
        }
    }
}

/// Deletes what finished compactions replaced, and notes of those that never got so far.
///
/// Without a time, only what needs no clock is done: a note whose grace may still run is left alone.
pub(super) fn finish_interrupted(store: &Store, known: &KnownNotes, now_ms: Option<i64>) -> Result<()> {
    let all = Replacements::load_new(store, known)?;
    let mut there = BTreeSet::new();
    let dirs: BTreeSet<&str> = all.notes().map(|note| parent(&note.output)).collect();
    for dir in dirs {
        there.extend(store.list(dir)?.into_iter().map(|e| e.path));
    }
    let seen: BTreeSet<&str> = there.iter().map(String::as_str).collect();
    let placed = all.placed(&seen);
    for (path, note) in &all.0 {
        if !placed.contains(note.output.as_str()) {
            // In a directory the lock says that nobody is at it; elsewhere its output may be about to appear.
            if store.local_root().is_some() || now_ms.is_some_and(|now| now >= note.delete_after_ms) {
                store.delete(path)?;
            }
        } else if now_ms.is_some_and(|now| now >= note.delete_after_ms) {
            all.delete_replaced(store, path, note)?;
        }
    }
    Ok(())
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(dir, _)| dir)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(output: &str, replaces: &[&str]) -> (String, Replacement) {
        let replaces = replaces.iter().map(|&r| r.to_owned()).collect();
        (format!("{NOTES}/{output}.json"), Replacement { output: output.to_owned(), replaces, delete_after_ms: 0 })
    }

    #[test]
    fn what_was_replaced_never_counts_again_though_its_output_was_replaced_too() {
        let all = Replacements(vec![note("ab", &["a", "b"]), note("abc", &["ab", "c"])]);
        for (seen, hidden) in [
            (vec!["a", "b", "c"], vec![]),
            (vec!["a", "ab", "b", "c"], vec!["a", "b"]),
            (vec!["a", "ab", "abc", "b", "c"], vec!["a", "ab", "b", "c"]),
            (vec!["a", "abc", "b"], vec!["a", "ab", "b", "c"]),
        ] {
            assert_eq!(all.hidden(&seen.into_iter().collect()), hidden.into_iter().collect());
        }
    }

    #[test]
    fn a_listing_that_a_compaction_overtook_is_noticed() {
        let all = Replacements(vec![note("ab", &["a", "b"])]);
        assert_eq!(all.overtook(&BTreeSet::from(["b"])).count(), 1);
        assert_eq!(
            all.overtook(&BTreeSet::from(["a", "b"])).count() + all.overtook(&BTreeSet::from(["ab"])).count(),
            0
        );
    }
}
