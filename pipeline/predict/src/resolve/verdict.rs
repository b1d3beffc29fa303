//! Adds what an operator says to a resolved episode.

use super::append;
use crate::episode_events::stream_of;
use forewarn_log::event::prediction::{Resolved, Verdict};
use forewarn_log::{Event, Row, StateLog, Table};

/// Why a verdict was not taken.
#[derive(Debug, thiserror::Error)]
pub enum VerdictError {
    /// There is no such episode.
    #[error("the log has no episode {0}; `forewarn log list --type prediction` shows them")]
    NoEpisode(String),
    /// It is not resolved yet.
    #[error("episode {0} is not resolved yet; a verdict is given on what came of it")]
    TooEarly(String),
    /// The log failed.
    #[error(transparent)]
    Resolve(#[from] super::ResolveError),
}

/// Writes an operator's verdict on a resolved episode beside its outcome, at `now`, milliseconds. The same verdict again changes nothing;
/// another one is added, and the newest counts.
///
/// # Errors
/// When the log has no such episode, it is not resolved, or the log fails.
pub fn verdict(log: &dyn StateLog, episode_id: &str, verdict: Verdict, now: i64) -> Result<(), VerdictError> {
    let failed = |e: forewarn_log::LogError| VerdictError::Resolve(e.into());
    let Some(Row::Episode(episode)) = log.table(Table::Episodes).map_err(failed)?.remove(episode_id) else {
        return Err(VerdictError::NoEpisode(episode_id.to_owned()));
    };
    if episode.verdict == Some(verdict) {
        return Ok(());
    }
    let stream = stream_of(episode_id);
    let entries = log.read(&stream, 1, usize::MAX).map_err(failed)?;
    let resolved = entries.iter().rev().find_map(|e| match e.event() {
        Ok(Event::PredictionResolved(r)) => Some(r),
        _ => None,
    });
    let Some(resolved) = resolved else { return Err(VerdictError::TooEarly(episode_id.to_owned())) };
    let at = now.to_string();
    append(log, &stream, &[episode_id, "verdict", &at], now, Resolved { verdict: Some(verdict), ..resolved })?;
    Ok(())
}
