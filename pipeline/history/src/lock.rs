//! Keeps two writers from one directory at a time: parts of one process wait for each other, and another process is waited for a while.

use super::error::{HistoryError, Result};
use forewarn_runtime::durable::{is_at, missing_dirs};
use forewarn_runtime::pulse::beat;
use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread::ThreadId;
use std::time::{Duration, Instant};

const FILE: &str = "_lock";
/// How long a part of this process waits for another, which may be merging files.
const OWN_PATIENCE: Duration = Duration::from_mins(10);
/// How long another process is waited for, which may be adding a small file.
const FOREIGN_PATIENCE: Duration = Duration::from_secs(5);
/// Between two looks whether another process has ended.
const LOOK: Duration = Duration::from_millis(100);

/// Between two signs of life of who waits.
const BEAT: Duration = Duration::from_secs(10);

/// Which directories this process writes to, and by which thread: the system tells apart files that are open, not who waits.
static HELD: Mutex<BTreeMap<PathBuf, ThreadId>> = Mutex::new(BTreeMap::new());
static GIVEN_BACK: Condvar = Condvar::new();

/// This process's turn to write to a directory.
#[derive(Debug)]
struct Turn(PathBuf);

impl Turn {
    /// Waits for other threads of this process; none where they take too long, or this very thread has the turn.
    fn take(root: &Path, patience: Duration) -> Option<Self> {
        let mut held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
        let own = std::thread::current().id();
        let began = Instant::now();
        while held.get(root).is_some_and(|by| *by != own) && began.elapsed() < patience {
            // Who waits for another part is not hung.
            beat();
            let slice = BEAT.min(patience);
            held = GIVEN_BACK.wait_timeout(held, slice).unwrap_or_else(PoisonError::into_inner).0;
        }
        if held.contains_key(root) {
            return None;
        }
        held.insert(root.to_owned(), own);
        Some(Self(root.to_owned()))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        HELD.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.0);
        GIVEN_BACK.notify_all();
    }
}

/// The lock of a directory; it goes with the process, however that ends.
#[derive(Debug)]
pub(super) struct Lock {
    file: File,
    root: PathBuf,
    /// Directories that were made for it, outermost first.
    made: Vec<PathBuf>,
    /// Given back after the file's lock, by the order of fields and because dropping begins with [`Drop`] itself.
    _turn: Turn,
}

impl Lock {
    /// Takes the lock, or says who stands in the way.
    pub(super) fn take(root: &Path) -> Result<Self> {
        Self::take_within(root, OWN_PATIENCE, FOREIGN_PATIENCE)
    }

    fn take_within(root: &Path, own: Duration, foreign: Duration) -> Result<Self> {
        let made = missing_dirs(root);
        fs::create_dir_all(root).map_err(|e| HistoryError::io("create the directory", root, e))?;
        let canonical = root.canonicalize().map_err(|e| HistoryError::io("find", root, e))?;
        let locked = || HistoryError::Locked { location: root.display().to_string() };
        let turn = Turn::take(&canonical, own).ok_or_else(locked)?;
        let path = root.join(FILE);
        let began = Instant::now();
        loop {
            let file = File::options().create(true).truncate(false).write(true).read(true).open(&path);
            let file = file.map_err(|e| HistoryError::io("write", &path, e))?;
            match file.try_lock() {
                // Who held it may have taken the file away after it was opened here: its lock then keeps nobody out.
                Ok(()) => {
                    if is_at(&file, &path).map_err(|e| HistoryError::io("look at", &path, e))? {
                        return Ok(Self { file, root: root.to_owned(), made, _turn: turn });
                    }
                }
                Err(TryLockError::WouldBlock) if began.elapsed() < foreign => std::thread::sleep(LOOK),
                Err(TryLockError::WouldBlock) => return Err(locked()),
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
    use std::sync::mpsc::channel;

    #[test]
    fn parts_of_one_process_wait_for_each_other() {
        let dir = tempfile::tempdir().unwrap();
        let first = Lock::take(dir.path()).unwrap();
        let (said, heard) = channel();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                said.send("waits").unwrap();
                // Under another name of the same directory.
                let second = Lock::take(&dir.path().join("."));
                said.send(if second.is_ok() { "writes" } else { "refused" }).unwrap();
            });
            assert_eq!(heard.recv().unwrap(), "waits");
            assert!(heard.try_recv().is_err());
            drop(first);
            assert_eq!(heard.recv().unwrap(), "writes");
        });
    }

    #[test]
    fn a_thread_does_not_wait_for_itself_and_another_process_is_waited_for_a_while_only() {
        let dir = tempfile::tempdir().unwrap();
        let first = Lock::take(dir.path()).unwrap();
        assert!(matches!(Lock::take(dir.path()), Err(HistoryError::Locked { .. })));
        drop(first);
        // What this process does not know of is another's.
        let foreign = File::open(dir.path().join(FILE)).unwrap();
        foreign.lock().unwrap();
        let refused = Lock::take_within(dir.path(), Duration::ZERO, Duration::ZERO);
        assert!(matches!(refused, Err(HistoryError::Locked { .. })));
        foreign.unlock().unwrap();
        drop(Lock::take_within(dir.path(), Duration::ZERO, Duration::ZERO).unwrap());
    }

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
        assert!(!is_at(&opened_before, &path).unwrap());
        let second = Lock::take(&root).unwrap();
        assert!(is_at(&second.file, &path).unwrap() && !is_at(&opened_before, &path).unwrap());
        assert!(matches!(Lock::take(&root), Err(HistoryError::Locked { .. })));
    }
}
