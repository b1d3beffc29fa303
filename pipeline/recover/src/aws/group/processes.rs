//! The processes by which a group ends what seems unhealthy, suspended while we work; what a person suspended stays so.

use super::super::super::ports::{StepOutcome, StepRequest};
use super::super::AwsRecovery;
use super::super::call::CallError;
use super::super::ec2_reads;
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
pub(super) fn prepare(aws: &AwsRecovery, at_ms: i64, group: String) -> Result<String, String> {
    let already = suspended(aws, &group)?;
    ec2_reads::encode_precondition(&Suspension { at_ms, group, already })
}

/// Gives which of the processes are suspended.
fn suspended(aws: &AwsRecovery, group: &str) -> Result<Vec<String>, String> {
    let seen = member::group(aws, group).map_err(ec2_reads::words)?;
    let seen = seen.ok_or_else(|| format!("there is no Auto Scaling group {group}"))?;
    let names = seen.suspended_processes().iter().filter_map(|p| p.process_name());
    Ok(names.filter(|n| PROCESSES.contains(n)).map(str::to_owned).collect())
}

/// Says whether all of them are suspended.
pub(super) fn is_suspended(aws: &AwsRecovery, group: &str) -> Result<bool, String> {
    Ok(suspended(aws, group)?.len() == PROCESSES.len())
}

/// Gives what we suspended.
fn ours(of: &Suspension) -> Vec<String> {
    let is_ours = |p: &&&str| !of.already.iter().any(|a| a == **p);
    PROCESSES.iter().filter(is_ours).map(|p| (*p).to_owned()).collect()
}

/// Suspends what is not suspended yet.
pub(super) fn suspend(aws: &AwsRecovery, request: &StepRequest) -> Result<StepOutcome, StepOutcome> {
    let of: Suspension = ec2_reads::before(request)?;
    let now = suspended(aws, &of.group).map_err(StepOutcome::Unknown)?;
    let missing: Vec<String> = ours(&of).into_iter().filter(|p| !now.contains(p)).collect();
    if !missing.is_empty() {
        if request.action == RecoveryAction::Quarantine {
            let tags = [(TAG.to_owned(), ours(&of).join(" "))];
            ec2_reads::put_tags(aws, std::slice::from_ref(&request.subject), &tags).map_err(CallError::reply)?;
        }
        let call = aws.autoscaling.suspend_processes().auto_scaling_group_name(&of.group);
        let call = call.set_scaling_processes(Some(missing));
        ec2_reads::ask(aws, "autoscaling:SuspendProcesses", call.send()).map_err(CallError::reply)?;
    }
    let is_done = is_suspended(aws, &of.group).map_err(StepOutcome::Unknown)?;
    Ok(if is_done { StepOutcome::Done(of.group) } else { StepOutcome::Waiting(AGAIN_MS) })
}

/// Resumes what we suspended, and nothing else.
pub(super) fn resume(aws: &AwsRecovery, request: &StepRequest, group: &str) -> Result<StepOutcome, StepOutcome> {
    let Some(of) = ec2_reads::precondition_of::<Suspension>(request, StepKind::SuspendProcesses) else {
        return after_release(aws, request, group).map(|()| StepOutcome::Done(group.to_owned()));
    };
    resume_these(aws, &of.group, &ours(&of))?;
    Ok(StepOutcome::Done(of.group))
}

fn resume_these(aws: &AwsRecovery, group: &str, these: &[String]) -> Result<(), StepOutcome> {
    let Some(seen) = member::group(aws, group).map_err(ec2_reads::unread)? else { return Ok(()) };
    let names: Vec<_> = seen.suspended_processes().iter().filter_map(|p| p.process_name()).collect();
    let still: Vec<String> = these.iter().filter(|p| names.contains(&p.as_str())).cloned().collect();
    if still.is_empty() {
        return Ok(());
    }
    let call = aws.autoscaling.resume_processes().auto_scaling_group_name(group);
    let call = call.set_scaling_processes(Some(still));
    ec2_reads::ask(aws, "autoscaling:ResumeProcesses", call.send()).map(drop).map_err(CallError::reply)
}

/// Resumes what a quarantine has suspended, as the instance's tag tells.
pub(super) fn after_release(aws: &AwsRecovery, request: &StepRequest, group: &str) -> Result<(), StepOutcome> {
    let machine = ec2_reads::machine(aws, &request.subject).map_err(ec2_reads::unread)?;
    let Some(tag) = machine.as_ref().and_then(|m| m.tags.get(TAG)) else { return Ok(()) };
    let named: Vec<String> = tag.split(' ').filter(|p| PROCESSES.contains(p)).map(str::to_owned).collect();
    resume_these(aws, group, &named)?;
    let gone = ec2_reads::drop_tags(aws, std::slice::from_ref(&request.subject), &[TAG.to_owned()]);
    gone.map_err(ec2_reads::unread)
}
