//! Keeps two processes from writing to one directory at a time.

use super::error::{HistoryError, Result};
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

const FILE: &str = "_lock";

/// The lock of a directory; it goes with the process, however that ends.
#[derive(Debug)]
pub(super) struct Lock {
    file: File,
    root: PathBuf,
    /// Directories that were made for it, outermost first.
    made: Vec<PathBuf>,
}

impl Lock {
    /// Takes the lock at once or says who stands in the way.
    pub(super) fn take(root: &Path) -> Result<Self> {
        let made = missing_dirs(root);
        fs::create_dir_all(root).map_err(|e| HistoryError::io("create the directory", root, e))?;
        let path = root.join(FILE);
        let file = File::options().create(true).truncate(false).write(true).read(true).open(&path);
        let file = file.map_err(|e| HistoryError::io("write", &path, e))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { file, root: root.to_owned(), made }),
            Err(TryLockError::WouldBlock) => Err(HistoryError::Locked { location: root.display().to_string() }),
            Err(TryLockError::Error(e)) => Err(HistoryError::io("lock", &path, e)),
        }
    }

    /// Leaves no trace of a history that did not come to be.
    pub(super) fn undo(&self) {
        let removed = fs::remove_file(self.root.join(FILE)).is_ok();
        for dir in self.made.iter().rev() {
            if !removed || fs::remove_dir(dir).is_err() {
                break;
            }
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        if let Err(e) = self.file.unlock() {
            tracing::warn!(error = %e, "could not release the lock of the history");
        }
    }
}

fn missing_dirs(root: &Path) -> Vec<PathBuf> {
    let mut missing: Vec<PathBuf> = root
        .ancestors()
        .take_while(|dir| !dir.as_os_str().is_empty() && !dir.exists())
        .map(Path::to_path_buf)
        .collect();
    missing.reverse();
    missing
}
