//! Keeps a history in a directory: whole files by staging, fsync and rename.

use super::entry::Entry;
use super::error::{HistoryError, Result};
use bytes::Bytes;
use forewarn_runtime::durable;
use parquet::errors::ParquetError;
use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, BufRead, ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// A directory that holds a history.
#[derive(Debug)]
pub struct LocalStore {
    root: PathBuf,
    pool: Arc<OpenFiles>,
}

impl LocalStore {
    /// Takes a directory; nothing is created.
    pub fn new(root: PathBuf) -> Self {
        Self { root, pool: Arc::default() }
    }

    /// Gives the directory.
    pub fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn list(&self, dir: &str) -> Result<Vec<Entry>> {
        let mut found = Vec::new();
        let mut open = vec![dir.trim_end_matches('/').to_owned()];
        while let Some(dir) = open.pop() {
            for (name, meta) in self.children(&dir)? {
                let path = if dir.is_empty() { name } else { format!("{dir}/{name}") };
                if meta.is_dir() {
                    open.push(path);
                } else {
                    found.push(Entry { path, size: meta.len() });
                }
            }
        }
        Ok(found)
    }

    pub(super) fn list_dirs(&self, dir: &str) -> Result<Vec<String>> {
        Ok(self.children(dir)?.into_iter().filter(|(_, m)| m.is_dir()).map(|(n, _)| n).collect())
    }

    /// Names that are not text are no file of ours; a file that goes while it is listed is skipped.
    fn children(&self, dir: &str) -> Result<Vec<(String, fs::Metadata)>> {
        let at = self.root.join(dir);
        let entries = match fs::read_dir(&at) {
            Ok(entries) => entries,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(HistoryError::io("list", &at, e)),
        };
        let mut found = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|e| HistoryError::io("list", &at, e))?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            match entry.path().metadata() {
                Ok(meta) => found.push((name, meta)),
                Err(e) if e.kind() == ErrorKind::NotFound => {}
                Err(e) => return Err(HistoryError::io("list", &entry.path(), e)),
            }
        }
        Ok(found)
    }

    pub(super) fn read(&self, path: &str) -> Result<Option<Bytes>> {
        let at = self.root.join(path);
        match fs::read(&at) {
            Ok(bytes) => Ok(Some(bytes.into())),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
            Err(e) => Err(HistoryError::io("read", &at, e)),
        }
    }

    pub(super) fn put(&self, path: &str, bytes: &[u8]) -> Result<()> {
        let at = self.root.join(path);
        durable::write(&at, bytes).map_err(|e| HistoryError::io("write", &at, e))
    }

    /// Does as [`LocalStore::put`] where nothing is in the way; says whether that was so.
    pub(super) fn put_new(&self, path: &str, bytes: &[u8]) -> Result<bool> {
        let at = self.root.join(path);
        durable::write_new(&at, bytes).map_err(|e| HistoryError::io("write", &at, e))
    }

    pub(super) fn delete(&self, path: &str) -> Result<()> {
        let at = self.root.join(path);
        match fs::remove_file(&at) {
            Ok(()) => Ok(()),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(()),
            Err(e) => Err(HistoryError::io("delete", &at, e)),
        }
    }

    pub(super) fn open_file(&self, path: &str) -> Result<LocalFile> {
        let at = self.root.join(path);
        let len = fs::metadata(&at).map_err(|e| HistoryError::io("open", &at, e))?.len();
        let file = LocalFile { path: Arc::from(at.as_path()), len, pool: Arc::clone(&self.pool) };
        file.pool.of(&file.path).map_err(|e| HistoryError::io("open", &at, e))?;
        Ok(file)
    }
}

/// Makes the directories above a file.
pub(crate) fn make_parent(at: &Path) -> Result<()> {
    let Some(dir) = at.parent() else { return Ok(()) };
    durable::make_dirs(dir).map_err(|e| HistoryError::io("create the directory", dir, e))
}

/// Renames a synced file into place and makes the name durable.
pub(crate) fn rename(from: &Path, to: &Path) -> Result<()> {
    durable::rename(from, to).map_err(|e| HistoryError::io("rename into place", to, e))
}

/// Makes the names in a directory durable.
pub(crate) fn sync_dir(dir: &Path) -> Result<()> {
    durable::sync_dir(dir).map_err(|e| HistoryError::io("sync", dir, e))
}

