//! The processes by which a group ends what seems unhealthy, suspended while we work; what a person suspended stays so.

use super::super::super::ports::{StepOutcome, StepRequest};
use super::super::AwsRecovery;
use super::super::call::{CallError, ask};
use super::super::ec2_reads;
use super::super::record::Unreadable;
use super::super::step::{Found, Performed, Step, precondition_of};
use super::super::tags;
use super::member;
use super::{GroupRecord, found, group_of, in_a_group_or_none, no_group};
use forewarn_domain::action::RecoveryAction;
use forewarn_domain::step::StepKind;
use forewarn_domain::time::UnixMs;
use serde::{Deserialize, Serialize};

/// What would end an instance that we have stopped.
const PROCESSES: [&str; 2] = ["HealthCheck", "ReplaceUnhealthy"];
/// How long until a group is looked at again, milliseconds.
const AGAIN_MS: i64 = 3_000;
/// What a quarantine has suspended, on the instance: its release is another plan.
const TAG: &str = "forewarn:suspended";

/// A group, and which of the processes were suspended before.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::aws) struct Suspension {
    at_ms: UnixMs,
    pub(super) group: String,
    already: Vec<String>,
}

#[derive(Debug)]
pub(in crate::aws) struct SuspendProcesses;

impl Step for SuspendProcesses {
    const KIND: StepKind = StepKind::SuspendProcesses;
    type Precondition = Suspension;

    async fn prepare(aws: &AwsRecovery, request: &StepRequest) -> Result<Suspension, String> {
        let group = group_of(aws, request).await?;
        let group = group.ok_or_else(|| no_group(request))?;
        let already = suspended(aws, &group).await?;
        Ok(Suspension { at_ms: request.now_ms, group, already })
    }

    async fn perform(aws: &AwsRecovery, request: &StepRequest, before: &Suspension) -> Performed {
        suspend(aws, request, before).await
    }

    async fn find(aws: &AwsRecovery, request: &StepRequest, before: Result<Suspension, Unreadable>) -> Found {
        let Ok(Suspension { group, .. }) = before else { return Ok(None) };
        // What can't be told of the member can't be told of its group's processes either.
        member::member(aws, &request.subject).await?;
        Ok(is_suspended(aws, &group).await?.then_some(group))
    }
}

#[derive(Debug)]
pub(in crate::aws) struct ResumeProcesses;

impl Step for ResumeProcesses {
    const KIND: StepKind = StepKind::ResumeProcesses;
    type Precondition = GroupRecord;

    async fn prepare(aws: &AwsRecovery, request: &StepRequest) -> Result<GroupRecord, String> {
        in_a_group_or_none(aws, request).await
    }

    async fn perform(aws: &AwsRecovery, request: &StepRequest, before: &GroupRecord) -> Performed {
        resume(aws, request, before.group(request)?).await
    }

    async fn find(aws: &AwsRecovery, request: &StepRequest, before: Result<GroupRecord, Unreadable>) -> Found {
        // It is found by doing it again.
        found(aws, request, before, |_| false).await
    }
}

/// Gives which of the processes are suspended.
async fn suspended(aws: &AwsRecovery, group: &str) -> Result<Vec<String>, String> {
    let seen = member::group(aws, group).await?;
    let seen = seen.ok_or_else(|| format!("there is no Auto Scaling group {group}"))?;
    let names = seen.suspended_processes().iter().filter_map(|p| p.process_name());
    Ok(names.filter(|n| PROCESSES.contains(n)).map(str::to_owned).collect())
}

/// Says whether all of them are suspended.
async fn is_suspended(aws: &AwsRecovery, group: &str) -> Result<bool, String> {
    Ok(suspended(aws, group).await?.len() == PROCESSES.len())
}

/// Gives what we suspended.
fn ours(of: &Suspension) -> Vec<String> {
    let is_ours = |p: &&&str| !of.already.iter().any(|a| a == **p);
    PROCESSES.iter().filter(is_ours).map(|p| (*p).to_owned()).collect()
}

/// Suspends what is not suspended yet.
async fn suspend(aws: &AwsRecovery, request: &StepRequest, of: &Suspension) -> Result<StepOutcome, StepOutcome> {
    let now = suspended(aws, &of.group).await.map_err(StepOutcome::Unknown)?;
    let missing: Vec<String> = ours(of).into_iter().filter(|p| !now.contains(p)).collect();
    if !missing.is_empty() {
        if request.action == RecoveryAction::Quarantine {
            let tags = [(TAG.to_owned(), ours(of).join(" "))];
            tags::put_tags(aws, std::slice::from_ref(&request.subject), &tags).await.map_err(CallError::outcome)?;
        }
        let call = aws.autoscaling.suspend_processes().auto_scaling_group_name(&of.group);
        let call = call.set_scaling_processes(Some(missing));
        ask("autoscaling:SuspendProcesses", call.send()).await.map_err(CallError::outcome)?;
    }
    let is_done = is_suspended(aws, &of.group).await.map_err(StepOutcome::Unknown)?;
    Ok(if is_done { StepOutcome::Done(of.group.clone()) } else { StepOutcome::Waiting(AGAIN_MS) })
}

/// Resumes what we suspended, and nothing else.
async fn resume(aws: &AwsRecovery, request: &StepRequest, group: &str) -> Result<StepOutcome, StepOutcome> {
    let Some(of) = precondition_of::<SuspendProcesses>(request) else {
        return after_release(aws, request, group).await.map(|()| StepOutcome::Done(group.to_owned()));
    };
    resume_these(aws, &of.group, &ours(&of)).await?;
    Ok(StepOutcome::Done(of.group))
}

async fn resume_these(aws: &AwsRecovery, group: &str, these: &[String]) -> Result<(), StepOutcome> {
    let Some(seen) = member::group(aws, group).await.map_err(CallError::unknown)? else { return Ok(()) };
    let names: Vec<_> = seen.suspended_processes().iter().filter_map(|p| p.process_name()).collect();
    let still: Vec<String> = these.iter().filter(|p| names.contains(&p.as_str())).cloned().collect();
    if still.is_empty() {
        return Ok(());
    }
    let call = aws.autoscaling.resume_processes().auto_scaling_group_name(group);
    let call = call.set_scaling_processes(Some(still));
    ask("autoscaling:ResumeProcesses", call.send()).await.map(drop).map_err(CallError::outcome)
}

/// Resumes what a quarantine has suspended, as the instance's tag tells.
pub(super) async fn after_release(aws: &AwsRecovery, request: &StepRequest, group: &str) -> Result<(), StepOutcome> {
    let view = ec2_reads::instance_view(aws, &request.subject).await.map_err(CallError::unknown)?;
    let Some(tag) = view.as_ref().and_then(|m| m.tags.get(TAG)) else { return Ok(()) };
    let named: Vec<String> = tag.split(' ').filter(|p| PROCESSES.contains(p)).map(str::to_owned).collect();
    resume_these(aws, group, &named).await?;
    let gone = tags::drop_tags(aws, std::slice::from_ref(&request.subject), &[TAG.to_owned()]).await;
    gone.map_err(CallError::unknown)
}
