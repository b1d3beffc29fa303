//! Events of declared changes.

use super::blob::BlobRef;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What kind of change was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// New software.
    Deployment,
    /// New settings.
    Config,
    /// Another size or type.
    Resize,
    /// Planned work.
    Maintenance,
    /// Anything else.
    Other,
}

impl ChangeKind {
    /// Gives the kind's name, as in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Deployment => "deployment",
            Self::Config => "config",
            Self::Resize => "resize",
            Self::Maintenance => "maintenance",
            Self::Other => "other",
        }
    }
}

/// Says that somebody declared a change, which predictions name and trends wait for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ChangeMarked {
    /// Identifies the change.
    pub change_id: String,
    /// The instance changed; null when it is about a workload or everything.
    pub instance_id: Option<String>,
    /// The workload changed.
    pub workload: Option<String>,
    /// What kind of change it was.
    pub kind: ChangeKind,
    /// The change in words.
    pub text: String,
    /// When it was made (RFC 3339, UTC).
    pub at: String,
    /// When it ended, where it lasted (RFC 3339, UTC).
    pub until: Option<String>,
    /// When it was declared, where that was not when it was made (RFC 3339, UTC): nobody knew of it before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub marked_at: Option<String>,
    /// Who declared it, kept outside the chain.
    pub by: Option<BlobRef>,
}
