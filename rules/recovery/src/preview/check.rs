//! What was tried and looked at for a plan, and what came of it.

use super::DryRunResult;
use super::PreviewInputs;
use crate::facts::Read;
use forewarn_domain::preview::{Check, CheckKind, CheckState, unknown_checks};

/// Makes the checks of a plan.
pub(super) fn checks(inputs: &PreviewInputs<'_>) -> Vec<Check> {
    if let Read::Failed(why) | Read::Absent(why) = &inputs.facts.instance {
        return unknown_checks(why);
    }
    let action = inputs.plan.action;
    let mut out: Vec<Check> = inputs.dry_runs.iter().map(trial).collect();
    let capacity_check = &inputs.facts.capacity_check;
    if action.launches() {
        out.push(trial(&DryRunResult { call: "ec2:RunInstances".to_owned(), refused: capacity_check.clone() }));
        out.push(of(
            CheckKind::Capacity,
            capacity_check,
            "its type is offered in its zone, and EC2 would take the launch",
        ));
        out.push(launch_quota(capacity_check));
    } else if action.stops_instance() {
        let room = "its type is offered in its zone; whether there is room shows only when it starts";
        out.push(of(CheckKind::Capacity, capacity_check, room));
        let freed = "it starts again within what its stop frees".to_owned();
        out.push(Check { what: CheckKind::Quota, state: CheckState::Passed, detail: freed });
    }
    out.push(snapshots(inputs.snapshot_age_ms));
    out
}

fn trial(trial: &DryRunResult) -> Check {
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
fn launch_quota(capacity_check: &Read<Option<String>>) -> Check {
    let what = CheckKind::Quota;
    match capacity_check {
        Read::Known(Some(why)) if why.contains("LimitExceeded") => of(what, capacity_check, ""),
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
