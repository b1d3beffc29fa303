//! Where a part keeps its small durable state: a directory of this machine, or cells that processes anywhere share.

use crate::cells::Cells;
use crate::schedule::Progress;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Either of them; a clone is the same place.
#[derive(Debug, Clone)]
pub enum StatePlace {
    /// A state directory.
    Dir(PathBuf),
    Cells(Arc<dyn Cells>),
}

impl StatePlace {
    /// Gives how far a part has come.
    pub fn progress(&self, part: &str) -> Progress {
        match self {
            Self::Dir(dir) => Progress::of(dir, part),
            Self::Cells(cells) => Progress::in_cells(Arc::clone(cells), part),
        }
    }
}

impl From<&Path> for StatePlace {
    fn from(dir: &Path) -> Self {
        Self::Dir(dir.to_owned())
    }
}

impl From<&PathBuf> for StatePlace {
    fn from(dir: &PathBuf) -> Self {
        Self::Dir(dir.clone())
    }
}

impl From<&Self> for StatePlace {
    fn from(place: &Self) -> Self {
        place.clone()
    }
}
