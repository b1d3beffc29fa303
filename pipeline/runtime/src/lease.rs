//! Lets one process at a time do a part of the work on a state: a scheduled run never overlaps itself.
//!
//! In a directory the right is a lock, which goes with the process. Elsewhere it is a cell: it holds for a while, is made to last by who
//! has it, and each taking has its own epoch, by which a store refuses what an earlier holder still writes.

mod cell;
pub mod conformance;

use crate::cells::{CellError, Cells};
use crate::clock::Clock;
use cell::CellLease;
pub use cell::{FOR_MS, Guard};
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Explains why the work was not begun, or may not go on.
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
    /// Another process has the lease.
    #[error(
        "another forewarn has the lease {name} until {until} ({holder}); it goes on, and this run ends without doing anything"
    )]
    HeldElsewhere {
        name: String,
        holder: String,
        /// When it may be taken, unless its holder makes it last (RFC 3339).
        until: String,
    },
    /// It ran out or was taken over.
    #[error("the lease {name} was lost; whoever has it now goes on, and this run ends here")]
    Lost { name: String },
    /// The lease can't be read or written.
    #[error(transparent)]
    Cell(#[from] CellError),
}

impl LeaseError {
    /// True when another process has it.
    pub fn is_held(&self) -> bool {
        matches!(self, Self::AlreadyHeld { .. } | Self::HeldElsewhere { .. })
    }
}

/// The right to do one part of the work; it goes with the process, however that ends, at once or a little later.
#[derive(Debug)]
pub struct Lease(Right);

#[derive(Debug)]
enum Right {
    File(File),
    Cell(CellLease),
}

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
            Ok(()) => Ok(Self(Right::File(file))),
            Err(TryLockError::WouldBlock) => Err(LeaseError::AlreadyHeld { path }),
            Err(TryLockError::Error(source)) => Err(LeaseError::Io { path, source }),
        }
    }

    /// Says whether it is still held: asked before each piece of the work.
    ///
    /// # Errors
    /// [`LeaseError::Lost`] where it ran out or was taken over.
    pub fn check(&self) -> Result<(), LeaseError> {
        match &self.0 {
            Right::File(_) => Ok(()),
            Right::Cell(lease) => lease.check(),
        }
    }

    /// Gives what a store is to ask for when it writes under this lease; none in a directory, whose locks outlive no process.
    pub fn guard(&self) -> Option<Guard> {
        match &self.0 {
            Right::File(_) => None,
            Right::Cell(lease) => Some(lease.guard()),
        }
    }
}

/// Gives the right back at once: closing alone leaves it with any child process that was being started meanwhile.
impl Drop for Lease {
    fn drop(&mut self) {
        if let Right::File(file) = &self.0
            && let Err(e) = file.unlock()
        {
            tracing::warn!(error = %e, "could not release a lock");
        }
    }
}

/// Where leases are taken.
#[derive(Debug, Clone)]
pub enum Leases {
    /// In a state directory.
    Dir(PathBuf),
    /// In cells, by the holder of this name.
    Cells { cells: Arc<dyn Cells>, holder: String, clock: Arc<dyn Clock> },
}

impl Leases {
    /// Takes the right to do `part`, at once or not at all.
    ///
    /// # Errors
    /// When another process has it, or the place can't be written.
    pub fn take(&self, part: &str) -> Result<Lease, LeaseError> {
        match self {
            Self::Dir(dir) => Lease::take(dir, part),
            Self::Cells { cells, holder, clock } => {
                CellLease::take(cells, part, holder, clock).map(|lease| Lease(Right::Cell(lease)))
            }
        }
    }
}

#[cfg(test)]
mod tests;
