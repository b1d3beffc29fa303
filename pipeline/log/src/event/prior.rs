//! Events of how often a fleet fails.

use forewarn_domain::prediction::RuleSetRef;
use forewarn_domain::prior::Prior;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Says which prior all predictions of a round start from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Estimated {
    /// The time that the round speaks for (RFC 3339, UTC).
    pub as_of: String,
    /// The rules that the round was made by.
    pub ruleset: RuleSetRef,
    /// The prior.
    #[serde(flatten)]
    pub prior: Prior,
}
