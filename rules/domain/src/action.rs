//! What may be done about an instance, and how far each of it goes.

use serde::{Deserialize, Serialize};

const MINUTE_MS: i64 = 60_000;

/// Something that heals, or keeps harm away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RecoveryAction {
    /// Tell people, and do nothing else.
    NotifyOnly,
    /// Restart a named unit through SSM.
    RestartApplication,
    /// Stop and start, drained before and registered after.
    SafeRestart,
    /// Stop and start so that the instance comes up elsewhere; on shared tenancy the calls of a safe restart.
    MigrateHost,
    /// A new instance takes the Elastic IP; nothing on the old one's volumes is needed.
    Replace,
    /// The old instance is fenced, then a new one starts from snapshots of its volumes.
    ReplaceStateful,
    /// The old instance can't be stopped: a new one starts from the newest whole set of snapshots, once a person accepts that two may run.
    ReplaceUnfenced,
    /// As a stateful replacement, in another zone.
    FailOverZone,
    /// A data volume is replaced by one made from its snapshot.
    RepairVolume,
    /// The root volume is replaced in place.
    ReplaceRootVolume,
    /// The instance is taken out of traffic and shut off from the network.
    Quarantine,
    /// A quarantine is taken back.
    Release,
    /// A spot instance that is to be taken is emptied and its data kept.
    DrainSpot,
    /// The Auto Scaling group replaces its own member.
    ReplaceInGroup,
    /// A copy starts in the other region and DNS follows.
    FailOverRegion,
    /// The same while the home region answers nothing: nothing there can be stopped, and a person accepts that two may run.
    #[serde(rename = "fail_over_dark")]
    FailOverUnreachable,
    /// An instance that was replaced, and has been kept stopped since, is ended for good.
    TerminateReplaced,
}

/// How far up the ladder of escalation an action stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Rung {
    /// Diagnostics and the application.
    Application,
    /// The same instance again.
    Restart,
    /// Another instance in the region.
    Replace,
    /// Another region.
    Region,
    /// People.
    Notify,
}

impl Rung {
    /// All of them, the lowest first.
    pub const ALL: [Self; 5] = [Self::Application, Self::Restart, Self::Replace, Self::Region, Self::Notify];

    /// Gives how long its steps may take until the next is tried, milliseconds; telling people has no limit.
    pub const fn limit_ms(self) -> Option<i64> {
        match self {
            Self::Application => Some(5 * MINUTE_MS),
            Self::Restart => Some(20 * MINUTE_MS),
            Self::Replace => Some(40 * MINUTE_MS),
            Self::Region => Some(90 * MINUTE_MS),
            Self::Notify => None,
        }
    }

    /// Gives the next one up; the last has none.
    pub fn above(self) -> Option<Self> {
        Self::ALL.into_iter().find(|r| *r > self)
    }
}

impl RecoveryAction {
    /// All of them.
    pub const ALL: [Self; 17] = [
        Self::NotifyOnly,
        Self::RestartApplication,
        Self::SafeRestart,
        Self::MigrateHost,
        Self::Replace,
        Self::ReplaceStateful,
        Self::ReplaceUnfenced,
        Self::FailOverZone,
        Self::RepairVolume,
        Self::ReplaceRootVolume,
        Self::Quarantine,
        Self::Release,
        Self::DrainSpot,
        Self::ReplaceInGroup,
        Self::FailOverRegion,
        Self::FailOverUnreachable,
        Self::TerminateReplaced,
    ];

    /// Gives where on the ladder it stands.
    pub const fn rung(self) -> Rung {
        match self {
            // Where ending what was replaced fails, there is nothing to climb to but people.
            Self::NotifyOnly | Self::TerminateReplaced => Rung::Notify,
            Self::RestartApplication => Rung::Application,
            Self::SafeRestart
            | Self::MigrateHost
            | Self::RepairVolume
            | Self::ReplaceRootVolume
            | Self::Quarantine
            | Self::Release
            | Self::DrainSpot => Rung::Restart,
            Self::Replace
            | Self::ReplaceStateful
            | Self::ReplaceUnfenced
            | Self::FailOverZone
            | Self::ReplaceInGroup => Rung::Replace,
            Self::FailOverRegion | Self::FailOverUnreachable => Rung::Region,
        }
    }

    /// Says whether it changes anything in AWS.
    pub const fn mutates(self) -> bool {
        !matches!(self, Self::NotifyOnly)
    }

    /// Says whether the instance is stopped on the way: what lives on instance store and an address that AWS assigned are then lost.
    pub const fn stops_instance(self) -> bool {
        matches!(
            self,
            Self::SafeRestart
                | Self::MigrateHost
                | Self::Replace
                | Self::ReplaceStateful
                | Self::FailOverZone
                | Self::RepairVolume
                | Self::FailOverRegion
        )
    }

    /// Says whether it has to leave a healthy instance behind; the others have done what they can once their steps are done.
    pub const fn needs_stability_hold(self) -> bool {
        !matches!(
            self,
            Self::NotifyOnly | Self::Quarantine | Self::DrainSpot | Self::ReplaceInGroup | Self::TerminateReplaced
        )
    }

    /// Says whether another instance takes this one's place by our own launch.
    pub const fn launches(self) -> bool {
        matches!(
            self,
            Self::Replace
                | Self::ReplaceStateful
                | Self::ReplaceUnfenced
                | Self::FailOverZone
                | Self::FailOverRegion
                | Self::FailOverUnreachable
        )
    }

    /// Says whether the instance is gone for good afterwards, by our call or by its group's on our word.
    pub const fn ends_instance(self) -> bool {
        matches!(self, Self::ReplaceInGroup | Self::TerminateReplaced)
    }

    /// Says whether a mere prediction may lead to it: it may tell, keep, empty and move, never end or replace.
    pub const fn suits_prediction(self) -> bool {
        matches!(self, Self::NotifyOnly | Self::DrainSpot | Self::MigrateHost | Self::SafeRestart)
    }

    /// Says whether a person must approve it whatever the mode: two may both serve, and what is ended does not come back.
    pub const fn always_approved(self) -> bool {
        matches!(
            self,
            Self::ReplaceUnfenced | Self::FailOverRegion | Self::FailOverUnreachable | Self::TerminateReplaced
        )
    }

    /// Says whether its successor is in another region.
    pub const fn leaves_region(self) -> bool {
        matches!(self, Self::FailOverRegion | Self::FailOverUnreachable)
    }
}
