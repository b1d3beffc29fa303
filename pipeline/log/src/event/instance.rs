//! Events about instances themselves.

pub use forewarn_recovery::facts::InstanceState;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Says that an instance entered another state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StateChanged {
    /// The EC2 instance id.
    pub instance_id: String,
    /// The AWS account id, or `unknown`.
    pub account: String,
    /// The AWS region, or `unknown`.
    pub region: String,
    /// The state it is in now.
    pub state: InstanceState,
    /// The state it was in, where known.
    pub previous: Option<InstanceState>,
    /// The reason code that EC2 gives, such as `Client.UserInitiatedShutdown`.
    pub reason: Option<String>,
}

/// A status check of EC2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// Of the host.
    System,
    /// Of the operating system.
    Instance,
    /// Of the attached volumes.
    AttachedEbs,
    /// One of them: it is not known which.
    Any,
}

/// Says that a status check failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CheckFailed {
    /// The EC2 instance id.
    pub instance_id: String,
    /// The AWS account id, or `unknown`.
    pub account: String,
    /// The AWS region, or `unknown`.
    pub region: String,
    /// The check.
    pub check: Check,
    /// Since when it fails (RFC 3339, UTC).
    pub since: String,
    /// For how many minutes it has failed.
    pub minutes: u32,
}

/// Why an instance is no longer part of the fleet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LeftCause {
    /// A person or a program ended it.
    Terminated,
    /// Its Auto Scaling group shrank.
    ScaleIn,
    /// Spot took it back.
    Spot,
    /// A recovery of ours replaced it.
    Recovery,
    /// AWS had scheduled work on it.
    Maintenance,
    /// It is no longer there, and nothing says why.
    Gone,
}

/// Says that an instance left the fleet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Left {
    /// The EC2 instance id.
    pub instance_id: String,
    /// The AWS account id, or `unknown`.
    pub account: String,
    /// The AWS region, or `unknown`.
    pub region: String,
    /// Why it left.
    pub cause: LeftCause,
}
