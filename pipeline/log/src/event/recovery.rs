//! Events of recoveries, and of what an account and region admits: what `forewarn_recovery` decides, each with whom it is about.
//!
//! Intents are written before the calls that carry them out.

pub(super) mod old;

use super::Event;
use forewarn_recovery::admission::AdmissionEvent;
use forewarn_recovery::event::RecoveryEvent;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Something that happened to a recovery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(description = "As [`Happened`] is written, whatever its kind.")]
pub struct Happened {
    /// Identifies the recovery.
    pub recovery_id: String,
    /// The EC2 instance that it began with.
    pub instance_id: String,
    /// What happened.
    #[serde(flatten)]
    pub event: RecoveryEvent,
}

/// Something that an account and region took note of about recoveries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(description = "As [`Noted`] is written, whatever its kind.")]
pub struct Noted {
    /// The AWS account id.
    pub account: String,
    /// The AWS region.
    pub region: String,
    /// What was noted.
    #[serde(flatten)]
    pub event: AdmissionEvent,
}

/// The types of what happens to recoveries, in the order of their course, with the versions written today.
pub(super) const HAPPENED: [(&str, u32); 22] = [
    ("forewarn.recovery.requested", 2),
    ("forewarn.recovery.joined", 1),
    ("forewarn.recovery.planned", 2),
    ("forewarn.recovery.denied", 2),
    ("forewarn.recovery.deferred", 2),
    ("forewarn.recovery.announced", 1),
    ("forewarn.recovery.objected", 1),
    ("forewarn.recovery.approved", 1),
    ("forewarn.recovery.admitted", 2),
    ("forewarn.recovery.leased", 1),
    ("forewarn.recovery.lease_released", 1),
    ("forewarn.recovery.step_intended", 2),
    ("forewarn.recovery.step_done", 2),
    ("forewarn.recovery.step_waiting", 1),
    ("forewarn.recovery.step_failed", 2),
    ("forewarn.recovery.undoing", 1),
    ("forewarn.recovery.verified", 2),
    ("forewarn.recovery.escalated", 2),
    ("forewarn.recovery.completed", 2),
    ("forewarn.recovery.stuck", 2),
    ("forewarn.recovery.stopped", 1),
    ("forewarn.recovery.retried", 1),
];

/// The types of what accounts and regions take note of, with the versions written today.
pub(super) const NOTED: [(&str, u32); 4] = [
    ("forewarn.admission.admitted", 1),
    ("forewarn.admission.released", 1),
    ("forewarn.admission.succeeded", 1),
    ("forewarn.admission.storm_seen", 1),
];

impl Happened {
    /// Gives the full type, version included.
    pub const fn type_(&self) -> &'static str {
        type_of(&self.event)
    }
}

const fn type_of(event: &RecoveryEvent) -> &'static str {
    match event {
        RecoveryEvent::Requested { .. } => "forewarn.recovery.requested.v2",
        RecoveryEvent::Joined { .. } => "forewarn.recovery.joined.v1",
        RecoveryEvent::Planned { .. } => "forewarn.recovery.planned.v2",
        RecoveryEvent::Denied { .. } => "forewarn.recovery.denied.v2",
        RecoveryEvent::Deferred { .. } => "forewarn.recovery.deferred.v2",
        RecoveryEvent::Announced { .. } => "forewarn.recovery.announced.v1",
        RecoveryEvent::Objected { .. } => "forewarn.recovery.objected.v1",
        RecoveryEvent::Approved { .. } => "forewarn.recovery.approved.v1",
        RecoveryEvent::Admitted => "forewarn.recovery.admitted.v2",
        RecoveryEvent::Leased { .. } => "forewarn.recovery.leased.v1",
        RecoveryEvent::LeaseReleased { .. } => "forewarn.recovery.lease_released.v1",
        RecoveryEvent::StepIntended { .. } => "forewarn.recovery.step_intended.v2",
        RecoveryEvent::StepDone { .. } => "forewarn.recovery.step_done.v2",
        RecoveryEvent::StepWaiting { .. } => "forewarn.recovery.step_waiting.v1",
        RecoveryEvent::StepFailed { .. } => "forewarn.recovery.step_failed.v2",
        RecoveryEvent::Undoing => "forewarn.recovery.undoing.v1",
        RecoveryEvent::Verified { .. } => "forewarn.recovery.verified.v2",
        RecoveryEvent::Escalated { .. } => "forewarn.recovery.escalated.v2",
        RecoveryEvent::Completed { .. } => "forewarn.recovery.completed.v2",
        RecoveryEvent::Stuck { .. } => "forewarn.recovery.stuck.v2",
        RecoveryEvent::Stopped { .. } => "forewarn.recovery.stopped.v1",
        RecoveryEvent::Retried { .. } => "forewarn.recovery.retried.v1",
    }
}

impl Noted {
    /// Gives the full type, version included.
    pub const fn type_(&self) -> &'static str {
        match self.event {
            AdmissionEvent::Admitted { .. } => "forewarn.admission.admitted.v1",
            AdmissionEvent::Released { .. } => "forewarn.admission.released.v1",
            AdmissionEvent::Succeeded { .. } => "forewarn.admission.succeeded.v1",
            AdmissionEvent::StormSeen { .. } => "forewarn.admission.storm_seen.v1",
        }
    }
}

/// Makes the log's event of what happened to a recovery.
pub fn happened(recovery_id: &str, instance_id: &str, event: RecoveryEvent) -> Event {
    Event::Recovery(Happened { recovery_id: recovery_id.to_owned(), instance_id: instance_id.to_owned(), event })
}

/// Makes the log's event of what an account and region noted.
pub fn admission_noted(account: &str, region: &str, event: AdmissionEvent) -> Event {
    Event::Admission(Noted { account: account.to_owned(), region: region.to_owned(), event })
}

/// Gives the recovery, its instance and what happened to it; none for events of other families.
pub fn of(event: &Event) -> Option<(&str, &str, &RecoveryEvent)> {
    if let Event::Recovery(e) = event { Some((&e.recovery_id, &e.instance_id, &e.event)) } else { None }
}

/// Gives what an account and region noted; none for events of other families.
pub const fn note_of(event: &Event) -> Option<&AdmissionEvent> {
    if let Event::Admission(e) = event { Some(&e.event) } else { None }
}
