//! What a recovery begins with.

use forewarn_domain::action::RecoveryAction;
use forewarn_domain::prediction::Action;
use forewarn_domain::time::UnixMs;
use serde::{Deserialize, Serialize};

/// One of the three checks of EC2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// The host.
    System,
    /// The guest.
    Instance,
    /// Its volumes.
    AttachedEbs,
}

impl Check {
    /// Reads which check an alarm watches; none where its name names none.
    pub fn of_alarm(name: &str) -> Option<Self> {
        if name.contains("StatusCheckFailed_System") {
            Some(Self::System)
        } else if name.contains("StatusCheckFailed_AttachedEBS") {
            Some(Self::AttachedEbs)
        } else {
            name.contains("StatusCheckFailed").then_some(Self::Instance)
        }
    }
}

/// How long news is fresh: what is older says nothing of how things stand now, milliseconds.
const FRESH_MS: i64 = 2 * 3_600_000;

/// Says whether news of a time still says how things stand.
pub const fn is_fresh(at: UnixMs, now: UnixMs) -> bool {
    now.since(at) < FRESH_MS
}

/// Why something is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Cause {
    /// A prediction at high.
    Predicted {
        /// What it recommends.
        action: Action,
    },
    /// A status check fails.
    CheckFailed {
        /// Which.
        check: Check,
    },
    /// The application does not answer.
    ApplicationDown,
    /// AWS takes the spot instance back.
    SpotWarned {
        /// When, milliseconds since 1970.
        deadline_ms: UnixMs,
    },
    /// AWS says that a spot instance is at risk.
    RebalanceRecommended,
    /// AWS retires the host or maintains it.
    Scheduled,
    /// Its successor serves, and it has been kept since.
    Replaced,
    /// A person asks for it.
    Operator {
        /// For what.
        action: RecoveryAction,
    },
}

/// What kind of reason a cause is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Something has failed, or AWS takes it.
    Failure,
    /// Nothing has failed yet.
    Forecast,
    /// A person asks for it.
    Person,
    /// Something is tidied up.
    Cleanup,
}

impl Cause {
    /// Gives what kind of reason it is.
    pub const fn origin(self) -> Origin {
        match self {
            Self::CheckFailed { .. } | Self::ApplicationDown | Self::SpotWarned { .. } => Origin::Failure,
            Self::Predicted { .. } | Self::RebalanceRecommended | Self::Scheduled => Origin::Forecast,
            Self::Operator { .. } => Origin::Person,
            Self::Replaced => Origin::Cleanup,
        }
    }

    /// Says whether nothing has failed yet.
    pub const fn is_predictive(self) -> bool {
        matches!(self.origin(), Origin::Forecast)
    }

    /// Says whether it is one of the failures that the ladder counts: what people ask for, what is only feared, and what is tidied up
    /// begin where they say.
    pub const fn counts_for_escalation(self) -> bool {
        matches!(self.origin(), Origin::Failure)
    }

    /// Says whether a person asks for another region though nothing can be seen of this one.
    pub const fn asks_for_unreachable_home(self) -> bool {
        matches!(self, Self::Operator { action: RecoveryAction::FailOverUnreachable })
    }

    /// Gives the action to begin with on an instance that no group owns.
    pub const fn first_action(self) -> RecoveryAction {
        match self {
            Self::Predicted { action } => match action {
                Action::AppRestart | Action::FreeDisk | Action::Resize | Action::Notify => RecoveryAction::NotifyOnly,
                Action::SafeRestart => RecoveryAction::SafeRestart,
                Action::HostMigration | Action::Replace | Action::CrossAzFailover | Action::EbsRepair => {
                    RecoveryAction::MigrateHost
                }
            },
            Self::CheckFailed { check: Check::System } | Self::Scheduled => RecoveryAction::MigrateHost,
            Self::CheckFailed { check: Check::Instance } => RecoveryAction::SafeRestart,
            Self::CheckFailed { check: Check::AttachedEbs } => RecoveryAction::RepairVolume,
            Self::ApplicationDown => RecoveryAction::RestartApplication,
            Self::SpotWarned { .. } | Self::RebalanceRecommended => RecoveryAction::DrainSpot,
            Self::Replaced => RecoveryAction::TerminateReplaced,
            Self::Operator { action } => action,
        }
    }
}

/// One call for a recovery, as it was delivered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Trigger {
    /// The event's id: the same delivered again is the same trigger.
    pub id: String,
    /// The EC2 instance id.
    pub instance_id: String,
    /// Why.
    pub cause: Cause,
    /// When it was seen, milliseconds since 1970.
    pub at_ms: UnixMs,
    /// What shows it, in words.
    pub evidence: String,
}

impl Trigger {
    /// Gives the lineage that a recovery of it belongs to: `lineage`, the instance's own, but for what was replaced. That is no incident
    /// of those who serve, and must neither keep one of theirs back nor join it.
    pub fn lineage_of(&self, lineage: &str) -> String {
        if self.cause.first_action() == RecoveryAction::TerminateReplaced {
            return format!("{} replaced", self.instance_id);
        }
        lineage.to_owned()
    }
}
