//! The processes by which a group ends what seems unhealthy, suspended while we work; what a person suspended stays so.

use super::super::super::ports::{StepOutcome, StepRequest};
use super::super::AwsRecovery;
use super::super::call::{CallError, ask};
use super::super::ec2_reads;
use super::super::record;
use super::super::tags;
use super::member;
use forewarn_domain::action::RecoveryAction;
use forewarn_domain::step::StepKind;
use serde::{Deserialize, Serialize};

/// What would end an instance that we have stopped.
const PROCESSES: [&str; 2] = ["HealthCheck", "ReplaceUnhealthy"];
/// How long until a group is looked at again, milliseconds.
const AGAIN_MS: i64 = 3_000;
/// What a quarantine has suspended, on the instance: its release is another plan.
const TAG: &str = "forewarn:suspended";

/// A group, and which of the processes were suspended before.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Suspension {
    at_ms: i64,
    group: String,
    already: Vec<String>,
}

/// Settles what was suspended before.
pub(super) async fn prepare(aws: &AwsRecovery, at_ms: i64, group: String) -> Result<String, String> {
    let already = suspended(aws, &group).await?;
    record::encode_precondition(&Suspension { at_ms, group, already })
}

/// Gives which of the processes are suspended.
async fn suspended(aws: &AwsRecovery, group: &str) -> Result<Vec<String>, String> {
    let seen = member::group(aws, group).await?;
    let seen = seen.ok_or_else(|| format!("there is no Auto Scaling group {group}"))?;
    let names = seen.suspended_processes().iter().filter_map(|p| p.process_name());
    Ok(names.filter(|n| PROCESSES.contains(n)).map(str::to_owned).collect())
}

/// Says whether all of them are suspended.
pub(super) async fn is_suspended(aws: &AwsRecovery, group: &str) -> Result<bool, String> {
    Ok(suspended(aws, group).await?.len() == PROCESSES.len())
}

/// Gives what we suspended.
fn ours(of: &Suspension) -> Vec<String> {
    let is_ours = |p: &&&str| !of.already.iter().any(|a| a == **p);
    PROCESSES.iter().filter(is_ours).map(|p| (*p).to_owned()).collect()
}

/// Suspends what is not suspended yet.
pub(super) async fn suspend(aws: &AwsRecovery, request: &StepRequest) -> Result<StepOutcome, StepOutcome> {
    let of: Suspension = record::before(request)?;
    let now = suspended(aws, &of.group).await.map_err(StepOutcome::Unknown)?;
    let missing: Vec<String> = ours(&of).into_iter().filter(|p| !now.contains(p)).collect();
    if !missing.is_empty() {
        if request.action == RecoveryAction::Quarantine {
            let tags = [(TAG.to_owned(), ours(&of).join(" "))];
            tags::put_tags(aws, std::slice::from_ref(&request.subject), &tags).await.map_err(CallError::outcome)?;
        }
        let call = aws.autoscaling.suspend_processes().auto_scaling_group_name(&of.group);
        let call = call.set_scaling_processes(Some(missing));
        ask("autoscaling:SuspendProcesses", call.send()).await.map_err(CallError::outcome)?;
    }
    let is_done = is_suspended(aws, &of.group).await.map_err(StepOutcome::Unknown)?;
    Ok(if is_done { StepOutcome::Done(of.group) } else { StepOutcome::Waiting(AGAIN_MS) })
}

/// Resumes what we suspended, and nothing else.
pub(super) async fn resume(aws: &AwsRecovery, request: &StepRequest, group: &str) -> Result<StepOutcome, StepOutcome> {
    let Some(of) = record::precondition_of::<Suspension>(request, StepKind::SuspendProcesses) else {
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
