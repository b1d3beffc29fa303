//! Lets one process at a time do a part of the work on a state directory: a scheduled run never overlaps itself.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

/// Explains why the work was not begun.
#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    /// Another process is at it.
    #[error("another forewarn is at work on this ({}); it goes on, and this run ends without doing anything", path.display())]
    AlreadyHeld {
        /// The lock file.
        path: PathBuf,
    },
    /// The lock file can't be made or locked.
    #[error("cannot lock {}", path.display())]
    Io {
        /// The lock file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// The right to do one part of the work; it goes with the process, however that ends.
#[derive(Debug)]
pub struct Lease(File);

impl Lease {
    /// Takes the right to do `part` on a state directory, at once or not at all.
    ///
    /// # Errors
    /// When another process has it, or the directory can't be written.
    pub fn take(state: &Path, part: &str) -> Result<Self, LeaseError> {
        fs::create_dir_all(state).map_err(|source| LeaseError::Io { path: state.to_owned(), source })?;
        Self::at(state.join(format!("{part}.lock")))
    }

    /// Takes the right that a file stands for, at once or not at all.
    ///
    /// # Errors
    /// When another process has it, or the file can't be made.
    pub fn at(path: PathBuf) -> Result<Self, LeaseError> {
        let failed = |source| LeaseError::Io { path: path.clone(), source };
        let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(TryLockError::WouldBlock) => Err(LeaseError::AlreadyHeld { path }),
            Err(TryLockError::Error(source)) => Err(LeaseError::Io { path, source }),
        }
    }
}

/// Gives the right back at once: closing alone leaves it with any child process that was being started meanwhile.
impl Drop for Lease {
    fn drop(&mut self) {
        if let Err(e) = self.0.unlock() {
            tracing::warn!(error = %e, "could not release a lock");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time_and_parts_do_not_stand_in_each_others_way() {
        let dir = tempfile::tempdir().unwrap();
        let first = Lease::take(dir.path(), "ingest").unwrap();
        assert!(matches!(Lease::take(dir.path(), "ingest"), Err(LeaseError::AlreadyHeld { .. })));
        drop(Lease::take(dir.path(), "analyze").unwrap());
        drop(first);
        drop(Lease::take(dir.path(), "ingest").unwrap());
    }
}
