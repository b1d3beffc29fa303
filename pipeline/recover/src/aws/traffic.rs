//! Target groups of load balancers: out of all of them, and back into the same.

mod targets;

use super::super::ports::{StepOutcome, StepRequest};
use super::AwsRecovery;
use super::call::{CallError, ask};
use super::ec2_reads;
use super::record::Unreadable;
use super::step::{Found, Performed, Step, precondition_of};
use super::tags;
use aws_sdk_elasticloadbalancingv2::types::TargetDescription;
use forewarn_domain::step::StepKind;
use std::collections::BTreeMap;
use targets::{Standing, standing};
pub(super) use targets::{Target, from_tags, to_tags};

/// How long until targets are looked at again, milliseconds.
const AGAIN_MS: i64 = 5_000;

#[derive(Debug)]
pub(super) struct Deregister;

impl Step for Deregister {
    const KIND: StepKind = StepKind::Deregister;
    type Precondition = Vec<Target>;

    async fn prepare(aws: &AwsRecovery, request: &StepRequest) -> Result<Vec<Target>, String> {
        targets::of_instance(aws, &request.subject).await
    }

    async fn perform(aws: &AwsRecovery, request: &StepRequest, targets: &Vec<Target>) -> Performed {
        leave(aws, request, targets).await
    }

    async fn find(aws: &AwsRecovery, request: &StepRequest, targets: Result<Vec<Target>, Unreadable>) -> Found {
        found(aws, request, &targets?, &request.subject, is_out(request)).await
    }
}

#[derive(Debug)]
pub(super) struct Register;

impl Step for Register {
    const KIND: StepKind = StepKind::Register;
    type Precondition = Vec<Target>;

    async fn prepare(aws: &AwsRecovery, request: &StepRequest) -> Result<Vec<Target>, String> {
        match precondition_of::<Deregister>(request) {
            Some(targets) => Ok(targets),
            None => Ok(from_tags(&ec2_reads::require_instance_view(aws, &request.subject).await?.tags)),
        }
    }

    async fn perform(aws: &AwsRecovery, request: &StepRequest, targets: &Vec<Target>) -> Performed {
        enter(aws, request, targets).await
    }

    async fn find(aws: &AwsRecovery, request: &StepRequest, targets: Result<Vec<Target>, Unreadable>) -> Found {
        found(aws, request, &targets?, &request.serves, is_in).await
    }
}

async fn found(
    aws: &AwsRecovery,
    request: &StepRequest,
    targets: &[Target],
    who: &str,
    wanted: fn(Standing) -> bool,
) -> Result<Option<String>, String> {
    for (arn, ports) in by_group(targets) {
        if !standing(aws, &arn, who, &ports).await?.into_iter().all(|(_, s)| wanted(s)) {
            return Ok(None);
        }
    }
    Ok(Some(request.before.clone()))
}

/// Says what counts as out of traffic: where AWS takes the instance, nobody waits for the drain.
fn is_out(request: &StepRequest) -> fn(Standing) -> bool {
    if request.action.waits_for_drain() {
        |s| s == Standing::Absent
    } else {
        |s| matches!(s, Standing::Absent | Standing::Draining)
    }
}

/// Says what counts as in traffic.
fn is_in(standing: Standing) -> bool {
    matches!(standing, Standing::Healthy | Standing::NoGroup)
}

fn by_group(targets: &[Target]) -> BTreeMap<String, Vec<Option<i32>>> {
    let mut groups = BTreeMap::<_, Vec<_>>::new();
    for target in targets {
        groups.entry(target.arn.clone()).or_default().push(target.port);
    }
    groups
}

fn descriptions(who: &str, ports: &[Option<i32>]) -> Vec<TargetDescription> {
    let one = |port: &Option<i32>| TargetDescription::builder().id(who).set_port(*port).build();
    ports.iter().map(one).collect()
}

async fn leave(aws: &AwsRecovery, request: &StepRequest, targets: &[Target]) -> Result<StepOutcome, StepOutcome> {
    let mut has_called = false;
    for (arn, ports) in by_group(targets) {
        let seen = standing(aws, &arn, &request.subject, &ports).await.map_err(CallError::unknown)?;
        let is_there = |s: Standing| !matches!(s, Standing::Absent | Standing::Draining | Standing::NoGroup);
        let there: Vec<_> = seen.into_iter().filter(|(_, s)| is_there(*s)).map(|(port, _)| port).collect();
        if there.is_empty() {
            continue;
        }
        let call = aws.elb.deregister_targets().target_group_arn(&arn);
        let call = call.set_targets(Some(descriptions(&request.subject, &there)));
        match ask("elasticloadbalancing:DeregisterTargets", call.send()).await {
            // A target that is not registered is what is wanted.
            Err(e) if is_gone(&e) => {}
            other => other.map(drop).map_err(|e| refused(e, has_called))?,
        }
        has_called = true;
    }
    settle(aws, request, targets, &request.subject, |s| is_out(request)(s) || s == Standing::NoGroup).await
}

async fn enter(aws: &AwsRecovery, request: &StepRequest, targets: &[Target]) -> Result<StepOutcome, StepOutcome> {
    let who = &request.serves;
    let mut has_called = false;
    for (arn, ports) in by_group(targets) {
        let seen = standing(aws, &arn, who, &ports).await.map_err(CallError::unknown)?;
        let is_missing = |s: Standing| matches!(s, Standing::Absent | Standing::Draining);
        let missing: Vec<_> = seen.into_iter().filter(|(_, s)| is_missing(*s)).map(|(port, _)| port).collect();
        if missing.is_empty() {
            continue;
        }
        let call = aws.elb.register_targets().target_group_arn(&arn).set_targets(Some(descriptions(who, &missing)));
        match ask("elasticloadbalancing:RegisterTargets", call.send()).await {
            Err(e) if e.code.starts_with("TargetGroupNotFound") => {}
            other => other.map(drop).map_err(|e| refused(e, has_called))?,
        }
        has_called = true;
    }
    let outcome = settle(aws, request, targets, who, is_in).await?;
    if matches!(outcome, StepOutcome::Done(_)) && request.action.isolates_or_releases() && !targets.is_empty() {
        let keys: Vec<String> = to_tags(targets).into_iter().map(|(key, _)| key).collect();
        if let Err(e) = tags::drop_tags(aws, std::slice::from_ref(&request.subject), &keys).await {
            tracing::warn!(instance = request.subject, error = e.words, "the tags of a quarantine are left");
        }
    }
    Ok(outcome)
}

fn is_gone(e: &CallError) -> bool {
    e.code.starts_with("InvalidTarget") || e.code.starts_with("TargetGroupNotFound")
}

/// A refusal after other calls of the step went well is no proof that nothing has happened.
fn refused(e: CallError, has_called: bool) -> StepOutcome {
    if has_called { StepOutcome::Unknown(e.words) } else { e.outcome() }
}

async fn settle(
    aws: &AwsRecovery,
    request: &StepRequest,
    targets: &[Target],
    who: &str,
    is_well: impl Fn(Standing) -> bool,
) -> Result<StepOutcome, StepOutcome> {
    for (arn, ports) in by_group(targets) {
        let seen = standing(aws, &arn, who, &ports).await.map_err(CallError::unknown)?;
        if !seen.into_iter().all(|(_, s)| is_well(s)) {
            return Ok(StepOutcome::Waiting(AGAIN_MS));
        }
    }
    Ok(StepOutcome::Done(request.before.clone()))
}
