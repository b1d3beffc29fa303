//! Points from an event to text that must be able to go away: excerpts and personal data.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Names text kept outside the hash chain, with its own expiry; the log stays whole when the text is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BlobRef {
    /// SHA-256 of the text, in hexadecimal.
    pub sha256: String,
    /// Its length.
    pub bytes: u64,
}
