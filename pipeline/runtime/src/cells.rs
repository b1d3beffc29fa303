//! The port of cells: small named texts that several processes change, each change on condition that nobody came first.
//!
//! Leases, progress and checkpoints that lie in no directory are kept in them.

pub mod conformance;
pub mod map;

use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::sync::{Mutex, PoisonError};

/// How often a change is decided again because another process came first.
const TURNS: u32 = 50;

/// What a cell holds, and which change made it so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    pub text: String,
    /// Counts the changes, from 1.
    pub revision: u64,
}

/// Explains why a cell could not be read or changed; trying again may help.
#[derive(Debug, thiserror::Error)]
#[error("{place}: cannot {doing}")]
pub struct CellError {
    /// Where the cells are, and which one.
    pub place: String,
    /// What was tried.
    pub doing: &'static str,
    #[source]
    pub source: Box<dyn StdError + Send + Sync>,
}

/// Keeps cells; the suite [`conformance::run`] says in code what the words below say.
pub trait Cells: Send + Sync + std::fmt::Debug {
    /// Gives a cell as it stands now: what any process has put and been told of is seen.
    ///
    /// # Errors
    /// When the store fails.
    fn get(&self, name: &str) -> Result<Option<Cell>, CellError>;

    /// Puts a text where the cell still stands as it was `seen`, none for one that was not there; says whether it did. Of several that
    /// saw the same, one does.
    ///
    /// # Errors
    /// When the store fails; the text may be there then.
    fn put(&self, name: &str, text: &str, seen: Option<&Cell>) -> Result<bool, CellError>;
}

/// Changes a cell by what `change` makes of its text, none where there is none; made none, it stays. Decided again where another process
/// came first.
///
/// # Errors
/// When the store fails, or others come first without end.
pub fn update(
    cells: &dyn Cells,
    name: &str,
    mut change: impl FnMut(Option<&str>) -> Result<Option<String>, CellError>,
) -> Result<(), CellError> {
    for _ in 0..TURNS {
        let seen = cells.get(name)?;
        let Some(text) = change(seen.as_ref().map(|cell| cell.text.as_str()))? else { return Ok(()) };
        if cells.put(name, &text, seen.as_ref())? {
            return Ok(());
        }
    }
    let source = format!("other processes came first {TURNS} times").into();
    Err(CellError { place: name.to_owned(), doing: "change it", source })
}

/// Cells in memory, for tests.
#[derive(Debug, Default)]
pub struct MemoryCells(Mutex<BTreeMap<String, Cell>>);

impl Cells for MemoryCells {
    fn get(&self, name: &str) -> Result<Option<Cell>, CellError> {
        Ok(self.0.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned())
    }

    fn put(&self, name: &str, text: &str, seen: Option<&Cell>) -> Result<bool, CellError> {
        let mut cells = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let there = cells.get(name).map(|cell| cell.revision);
        if there != seen.map(|cell| cell.revision) {
            return Ok(false);
        }
        cells.insert(name.to_owned(), Cell { text: text.to_owned(), revision: there.unwrap_or(0) + 1 });
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_conforms() {
        conformance::run(MemoryCells::default);
    }
}
