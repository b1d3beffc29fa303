//! The history: metrics and tables as plain Parquet in a directory or under `s3://`, laid out so that `DuckDB`, Spark,
//! Athena and pandas read it as it stands.
//!
//! Layout under the root: `metrics/date=YYYY-MM-DD/bucket=BB/*.parquet`, the tables `events/`, `instances/`, `incidents/` and
//! `predictions/`, each as `date=YYYY-MM-DD/*.parquet`, and `_forewarn.json`. What begins with `_` belongs to forewarn alone.
//!
//! One process writes to a directory at a time: it is locked for it. An object store has no such lock; there several archive at once,
//! since what they write is named by what it holds and only ever made, and what is changed is changed on condition that nobody came
//! first. One process at a time compacts and prunes. Readers need no lock anywhere.

pub mod import;

mod batch;
pub mod columns;
mod commit;
mod compact;
mod constant;
mod entry;
mod error;
mod evidence;
mod files;
mod instances;
mod key;
mod leftovers;
mod local;
mod lock;
mod manifest;
mod objects;
pub mod prediction_table;
mod predictions;
mod prune;
mod read;
mod remote;
mod replacement;
mod retention;
mod rows;
#[cfg(feature = "aws")]
mod s3;
mod scan;
mod schema;
mod stats;
mod store;
mod summary;
mod table_codec;
mod table_files;
mod tables;
mod verify;
pub mod versions;
mod write;

pub use commit::{CommitRecord, Staging, Writer};
pub use compact::{CompactOptions, CompactReport};
pub use entry::{Entry, ObjectSeen};
pub use error::{HistoryError, Result};
pub use files::MetricFile;
pub use instances::InstanceVersions;
pub use key::{NOT_INGESTED, Partition, SeriesKey, bucket_of};
pub use leftovers::sweep;
pub use local::{LocalFile, LocalStore};
pub use manifest::{DEFAULT_AVAILABILITY_DELAY_S, DEFAULT_BUCKETS, FORMAT_VERSION, Manifest};
pub use objects::Objects;
pub use predictions::{PredictionFile, PredictionRow, round_name};
pub use prune::{PruneNote, PruneReport};
pub use remote::{RemoteFile, RemoteStore};
pub use rows::{EventKey, EventRow, IncidentRow, InstanceRow, UNLIMITED};
pub use scan::{Run, RunSink, ScanOptions};
pub use schema::{TEXT_COLUMNS, metric_schema};
pub use stats::{HistoryStats, MetricStats};
pub use store::{Store, StoreFile, StoreRead};
pub use verify::{Fault, VerifyReport};

pub use write::MetricWriter;

/// A history, open for reading.
#[derive(Debug)]
pub struct History {
    store: Store,
    manifest: Manifest,
    fresh: bool,
    notes: replacement::KnownNotes,
}

impl History {
    /// Opens the history at `DIR` or `s3://BUCKET/PREFIX`.
    pub fn open(location: &str) -> Result<Self> {
        Self::with_store(Store::open(location)?)
    }

    /// Opens the history of a store.
    pub fn with_store(store: Store) -> Result<Self> {
        match Manifest::load(&store)? {
            Some(manifest) => Ok(Self { store, manifest, fresh: false, notes: replacement::KnownNotes::default() }),
            None => Err(HistoryError::NotFound { location: store.location() }),
        }
    }

    /// Opens a history, or takes the place for a new one, which comes to be with the first commit; until then
    /// nothing is written.
    pub fn open_or_create(location: &str) -> Result<Self> {
        Self::open_or_create_in(Store::open(location)?)
    }

    /// Does as [`History::open_or_create`] on a store.
    pub fn open_or_create_in(store: Store) -> Result<Self> {
        let found = Manifest::load(&store)?;
        let notes = replacement::KnownNotes::default();
        Ok(Self { fresh: found.is_none(), manifest: found.unwrap_or_default(), store, notes })
    }

    /// Makes an empty history; one that exists is an error.
    pub fn create(location: &str, manifest: &Manifest) -> Result<Self> {
        let store = Store::open(location)?;
        if Manifest::load(&store)?.is_some() || !manifest.create(&store)? {
            return Err(HistoryError::Exists { location: store.location() });
        }
        Self::with_store(store)
    }

    /// Gives what `_forewarn.json` says.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// How long after its period a sample counts as available that does not say when it arrived, milliseconds.
    pub fn delay_ms(&self) -> i64 {
        i64::from(self.manifest.availability_delay_s) * 1000
    }

    /// Gives the bucket count.
    pub fn buckets(&self) -> u16 {
        self.manifest.buckets
    }

    /// Gives the bucket of an instance.
    pub fn bucket_of(&self, instance_id: &str) -> u16 {
        bucket_of(instance_id, self.manifest.buckets)
    }

    /// Gives the place where the files are.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Gives the root as a person would write it.
    pub fn location(&self) -> String {
        self.store.location()
    }

    /// Says whether nothing has ever been committed here.
    pub fn is_fresh(&self) -> bool {
        self.fresh
    }
}
