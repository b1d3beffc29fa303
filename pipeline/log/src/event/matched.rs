//! Events of matched log lines.

use super::blob::BlobRef;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Says that log lines matched a pattern.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LogMatched {
    /// The EC2 instance id.
    pub instance_id: String,
    /// Where the lines stand: a log group and stream, or a file.
    pub source: String,
    /// The name of the pattern, such as `kernel_panic`.
    pub pattern: String,
    /// How many lines matched.
    pub count: u32,
    /// The time of the first line (RFC 3339, UTC).
    pub first: String,
    /// The time of the last line (RFC 3339, UTC).
    pub last: String,
    /// An excerpt, kept outside the chain.
    pub excerpt: Option<BlobRef>,
}
