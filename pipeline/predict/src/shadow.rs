//! Scores a second rule set silently on live data: what it would have said is kept beside what was said, and nobody is told.
//!
//! A shadow's rounds stand in the same `predictions/`, under the name of its own rule set; they belong to no episode, and neither log
//! nor bus hears of them. `forewarn scorecard diff` holds the two against each other.

use crate::analyze::{AnalyzeError, analyze};
use crate::announce::{AnnounceError, keep_predictions};
use crate::fleet::Fleet;
use forewarn_domain::signal_map::SignalMap;
use forewarn_history::History;
use forewarn_rules::ruleset::RuleSet;

/// Why a shadow could not be kept; the predictions that people see are not touched by it.
#[derive(Debug, thiserror::Error)]
pub enum ShadowError {
    /// The analysis failed.
    #[error(transparent)]
    Analyze(#[from] AnalyzeError),
    /// What was found could not be kept.
    #[error(transparent)]
    Keep(#[from] AnnounceError),
}

/// Analyzes a history at `as_of` with a shadow rule set and keeps what it says. Gives the path, and whether it is new; a round that is
/// kept already stays as it is.
///
/// # Errors
/// When the history does not read or cannot be written to.
pub fn keep(
    history: &History,
    map: &SignalMap,
    fleet: &Fleet,
    as_of: i64,
    shadow: &RuleSet,
) -> Result<(String, bool), ShadowError> {
    let analysis = analyze(history, shadow, map, fleet, as_of, |_, _| {})?;
    Ok(keep_predictions(history, as_of, analysis.predictions(shadow, true), shadow)?)
}
