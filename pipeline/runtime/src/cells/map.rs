//! A map that is too large for one cell: its entries are spread over the cells `NAME/0`, `NAME/1`, ... without gaps.
//!
//! One process at a time changes it, and holds what it has read: whoever is overtaken is told so, and reads it again.

use super::{Cell, CellError, Cells};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::sync::Arc;

/// How long a cell becomes before the next one is begun, bytes of text: each change writes a cell whole.
const FULL: usize = 40_000;

/// Explains why a map could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum MapError {
    #[error(transparent)]
    Cell(#[from] CellError),
    /// Another process has changed it since it was read; read it again.
    #[error("{name} was changed by another process")]
    Overtaken { name: String },
}

/// A map in cells, as it was read and changed since.
#[derive(Debug)]
pub struct CellMap<V> {
    cells: Arc<dyn Cells>,
    name: String,
    parts: Vec<Part<V>>,
}

/// One of the cells.
#[derive(Debug, Clone)]
struct Part<V> {
    cell: Option<Cell>,
    entries: BTreeMap<String, V>,
}

impl<V: Clone + PartialEq + Serialize + DeserializeOwned> CellMap<V> {
    /// Reads a map; where there is none it is empty.
    ///
    /// # Errors
    /// When a cell cannot be read, or holds something else.
    pub fn read(cells: Arc<dyn Cells>, name: &str) -> Result<Self, CellError> {
        let mut map = Self { cells, name: name.to_owned(), parts: Vec::new() };
        while let Some(cell) = map.cells.get(&map.part_name(map.parts.len()))? {
            let name = map.part_name(map.parts.len());
            let unread = |e: serde_json::Error| CellError { place: name, doing: "understand it", source: e.into() };
            let entries = serde_json::from_str(&cell.text).map_err(unread)?;
            map.parts.push(Part { cell: Some(cell), entries });
        }
        Ok(map)
    }

    /// Gives the value of a key.
    pub fn get(&self, key: &str) -> Option<&V> {
        self.parts.iter().find_map(|part| part.entries.get(key))
    }

