//! Events of changed policies.

use super::blob::BlobRef;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Says that a policy changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PolicyChanged {
    /// The policy's name.
    pub policy: String,
    /// SHA-256 of its text, in hexadecimal.
    pub sha256: String,
    /// What changed, in words.
    pub summary: String,
    /// Who changed it, kept outside the chain; null when forewarn did.
    pub by: Option<BlobRef>,
}
