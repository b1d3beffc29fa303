//! Gives one blocking view of a directory or an object store: list, read, put whole, delete, read ranges.

use super::entry::Entry;
use super::error::{HistoryError, Result};
use super::local::{LocalFile, LocalStore, same_bytes};
use super::remote::{RemoteFile, RemoteStore};
use bytes::Bytes;
use forewarn_runtime::pulse::beat;
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, Length};
use std::path::{Path, PathBuf};

/// A directory, or a prefix of a bucket.
#[derive(Debug)]
pub enum Store {
    /// A directory of this machine.
    Local(LocalStore),
    /// A prefix of an object store.
    Remote(RemoteStore),
}

impl Store {
    /// Opens `DIR`, `file://DIR` or `s3://BUCKET/PREFIX`; nothing is created.
    pub fn open(location: &str) -> Result<Self> {
        if let Some(rest) = location.strip_prefix("s3://") {
            return RemoteStore::s3(location, rest).map(Self::Remote);
        }
        if let Some((scheme, _)) = location.split_once("://")
            && scheme != "file"
        {
            let why = format!("unknown scheme `{scheme}`; give a directory or s3://bucket/prefix");
            return Err(HistoryError::Location { location: location.to_owned(), why });
        }
        let root = PathBuf::from(location.strip_prefix("file://").unwrap_or(location));
        if root.as_os_str().is_empty() {
            return Err(HistoryError::Location { location: location.to_owned(), why: "the path is empty".to_owned() });
        }
        Ok(Self::Local(LocalStore::new(root)))
    }

    /// Gives the root as a person would write it.
    pub fn location(&self) -> String {
        match self {
            Self::Local(s) => s.root().display().to_string(),
            Self::Remote(s) => s.location().to_owned(),
        }
    }

    /// Gives the directory of a local store.
    pub fn local_root(&self) -> Option<&Path> {
        match self {
            Self::Local(s) => Some(s.root()),
            Self::Remote(_) => None,
        }
    }

    /// Names a file of this store for messages.
    pub fn describe(&self, path: &str) -> String {
        format!("{}/{path}", self.location().trim_end_matches('/'))
    }

    /// Lists every file under a directory, sorted by path; an absent directory is empty.
    pub fn list(&self, dir: &str) -> Result<Vec<Entry>> {
        beat();
        let mut found = match self {
            Self::Local(s) => s.list(dir)?,
            Self::Remote(s) => s.list(dir)?,
        };
        found.sort();
        Ok(found)
    }

    /// Lists the names of the directories right under `dir`, sorted.
    pub fn list_dirs(&self, dir: &str) -> Result<Vec<String>> {
        let mut found = match self {
            Self::Local(s) => s.list_dirs(dir)?,
            Self::Remote(s) => s.list_dirs(dir)?,
        };
        found.sort();
        Ok(found)
    }

    /// Reads a whole file; none where it is absent.
    pub fn read(&self, path: &str) -> Result<Option<Bytes>> {
        beat();
        match self {
            Self::Local(s) => s.read(path),
            Self::Remote(s) => s.read(path),
        }
    }

    /// Writes a whole file, which appears complete and durable or not at all.
    pub fn put(&self, path: &str, bytes: Vec<u8>) -> Result<()> {
        beat();
        match self {
            Self::Local(s) => s.put(path, &bytes),
            Self::Remote(s) => s.put(path, bytes),
        }
    }

    /// Writes a whole file where nothing is in the way, durable or not at all; says whether that was so.
    pub fn put_new(&self, path: &str, bytes: Vec<u8>) -> Result<bool> {
        beat();
        match self {
            Self::Local(s) => s.put_new(path, &bytes),
            Self::Remote(s) => s.put_new(path, bytes),
        }
    }

    /// Writes a new file whole. The same bytes already there are as good; others stay, and are an error.
    pub fn create(&self, path: &str, bytes: Vec<u8>) -> Result<()> {
        // A reply can be lost and the put be tried again: what is in the way may be our own.
        let ours = bytes.clone();
        if self.put_new(path, bytes)? || self.read(path)?.is_some_and(|there| there == ours) {
            return Ok(());
        }
        Err(HistoryError::WouldReplace { path: self.describe(path) })
    }

