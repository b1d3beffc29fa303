//! Why a prediction run, or what follows it, did not come to its end.

use crate::announce::AnnounceError;
use crate::error::AnalyzeError;
use crate::evidence_file::EvidenceError;
use crate::incidents::IncidentsError;
use crate::prior::PriorError;
use crate::resolve::ResolveError;
use forewarn_history::HistoryError;
use forewarn_log::LogError;
use forewarn_runtime::lease::LeaseError;
use forewarn_runtime::schedule::ProgressError;

/// Explains why a run did not come to its end; executing it again is safe.
#[derive(Debug, thiserror::Error)]
pub enum PredictionRunError {
    /// The analysis failed.
    #[error(transparent)]
    Analyze(#[from] AnalyzeError),
    /// What was found could not be written down.
    #[error(transparent)]
    Announce(#[from] AnnounceError),
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    History(#[from] HistoryError),
    /// The progress could not be kept.
    #[error(transparent)]
    Progress(#[from] ProgressError),
    /// Another process has taken the turn over.
    #[error(transparent)]
    Lease(#[from] LeaseError),
    /// What shards gathered can't be handed on.
    #[error(transparent)]
    Evidence(#[from] EvidenceError),
    #[error(transparent)]
    Prior(#[from] PriorError),
}

impl From<TablesError> for PredictionRunError {
    fn from(e: TablesError) -> Self {
        match e {
            TablesError::History(e) => Self::History(e),
            TablesError::Log(e) => Self::Log(e),
            TablesError::Progress(e) => Self::Progress(e),
        }
    }
}

/// Explains why the history's small tables could not be read for a turn.
#[derive(Debug, thiserror::Error)]
pub enum TablesError {
    #[error(transparent)]
    History(#[from] HistoryError),
    /// The log does not say which episodes are open.
    #[error(transparent)]
    Log(#[from] LogError),
    /// It can't be read since when failures are looked for.
    #[error(transparent)]
    Progress(#[from] ProgressError),
}

/// Explains why it is not known how things turned out; asking again is safe.
#[derive(Debug, thiserror::Error)]
pub enum ConcludeError {
    /// It can't be read or written since when failures are looked for.
    #[error(transparent)]
    Progress(#[from] ProgressError),
    #[error(transparent)]
    Tables(#[from] TablesError),
    /// Incidents could not be found or written down.
    #[error(transparent)]
    Incidents(#[from] IncidentsError),
    /// Episodes could not be resolved.
    #[error(transparent)]
    Resolve(#[from] ResolveError),
}
