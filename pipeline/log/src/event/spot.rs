//! Events about Spot capacity.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What EC2 will do to a Spot instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SpotAction {
    /// End it.
    Terminate,
    /// Stop it.
    Stop,
    /// Hibernate it.
    Hibernate,
}

/// Says that EC2 is about to take a Spot instance back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InterruptionWarned {
    /// The EC2 instance id.
    pub instance_id: String,
    /// The AWS account id, or `unknown`.
    pub account: String,
    /// The AWS region, or `unknown`.
    pub region: String,
    /// What EC2 will do.
    pub action: SpotAction,
    /// When EC2 will do it (RFC 3339, UTC).
    pub at: String,
}

/// Says that EC2 sees an elevated risk of interruption.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RebalanceRecommended {
    /// The EC2 instance id.
    pub instance_id: String,
    /// The AWS account id, or `unknown`.
    pub account: String,
    /// The AWS region, or `unknown`.
    pub region: String,
    /// When the recommendation was made (RFC 3339, UTC).
    pub at: String,
}
