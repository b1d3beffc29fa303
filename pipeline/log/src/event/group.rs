//! Events of Auto Scaling groups.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What an Auto Scaling group did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Activity {
    /// It launched an instance.
    Launched,
    /// It could not launch one.
    LaunchFailed,
    /// It ended an instance.
    Terminated,
    /// It could not end one.
    TerminateFailed,
    /// A launch waits for its lifecycle hook.
    LaunchWaits,
    /// An end waits for its lifecycle hook.
    TerminateWaits,
    /// An instance refresh began.
    RefreshStarted,
    /// An instance refresh reached a checkpoint.
    RefreshCheckpoint,
    /// An instance refresh is done.
    RefreshSucceeded,
    /// An instance refresh failed.
    RefreshFailed,
    /// An instance refresh was called off.
    RefreshCancelled,
}

/// Why a group ended an instance, as its own words tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EndedFor {
    /// The group shrank.
    ScaleIn,
    /// A health check failed, or it was found stopped.
    Unhealthy,
    /// The status checks of EC2 failed.
    StatusChecks,
    /// An instance refresh replaced it.
    Refresh,
    /// It was replaced ahead of a Spot interruption, or to spread the zones.
    Rebalance,
    /// AWS had scheduled work on it.
    Maintenance,
    /// Somebody asked for it, or said that it was not healthy.
    Request,
    /// Something else.
    Other,
}

/// Says what an Auto Scaling group did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GroupChanged {
    /// The group's name.
    pub group: String,
    /// The instance it did it with.
    pub instance_id: Option<String>,
    /// The AWS account id, or `unknown`.
    pub account: String,
    /// The AWS region, or `unknown`.
    pub region: String,
    /// What it did.
    pub activity: Activity,
    /// Why it ended the instance, where it did.
    pub ended_for: Option<EndedFor>,
    /// The reason in the group's words.
    pub cause: Option<String>,
}
