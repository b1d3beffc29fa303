//! Auto Scaling: a member steps aside and comes back, or is given up and replaced by its group.

mod member;
mod processes;
mod replacement;
mod standby;

use super::super::hands::{Errand, Reply};
use super::sight::{self, Since};
use super::{AwsHands, Part};
use forewarn_domain::step::StepKind as S;
use serde::{Deserialize, Serialize};

/// Members of Auto Scaling groups.
#[derive(Debug)]
pub(super) struct Groups;

/// The group that a step is about.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Of {
    at_ms: i64,
    group: String,
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the other steps belong to other parts")]
impl Part for Groups {
    fn prepare(&self, hands: &AwsHands, errand: &Errand) -> Result<String, String> {
        if let Some(before) = sight::settled(errand) {
            return Ok(before);
        }
        let at_ms = errand.now_ms;
        let mut known = [S::EnterStandby, S::SetUnhealthy, S::SuspendProcesses].into_iter();
        let noted = known.find_map(|kind| sight::stood::<Of>(errand, kind)).map(|of| of.group);
        let group = match noted {
            Some(group) => Some(group),
            None => member::group_of(hands, &errand.subject)?,
        };
        let Some(group) = group else {
            // A way back from nowhere is no way, and a drained instance may belong to nobody.
            let is_moot = matches!(errand.kind, S::ExitStandby | S::ResumeProcesses | S::CompleteLifecycle);
            let words = || format!("{} is in no Auto Scaling group", errand.subject);
            return if is_moot { sight::freeze(&Since { at_ms }) } else { Err(words()) };
        };
        if errand.kind == S::SuspendProcesses {
            return processes::prepare(hands, at_ms, group);
        }
        sight::freeze(&Of { at_ms, group })
    }

    fn perform(&self, hands: &AwsHands, errand: &Errand) -> Reply {
        let Ok(Of { group, .. }) = sight::thaw(&errand.before) else {
            return match sight::before::<Since>(errand) {
                Ok(_) => Reply::Done(format!("{} is in no group", errand.subject)),
                Err(reply) => reply,
            };
        };
        sight::either(match errand.kind {
            S::EnterStandby => standby::enter(hands, errand, &group),
            S::ExitStandby => standby::exit(hands, errand, &group),
            S::SuspendProcesses => processes::suspend(hands, errand),
            S::ResumeProcesses => processes::resume(hands, errand, &group),
            S::SetUnhealthy => replacement::give_up(hands, errand),
            S::AwaitInService => replacement::in_service(hands, errand, &group),
            S::CompleteLifecycle => replacement::let_go(hands, errand, &group),
            other => Ok(Reply::Failed(format!("{other:?} is no step of a group"))),
        })
    }

    fn find(&self, hands: &AwsHands, errand: &Errand) -> Result<Option<String>, String> {
        let Ok(Of { group, .. }) = sight::thaw(&errand.before) else { return Ok(None) };
        let seen = member::member(hands, &errand.subject).map_err(sight::words)?;
        let is = |state: &str| seen.as_ref().is_some_and(|m| m.lifecycle == state);
        let has_effect = match errand.kind {
            S::EnterStandby => is("Standby"),
            S::SetUnhealthy => seen.as_ref().is_none_or(member::Member::is_given_up),
            S::CompleteLifecycle => !is("Terminating:Wait"),
            S::SuspendProcesses => processes::is_suspended(hands, &group)?,
            // These are found by doing them again.
            _ => false,
        };
        Ok(has_effect.then_some(group))
    }
}
