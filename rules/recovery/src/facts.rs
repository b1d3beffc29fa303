//! What has to be known before something is done; each of it may be unreadable.

use super::policy::Policy;
use forewarn_domain::time::UnixMs;
use serde::{Deserialize, Serialize};

/// What a read gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Read<T> {
    /// This.
    Known(T),
    /// Nothing, for this reason.
    Failed(String),
    /// That there is no such thing, in words.
    Absent(String),
}

/// Says whether an application that was reported down is down still, where it was looked whether it is well. Who can't be asked does
/// not serve either: the report stands.
pub fn still_down(is_well: &Read<bool>) -> Read<bool> {
    match is_well {
        Read::Known(well) => Read::Known(!well),
        Read::Failed(_) | Read::Absent(_) => Read::Known(true),
    }
}

/// How long AWS's own recovery has from the failure of the system check on, milliseconds.
const AWS_RECOVERS_MS: i64 = 10 * 60_000;

/// Gives until when AWS's own recovery may act on an instance whose system check fails since a time.
pub const fn aws_recovers_until(failing_since: UnixMs) -> UnixMs {
    failing_since.saturating_add(AWS_RECOVERS_MS)
}

/// The state of an instance, as EC2 names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum InstanceState {
    /// Starting.
    Pending,
    /// Up.
    Running,
    /// On its way down.
    Stopping,
    /// Down, and can come back.
    Stopped,
    /// On its way out.
    ShuttingDown,
    /// Gone for good.
    Terminated,
}

/// How it was bought.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Market {
    /// On demand.
    OnDemand,
    /// Spot, asked for once: it can't be stopped.
    SpotOneTime,
    /// Spot, persistent: it may be stopped.
    SpotPersistent,
}

/// The group that an instance is a member of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// Processes that a person has suspended.
    pub suspended: Vec<String>,
    /// Whether it has as few members as it may have: none can go into standby.
    pub at_minimum: bool,
}

/// An instance that was replaced and is kept, stopped, until it may be ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetainedInstance {
    /// Until when.
    pub until_ms: UnixMs,
    /// Whether its successor runs.
    pub successor_runs: bool,
}

/// What is wrong with a volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BrokenVolume {
    /// AWS has disabled its input and output, and lets people enable them.
    IoDisabled,
    /// The root volume.
    Root,
    /// Another one.
    Data,
}

/// An instance as EC2 describes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "EC2 describes an instance by independent properties")]
pub struct InstanceFacts {
    /// What it is doing.
    pub state: InstanceState,
    /// How it was bought.
    pub market: Market,
    /// Whether its tag `AutoRecovery` enrols it.
    pub enrolled: bool,
    /// Whether its tag `SelfHeal` lets it be replaced, and nothing else.
    pub self_heal: bool,
    /// Whether it is protected against being stopped.
    pub stop_protection: bool,
    /// Whether it is protected against being ended.
    pub termination_protection: bool,
    /// Whether it has instance store.
    pub instance_store: bool,
    /// Whether it has a public address that is no Elastic IP.
    pub assigned_public_ip: bool,
    /// Whether it has an Elastic IP.
    pub elastic_ip: bool,
    /// Whether it has data that its successor needs.
    pub stateful: bool,
    /// Whether a volume of it serves other instances as well.
    pub multi_attach: bool,
    /// The volume that is not well, if one is.
    pub broken_volume: Option<BrokenVolume>,
    /// Whether a load balancer has no other healthy target.
    pub last_target: bool,
    /// Its Auto Scaling group.
    pub group: Option<Group>,
    /// Whether it was replaced and is only kept.
    pub kept: Option<RetainedInstance>,
    /// Another controller that owns it: EKS, Karpenter, ECS, EMR, Batch, Beanstalk.
    pub controller: Option<String>,
}

/// Everything that the gates look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// The instance.
    pub instance: Read<InstanceFacts>,
    /// What people allow.
    pub policy: Read<Policy>,
    /// Whether what triggered it still holds.
    pub trigger_holds: Read<bool>,
    /// Whether the instance is down because we stopped it.
    pub own_stop: Read<bool>,
    /// Until when AWS's own recovery may still act.
    pub aws_recovers_until: Read<Option<UnixMs>>,
    /// Whether AWS has a service event open in the region.
    pub service_event: Read<bool>,
    /// The silence that holds for it.
    pub silence: Read<Option<String>>,
    /// What is missing in the target: capacity, quota, type, zone. Asked only for what launches or starts.
    #[serde(rename = "shortage")]
    pub capacity_check: Read<Option<String>>,
}
