//! Keeps a history in an object store, behind the same blocking calls as a directory.

use super::entry::{Entry, ObjectSeen};
use super::error::{HistoryError, Result};
use bytes::Bytes;
use futures_util::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions, UpdateVersion};
use parquet::errors::ParquetError;
use std::io::Read;
use std::ops::Range;
use std::sync::{Arc, Mutex};
use tokio::runtime::Runtime;

/// A prefix of an object store. It owns a runtime of one thread, so its calls block and must not be made from
/// inside another runtime's worker.
#[derive(Debug)]
pub struct RemoteStore {
    runtime: Arc<Runtime>,
    objects: Arc<dyn ObjectStore>,
    prefix: String,
    location: String,
    part_bytes: u64,
}

/// Longest object that is put whole, and length of the parts of a longer one: what is in memory. S3 takes 10,000 parts, 160 GiB then.
const PART: u64 = 16 << 20;

impl RemoteStore {
    /// Takes any object store; `location` is only for messages.
    pub fn new(objects: Arc<dyn ObjectStore>, prefix: &str, location: &str) -> Result<Self> {
        Ok(Self {
            runtime: Arc::new(runtime(location)?),
            objects,
            prefix: prefix.trim_matches('/').to_owned(),
            location: location.to_owned(),
            part_bytes: PART,
        })
    }

    /// Puts parts of another length; S3 takes none below 5 MiB but the last.
    #[must_use]
    pub fn with_parts_of(self, part_bytes: u64) -> Self {
        Self { part_bytes, ..self }
    }

    /// Opens `s3://BUCKET/PREFIX`, given as the part after the scheme.
    #[cfg(feature = "aws")]
    pub(super) fn s3(location: &str, rest: &str) -> Result<Self> {
        let runtime = runtime(location)?;
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        if bucket.is_empty() {
            let why = "the bucket is missing; give s3://bucket/prefix".to_owned();
            return Err(HistoryError::Location { location: location.to_owned(), why });
        }
        let objects = runtime.block_on(super::s3::open(location, bucket))?;
        let prefix = prefix.trim_matches('/').to_owned();
        Ok(Self { runtime: Arc::new(runtime), objects, prefix, location: location.to_owned(), part_bytes: PART })
    }

    /// Refuses: built without S3.
    #[cfg(not(feature = "aws"))]
    pub(super) fn s3(location: &str, _rest: &str) -> Result<Self> {
        Err(HistoryError::NoAws { location: location.to_owned() })
    }

    pub(super) fn location(&self) -> &str {
        &self.location
    }

    fn key(&self, path: &str) -> Path {
        Path::from(format!("{}/{path}", self.prefix))
    }

    fn failed(&self, action: &'static str, path: &str) -> impl FnOnce(object_store::Error) -> HistoryError {
        let path = format!("{}/{path}", self.location.trim_end_matches('/'));
        move |source| HistoryError::Remote { action, path, source }
    }

    fn relative(&self, key: &Path) -> String {
        let key = key.as_ref();
        key.strip_prefix(&self.prefix).unwrap_or(key).trim_start_matches('/').to_owned()
    }

    pub(super) fn list(&self, dir: &str) -> Result<Vec<Entry>> {
        let listed: Result<Vec<_>, _> = self.runtime.block_on(self.objects.list(Some(&self.key(dir))).try_collect());
        let listed = listed.map_err(self.failed("list", dir))?;
        Ok(listed.iter().map(|o| Entry { path: self.relative(&o.location), size: o.size }).collect())
    }

