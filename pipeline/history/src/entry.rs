//! One file of a store, as a listing gives it.

use std::path::Path;

/// One file of a store.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// Path from the root, with `/`.
    pub path: String,
    /// Size in bytes.
    pub size: u64,
}

impl Entry {
    /// Says whether it is one of the small JSON files, whole.
    pub(super) fn is_json(&self) -> bool {
        Path::new(&self.path).extension().is_some_and(|e| e == "json")
    }
}

/// One object as a listing gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectSeen {
    /// Path below the prefix; the listing is in its order.
    pub path: String,
    /// Size in bytes.
    pub size: u64,
    pub etag: Option<String>,
    /// When it was written, milliseconds.
    pub modified_ms: i64,
}
