//! Says what went wrong with a history, where, and what to do about it.

use std::path::Path;

/// An error of reading or writing a history.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// There is no history here.
    #[error("no history at {location}: it has no _forewarn.json; import something first, or check the path")]
    NotFound {
        /// Where it was looked for.
        location: String,
    },
    /// A history exists where a new one was to be made.
    #[error("a history exists already at {location}")]
    Exists {
        /// Where it stands.
        location: String,
    },
    /// The location cannot be one.
    #[error("{location} cannot be a history: {why}")]
    Location {
        /// The location given.
        location: String,
        why: String,
    },
    /// The format version is not one this program knows.
    #[error("{location}/_forewarn.json has format_version {found}; this forewarn reads {known}: use a newer one")]
    UnknownVersion {
        /// Where the history stands.
        location: String,
        /// The version found.
        found: u64,
        /// The version known.
        known: u64,
    },
    /// A small JSON file of the history does not read.
    #[error("{path} is not valid: {why}")]
    Json {
        /// The file.
        path: String,
        /// The fault.
        why: String,
    },
    /// Another process writes.
    #[error("another process is writing to {location}; wait until it has finished, then run this again")]
    Locked {
        /// Where the history stands.
        location: String,
    },
    /// A file would be replaced by other bytes.
    #[error(
        "{path} is there already with other content, and is not replaced; run `forewarn history verify`, keep the file elsewhere if \
         you need it, then move it away and run this again"
    )]
    WouldReplace {
        /// The file that stays.
        path: String,
    },
    /// Other writers change a small file without end.
    #[error(
        "{path}: other processes came first again and again; run this again once fewer of them write to this history"
    )]
    Contended {
        /// The file.
        path: String,
    },
    /// Another writer made the history meanwhile, in another shape.
    #[error("{location} was made meanwhile with {found} buckets, and this writer spreads over {ours}; run this again")]
    OtherBuckets {
        /// Where the history stands.
        location: String,
        found: u16,
        ours: u16,
    },
    /// Samples would be added to days that were pruned, where no reader counts them.
    #[error(
        "the samples begin at {first}, and everything before {kept_from} was pruned from {location}; leave those out, or run \
         `forewarn history keep-from {day}` first"
    )]
    Pruned {
        /// Where the history stands.
        location: String,
        /// Time of the first sample.
        first: String,
        /// Its day, as the command takes it.
        day: String,
        /// The first day that was kept.
        kept_from: String,
    },
    /// Built without S3.
    #[error("{location}: this forewarn was built without S3; build it with the feature `aws`")]
    NoAws {
        /// The location given.
        location: String,
    },
    /// The file system refused.
    #[error("cannot {action} {path}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: String,
        /// Why not.
        source: std::io::Error,
    },
    /// The object store refused.
    #[error("cannot {action} {path}")]
    Remote {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: String,
        /// Why not.
        source: object_store::Error,
    },
    /// A Parquet file does not read or write.
    #[error("{file}: Parquet fault; run `forewarn history verify`")]
    Parquet {
        file: String,
        /// The fault.
        source: parquet::errors::ParquetError,
    },
    /// A file is readable but not as this history's files must be.
    #[error("{file}: {fault}; run `forewarn history verify`")]
    Corrupt { file: String, fault: String },
    /// The receiver of a scan gave up.
    #[error("the scan was stopped")]
    Sink(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl HistoryError {
    /// Says whether the caller's input is at fault rather than the machine: exit code 2 rather than 1.
    pub fn is_bad_input(&self) -> bool {
        match self {
            Self::NotFound { .. }
            | Self::Exists { .. }
            | Self::Location { .. }
            | Self::UnknownVersion { .. }
            | Self::Json { .. }
            | Self::Pruned { .. }
            | Self::NoAws { .. }
            | Self::Parquet { .. }
            | Self::Corrupt { .. } => true,
            Self::Io { source, .. } => {
                use std::io::ErrorKind as K;
                matches!(
                    source.kind(),
                    K::PermissionDenied | K::NotADirectory | K::IsADirectory | K::NotFound | K::ReadOnlyFilesystem
                )
            }
            Self::WouldReplace { .. }
            | Self::Contended { .. }
            | Self::OtherBuckets { .. }
            | Self::Locked { .. }
            | Self::Remote { .. }
            | Self::Sink(_) => false,
        }
    }

    /// Says whether a file that was listed has gone since.
    pub fn is_gone(&self) -> bool {
        says_gone(self)
    }

    pub(crate) fn io(action: &'static str, path: &Path, source: std::io::Error) -> Self {
        Self::Io { action, path: path.display().to_string(), source }
    }

    pub(crate) fn parquet(file: &str, source: parquet::errors::ParquetError) -> Self {
        Self::Parquet { file: file.to_owned(), source }
    }

    pub(crate) fn corrupt(file: &str, fault: impl Into<String>) -> Self {
        Self::Corrupt { file: file.to_owned(), fault: fault.into() }
    }
}

/// Looks for an absent file through everything that an error was wrapped in: reading Parquet wraps what the store said twice over.
fn says_gone(error: &(dyn std::error::Error + 'static)) -> bool {
    if let Some(io) = error.downcast_ref::<std::io::Error>() {
        let inner = io.get_ref().is_some_and(|inner| says_gone(inner));
        return inner || io.kind() == std::io::ErrorKind::NotFound;
    }
    if let Some(parquet::errors::ParquetError::External(inner)) = error.downcast_ref() {
        return says_gone(inner.as_ref());
    }
    matches!(error.downcast_ref(), Some(object_store::Error::NotFound { .. })) || error.source().is_some_and(says_gone)
}

/// The result of an operation on a history.
pub type Result<T, E = HistoryError> = std::result::Result<T, E>;
