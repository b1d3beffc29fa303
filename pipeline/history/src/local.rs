//! Keeps a history in a directory: whole files by staging, fsync and rename.

use super::entry::Entry;
use super::error::{HistoryError, Result};
use bytes::Bytes;
use parquet::errors::ParquetError;
use std::fs::{self, File};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// A directory that holds a history.
#[derive(Debug)]
pub struct LocalStore {
    root: PathBuf,
}

impl LocalStore {
    /// Takes a directory; nothing is created.
    pub fn new(root: PathBuf) -> Self {
        Self { root }
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
        make_parent(&at)?;
        let staged = at.with_file_name(format!(".{}.tmp", at.file_name().unwrap_or_default().to_string_lossy()));
        let mut file = File::create(&staged).map_err(|e| HistoryError::io("create", &staged, e))?;
        file.write_all(bytes).and_then(|()| file.sync_all()).map_err(|e| HistoryError::io("write", &staged, e))?;
        rename(&staged, &at)
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
        let file = File::open(&at).map_err(|e| HistoryError::io("open", &at, e))?;
        let len = file.metadata().map_err(|e| HistoryError::io("open", &at, e))?.len();
        Ok(LocalFile { file: Arc::new(Mutex::new(file)), len })
    }
}

/// Makes the directories above a file.
pub(crate) fn make_parent(at: &Path) -> Result<()> {
    match at.parent() {
        Some(dir) => fs::create_dir_all(dir).map_err(|e| HistoryError::io("create the directory", dir, e)),
        None => Ok(()),
    }
}

/// Renames a synced file into place and makes the name durable.
pub(crate) fn rename(from: &Path, to: &Path) -> Result<()> {
    fs::rename(from, to).map_err(|e| HistoryError::io("rename into place", to, e))?;
    to.parent().map_or(Ok(()), sync_dir)
}

/// Makes the names in a directory durable. Where a directory cannot be opened as a file there is nothing to do.
pub(crate) fn sync_dir(dir: &Path) -> Result<()> {
    match File::open(dir) {
        Ok(open) if cfg!(unix) => open.sync_all().map_err(|e| HistoryError::io("sync", dir, e)),
        Ok(_) | Err(_) => Ok(()),
    }
}

/// An open file of a directory; clones share one descriptor.
#[derive(Debug, Clone)]
pub struct LocalFile {
    file: Arc<Mutex<File>>,
    len: u64,
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
        let mut file = self.file.lock().map_err(|_| ParquetError::General("a reader panicked".to_owned()))?;
        file.seek(SeekFrom::Start(start))?;
        Read::by_ref(&mut *file).take(length as u64).read_to_end(&mut buf)?;
        if buf.len() != length {
            return Err(ParquetError::EOF(format!("the file ended {} bytes early", length - buf.len())));
        }
        Ok(buf.into())
    }
}
