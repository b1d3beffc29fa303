//! Events of the log about itself.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Says that the log's oldest entries were forgotten, and what stands in their place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LogPruned {
    /// The position of the last entry that went.
    pub position: u64,
    /// The hash of that entry, from which the chain goes on.
    pub hash: String,
    /// How many entries went this time.
    pub entries: u64,
    /// Everything before this time was to go (RFC 3339, UTC).
    pub older_than: String,
    /// SHA-256 of the checkpoint: the last version of every stream and every table as of that position.
    pub checkpoint_sha256: String,
}
