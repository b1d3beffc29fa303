//! Events of a recovery workflow; intents are written before the calls that carry them out.

use super::blob::BlobRef;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What asked for a recovery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// A high-confidence prediction.
    Prediction,
    /// A failed status check.
    CheckFailed,
    /// An announcement of AWS Health.
    Health,
    /// A Spot notice.
    Spot,
    /// An operator.
    Operator,
}

/// Says that a recovery was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Requested {
    /// Identifies the recovery.
    pub recovery_id: String,
    /// The EC2 instance id.
    pub instance_id: String,
    /// What asked.
    pub trigger: Trigger,
    /// The event that asked, by its id.
    pub cause: Option<String>,
    /// The episode it answers.
    pub episode_id: Option<String>,
}

/// Says what a recovery would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Planned {
    /// The recovery.
    pub recovery_id: String,
    /// The rung of the ladder, 0 to 4.
    pub rung: u8,
    /// The steps, in order.
    pub steps: Vec<String>,
    /// The expected downtime in seconds.
    pub downtime_s: Option<u64>,
    /// The last step that can be undone.
    pub undo_until: Option<String>,
    /// True when the plan is only shown.
    pub dry_run: bool,
}

/// Says that all gates let a recovery through.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Admitted {
    /// The recovery.
    pub recovery_id: String,
    /// The gates asked, in order.
    pub gates: Vec<String>,
    /// Until when it may act (RFC 3339, UTC).
    pub lease_until: String,
}

/// Says that a gate refused a recovery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Denied {
    /// The recovery.
    pub recovery_id: String,
    /// The gate.
    pub gate: String,
    /// The reason in words.
    pub reason: String,
}

/// Says that a recovery waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Deferred {
    /// The recovery.
    pub recovery_id: String,
    /// Until when (RFC 3339, UTC).
    pub until: String,
    /// The reason in words.
    pub reason: String,
}

/// Says that a step is about to be issued.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StepIntended {
    /// The recovery.
    pub recovery_id: String,
    /// The step.
    pub step: String,
    /// Counts the attempts from 1.
    pub attempt: u32,
    /// The idempotency token of the call.
    pub token: String,
    /// The arguments of the call.
    pub arguments: serde_json::Value,
    /// What stood before, for undoing it.
    pub before: serde_json::Value,
}

/// Says that a step succeeded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StepDone {
    /// The recovery.
    pub recovery_id: String,
    /// The step.
    pub step: String,
    /// Counts the attempts from 1.
    pub attempt: u32,
    /// What came of it.
    pub result: serde_json::Value,
    /// True when the result was found rather than made, after a restart.
    pub adopted: bool,
}

/// Says that a step failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StepFailed {
    /// The recovery.
    pub recovery_id: String,
    /// The step.
    pub step: String,
    /// Counts the attempts from 1.
    pub attempt: u32,
    /// What went wrong.
    pub error: String,
    /// True when it will be tried again.
    pub retry: bool,
}

/// Says that the instance was found healthy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Verified {
    /// The recovery.
    pub recovery_id: String,
    /// What was looked at.
    pub checks: Vec<String>,
}

/// Says that a recovery moved up the ladder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Escalated {
    /// The recovery.
    pub recovery_id: String,
    /// The rung before.
    pub from: u8,
    /// The rung now.
    pub to: u8,
    /// The reason in words.
    pub reason: String,
}

/// How a recovery ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RecoveryOutcome {
    /// The instance, or its successor, is healthy.
    Recovered,
    /// Everything was undone.
    Compensated,
    /// Nothing had to be done.
    NotNeeded,
    /// People were told, nothing else.
    Notified,
}

/// Says that a recovery ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Completed {
    /// The recovery.
    pub recovery_id: String,
    /// The EC2 instance id.
    pub instance_id: String,
    /// How it ended.
    pub outcome: RecoveryOutcome,
    /// The instance that took over.
    pub successor: Option<String>,
    /// The downtime in seconds, as measured.
    pub downtime_s: Option<u64>,
}

/// Says that a recovery needs a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Stuck {
    /// The recovery.
    pub recovery_id: String,
    /// The EC2 instance id.
    pub instance_id: String,
    /// The step it stands at.
    pub step: Option<String>,
    /// The reason in words.
    pub reason: String,
    /// What was seen, kept outside the chain.
    pub details: Option<BlobRef>,
}
