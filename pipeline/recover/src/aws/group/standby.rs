//! Out of service for a while, and back.

use super::super::super::ports::{StepOutcome, StepRequest};
use super::super::AwsRecovery;
use super::super::call::{CallError, ask};
use super::super::record::Unreadable;
use super::super::step::{Found, Performed, Step};
use super::member::{self, Member};
use super::processes;
use super::{GroupRecord, found, in_a_group, in_a_group_or_none};
use forewarn_domain::step::StepKind;

/// How long until a member is looked at again, milliseconds.
const AGAIN_MS: i64 = 3_000;

#[derive(Debug)]
pub(in crate::aws) struct EnterStandby;

impl Step for EnterStandby {
    const KIND: StepKind = StepKind::EnterStandby;
    type Precondition = GroupRecord;

    async fn prepare(aws: &AwsRecovery, request: &StepRequest) -> Result<GroupRecord, String> {
        in_a_group(aws, request).await
    }

    async fn perform(aws: &AwsRecovery, request: &StepRequest, before: &GroupRecord) -> Performed {
        enter(aws, request, before.group(request)?).await
    }

    async fn find(aws: &AwsRecovery, request: &StepRequest, before: Result<GroupRecord, Unreadable>) -> Found {
        found(aws, request, before, |seen| seen.is_some_and(|m| m.lifecycle == "Standby")).await
    }
}

#[derive(Debug)]
pub(in crate::aws) struct ExitStandby;

impl Step for ExitStandby {
    const KIND: StepKind = StepKind::ExitStandby;
    type Precondition = GroupRecord;

    async fn prepare(aws: &AwsRecovery, request: &StepRequest) -> Result<GroupRecord, String> {
        in_a_group_or_none(aws, request).await
    }

    async fn perform(aws: &AwsRecovery, request: &StepRequest, before: &GroupRecord) -> Performed {
        exit(aws, request, before.group(request)?).await
    }

    async fn find(aws: &AwsRecovery, request: &StepRequest, before: Result<GroupRecord, Unreadable>) -> Found {
        // It is found by doing it again.
        found(aws, request, before, |_| false).await
    }
}

async fn look(aws: &AwsRecovery, request: &StepRequest) -> Result<Option<Member>, StepOutcome> {
    member::member(aws, &request.subject).await.map_err(CallError::unknown)
}

/// Puts the member aside; the group wants one fewer meanwhile.
async fn enter(aws: &AwsRecovery, request: &StepRequest, group: &str) -> Result<StepOutcome, StepOutcome> {
    let who = &request.subject;
    let seen = look(aws, request).await?;
    match seen.as_ref().map_or("gone", |m| m.lifecycle.as_str()) {
        "InService" => {}
        "Standby" => return Ok(StepOutcome::Done(group.to_owned())),
        "EnteringStandby" => return Ok(StepOutcome::Waiting(AGAIN_MS)),
        other => {
            return Ok(StepOutcome::Failed(format!(
                "{who} is {other} in {group}: only what is in service steps aside"
            )));
        }
    }
    let call = aws.autoscaling.enter_standby().auto_scaling_group_name(group).instance_ids(who);
    let call = call.should_decrement_desired_capacity(true);
    ask("autoscaling:EnterStandby", call.send()).await.map_err(CallError::outcome)?;
    let is_aside = look(aws, request).await?.is_some_and(|m| m.lifecycle == "Standby");
    Ok(if is_aside { StepOutcome::Done(group.to_owned()) } else { StepOutcome::Waiting(AGAIN_MS) })
}

/// Takes the member back; the group wants one more again.
async fn exit(aws: &AwsRecovery, request: &StepRequest, group: &str) -> Result<StepOutcome, StepOutcome> {
    let who = &request.subject;
    let back =
        async || processes::after_release(aws, request, group).await.map(|()| StepOutcome::Done(group.to_owned()));
    match look(aws, request).await?.map_or_else(|| "gone".to_owned(), |m| m.lifecycle).as_str() {
        "Standby" => {}
        "InService" => return back().await,
        "gone" => return Ok(StepOutcome::Done(format!("{who} is in {group} no more"))),
        "EnteringStandby" => return Ok(StepOutcome::Waiting(AGAIN_MS)),
        pending if pending.starts_with("Pending") => return Ok(StepOutcome::Waiting(AGAIN_MS)),
        other => return Ok(StepOutcome::Failed(format!("{who} is {other} in {group}: it can't be taken back"))),
    }
    let call = aws.autoscaling.exit_standby().auto_scaling_group_name(group).instance_ids(who);
    ask("autoscaling:ExitStandby", call.send()).await.map_err(CallError::outcome)?;
    if look(aws, request).await?.is_some_and(|m| m.lifecycle == "InService") {
        return back().await;
    }
    Ok(StepOutcome::Waiting(AGAIN_MS))
}
