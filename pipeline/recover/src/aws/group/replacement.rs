//! The group replaces its own member.

use super::super::super::ports::{StepOutcome, StepRequest};
use super::super::AwsRecovery;
use super::super::call::{CallError, ask};
use super::super::record::Unreadable;
use super::super::step::{Found, Performed, Step};
use super::member::{self, Member};
use super::{GroupRecord, found, in_a_group, in_a_group_or_none};
use aws_sdk_autoscaling::types::{AutoScalingGroup, Instance, LifecycleState};
use forewarn_domain::step::StepKind;

/// How long until a group is looked at again, milliseconds.
const AGAIN_MS: i64 = 15_000;
const ENDING: &str = "autoscaling:EC2_INSTANCE_TERMINATING";

#[derive(Debug)]
pub(in crate::aws) struct SetUnhealthy;

impl Step for SetUnhealthy {
    const KIND: StepKind = StepKind::SetUnhealthy;
    type Precondition = GroupRecord;

    async fn prepare(aws: &AwsRecovery, request: &StepRequest) -> Result<GroupRecord, String> {
        in_a_group(aws, request).await
    }

    async fn perform(aws: &AwsRecovery, request: &StepRequest, before: &GroupRecord) -> Performed {
        before.group(request)?;
        give_up(aws, request).await
    }

    async fn find(aws: &AwsRecovery, request: &StepRequest, before: Result<GroupRecord, Unreadable>) -> Found {
        found(aws, request, before, |seen| seen.is_none_or(Member::is_given_up)).await
    }
}

#[derive(Debug)]
pub(in crate::aws) struct AwaitInService;

impl Step for AwaitInService {
    const KIND: StepKind = StepKind::AwaitInService;
    type Precondition = GroupRecord;

    async fn prepare(aws: &AwsRecovery, request: &StepRequest) -> Result<GroupRecord, String> {
        in_a_group(aws, request).await
    }

    async fn perform(aws: &AwsRecovery, request: &StepRequest, before: &GroupRecord) -> Performed {
        in_service(aws, request, before.group(request)?).await
    }

    async fn find(aws: &AwsRecovery, request: &StepRequest, before: Result<GroupRecord, Unreadable>) -> Found {
        // It is found by doing it again.
        found(aws, request, before, |_| false).await
    }
}

#[derive(Debug)]
pub(in crate::aws) struct CompleteLifecycle;

impl Step for CompleteLifecycle {
    const KIND: StepKind = StepKind::CompleteLifecycle;
    type Precondition = GroupRecord;

    async fn prepare(aws: &AwsRecovery, request: &StepRequest) -> Result<GroupRecord, String> {
        in_a_group_or_none(aws, request).await
    }

    async fn perform(aws: &AwsRecovery, request: &StepRequest, before: &GroupRecord) -> Performed {
        let_go(aws, request, before.group(request)?).await
    }

    async fn find(aws: &AwsRecovery, request: &StepRequest, before: Result<GroupRecord, Unreadable>) -> Found {
        found(aws, request, before, |seen| seen.is_none_or(|m| m.lifecycle != "Terminating:Wait")).await
    }
}

/// Tells the group that the member is unhealthy.
async fn give_up(aws: &AwsRecovery, request: &StepRequest) -> Result<StepOutcome, StepOutcome> {
    let who = &request.subject;
    let seen = member::member(aws, who).await.map_err(CallError::unknown)?;
    if seen.is_none_or(|m| m.is_given_up()) {
        return Ok(StepOutcome::Done(format!("{who} is given up already")));
    }
    let call = aws.autoscaling.set_instance_health().instance_id(who).health_status("Unhealthy");
    let call = call.should_respect_grace_period(false);
    ask("autoscaling:SetInstanceHealth", call.send()).await.map_err(CallError::outcome)?;
    Ok(StepOutcome::Done(who.clone()))
}

/// Looks whether the group has as many others in service as it wants.
async fn in_service(aws: &AwsRecovery, request: &StepRequest, group: &str) -> Result<StepOutcome, StepOutcome> {
    let seen = member::group(aws, group).await.map_err(CallError::unknown)?;
    let Some(seen) = seen else { return Ok(StepOutcome::Failed(format!("there is no Auto Scaling group {group}"))) };
    let (serving, wanted) = (serving(&seen, &request.subject), seen.desired_capacity().unwrap_or_default());
    let enough = i32::try_from(serving).is_ok_and(|n| n >= wanted);
    Ok(if enough {
        StepOutcome::Done(format!("{serving} of {wanted} in service"))
    } else {
        StepOutcome::Waiting(AGAIN_MS)
    })
}

fn serving(group: &AutoScalingGroup, subject: &str) -> usize {
    let serves = |i: &&Instance| {
        i.instance_id() != Some(subject)
            && i.lifecycle_state() == Some(&LifecycleState::InService)
            && i.health_status().is_some_and(|h| h.eq_ignore_ascii_case("healthy"))
    };
    group.instances().iter().filter(serves).count()
}

/// Tells the group that the drained instance may go.
async fn let_go(aws: &AwsRecovery, request: &StepRequest, group: &str) -> Result<StepOutcome, StepOutcome> {
    let who = &request.subject;
    let nothing = || Ok(StepOutcome::Done("nothing waits".to_owned()));
    let seen = member::member(aws, who).await.map_err(CallError::unknown)?;
    if seen.is_none_or(|m| m.lifecycle != "Terminating:Wait") {
        return nothing();
    }
    let call = aws.autoscaling.describe_lifecycle_hooks().auto_scaling_group_name(group);
    let hooks = ask("autoscaling:DescribeLifecycleHooks", call.send()).await.map_err(CallError::unknown)?;
    let hooks = hooks.lifecycle_hooks.unwrap_or_default().into_iter();
    let hooks = hooks.filter(|h| h.lifecycle_transition() == Some(ENDING)).filter_map(|h| h.lifecycle_hook_name);
    let mut told = Vec::new();
    for hook in hooks {
        let call = aws.autoscaling.complete_lifecycle_action().auto_scaling_group_name(group);
        let call = call.lifecycle_hook_name(&hook).instance_id(who).lifecycle_action_result("CONTINUE");
        match ask("autoscaling:CompleteLifecycleAction", call.send()).await {
            Ok(_) => told.push(hook),
            // This hook has no action that waits for the instance.
            Err(e) if e.code == "ValidationError" && e.words.contains("No active Lifecycle Action") => {}
            Err(e) if told.is_empty() => return Err(e.outcome()),
            Err(e) => return Err(StepOutcome::Unknown(e.words)),
        }
    }
    if told.is_empty() { nothing() } else { Ok(StepOutcome::Done(told.join(" "))) }
}
