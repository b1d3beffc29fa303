//! Events of CloudWatch alarms.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The state of an alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AlarmState {
    /// All is well.
    Ok,
    /// The condition holds.
    Alarm,
    /// Nothing can be said.
    InsufficientData,
}

/// Says that a CloudWatch alarm changed its state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AlarmChanged {
    /// The alarm's name.
    pub alarm: String,
    /// The instance it watches, where it watches one.
    pub instance_id: Option<String>,
    /// The AWS account id, or `unknown`.
    pub account: String,
    /// The AWS region, or `unknown`.
    pub region: String,
    /// The state it is in now.
    pub state: AlarmState,
    /// The state it was in, where known.
    pub previous: Option<AlarmState>,
    /// The reason that CloudWatch gives.
    pub reason: Option<String>,
}
