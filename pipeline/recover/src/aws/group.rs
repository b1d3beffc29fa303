//! Auto Scaling: a member steps aside and comes back, or is given up and replaced by its group.

mod member;
mod processes;
mod replacement;
mod standby;

use super::super::ports::{StepOutcome, StepRequest};
use super::record::{self, Since};
use super::{AwsRecovery, Part};
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
    async fn prepare(&self, aws: &AwsRecovery, request: &StepRequest) -> Result<String, String> {
        if let Some(before) = record::settled(request) {
            return Ok(before);
        }
        let at_ms = request.now_ms;
        let mut known = [S::EnterStandby, S::SetUnhealthy, S::SuspendProcesses].into_iter();
        let decoded_note = known.find_map(|kind| record::precondition_of::<Of>(request, kind)).map(|of| of.group);
        let group = match decoded_note {
            Some(group) => Some(group),
            None => member::group_of(aws, &request.subject).await?,
        };
        let Some(group) = group else {
            // A way back from nowhere is no way, and a drained instance may belong to nobody.
            let is_moot = matches!(request.kind, S::ExitStandby | S::ResumeProcesses | S::CompleteLifecycle);
            let words = || format!("{} is in no Auto Scaling group", request.subject);
            return if is_moot { record::encode_precondition(&Since { at_ms }) } else { Err(words()) };
        };
        if request.kind == S::SuspendProcesses {
            return processes::prepare(aws, at_ms, group).await;
        }
        record::encode_precondition(&Of { at_ms, group })
    }

    async fn perform(&self, aws: &AwsRecovery, request: &StepRequest) -> StepOutcome {
        let Ok(Of { group, .. }) = record::decode_precondition(&request.before) else {
            return match record::before::<Since>(request) {
                Ok(_) => StepOutcome::Done(format!("{} is in no group", request.subject)),
                Err(reply) => reply,
            };
        };
        record::either(match request.kind {
            S::EnterStandby => standby::enter(aws, request, &group).await,
            S::ExitStandby => standby::exit(aws, request, &group).await,
            S::SuspendProcesses => processes::suspend(aws, request).await,
            S::ResumeProcesses => processes::resume(aws, request, &group).await,
            S::SetUnhealthy => replacement::give_up(aws, request).await,
            S::AwaitInService => replacement::in_service(aws, request, &group).await,
            S::CompleteLifecycle => replacement::let_go(aws, request, &group).await,
            other => Ok(StepOutcome::Failed(format!("{other:?} is no step of a group"))),
        })
    }

    async fn find(&self, aws: &AwsRecovery, request: &StepRequest) -> Result<Option<String>, String> {
        let Ok(Of { group, .. }) = record::decode_precondition(&request.before) else { return Ok(None) };
        let seen = member::member(aws, &request.subject).await?;
        let is = |state: &str| seen.as_ref().is_some_and(|m| m.lifecycle == state);
        let has_effect = match request.kind {
            S::EnterStandby => is("Standby"),
            S::SetUnhealthy => seen.as_ref().is_none_or(member::Member::is_given_up),
            S::CompleteLifecycle => !is("Terminating:Wait"),
            S::SuspendProcesses => processes::is_suspended(aws, &group).await?,
            // These are found by doing them again.
            _ => false,
        };
        Ok(has_effect.then_some(group))
    }
}
