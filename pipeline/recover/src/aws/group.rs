//! Auto Scaling: a member steps aside and comes back, or is given up and replaced by its group.

mod member;
mod processes;
mod replacement;
mod standby;

use super::super::ports::{StepOutcome, StepRequest};
use super::AwsRecovery;
use super::record::Unreadable;
use super::step::precondition_of;
use forewarn_domain::time::UnixMs;
use member::Member;
pub(super) use processes::{ResumeProcesses, SuspendProcesses};
pub(super) use replacement::{AwaitInService, CompleteLifecycle, SetUnhealthy};
use serde::{Deserialize, Serialize};
pub(super) use standby::{EnterStandby, ExitStandby};

/// The group that a step is about; none where the instance is in none.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct GroupRecord {
    at_ms: UnixMs,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    group: Option<String>,
}

impl GroupRecord {
    /// Gives the group; without one there is nothing to do.
    fn group(&self, request: &StepRequest) -> Result<&str, StepOutcome> {
        self.group.as_deref().ok_or_else(|| StepOutcome::Done(format!("{} is in no group", request.subject)))
    }
}

/// Settles the group of a step that needs one.
async fn in_a_group(aws: &AwsRecovery, request: &StepRequest) -> Result<GroupRecord, String> {
    let group = group_of(aws, request).await?;
    let group = group.ok_or_else(|| no_group(request))?;
    Ok(GroupRecord { at_ms: request.now_ms, group: Some(group) })
}

/// Settles the group of a step that has nothing to do without one: a way back from nowhere is no way, and a drained instance may belong
/// to nobody.
async fn in_a_group_or_none(aws: &AwsRecovery, request: &StepRequest) -> Result<GroupRecord, String> {
    Ok(GroupRecord { at_ms: request.now_ms, group: group_of(aws, request).await? })
}

fn no_group(request: &StepRequest) -> String {
    format!("{} is in no Auto Scaling group", request.subject)
}

/// Gives the group that an earlier step has written down, else the one that the instance is in.
async fn group_of(aws: &AwsRecovery, request: &StepRequest) -> Result<Option<String>, String> {
    let earlier = precondition_of::<EnterStandby>(request)
        .and_then(|r| r.group)
        .or_else(|| precondition_of::<SetUnhealthy>(request).and_then(|r| r.group))
        .or_else(|| precondition_of::<SuspendProcesses>(request).map(|r| r.group));
    match earlier {
        Some(group) => Ok(Some(group)),
        None => member::group_of(aws, &request.subject).await,
    }
}

/// Gives the group if the member stands as the step wants it; where no group is known, the step is made again.
async fn found(
    aws: &AwsRecovery,
    request: &StepRequest,
    before: Result<GroupRecord, Unreadable>,
    has_effect: impl FnOnce(Option<&Member>) -> bool,
) -> Result<Option<String>, String> {
    let Some(group) = before.ok().and_then(|b| b.group) else { return Ok(None) };
    let seen = member::member(aws, &request.subject).await?;
    Ok(has_effect(seen.as_ref()).then_some(group))
}