/// Says whether two files hold the same bytes.
pub(super) fn same_content(a: &Path, b: &Path) -> Result<bool> {
    let size = |path: &Path| fs::metadata(path).map(|m| m.len()).map_err(|e| HistoryError::io("read", path, e));
    Ok(size(a)? == size(b)? && same_bytes(File::open(a).map_err(|e| HistoryError::io("read", a, e))?, b)?)
}

/// Says whether a file of this machine holds the same bytes as what is read, some at a time.
pub(super) fn same_bytes(mut there: impl Read, from: &Path) -> Result<bool> {
    let failed = |e| HistoryError::io("compare", from, e);
    let mut file = io::BufReader::new(File::open(from).map_err(failed)?);
    loop {
        let ahead = file.fill_buf().map_err(failed)?;
        if ahead.is_empty() {
            let mut one = [0];
            return Ok(there.read(&mut one).map_err(failed)? == 0);
        }
        let mut as_many = vec![0; ahead.len()];
        match there.read_exact(&mut as_many) {
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
            read => read.map_err(failed)?,
        }
        if as_many != ahead {
            return Ok(false);
        }
        file.consume(as_many.len());
    }
}

/// Gives the size of a file and a hash of its bytes, read some at a time.
pub(super) fn size_and_hash(path: &Path) -> Result<(u64, u64)> {
    let failed = |e| HistoryError::io("read", path, e);
    let mut file = File::open(path).map_err(failed)?;
    let (mut hash, mut size, mut some) = (xxhash_rust::xxh64::Xxh64::new(0), 0, vec![0; 1 << 20]);
    loop {
        match file.read(&mut some).map_err(failed)? {
            0 => return Ok((size, hash.digest())),
            n => {
                hash.update(&some[..n]);
                size += n as u64;
            }
        }
    }
}

/// A file of a directory, read by ranges; clones share one descriptor, and a store keeps few of them open.
#[derive(Debug, Clone)]
pub struct LocalFile {
    path: Arc<Path>,
    len: u64,
    pool: Arc<OpenFiles>,
}

/// Files kept open at a time; of more, those that were not read for the longest are closed and opened again when they are.
const KEPT_OPEN: usize = 64;

/// A file that is open, and which it is.
type OpenFile = (Arc<Path>, Arc<Mutex<File>>);

/// The open files of a store, the one read last at the end.
#[derive(Debug, Default)]
struct OpenFiles(Mutex<VecDeque<OpenFile>>);

impl OpenFiles {
    /// Gives a file open.
    fn of(&self, path: &Arc<Path>) -> io::Result<Arc<Mutex<File>>> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let file = match open.iter().position(|(known, _)| Arc::ptr_eq(known, path)).and_then(|at| open.remove(at)) {
            Some((_, file)) => file,
            None => Arc::new(Mutex::new(File::open(path)?)),
        };
        open.push_back((Arc::clone(path), Arc::clone(&file)));
        if open.len() > KEPT_OPEN {
            open.pop_front();
        }
        Ok(file)
    }

    fn close(&self, path: &Arc<Path>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|(known, _)| !Arc::ptr_eq(known, path));
    }
}

impl Drop for LocalFile {
    fn drop(&mut self) {
        // The pool has one, and this is the last.
        if Arc::strong_count(&self.path) <= 2 {
            self.pool.close(&self.path);
        }
    }
}

impl LocalFile {
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    pub(super) fn get_bytes(&self, start: u64, length: usize) -> parquet::errors::Result<Bytes> {
        if start.saturating_add(length as u64) > self.len {
            let what = format!("wanted bytes {start}..{} of a file of {}", start + length as u64, self.len);
            return Err(ParquetError::EOF(what));
        }
        let mut buf = Vec::with_capacity(length);
        let file = self.pool.of(&self.path)?;
        let mut file = file.lock().map_err(|_| ParquetError::General("a reader panicked".to_owned()))?;
        file.seek(SeekFrom::Start(start))?;
        Read::by_ref(&mut *file).take(length as u64).read_to_end(&mut buf)?;
        if buf.len() != length {
            return Err(ParquetError::EOF(format!("the file ended {} bytes early", length - buf.len())));
        }
        Ok(buf.into())
    }
}
