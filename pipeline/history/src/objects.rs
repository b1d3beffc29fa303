//! Reads objects below a prefix that others write, such as what Firehose delivers: listed in the order of their keys, read by ranges.

use super::entry::ObjectSeen;
use super::error::{HistoryError, Result};
use super::remote::RemoteStore;
use super::store::{StoreFile, StoreRead};

/// The objects below a prefix of an object store.
#[derive(Debug)]
pub struct Objects(RemoteStore);

impl Objects {
    /// Opens `s3://BUCKET/PREFIX`; nothing is asked of it yet.
    ///
    /// # Errors
    /// When there are no credentials, or the location is none.
    pub fn open(location: &str) -> Result<Self> {
        let rest = location.strip_prefix("s3://").ok_or_else(|| HistoryError::Location {
            location: location.to_owned(),
            why: "give s3://bucket/prefix".to_owned(),
        })?;
        RemoteStore::s3(location, rest).map(Self)
    }

    /// Takes a prefix of any object store.
    #[must_use]
    pub const fn of(store: RemoteStore) -> Self {
        Self(store)
    }

    /// Names an object as a person would write it.
    pub fn uri(&self, path: &str) -> String {
        format!("{}/{path}", self.0.location().trim_end_matches('/'))
    }

    /// Lists the objects whose paths come after one, in the order of their paths, at most so many.
    ///
    /// # Errors
    /// When the store does not answer or refuses.
    pub fn after(&self, path: Option<&str>, most: usize) -> Result<Vec<ObjectSeen>> {
        self.0.objects_after(path, most)
    }

    /// Reads an object from its beginning, some MiB at a time.
    pub fn read(&self, object: &ObjectSeen) -> StoreRead {
        StoreFile::Remote(self.0.open_file(&object.path, object.size)).read_from(0)
    }
}