    /// Lists the objects below the prefix whose paths come after one, in their order, at most so many.
    pub(super) fn objects_after(&self, path: Option<&str>, most: usize) -> Result<Vec<ObjectSeen>> {
        let prefix = Path::from(self.prefix.as_str());
        let mut listed = match path {
            Some(path) => self.objects.list_with_offset(Some(&prefix), &self.key(path)),
            None => self.objects.list(Some(&prefix)),
        };
        let listing = async {
            let mut found = Vec::new();
            while let Some(object) = listed.try_next().await? {
                found.push(ObjectSeen {
                    path: self.relative(&object.location),
                    size: object.size,
                    etag: object.e_tag,
                    modified_ms: object.last_modified.timestamp_millis(),
                });
                if found.len() == most {
                    break;
                }
            }
            Ok(found)
        };
        self.runtime.block_on(listing).map_err(self.failed("list", ""))
    }

    pub(super) fn list_dirs(&self, dir: &str) -> Result<Vec<String>> {
        let page = self.runtime.block_on(self.objects.list_with_delimiter(Some(&self.key(dir))));
        let page = page.map_err(self.failed("list", dir))?;
        Ok(page.common_prefixes.iter().filter_map(|p| p.filename().map(str::to_owned)).collect())
    }

    pub(super) fn read(&self, path: &str) -> Result<Option<Bytes>> {
        let key = self.key(path);
        let got = self.runtime.block_on(async { self.objects.get(&key).await?.bytes().await });
        match got {
            Ok(bytes) => Ok(Some(bytes)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(e) => Err(self.failed("read", path)(e)),
        }
    }

    pub(super) fn put(&self, path: &str, bytes: Vec<u8>) -> Result<()> {
        let done = self.runtime.block_on(self.objects.put(&self.key(path), bytes.into()));
        done.map(|_| ()).map_err(self.failed("write", path))
    }

    /// Does as [`RemoteStore::put`] where nothing is in the way (`If-None-Match: *`); says whether that was so.
    pub(super) fn put_new(&self, path: &str, bytes: Vec<u8>) -> Result<bool> {
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        match self.runtime.block_on(self.objects.put_opts(&self.key(path), bytes.into(), options)) {
            Ok(_) => Ok(true),
            Err(object_store::Error::AlreadyExists { .. }) => Ok(false),
            Err(e) => Err(self.failed("write", path)(e)),
        }
    }

    pub(super) fn part_bytes(&self) -> u64 {
        self.part_bytes
    }

    /// Gives the size of an object; none where it is absent.
    pub(super) fn size(&self, path: &str) -> Result<Option<u64>> {
        match self.runtime.block_on(self.objects.head(&self.key(path))) {
            Ok(object) => Ok(Some(object.size)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(e) => Err(self.failed("look at", path)(e)),
        }
    }

    /// Puts a file in parts, one after another; it appears whole when the last one is there. What was put of one that fails goes at once.
    pub(super) fn put_parts(&self, path: &str, from: &std::path::Path) -> Result<()> {
        let unreadable = |e| HistoryError::io("read", from, e);
        let mut file = std::fs::File::open(from).map_err(unreadable)?;
        let upload = self.runtime.block_on(self.objects.put_multipart(&self.key(path)));
        let mut upload = upload.map_err(self.failed("write", path))?;
        let parts = (|| loop {
            let mut part = Vec::new();
            file.by_ref().take(self.part_bytes).read_to_end(&mut part).map_err(unreadable)?;
            if part.is_empty() {
                return Ok(());
            }
            self.runtime.block_on(upload.put_part(part.into())).map_err(self.failed("write", path))?;
            forewarn_runtime::failpoint::point("remote.part_put");
        })();
        let done = parts.and_then(|()| self.runtime.block_on(upload.complete()).map_err(self.failed("write", path)));
        if done.is_err()
            && let Err(e) = self.runtime.block_on(upload.abort())
        {
            tracing::warn!(error = %e, path, "the parts of an upload that failed are left; a lifecycle rule of the bucket deletes them");
        }
        done.map(drop)
    }

    /// Does as [`RemoteStore::read`], with what tells this version from others.
    pub(super) fn read_version(&self, path: &str) -> Result<(Option<Bytes>, Option<UpdateVersion>)> {
        let key = self.key(path);
        let got = self.runtime.block_on(async {
            let got = self.objects.get(&key).await?;
            let version = UpdateVersion { e_tag: got.meta.e_tag.clone(), version: got.meta.version.clone() };
            Ok((got.bytes().await?, version))
        });
        match got {
            Ok((bytes, version)) => Ok((Some(bytes), Some(version))),
            Err(object_store::Error::NotFound { .. }) => Ok((None, None)),
            Err(e) => Err(self.failed("read", path)(e)),
        }
    }

    /// Puts where a version still stands, or where nothing is; says whether that was so.
    pub(super) fn put_on(&self, path: &str, bytes: Vec<u8>, version: Option<UpdateVersion>) -> Result<bool> {
        let Some(version) = version else { return self.put_new(path, bytes) };
        let options = PutOptions { mode: PutMode::Update(version), ..PutOptions::default() };
        match self.runtime.block_on(self.objects.put_opts(&self.key(path), bytes.into(), options)) {
            Ok(_) => Ok(true),
            Err(object_store::Error::Precondition { .. } | object_store::Error::NotFound { .. }) => Ok(false),
            Err(e) => Err(self.failed("write", path)(e)),
        }
    }

    pub(super) fn delete(&self, path: &str) -> Result<()> {
        match self.runtime.block_on(self.objects.delete(&self.key(path))) {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(e) => Err(self.failed("delete", path)(e)),
        }
    }

    pub(super) fn open_file(&self, path: &str, len: u64) -> RemoteFile {
        RemoteFile {
            runtime: Arc::clone(&self.runtime),
            objects: Arc::clone(&self.objects),
            key: self.key(path),
            len,
            recent: Arc::default(),
        }
    }
}

fn runtime(location: &str) -> Result<Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| HistoryError::io("start the runtime for", std::path::Path::new(location), e))
}

