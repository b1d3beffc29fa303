//! Scores a second rule set silently on live data: what it would have said is kept beside what was said, and nobody is told.
//!
//! A shadow's rounds stand in the same `predictions/`, under the name of its own rule set; they belong to no episode, and neither log
//! nor bus hears of them. `forewarn scorecard diff` holds the two against each other.

use crate::analyze::Analysis;
use crate::announce::{AnnounceError, keep_predictions};
use crate::error::AnalyzeError;
use crate::evidence::Look;
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
    /// Shards have gathered evidence by the levels of another rule set.
    #[error("it holds signals against other levels than the rule set that the shards were gathered with")]
    OtherLevels,
}

/// Keeps what a shadow rule set says of what was analyzed. One that holds signals against other levels has features of its own: `look`
/// analyzes again for it. Gives the path, and whether it is new; a round that is kept already stays as it is.
///
/// # Errors
/// When the history does not read or cannot be written to, or nobody can look again.
pub fn keep(
    history: &History,
    (analysis, ruleset): (&Analysis, &RuleSet),
    shadow: &RuleSet,
    look: Option<&Look<'_>>,
) -> Result<(String, bool), ShadowError> {
    let predictions = if shadow.feature_settings() == ruleset.feature_settings() {
        analysis.predictions_of(&shadow.assess(&analysis.table).map_err(AnalyzeError::from)?, shadow, true)
    } else {
        let look = look.ok_or(ShadowError::OtherLevels)?;
        Look { ruleset: shadow, ..*look }.analyze(|_, _| {})?.predictions(shadow, true)
    };
    Ok(keep_predictions(history, analysis.as_of, predictions, shadow)?)
}
