//! An object store in memory that counts the requests it gets, and does something after a listing.

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMultipartOptions,
    PutOptions, PutPayload, PutResult, Result,
};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// Is called with the prefix that was listed.
type AfterList = Box<dyn FnMut(&str) + Send>;

/// Counts the requests to an object store, and does something after each listing.
#[derive(Default)]
pub struct CountingStore {
    /// The store without a count.
    pub inner: Arc<InMemory>,
    gets: Mutex<BTreeMap<String, usize>>,
    lists: AtomicUsize,
    after_list: Mutex<Option<AfterList>>,
}

impl fmt::Debug for CountingStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CountingStore")
    }
}

impl fmt::Display for CountingStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CountingStore")
    }
}

impl CountingStore {
    /// Counts anew.
    pub fn forget(&self) {
        self.gets.lock().unwrap().clear();
        self.lists.store(0, Ordering::Relaxed);
    }

    /// Gives how often each object was asked for, whole or a part of it.
    pub fn gets(&self) -> BTreeMap<String, usize> {
        self.gets.lock().unwrap().clone()
    }

    /// Gives how many listings were asked for.
    pub fn lists(&self) -> usize {
        self.lists.load(Ordering::Relaxed)
    }

    /// Has something happen after each listing.
    pub fn after_list(&self, after: impl FnMut(&str) + Send + 'static) {
        *self.after_list.lock().unwrap() = Some(Box::new(after));
    }

    fn listed(&self, prefix: Option<&Path>) {
        self.lists.fetch_add(1, Ordering::Relaxed);
        let prefix = prefix.map(ToString::to_string).unwrap_or_default();
        let Some(mut after) = self.after_list.lock().unwrap().take() else { return };
        after(&prefix);
        *self.after_list.lock().unwrap() = Some(after);
    }
}

#[async_trait]
impl ObjectStore for CountingStore {
    async fn put_opts(&self, at: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        self.inner.put_opts(at, payload, opts).await
    }

    async fn put_multipart_opts(&self, at: &Path, opts: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(at, opts).await
    }

    async fn get_opts(&self, at: &Path, options: GetOptions) -> Result<GetResult> {
        *self.gets.lock().unwrap().entry(at.to_string()).or_default() += 1;
        self.inner.get_opts(at, options).await
    }

    fn delete_stream(&self, all: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(all)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let found = self.inner.list(prefix);
        self.listed(prefix);
        found
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let found = self.inner.list_with_delimiter(prefix).await;
        self.listed(prefix);
        found
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}
