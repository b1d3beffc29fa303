//! Says which times of a schedule are due, and remembers how far it has come: what was missed is caught up with.

use crate::cells::{self, CellError, Cells};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Times at whole multiples of `every`, shifted by `offset`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schedule {
    /// Milliseconds between two times, positive.
    pub every: i64,
    /// Milliseconds after the whole multiple: data of an hour is there some minutes after it.
    pub offset: i64,
    /// How many missed times are caught up with at most; older ones are passed over.
    pub most: usize,
}

impl Schedule {
    /// The last time of the schedule that is not after `now`.
    pub fn last(&self, now: i64) -> i64 {
        (now - self.offset).div_euclid(self.every) * self.every + self.offset
    }

    /// The first time of the schedule after `now`.
    pub fn next(&self, now: i64) -> i64 {
        self.last(now) + self.every
    }

    /// The times that are due at `now`, in order, when everything through `done` has been dealt with; the first run has one.
    pub fn due(&self, done: Option<i64>, now: i64) -> Vec<i64> {
        let last = self.last(now);
        let Some(done) = done else { return vec![last] };
        let mut first = self.next(done);
        let missed = (last - first).div_euclid(self.every) + 1;
        let most = i64::try_from(self.most.max(1)).unwrap_or(i64::MAX);
        if missed > most {
            first += (missed - most) * self.every;
        }
        (0..missed.clamp(0, most)).map(|k| first + k * self.every).collect()
    }
}

/// Explains why the progress of a schedule could not be kept.
#[derive(Debug, thiserror::Error)]
pub enum ProgressError {
    /// The file can't be read or written.
    #[error("cannot {doing} {}", path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The file does not hold a time.
    #[error("{} does not hold a time: {found:?}; delete it, and the schedule begins anew", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What it holds.
        found: String,
    },
    /// The cell can't be read or written.
    #[error(transparent)]
    Cell(#[from] CellError),
    /// The cell does not hold a time.
    #[error("cell {name} does not hold a time: {found:?}; delete it, and the schedule begins anew")]
    ForeignCell {
        name: String,
        /// What it holds.
        found: String,
    },
}

/// How far a schedule has come, in a file of the state directory or in a cell.
#[derive(Debug, Clone)]
pub struct Progress(Place);

#[derive(Debug, Clone)]
enum Place {
    File(PathBuf),
    Cell(Arc<dyn Cells>, String),
}

impl Progress {
    /// Uses the file `PART.through` of a state directory.
    pub fn of(state: &Path, part: &str) -> Self {
        Self(Place::File(state.join(format!("{part}.through"))))
    }

    /// Uses the cell `through/PART`.
    pub fn in_cells(cells: Arc<dyn Cells>, part: &str) -> Self {
        Self(Place::Cell(cells, format!("through/{part}")))
    }

    /// Gives the time through which everything has been dealt with.
    ///
    /// # Errors
    /// When the place can't be read or holds something else.
    pub fn read(&self) -> Result<Option<i64>, ProgressError> {
        match &self.0 {
            Place::File(path) => read_file(path),
            Place::Cell(cells, name) => cells.get(name)?.map(|cell| of_cell(name, &cell.text)).transpose(),
        }
    }

    /// Moves on; the place changes whole or not at all. In a cell, which several processes may write, it never moves back.
    ///
    /// # Errors
    /// When the place can't be written.
    pub fn write(&self, through: i64) -> Result<(), ProgressError> {
        let text = crate::time::format_ms(through);
        match &self.0 {
            Place::File(path) => {
                let failed = |source| ProgressError::Io { doing: "write", path: path.clone(), source };
                crate::durable::write(path, format!("{text}\n").as_bytes()).map_err(failed)
            }
            Place::Cell(cells, name) => {
                let on = |there: Option<&str>| {
                    let there = there.and_then(|there| of_cell(name, there).ok());
                    Ok(there.is_none_or(|there| there < through).then(|| text.clone()))
                };
                Ok(cells::update(cells.as_ref(), name, on)?)
            }
        }
    }
}

fn read_file(path: &Path) -> Result<Option<i64>, ProgressError> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(ProgressError::Io { doing: "read", path: path.to_owned(), source }),
    };
    let foreign = |found| ProgressError::Foreign { path: path.to_owned(), found };
    time(&text).map(Some).map_err(foreign)
}

fn of_cell(name: &str, text: &str) -> Result<i64, ProgressError> {
    time(text).map_err(|found| ProgressError::ForeignCell { name: name.to_owned(), found })
}

/// Reads a time; gives the beginning of what is none.
fn time(text: &str) -> Result<i64, String> {
    crate::time::parse_instant(text.trim(), None).map_err(|_| text.chars().take(40).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;
    const S: Schedule = Schedule { every: HOUR, offset: 600_000, most: 5 };

    #[test]
    fn missed_times_are_due_in_order_and_at_most_so_many() {
        let at = |h: i64| h * HOUR + 600_000;
        assert_eq!(S.due(None, at(7) + 5), vec![at(7)]);
        assert_eq!(S.due(Some(at(7)), at(8) - 1), Vec::<i64>::new());
        assert_eq!(S.due(Some(at(7)), at(10)), vec![at(8), at(9), at(10)]);
        assert_eq!(S.due(Some(at(7)), at(100)), (96..=100).map(at).collect::<Vec<_>>());
        assert_eq!(S.due(Some(at(9)), at(7)), Vec::<i64>::new(), "a clock set back makes nothing due");
        assert_eq!(S.next(at(7)), at(8));
    }

    #[test]
    fn progress_reads_back_and_nonsense_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let progress = Progress::of(dir.path(), "analyze");
        assert_eq!(progress.read().unwrap(), None);
        progress.write(HOUR).unwrap();
        assert_eq!(progress.read().unwrap(), Some(HOUR));
        std::fs::write(dir.path().join("analyze.through"), "soon").unwrap();
        assert!(progress.read().unwrap_err().to_string().contains("\"soon\""));
    }

    #[test]
    fn progress_in_a_cell_reads_back_never_moves_back_and_nonsense_is_named() {
        let cells: Arc<dyn Cells> = Arc::new(crate::cells::MemoryCells::default());
        let progress = Progress::in_cells(Arc::clone(&cells), "analyze");
        assert_eq!(progress.read().unwrap(), None);
        progress.write(2 * HOUR).unwrap();
        progress.write(HOUR).unwrap();
        assert_eq!(
            progress.read().unwrap(),
            Some(2 * HOUR),
            "what a process that lost its turn writes late is passed over"
        );
        cells.put("through/compact", "soon", None).unwrap();
        assert!(Progress::in_cells(cells, "compact").read().unwrap_err().to_string().contains("\"soon\""));
    }
}
