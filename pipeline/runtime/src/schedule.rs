//! Says which times of a schedule are due, and remembers how far it has come: what was missed is caught up with.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

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
}

/// How far a schedule has come, in a file of the state directory.
#[derive(Debug, Clone)]
pub struct Progress(PathBuf);

impl Progress {
    /// Uses the file `PART.through` of a state directory.
    pub fn of(state: &Path, part: &str) -> Self {
        Self(state.join(format!("{part}.through")))
    }

    /// Gives the time through which everything has been dealt with.
    ///
    /// # Errors
    /// When the file can't be read or holds something else.
    pub fn read(&self) -> Result<Option<i64>, ProgressError> {
        let text = match fs::read_to_string(&self.0) {
            Ok(text) => text,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(ProgressError::Io { doing: "read", path: self.0.clone(), source }),
        };
        crate::time::parse_instant(text.trim(), None)
            .map(Some)
            .map_err(|_| ProgressError::Foreign { path: self.0.clone(), found: text.chars().take(40).collect() })
    }

    /// Moves on; the file changes whole or not at all.
    ///
    /// # Errors
    /// When the file can't be written.
    pub fn write(&self, through: i64) -> Result<(), ProgressError> {
        let text = format!("{}\n", crate::time::format_ms(through));
        let failed = |source| ProgressError::Io { doing: "write", path: self.0.clone(), source };
        crate::durable::write(&self.0, text.as_bytes()).map_err(failed)
    }
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
}