    /// Gives all entries, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&String, &V)> {
        self.parts.iter().flat_map(|part| &part.entries)
    }

    /// Puts entries, in the place of those with the same keys.
    ///
    /// # Errors
    /// When a cell cannot be written, or another process came first; some may be there then.
    pub fn insert(&mut self, entries: impl IntoIterator<Item = (String, V)>) -> Result<(), MapError> {
        let mut lengths: Vec<usize> =
            self.parts.iter().map(|part| part.cell.as_ref().map_or(0, |cell| cell.text.len())).collect();
        let mut changed: BTreeMap<usize, BTreeMap<String, V>> = BTreeMap::new();
        for (key, value) in entries {
            let there = self.parts.iter().position(|part| part.entries.contains_key(&key));
            let at = there.unwrap_or_else(|| lengths.iter().position(|l| *l < FULL).unwrap_or(lengths.len()));
            if at == lengths.len() {
                lengths.push(0);
            }
            lengths[at] += self.length(&key, &value)?;
            let before = || self.parts.get(at).map_or_else(BTreeMap::new, |part| part.entries.clone());
            changed.entry(at).or_insert_with(before).insert(key, value);
        }
        changed.into_iter().try_for_each(|(at, entries)| self.change(at, entries))
    }

    /// Keeps the entries that are to be kept.
    ///
    /// # Errors
    /// As [`CellMap::insert`].
    pub fn retain(&mut self, keep: impl Fn(&str, &V) -> bool) -> Result<(), MapError> {
        for at in 0..self.parts.len() {
            if self.parts[at].entries.iter().all(|(key, value)| keep(key, value)) {
                continue;
            }
            let mut entries = self.parts[at].entries.clone();
            entries.retain(|key, value| keep(key, value));
            self.change(at, entries)?;
        }
        Ok(())
    }

    /// Says how much longer an entry makes a cell at most, bytes of text.
    fn length(&self, key: &str, value: &V) -> Result<usize, CellError> {
        let unfit = |e: serde_json::Error| CellError { place: self.name.clone(), doing: "write it", source: e.into() };
        let text = serde_json::to_string(&(key, value)).map_err(unfit)?;
        Ok(text.len())
    }

    /// Writes a part, where that changes it.
    fn change(&mut self, at: usize, entries: BTreeMap<String, V>) -> Result<(), MapError> {
        let before = self.parts.get(at);
        if before.is_some_and(|part| part.entries == entries) {
            return Ok(());
        }
        let (name, seen) = (self.part_name(at), before.and_then(|part| part.cell.as_ref()));
        let unfit = |e: serde_json::Error| CellError { place: name.clone(), doing: "write it", source: e.into() };
        let text = serde_json::to_string(&entries).map_err(unfit)?;
        let cell = if self.cells.put(&name, &text, seen)? {
            Cell { text, revision: seen.map_or(0, |cell| cell.revision) + 1 }
        } else {
            // It may have been this very change, whose answer was lost.
            let ours = self.cells.get(&name)?.filter(|there| there.text == text);
            ours.ok_or_else(|| MapError::Overtaken { name: name.clone() })?
        };
        let part = Part { cell: Some(cell), entries };
        match self.parts.get_mut(at) {
            Some(there) => *there = part,
            None => self.parts.push(part),
        }
        Ok(())
    }

    fn part_name(&self, at: usize) -> String {
        format!("{}/{at}", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::super::MemoryCells;
    use super::*;

    fn map(cells: &Arc<dyn Cells>) -> CellMap<String> {
        CellMap::read(Arc::clone(cells), "m").unwrap()
    }

    fn entries(of: std::ops::Range<usize>) -> impl Iterator<Item = (String, String)> {
        of.map(|n| (format!("key-{n}"), "x".repeat(500)))
    }

    #[test]
    fn a_map_grows_over_cells_and_what_is_let_go_makes_room() {
        let cells: Arc<dyn Cells> = Arc::new(MemoryCells::default());
        let mut changed = map(&cells);
        changed.insert(entries(0..300)).unwrap();
        changed.insert([("key-7".to_owned(), "other".to_owned())]).unwrap();
        let mut again = map(&cells);
        assert_eq!(again.parts.len(), 4);
        assert_eq!((again.iter().count(), again.get("key-7").unwrap().as_str()), (300, "other"));
        for part in &again.parts {
            assert!(part.cell.as_ref().unwrap().text.len() < FULL + 1_000);
        }
        again.retain(|key, _| key == "key-299").unwrap();
        for turn in 0..20 {
            again.insert(entries(turn * 200..turn * 200 + 200)).unwrap();
            again.retain(|_, _| false).unwrap();
        }
        assert!(map(&cells).iter().count() == 0 && map(&cells).parts.len() == 4, "cells are used again");
    }

    #[test]
    fn what_lets_nothing_go_writes_nothing() {
        let cells: Arc<dyn Cells> = Arc::new(MemoryCells::default());
        let (mut first, mut second) = (map(&cells), map(&cells));
        first.insert(entries(0..3)).unwrap();
        let revision = || map(&cells).parts[0].cell.as_ref().unwrap().revision;
        let before = revision();
        second.retain(|_, _| true).unwrap();
        first.retain(|_, _| true).unwrap();
        assert_eq!(revision(), before);
        first.retain(|key, _| key != "key-1").unwrap();
        assert!(revision() > before);
    }

    #[test]
    fn who_is_overtaken_is_told_so_and_who_only_lost_an_answer_goes_on() {
        let cells: Arc<dyn Cells> = Arc::new(MemoryCells::default());
        let (mut first, mut second) = (map(&cells), map(&cells));
        first.insert(entries(0..1)).unwrap();
        assert!(matches!(second.insert(entries(1..2)), Err(MapError::Overtaken { .. })));
        let mut unanswered = map(&cells);
        first.insert(entries(1..2)).unwrap();
        unanswered.insert(entries(1..2)).unwrap();
        assert_eq!(unanswered.iter().count(), 2);
    }
}
