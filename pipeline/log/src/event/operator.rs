//! Events of what operators did.

use super::blob::BlobRef;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What an operator did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OperatorAction {
    /// Took note of an episode.
    Ack,
    /// Asked for quiet.
    Silence,
    /// Ended the quiet.
    Unsilence,
    /// Approved a recovery.
    Approve,
    /// Objected to a recovery.
    Object,
    /// Paused all recoveries.
    Pause,
    /// Let recoveries go on.
    Resume,
}

/// Whether an operator finds a prediction right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Opinion {
    /// It was right.
    True,
    /// It was wrong.
    False,
    /// It can't be told.
    Unsure,
}

/// Says what an operator did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OperatorActed {
    /// What was done.
    pub action: OperatorAction,
    /// What it was done to: an instance, workload, episode or recovery, or `all`.
    pub target: String,
    /// Until when it holds (RFC 3339, UTC); null for good.
    pub until: Option<String>,
    /// The reason in words.
    pub reason: Option<String>,
    /// Whether a prediction was right, where that was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Opinion>,
    /// Who did it, kept outside the chain.
    pub by: Option<BlobRef>,
}