    /// Writes a new file whole from one of this machine, of which no more than a part is in memory. The same bytes already there are as
    /// good; others stay, and are an error.
    pub fn create_from(&self, path: &str, from: &Path) -> Result<()> {
        let len = std::fs::metadata(from).map_err(|e| HistoryError::io("read", from, e))?.len();
        let Self::Remote(remote) = self else {
            return self.create(path, std::fs::read(from).map_err(|e| HistoryError::io("read", from, e))?);
        };
        if len <= remote.part_bytes() {
            return self.create(path, std::fs::read(from).map_err(|e| HistoryError::io("read", from, e))?);
        }
        // Parts are put together without a condition, so that what is there is looked at before. Whoever puts an object of the same name
        // meanwhile puts the same bytes: names say what files hold.
        let there = remote.size(path)?;
        if let Some(size) = there {
            let other = remote.open_file(path, size);
            return if size == len && same_bytes(StoreFile::Remote(other).read_from(0), from)? {
                Ok(())
            } else {
                Err(HistoryError::WouldReplace { path: self.describe(path) })
            };
        }
        remote.put_parts(path, from)
    }

    /// Deletes a file; one that is absent is fine.
    pub fn delete(&self, path: &str) -> Result<()> {
        match self {
            Self::Local(s) => s.delete(path),
            Self::Remote(s) => s.delete(path),
        }
    }

    /// Opens a file for reading ranges.
    pub fn open_file(&self, entry: &Entry) -> Result<StoreFile> {
        beat();
        match self {
            Self::Local(s) => s.open_file(&entry.path).map(StoreFile::Local),
            Self::Remote(s) => Ok(StoreFile::Remote(s.open_file(&entry.path, entry.size))),
        }
    }
}

/// An open file of a store, read by ranges.
#[derive(Debug, Clone)]
pub enum StoreFile {
    /// A file of this machine.
    Local(LocalFile),
    /// An object.
    Remote(RemoteFile),
}

impl StoreFile {
    /// Reads on from an offset.
    pub fn read_from(&self, start: u64) -> StoreRead {
        StoreRead { file: self.clone(), at: start, ahead: Bytes::new() }
    }
}

impl Length for StoreFile {
    fn len(&self) -> u64 {
        match self {
            Self::Local(f) => f.len(),
            Self::Remote(f) => f.len(),
        }
    }
}

/// Reads on from an offset of a [`StoreFile`].
#[derive(Debug)]
pub struct StoreRead {
    file: StoreFile,
    at: u64,
    ahead: Bytes,
}

/// How much is fetched at once where a reader does not say how much it wants (page headers).
const READ_AHEAD: u64 = 16 * 1024;

impl std::io::Read for StoreRead {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        if self.ahead.is_empty() {
            let left = self.file.len().saturating_sub(self.at);
            let want = left.min(READ_AHEAD.max(buf.len() as u64));
            if want == 0 {
                return Ok(0);
            }
            self.ahead = self.file.get_bytes(self.at, want as usize).map_err(as_io)?;
            self.at += want;
        }
        let n = buf.len().min(self.ahead.len());
        buf[..n].copy_from_slice(&self.ahead.split_to(n));
        Ok(n)
    }
}

/// Keeps the kind of an error where it matters: an object may go while it is read.
fn as_io(error: ParquetError) -> std::io::Error {
    let is_gone = matches!(&error, ParquetError::External(e)
        if matches!(e.downcast_ref::<object_store::Error>(), Some(object_store::Error::NotFound { .. })));
    if is_gone { std::io::Error::new(std::io::ErrorKind::NotFound, error) } else { std::io::Error::other(error) }
}

impl ChunkReader for StoreFile {
    type T = StoreRead;

    fn get_read(&self, start: u64) -> parquet::errors::Result<StoreRead> {
        Ok(self.read_from(start))
    }

    fn get_bytes(&self, start: u64, length: usize) -> parquet::errors::Result<Bytes> {
        match self {
            Self::Local(f) => f.get_bytes(start, length),
            Self::Remote(f) => f.get_bytes(start, length),
        }
    }
}
