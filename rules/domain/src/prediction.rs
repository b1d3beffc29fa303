//! Defines a prediction as people and programs receive it (public, versioned).

use crate::preview::RecoveryPreview;
use crate::prior::Prior;
use crate::signal::Signal;
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::collections::BTreeMap;

/// How sure forewarn is, and how soon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// No failure foreseen within 168 hours.
    None,
    /// Failure foreseen within 168 hours.
    Low,
    /// Failure foreseen within 72 hours.
    Medium,
    /// Failure foreseen within 24 hours.
    High,
    /// Too little is known to say anything; not the same as healthy.
    Unassessable,
}

impl Ord for Level {
    /// Orders by trouble; a level that says nothing stands below them all.
    fn cmp(&self, other: &Self) -> Ordering {
        self.rank().cmp(&other.rank())
    }
}

impl PartialOrd for Level {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Level {
    const fn rank(self) -> u8 {
        match self {
            Self::Unassessable => 0,
            Self::None => 1,
            Self::Low => 2,
            Self::Medium => 3,
            Self::High => 4,
        }
    }

    /// Gives the level's name, as in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Unassessable => "unassessable",
        }
    }

    /// Says whether it foresees a failure.
    pub const fn is_at_risk(self) -> bool {
        matches!(self, Self::Low | Self::Medium | Self::High)
    }
}

/// What is going to break.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FailureType {
    /// Sustained CPU saturation.
    CpuSaturation,
    /// A noisy neighbour takes CPU time.
    CpuSteal,
    /// I/O stalls.
    IoStall,
    /// Memory runs out.
    MemoryExhaustion,
    /// A file system fills up.
    DiskFull,
    /// CPU credits run out.
    CreditExhaustion,
    /// A volume degrades.
    EbsDegradation,
    /// Network drops or shaping.
    NetworkDegradation,
    /// Status checks fail or flap.
    StatusCheckFailure,
    /// The host is to be retired or maintained.
    ScheduledMaintenance,
    /// The operating system reports faults.
    SystemFault,
    /// Behaviour unlike this instance's own.
    Anomaly,
}

impl FailureType {
    /// Gives the type's name, as in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::CpuSaturation => "cpu_saturation",
            Self::CpuSteal => "cpu_steal",
            Self::IoStall => "io_stall",
            Self::MemoryExhaustion => "memory_exhaustion",
            Self::DiskFull => "disk_full",
            Self::CreditExhaustion => "credit_exhaustion",
            Self::EbsDegradation => "ebs_degradation",
            Self::NetworkDegradation => "network_degradation",
            Self::StatusCheckFailure => "status_check_failure",
            Self::ScheduledMaintenance => "scheduled_maintenance",
            Self::SystemFault => "system_fault",
            Self::Anomaly => "anomaly",
        }
    }
}

/// What a careful engineer would do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Tell people.
    Notify,
    /// Restart the application.
    AppRestart,
    /// Stop and start the instance after a snapshot.
    SafeRestart,
    /// Move the instance to another host.
    HostMigration,
    /// Replace the instance.
    Replace,
    /// Fail over to another zone.
    CrossAzFailover,
    /// Repair or replace the volume.
    EbsRepair,
    /// Free or extend disk space.
    FreeDisk,
    /// Change the instance type or enable unlimited credits.
    Resize,
}

/// Why an instance can't be assessed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Unassessable {
    /// No usable sample in the last seven days.
    NoData,
    /// Nothing has arrived for hours.
    Stale,
    /// Younger than the rule set demands.
    TooYoung,
    /// Too few samples in the last 24 hours.
    Sparse,
    /// Metrics of the CloudWatch agent are missing, so memory and disk are unknown.
    MissingAgent,
}

/// Probabilities of an incident within each horizon; null where unassessable.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Horizons {
    /// Within 24 hours of `as_of`.
    #[serde(rename = "24h")]
    pub h24: Option<f64>,
    /// Within 72 hours of `as_of`.
    #[serde(rename = "72h")]
    pub h72: Option<f64>,
    /// Within 168 hours of `as_of`.
    #[serde(rename = "168h")]
    pub h168: Option<f64>,
}

/// Quantiles of the failure time, given a failure within 168 hours (RFC 3339, UTC).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Window {
    /// Ten per cent of failures come before this.
    pub p10: String,
    /// Half of the failures come before this.
    pub p50: String,
    /// Ninety per cent of failures come before this.
    pub p90: String,
    /// The window as a person would say it, such as `in 3 to 9 hours`.
    pub text: String,
}

