//! Why nothing is done, or not yet.

use forewarn_domain::action::RecoveryAction;
use forewarn_domain::time::UnixMs;
use serde::{Deserialize, Serialize};

/// The reason of one gate.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema, thiserror::Error,
)]
#[serde(rename_all = "snake_case", tag = "gate")]
pub enum Refusal {
    /// Something that has to be known could not be read.
    #[error("{what} could not be read: {why}")]
    Unreadable {
        /// What.
        what: String,
        /// Why.
        why: String,
    },
    /// The mode only watches or tells.
    #[error("the mode is {mode}: nothing is done")]
    Mode {
        /// Its name.
        mode: String,
    },
    /// Nobody has approved it yet.
    #[error("it waits for approval")]
    Unapproved,
    /// The instance is not enrolled.
    #[error("the instance is not enrolled: tag AutoRecovery is neither `enabled` nor `true`")]
    NotEnrolled,
    /// The policy forbids it.
    #[error("the policy does not allow {action}")]
    Forbidden {
        /// What.
        action: RecoveryAction,
    },
    /// A named pause.
    #[error("paused by {name} until {until_ms}")]
    Paused {
        /// Its name.
        name: String,
        /// Until when, milliseconds.
        until_ms: UnixMs,
    },
    /// A silence holds.
    #[error("silenced by {id}")]
    Silenced {
        /// The silence.
        id: String,
    },
    /// A mere prediction waits for the maintenance window.
    #[error("outside the maintenance window, which opens at {opens_ms}")]
    OutsideWindow {
        /// When, milliseconds.
        opens_ms: UnixMs,
    },
    /// AWS has trouble of its own there.
    #[error("an AWS service event is open in the region")]
    ServiceEvent,
    /// Another recovery of the same lineage is open.
    #[error("recovery {recovery_id} of the same lineage is open")]
    OpenIncident {
        /// Which.
        recovery_id: String,
    },
    /// Another controller owns the instance.
    #[error("{controller} owns the instance")]
    Owned {
        /// Which.
        controller: String,
    },
    /// Too soon after the last one.
    #[error("cooling down until {until_ms}")]
    Cooldown {
        /// Until when, milliseconds.
        until_ms: UnixMs,
    },
    /// Too many of one lineage in a day.
    #[error("the lineage has had {spent} recoveries within a day, which is its budget")]
    Budget {
        /// How many.
        spent: u32,
    },
    /// Too many at once.
    #[error("{open} recoveries are open in {scope}, which is the cap")]
    BlastRadius {
        /// Of what: `group web`, `zone eu-central-1a`, `account`.
        scope: String,
        /// How many.
        open: u32,
    },
    /// Too many in an hour.
    #[error("{begun} recoveries began within an hour, which is the cap")]
    HourlyCap {
        /// How many.
        begun: u32,
    },
    /// Too much of the fleet is impaired for single recoveries to help.
    #[error("storm: {impaired} of {members} are impaired; nothing new begins")]
    Storm {
        /// Impaired.
        impaired: u32,
        /// Of how many.
        members: u32,
    },
    /// AWS recovers the instance by itself.
    #[error("AWS's own recovery has until {until_ms}")]
    AwsRecovers {
        /// Until when, milliseconds.
        until_ms: UnixMs,
    },
    /// The group has to replace it.
    #[error("group {group} owns the instance: it is replaced through the group")]
    GroupOwns {
        /// Which.
        group: String,
    },
    /// The group does not replace now.
    #[error("group {group} has {process} suspended")]
    GroupSuspended {
        /// Which.
        group: String,
        /// The process.
        process: String,
    },
    /// Stop protection.
    #[error("the instance is protected against {against}")]
    Protected {
        /// Stopping or ending.
        against: String,
    },
    /// Stopping would cost data.
    #[error("stopping would lose what is on instance store")]
    InstanceStore,
    /// Stopping would cost the address.
    #[error("stopping would lose the public address that AWS assigned")]
    PublicIp,
    /// A one-time spot instance can't be stopped.
    #[error("a one-time spot instance can't be stopped")]
    OneTimeSpot,
    /// Others use a volume too.
    #[error("a volume of it is attached to other instances as well")]
    MultiAttach,
    /// It would leave nobody to serve.
    #[error("a load balancer has no other healthy target")]
    LastTarget,
    /// The target has no room.
    #[error("no capacity or quota for it: {what}")]
    Capacity {
        /// What is missing.
        what: String,
    },
    /// A mere prediction may not lead to it.
    #[error("a prediction alone does not lead to {action}")]
    Predictive {
        /// What.
        action: RecoveryAction,
    },
    /// What triggered it is over.
    #[error("what triggered it no longer holds")]
    Stale,
    /// We stopped it ourselves.
    #[error("we stopped it ourselves")]
    OwnStop,
    /// It was not replaced, or may still be needed: it is not ended.
    #[error("it is not ended: {why}")]
    StillNeeded {
        /// What speaks for it.
        why: String,
    },
    /// It was replaced too short a time ago.
    #[error("it was replaced, and is kept until {until_ms}")]
    #[serde(rename = "kept")]
    RetainedInstance {
        /// Until when, milliseconds.
        until_ms: UnixMs,
    },
    /// There is no such thing.
    #[error("{what}")]
    Unknown {
        /// What, in words.
        what: String,
    },
    /// There is no such instance any more.
    #[error("the instance is {state}")]
    Gone {
        /// Its state.
        state: String,
    },
}

/// What follows from a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Ask again at this time; none: when something changes.
    Defer(Option<UnixMs>),
    /// It is over.
    Deny,
}

impl Refusal {
    /// Says whether it passes with time.
    pub const fn verdict(&self) -> Verdict {
        match self {
            Self::Paused { until_ms, .. }
            | Self::Cooldown { until_ms }
            | Self::AwsRecovers { until_ms }
            | Self::RetainedInstance { until_ms } => Verdict::Defer(Some(*until_ms)),
            Self::OutsideWindow { opens_ms } => Verdict::Defer(Some(*opens_ms)),
            Self::Unreadable { .. }
            | Self::Unapproved
            | Self::Silenced { .. }
            | Self::ServiceEvent
            | Self::BlastRadius { .. }
            | Self::HourlyCap { .. }
            | Self::Storm { .. }
            | Self::LastTarget
            | Self::GroupSuspended { .. }
            | Self::Capacity { .. } => Verdict::Defer(None),
            Self::Mode { .. }
            | Self::NotEnrolled
            | Self::Forbidden { .. }
            | Self::OpenIncident { .. }
            | Self::Owned { .. }
            | Self::Budget { .. }
            | Self::GroupOwns { .. }
            | Self::Protected { .. }
            | Self::InstanceStore
            | Self::PublicIp
            | Self::OneTimeSpot
            | Self::MultiAttach
            | Self::Predictive { .. }
            | Self::Stale
            | Self::OwnStop
            | Self::StillNeeded { .. }
            | Self::Unknown { .. }
            | Self::Gone { .. } => Verdict::Deny,
        }
    }
}

/// Gives what follows from several: a denial wins, else the latest of the times.
pub fn combine_verdicts(refusals: &[Refusal]) -> Option<Verdict> {
    refusals.iter().map(Refusal::verdict).max_by_key(|v| match v {
        Verdict::Deny => (2, UnixMs::MIN),
        // Something that nobody can date keeps it back at least as long as what has a date.
        Verdict::Defer(None) => (1, UnixMs::MIN),
        Verdict::Defer(Some(at)) => (0, *at),
    })
}
