//! Reads and writes `_forewarn.json`: the format version, the bucket count, and what names mean here.

use super::error::{HistoryError, Result};
use super::store::Store;
use forewarn_domain::signal::Signal;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The format version that this program reads and writes.
pub const FORMAT_VERSION: u64 = 1;

/// The bucket count of a new history.
pub const DEFAULT_BUCKETS: u16 = 16;

/// Seconds after which a row without `ingested_at` counts as available, beside its own period.
pub const DEFAULT_AVAILABILITY_DELAY_S: u32 = 300;

pub(super) const FILE: &str = "_forewarn.json";

/// What `_forewarn.json` says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Version of the layout.
    pub format_version: u64,
    /// How many buckets instances are spread over.
    pub buckets: u16,
    /// Metric names that a signal reads here beside its own, from `import --map`.
    #[serde(default)]
    pub signal_map: BTreeMap<String, Signal>,
    /// When a row without `ingested_at` counts as available: this long after its period ended.
    pub availability_delay_s: u32,
}

impl Default for Manifest {
    fn default() -> Self {
        Self {
            format_version: FORMAT_VERSION,
            buckets: DEFAULT_BUCKETS,
            signal_map: BTreeMap::new(),
            availability_delay_s: DEFAULT_AVAILABILITY_DELAY_S,
        }
    }
}

impl Manifest {
    /// Reads the manifest of a store; none where there is no history.
    pub(super) fn load(store: &Store) -> Result<Option<Self>> {
        store.read(FILE)?.map(|bytes| Self::decode(store, &bytes)).transpose()
    }

    fn decode(store: &Store, bytes: &[u8]) -> Result<Self> {
        let bad = |why: String| HistoryError::Json { path: store.describe(FILE), why };
        let raw: serde_json::Value = serde_json::from_slice(bytes).map_err(|e| bad(e.to_string()))?;
        let found = raw.get("format_version").and_then(serde_json::Value::as_u64);
        match found {
            Some(FORMAT_VERSION) => {}
            Some(found) => {
                return Err(HistoryError::UnknownVersion { location: store.location(), found, known: FORMAT_VERSION });
            }
            None => return Err(bad("format_version is missing or no number".to_owned())),
        }
        let manifest: Self = serde_json::from_value(raw).map_err(|e| bad(e.to_string()))?;
        if manifest.buckets == 0 {
            return Err(bad("buckets must be at least 1".to_owned()));
        }
        Ok(manifest)
    }

    /// Makes the manifest of a new history; says whether there was none.
    pub(super) fn create(&self, store: &Store) -> Result<bool> {
        store.put_new(FILE, pretty(self, FILE)?)
    }

    /// Makes a new history of this shape, or adds names to one that is there, of which another writer may have said something else
    /// meanwhile; gives what it says then. A history that is there keeps its shape.
    pub(super) fn save(&self, store: &Store, added: &BTreeMap<String, Signal>) -> Result<Self> {
        let mut saved = self.clone();
        store.update(FILE, |there| {
            let there = there.map(|bytes| Self::decode(store, bytes)).transpose()?;
            if let Some(there) = &there
                && there.buckets != self.buckets
            {
                let (found, ours) = (there.buckets, self.buckets);
                return Err(HistoryError::OtherBuckets { location: store.location(), found, ours });
            }
            saved.clone_from(there.as_ref().unwrap_or(self));
            saved.signal_map.extend(added.iter().map(|(name, signal)| (name.clone(), *signal)));
            if there.as_ref() == Some(&saved) { Ok(None) } else { pretty(&saved, FILE).map(Some) }
        })?;
        Ok(saved)
    }
}

/// Writes a value as the small JSON files of a history are written.
pub(super) fn pretty(value: &impl Serialize, path: &str) -> Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec_pretty(value)
        .map_err(|e| HistoryError::Json { path: path.to_owned(), why: e.to_string() })?;
    bytes.push(b'\n');
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store_with(text: &str) -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(FILE), text).unwrap();
        let store = Store::open(dir.path().to_str().unwrap()).unwrap();
        (dir, store)
    }

    #[test]
    fn reads_back_what_it_wrote() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::in_dir(dir.path());
        let mut manifest = Manifest::default();
        manifest.signal_map.insert("metric_03".into(), Signal::Memory);
        manifest.save(&store, &BTreeMap::new()).unwrap();
        assert_eq!(Manifest::load(&store).unwrap(), Some(manifest));
    }

    #[test]
    fn another_version_is_refused_with_both_numbers() {
        let (_dir, store) = store_with(r#"{"format_version": 9}"#);
        let text = Manifest::load(&store).unwrap_err().to_string();
        assert!(text.contains("has format_version 9; this forewarn reads 1"), "{text}");
    }

    #[test]
    fn a_manifest_that_is_no_json_or_has_no_buckets_is_refused() {
        for text in ["{", "[]", r#"{"format_version":1,"buckets":0,"availability_delay_s":300}"#] {
            let (_dir, store) = store_with(text);
            assert!(matches!(Manifest::load(&store), Err(HistoryError::Json { .. })), "{text}");
        }
    }
}