/// One reason for a prediction, strongest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Factor {
    /// The failure axis.
    pub signal: Signal,
    /// The device that is worst, where the signal has devices.
    pub device: Option<String>,
    /// The rule that fired, or `first-passage`.
    pub rule: String,
    /// Evidence in log-odds, zero or more.
    pub evidence: f64,
    /// Median of the last hour, in the signal's unit.
    pub now: Option<f64>,
    /// Robust slope on the current segment, in units a day.
    pub slope_per_day: Option<f64>,
    /// Expected hours until the critical level.
    pub eta_hours: Option<f64>,
    /// The reason in words.
    pub text: String,
}

/// Identifies the rules that made a prediction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct RuleSetRef {
    /// The rule set's name.
    pub name: String,
    /// The rule set's version.
    pub version: String,
    /// SHA-256 of its text and of the parameters in force, in hexadecimal.
    pub sha256: String,
}

/// What would take the instance out of `high` (or out of the level it has).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Counterfactual {
    /// The signal to change first.
    pub signal: Signal,
    /// Every signal to change, that one first; predictions of older versions don't say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signals: Vec<Signal>,
    /// The probability within 24 hours that would remain.
    pub p24: f64,
    /// The level that would remain.
    pub confidence: Level,
    /// The change in words.
    pub text: String,
}

/// Where the episode stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// First prediction of the episode.
    New,
    /// The episode goes on.
    Ongoing,
    /// The level changed.
    Changed,
    /// The trouble is over.
    Cleared,
    /// A level is reached by trends alone soon after a declared change: not announced yet.
    Pending,
    /// No episode is open.
    Quiet,
}

/// One calibrated statement about one instance at one time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Prediction {
    /// Deterministic in instance, `as_of`, rule set and engine version.
    pub prediction_id: String,
    /// The episode this belongs to; null while none is open.
    pub episode_id: Option<String>,
    /// The workload episode that is announced in place of this prediction's news; absent where none is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workload_episode_id: Option<String>,
    /// Counts the predictions of the episode from 1; 0 while none is open.
    pub sequence: u32,
    /// The EC2 instance id.
    pub instance_id: String,
    /// The AWS account id, or `unknown`.
    pub account: String,
    /// The AWS region, or `unknown`.
    pub region: String,
    /// What the instance is a copy of, where known.
    pub workload: Option<String>,
    /// The time the statement is made for (RFC 3339, UTC).
    pub as_of: String,
    /// The confidence level.
    pub confidence: Level,
    /// Where the episode stands.
    pub status: Status,
    /// Probabilities of an incident.
    pub probability: Horizons,
    /// When the failure is expected; null without a level.
    pub window: Option<Window>,
    /// What is going to break; null without a level.
    pub failure_type: Option<FailureType>,
    /// What to do about it; null without a level.
    pub recommended_action: Option<Action>,
    /// Why it can't be assessed; null where it can.
    pub unassessable: Option<Unassessable>,
    /// The reasons, strongest first.
    pub factors: Vec<Factor>,
    /// What would take it out of its level.
    pub counterfactual: Option<Counterfactual>,
    /// Notes that don't change a probability: a declared change, a borrowed profile, a blind signal.
    pub notes: Vec<String>,
    /// Until when a declared change keeps trends from being announced (RFC 3339, UTC); absent where nothing does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_until: Option<String>,
    /// The silence that kept this from being announced; absent where none did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub silence_id: Option<String>,
    /// What a recovery would do about it, verified when it was told; absent below high, and where nobody asked for plans.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<Box<RecoveryPreview>>,
    /// How often the fleet fails: the rate that the probabilities start from; absent from predictions that tell none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prior: Option<Box<Prior>>,
    /// The rules that made it.
    pub ruleset: RuleSetRef,
    /// The version of forewarn that made it.
    pub engine: String,
    /// Links to charts, by title.
    pub links: BTreeMap<String, String>,
}

#[cfg(test)]
mod tests {
    use super::Level;

    #[test]
    fn levels_rise_with_trouble_and_silence_stands_below_them_all() {
        let mut levels = [Level::High, Level::None, Level::Unassessable, Level::Medium, Level::Low];
        levels.sort();
        assert_eq!(levels, [Level::Unassessable, Level::None, Level::Low, Level::Medium, Level::High]);
    }
}
