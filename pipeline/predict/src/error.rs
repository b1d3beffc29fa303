//! Why an analysis could not be made.

use forewarn_history::HistoryError;
use forewarn_rules::assess::AssessError;
use std::path::PathBuf;

/// Why an analysis could not be made.
#[derive(Debug, thiserror::Error)]
pub enum AnalyzeError {
    /// The history does not read.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// The rules do not run on the table.
    #[error(transparent)]
    Assess(#[from] AssessError),
    /// There is nothing in the seven days before the time.
    #[error("no samples{of} in the 7 days before {as_of}: {held}")]
    NoData {
        /// The instance asked for, as in ` of i-1`; empty for all.
        of: String,
        /// The time asked for.
        as_of: String,
        /// What the history holds instead.
        held: String,
    },
    /// Somebody pressed Ctrl-C.
    #[error("interrupted")]
    Interrupted,
    /// A file could not be written.
    #[error("cannot write {}: {why}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        why: String,
    },
}

impl AnalyzeError {
    /// Says whether the caller's input is at fault rather than the machine.
    pub fn is_bad_input(&self) -> bool {
        match self {
            Self::History(e) => e.is_bad_input(),
            Self::NoData { .. } => true,
            Self::Assess(_) | Self::Write { .. } | Self::Interrupted => false,
        }
    }
}
