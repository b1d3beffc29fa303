//! What may be done about an instance, and how far each of it goes.

mod spec;

pub use spec::{ActionSpec, SnapshotScope};

use serde::{Deserialize, Serialize};
use std::fmt;

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

    /// Gives all its properties.
    pub const fn spec(self) -> ActionSpec {
        ActionSpec::of_action(self)
    }

    /// Gives its name, as in JSON.
    pub const fn name(self) -> &'static str {
        self.spec().name
    }

    /// Gives where on the ladder it stands.
    pub const fn rung(self) -> Rung {
        self.spec().rung
    }

    /// Says whether it changes anything in AWS.
    pub const fn mutates(self) -> bool {
        self.spec().mutates
    }

    /// Says whether the instance is stopped on the way: what lives on instance store and an address that AWS assigned are then lost.
    pub const fn stops_instance(self) -> bool {
        self.spec().stops_instance
    }

    /// Says whether the instance is gone for good afterwards, by our call or by its group's on our word.
    pub const fn ends_instance(self) -> bool {
        self.spec().ends_instance
    }

    /// Says whether another instance takes this one's place by our own launch.
    pub const fn launches(self) -> bool {
        self.spec().launches
    }

    /// Says whether its successor is in another region.
    pub const fn leaves_region(self) -> bool {
        self.spec().leaves_region
    }

    /// Says whether its successor's volumes are made of the snapshots that its own plan takes.
    pub const fn restores_own_snapshots(self) -> bool {
        self.spec().restores_own_snapshots
    }

    /// Says whether it waits until targets have drained.
    pub const fn waits_for_drain(self) -> bool {
        self.spec().waits_for_drain
    }

    /// Says whether it shuts the instance off from the network, or lets it back.
    pub const fn isolates_or_releases(self) -> bool {
        self.spec().isolates_or_releases
    }

    /// Says whether another volume takes the place of one of the instance's: one that others use as well can't be.
    pub const fn swaps_volume(self) -> bool {
        self.spec().swaps_volume
    }

    /// Says whether the tag `SelfHeal` is enough for it: that lets an instance be replaced, and nothing else.
    pub const fn self_heal_suffices(self) -> bool {
        self.spec().self_heal_suffices
    }

    /// Says whether a person must approve it whatever the mode: two may both serve, and what is ended does not come back.
    pub const fn always_approved(self) -> bool {
        self.spec().always_approved
    }

    /// Says whether a mere prediction may lead to it: it may tell, keep, empty and move, never end or replace.
    pub const fn suits_prediction(self) -> bool {
        self.spec().suits_prediction
    }

    /// Says whether it has to leave a healthy instance behind; the others have done what they can once their steps are done.
    pub const fn needs_stability_hold(self) -> bool {
        self.spec().needs_stability_hold
    }
}

impl fmt::Display for RecoveryAction {
    /// Writes its name with spaces.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name().replace('_', " "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_is_named_as_json_has_it() {
        for action in RecoveryAction::ALL {
            assert_eq!(serde_json::to_value(action).unwrap(), action.name());
        }
        assert_eq!(RecoveryAction::SafeRestart.to_string(), "safe restart");
    }

    #[test]
    fn what_actions_are_does_not_contradict_itself() {
        for action in RecoveryAction::ALL {
            let s = action.spec();
            assert!(!s.leaves_region || s.launches, "{action}");
            assert!(!(s.stops_instance && s.ends_instance), "{action}");
            let touches = [s.stops_instance, s.ends_instance, s.launches, s.swaps_volume, s.always_approved];
            assert!(s.mutates || !touches.contains(&true), "{action}");
            assert!(!(s.suits_prediction && (s.launches || s.ends_instance)), "{action}");
        }
    }
}