/// What is fetched at least in one request: a whole bucket-day file mostly, a few row groups otherwise.
const BLOCK: u64 = 4 << 20;

/// Blocks kept; columns of one row group may lie across a border.
const KEPT: usize = 2;

/// Fetched pieces, oldest first, each with its range in the object.
type Recent = Arc<Mutex<Vec<(Range<u64>, Bytes)>>>;

/// An object read by ranges; clones share what was fetched.
#[derive(Debug, Clone)]
pub struct RemoteFile {
    runtime: Arc<Runtime>,
    objects: Arc<dyn ObjectStore>,
    key: Path,
    len: u64,
    recent: Recent,
}

impl RemoteFile {
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    pub(super) fn get_bytes(&self, start: u64, length: usize) -> parquet::errors::Result<Bytes> {
        let end = start.saturating_add(length as u64);
        if end > self.len {
            return Err(ParquetError::EOF(format!("wanted bytes {start}..{end} of an object of {}", self.len)));
        }
        let mut recent = self.recent.lock().map_err(|_| ParquetError::General("a reader panicked".to_owned()))?;
        let known = recent.iter().find(|(r, _)| r.start <= start && end <= r.end);
        if let Some((range, bytes)) = known {
            let from = (start - range.start) as usize;
            return Ok(bytes.slice(from..from + length));
        }
        // The footer is asked for from the end: fetch what lies before it.
        let wanted = if end == self.len {
            start.min(end.saturating_sub(BLOCK))..end
        } else {
            start..end.max(start.saturating_add(BLOCK)).min(self.len)
        };
        let got = self.runtime.block_on(self.objects.get_range(&self.key, wanted.clone()));
        forewarn_runtime::pulse::beat();
        let got = got.map_err(|e| ParquetError::External(Box::new(e)))?;
        let from = (start - wanted.start) as usize;
        if got.len() < from + length {
            return Err(ParquetError::EOF(format!("{} was cut short", self.key)));
        }
        let asked = got.slice(from..from + length);
        recent.push((wanted, got));
        if recent.len() > KEPT {
            recent.remove(0);
        }
        Ok(asked)
    }
}
