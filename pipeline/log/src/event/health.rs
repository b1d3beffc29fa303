//! Events of AWS Health.

use super::blob::BlobRef;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where a Health event stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HealthStatus {
    /// It goes on.
    Open,
    /// It will come.
    Upcoming,
    /// It is over.
    Closed,
}

/// Says what AWS Health announced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HealthEvent {
    /// The ARN of the Health event.
    pub event_arn: String,
    /// The service it is about, such as `EC2`.
    pub service: String,
    /// The event type code, such as `AWS_EC2_INSTANCE_RETIREMENT_SCHEDULED`.
    pub code: String,
    /// The category as AWS names it, such as `scheduledChange`.
    pub category: String,
    /// Where it stands.
    pub status: HealthStatus,
    /// The AWS account id, or `unknown`.
    pub account: String,
    /// The AWS region, or `unknown`.
    pub region: String,
    /// The beginning (RFC 3339, UTC).
    pub start: Option<String>,
    /// The end (RFC 3339, UTC).
    pub end: Option<String>,
    /// The instances affected.
    pub instances: Vec<String>,
    /// Instances for which it is over, as their own status says; none of `instances`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resolved: Vec<String>,
    /// What AWS wrote.
    pub description: Option<BlobRef>,
}
