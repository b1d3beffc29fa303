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

/// How often a change is decided again because another writer came first.
const TURNS: u32 = 50;

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

    /// Takes a directory, whatever its name; nothing is created.
    pub fn in_dir(dir: &Path) -> Self {
        Self::Local(LocalStore::new(dir.to_owned()))
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

    /// Says whether a file is there.
    pub fn exists(&self, path: &str) -> Result<bool> {
        match self {
            Self::Local(s) => Ok(s.root().join(path).exists()),
            Self::Remote(s) => Ok(s.size(path)?.is_some()),
        }
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
    pub fn create(&self, path: &str, bytes: &[u8]) -> Result<()> {
        // A reply can be lost and the put be tried again: what is in the way may be our own. Where nothing is, another writer's put of
        // the same name was under way.
        for _ in 0..TURNS {
            if self.put_new(path, bytes.to_vec())? {
                return Ok(());
            }
            match self.read(path)? {
                Some(there) if there == bytes => return Ok(()),
                Some(_) => return Err(HistoryError::WouldReplace { path: self.describe(path) }),
                None => {}
            }
        }
        Err(HistoryError::Contended { path: self.describe(path) })
    }

    /// Writes a new file whole from one of this machine, of which no more than a part is in memory. The same bytes already there are as
    /// good; others stay, and are an error.
    pub fn create_from(&self, path: &str, from: &Path) -> Result<()> {
        let len = std::fs::metadata(from).map_err(|e| HistoryError::io("read", from, e))?.len();
        let Self::Remote(remote) = self else {
            return self.create(path, &std::fs::read(from).map_err(|e| HistoryError::io("read", from, e))?);
        };
        if len <= remote.part_bytes() {
            return self.create(path, &std::fs::read(from).map_err(|e| HistoryError::io("read", from, e))?);
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

    /// Changes a small file by what `change` makes of its bytes, none where there is none; made none, it stays. In an object store the
    /// change is made on condition that nobody changed it meanwhile (`If-Match`), else decided again; in a directory the caller holds
    /// the lock. What was changed and not answered for is seen as what is there.
    pub fn update(&self, path: &str, mut change: impl FnMut(Option<&[u8]>) -> Result<Option<Vec<u8>>>) -> Result<()> {
        match self {
            Self::Local(s) => change(s.read(path)?.as_deref())?.map_or(Ok(()), |bytes| s.put(path, &bytes)),
            Self::Remote(s) => {
                for _ in 0..TURNS {
                    let (there, version) = s.read_version(path)?;
                    let Some(bytes) = change(there.as_deref())? else { return Ok(()) };
                    if s.put_on(path, bytes, version)? {
                        return Ok(());
                    }
                }
                Err(HistoryError::Contended { path: self.describe(path) })
            }
        }
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
