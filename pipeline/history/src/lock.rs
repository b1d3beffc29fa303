//! Keeps two processes from writing to one directory at a time.

use super::error::{HistoryError, Result};
use forewarn_runtime::durable::missing_dirs;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const FILE: &str = "_lock";
/// How long a writer waits for another: archive, maintenance and predictions of one process take short turns.
const PATIENCE: Duration = Duration::from_secs(3);
const PAUSE: Duration = Duration::from_millis(20);

/// The lock of a directory; it goes with the process, however that ends.
#[derive(Debug)]
pub(super) struct Lock {
    file: File,
    root: PathBuf,
    /// Directories that were made for it, outermost first.
    made: Vec<PathBuf>,
}

impl Lock {
    /// Takes the lock, waiting a little for a writer that is about to finish, or says that another stands in the way.
    pub(super) fn take(root: &Path) -> Result<Self> {
        let made = missing_dirs(root);
        fs::create_dir_all(root).map_err(|e| HistoryError::io("create the directory", root, e))?;
        let path = root.join(FILE);
        let begun = Instant::now();
        loop {
            let file = File::options().create(true).truncate(false).write(true).read(true).open(&path);
            let file = file.map_err(|e| HistoryError::io("write", &path, e))?;
            match file.try_lock() {
                // Who held it may have taken the file away after it was opened here: its lock then keeps nobody out.
                Ok(()) if is_at(&file, &path) => return Ok(Self { file, root: root.to_owned(), made }),
                Ok(()) => {}
                Err(TryLockError::WouldBlock) if begun.elapsed() < PATIENCE => std::thread::sleep(PAUSE),
                Err(TryLockError::WouldBlock) => {
                    return Err(HistoryError::Locked { location: root.display().to_string() });
                }
                Err(TryLockError::Error(e)) => return Err(HistoryError::io("lock", &path, e)),
            }
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

/// Says whether an open file is the one at a path.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let id = |m: fs::Metadata| (m.dev(), m.ino());
    file.metadata().map(id).ok() == fs::metadata(path).map(id).ok()
}

/// Elsewhere an open file can't be taken away.
#[cfg(not(unix))]
fn is_at(_: &File, _: &Path) -> bool {
    true
}

impl Drop for Lock {
    fn drop(&mut self) {
        if let Err(e) = self.file.unlock() {
            tracing::warn!(error = %e, "could not release the lock of the history");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn a_lock_on_a_file_that_was_taken_away_keeps_nobody_out_and_is_not_taken() {
        let dir = tempfile::tempdir().unwrap();
        let (root, path) = (dir.path().join("h"), dir.path().join("h/_lock"));
        let first = Lock::take(&root).unwrap();
        let opened_before = File::open(&path).unwrap();
        first.undo();
        drop(first);
        opened_before.try_lock().unwrap();
        assert!(!is_at(&opened_before, &path));
        let second = Lock::take(&root).unwrap();
        assert!(is_at(&second.file, &path) && !is_at(&opened_before, &path));
        assert!(matches!(Lock::take(&root), Err(HistoryError::Locked { .. })));
    }
}
