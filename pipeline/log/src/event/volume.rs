//! Events about volumes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Says what EBS did with a volume, or could not do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VolumeChanged {
    /// The volume id.
    pub volume_id: String,
    /// The instance it is attached to, where the event names one.
    pub instance_id: Option<String>,
    /// The AWS account id, or `unknown`.
    pub account: String,
    /// The AWS region, or `unknown`.
    pub region: String,
    /// What was done, as EBS names it, such as `attachVolume` or `modifyVolume`.
    pub event: String,
    /// How it came out, as EBS names it, such as `available` or `failed`.
    pub outcome: String,
    /// The reason that EBS gives.
    pub cause: Option<String>,
}
