//! What was tried and looked at for a plan, and what came of it.

use super::Grounds;
use crate::recovery::facts::Read;
use serde::{Deserialize, Serialize};

/// What is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CheckKind {
    /// One call to EC2 that the plan makes, as a dry run; other services have none.
    DryRun,
    /// Whether there is room where an instance would start.
    Capacity,
    /// Whether the account may run as much.
    Quota,
    /// Whether there is a complete snapshot of every volume.
    Snapshots,
}

/// What came of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CheckState {
    /// Nothing stands in the way, as far as it can be asked.
    Passed,
    /// Something does.
    Failed,
    /// It could not be asked, or the answer tells nothing.
    Unknown,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Check {
    /// What.
    pub what: CheckKind,
    /// What came of it.
    pub state: CheckState,
    /// What was asked, and what is wrong or not known, in words.
    pub detail: String,
}

/// What EC2 said to the dry run of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trial {
    /// The call, such as `ec2:StopInstances`.
    pub call: String,
    /// Why it would be refused; none if it would not.
    pub refused: Read<Option<String>>,
}

const ALL: [CheckKind; 4] = [CheckKind::DryRun, CheckKind::Capacity, CheckKind::Quota, CheckKind::Snapshots];

/// Makes every check unknown for one reason.
pub(super) fn unknown(why: &str) -> Vec<Check> {
    ALL.map(|what| Check { what, state: CheckState::Unknown, detail: why.to_owned() }).to_vec()
}

/// Makes the checks of a plan.
pub(super) fn checks(grounds: &Grounds<'_>) -> Vec<Check> {
    if let Read::Failed(why) | Read::Absent(why) = &grounds.facts.instance {
        return unknown(why);
    }
    let action = grounds.plan.action;
    let mut out: Vec<Check> = grounds.trials.iter().map(trial).collect();
    let shortage = &grounds.facts.shortage;
    if action.launches() {
        out.push(trial(&Trial { call: "ec2:RunInstances".to_owned(), refused: shortage.clone() }));
        out.push(of(CheckKind::Capacity, shortage, "its type is offered in its zone, and EC2 would take the launch"));
        out.push(launch_quota(shortage));
    } else if action.stops_instance() {
        let room = "its type is offered in its zone; whether there is room shows only when it starts";
        out.push(of(CheckKind::Capacity, shortage, room));
        let freed = "it starts again within what its stop frees".to_owned();
        out.push(Check { what: CheckKind::Quota, state: CheckState::Passed, detail: freed });
    }
    out.push(snapshots(grounds.snapshot_age_ms));
    out
}

fn trial(trial: &Trial) -> Check {
    of(CheckKind::DryRun, &trial.refused, &trial.call)
}

/// Makes a check of what is missing, if anything is.
fn of(what: CheckKind, missing: &Read<Option<String>>, fine: &str) -> Check {
    let (state, detail) = match missing {
        Read::Known(None) => (CheckState::Passed, fine),
        Read::Known(Some(why)) => (CheckState::Failed, why.as_str()),
        Read::Failed(why) | Read::Absent(why) => (CheckState::Unknown, why.as_str()),
    };
    Check { what, state, detail: detail.to_owned() }
}

/// EC2 tells of the quota only where a launch would break it: its `LimitExceeded` codes.
fn launch_quota(shortage: &Read<Option<String>>) -> Check {
    let what = CheckKind::Quota;
    match shortage {
        Read::Known(Some(why)) if why.contains("LimitExceeded") => of(what, shortage, ""),
        Read::Known(_) | Read::Failed(_) | Read::Absent(_) => {
            let detail = "EC2 does not tell how much of the quota is left".to_owned();
            Check { what, state: CheckState::Unknown, detail }
        }
    }
}

fn snapshots(age_ms: &Read<Option<i64>>) -> Check {
    let (state, detail) = match age_ms {
        Read::Known(Some(_)) => (CheckState::Passed, "every volume has a complete snapshot".to_owned()),
        Read::Known(None) => (CheckState::Failed, "a volume has no complete snapshot".to_owned()),
        Read::Absent(nothing) => (CheckState::Passed, nothing.clone()),
        Read::Failed(why) => (CheckState::Unknown, why.clone()),
    };
    Check { what: CheckKind::Snapshots, state, detail }
}
