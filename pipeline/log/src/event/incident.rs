//! Events of failures that happened: the ground truth.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Whether something broke or only a threshold was crossed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum IncidentClass {
    /// Something broke.
    Failure,
    /// A critical level was crossed; scored apart.
    Saturation,
}

/// Says that a failure happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct IncidentObserved {
    /// Identifies the incident.
    pub incident_id: String,
    /// The EC2 instance id.
    pub instance_id: String,
    /// The AWS account id, or `unknown`.
    pub account: String,
    /// The AWS region, or `unknown`.
    pub region: String,
    /// What the instance is a copy of, where known.
    pub workload: Option<String>,
    /// The beginning (RFC 3339, UTC).
    pub start: String,
    /// The end, once it is over (RFC 3339, UTC).
    pub end: Option<String>,
    /// Failure or saturation.
    pub class: IncidentClass,
    /// The cause, where known, such as `oom_kill` or `system_check`.
    pub cause: Option<String>,
    /// Whether any sign came before it, where known.
    pub predictable: Option<bool>,
    /// What shows that it happened.
    pub evidence: String,
}
