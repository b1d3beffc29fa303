//! Ends a successor that never served, and marks an old instance for a later decision. The old one is never ended here.

use super::super::super::ports::{StepOutcome, StepRequest};
use super::super::AwsRecovery;
use super::super::call::{CallError, ask};
use super::super::ec2_reads::{ec2_of_successor, filter, instance, instances, state};
use super::super::record::{Since, Unreadable};
use super::super::step::{Found, Performed, Step};
use super::super::tags::{self, SUCCESSOR, UNTIL};
use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{AttributeBooleanValue, Instance};
use forewarn_domain::step::StepKind;
use forewarn_recovery::facts::InstanceState;
use forewarn_runtime::time::{DAY_MS, format_ms};
use std::collections::BTreeMap;

/// How long until a successor is looked at again, milliseconds.
const LOOK_AGAIN_MS: i64 = 5_000;
/// How long what was launched may not be seen yet, milliseconds.
const HIDDEN_MS: i64 = 30_000;

#[derive(Debug)]
pub(in crate::aws) struct Discard;

impl Step for Discard {
    const KIND: StepKind = StepKind::Discard;
    type Precondition = Since;
    const IS_SETTLED_ONCE: bool = false;

    async fn prepare(_aws: &AwsRecovery, request: &StepRequest) -> Result<Since, String> {
        Ok(Since::now(request))
    }

    async fn perform(aws: &AwsRecovery, request: &StepRequest, since: &Since) -> Performed {
        Ok(discard(aws, request, since).await)
    }

    async fn find(aws: &AwsRecovery, request: &StepRequest, _since: Result<Since, Unreadable>) -> Found {
        ended(aws, request).await
    }

    fn unreadable(request: &StepRequest, _why: Unreadable) -> Result<Since, StepOutcome> {
        Ok(Since::now(request))
    }
}

#[derive(Debug)]
pub(in crate::aws) struct KeepOld;

impl Step for KeepOld {
    const KIND: StepKind = StepKind::KeepOld;
    type Precondition = BTreeMap<String, String>;
    const IS_SETTLED_ONCE: bool = false;

    async fn prepare(_aws: &AwsRecovery, request: &StepRequest) -> Result<BTreeMap<String, String>, String> {
        let until = format_ms(request.now_ms.saturating_add(DAY_MS).0);
        let recovery = ("forewarn:kept-for".to_owned(), request.recovery_id.clone());
        let successor = request.successor.clone().map(|id| (SUCCESSOR.to_owned(), id));
        Ok([recovery, (UNTIL.to_owned(), until)].into_iter().chain(successor).collect())
    }

    async fn perform(aws: &AwsRecovery, request: &StepRequest, tags: &BTreeMap<String, String>) -> Performed {
        keep(aws, request, tags).await
    }

    async fn find(
        aws: &AwsRecovery,
        request: &StepRequest,
        tags: Result<BTreeMap<String, String>, Unreadable>,
    ) -> Found {
        kept(aws, request, &tags.map_err(|why| why.error)?).await
    }

    fn unreadable(_request: &StepRequest, why: Unreadable) -> Result<BTreeMap<String, String>, StepOutcome> {
        Err(StepOutcome::Failed(format!("the tags can't be read: {}", why.error)))
    }
}

/// Ends the successor, or what was launched for this plan and never named because the reply was lost.
async fn discard(aws: &AwsRecovery, request: &StepRequest, since: &Since) -> StepOutcome {
    let ec2 = ec2_of_successor(aws, request);
    let found = match launched(&ec2, request).await {
        Ok(found) => found,
        Err(error) => return error.unknown(),
    };
    if found.is_empty() {
        let is_hidden = request.now_ms.since(since.at_ms) < HIDDEN_MS;
        return if is_hidden {
            StepOutcome::Waiting(LOOK_AGAIN_MS)
        } else {
            StepOutcome::Done("there is none".to_owned())
        };
    }
    let mut ended = Vec::new();
    for one in &found {
        let id = one.instance_id.clone().unwrap_or_default();
        if !is_ending(one) {
            return match end(&ec2, request, &id, one).await {
                Ok(()) => StepOutcome::Waiting(LOOK_AGAIN_MS),
                Err(reply) => reply,
            };
        }
        ended.push(id);
    }
    StepOutcome::Done(ended.join(","))
}

/// Says whether all that was launched is ending; none if something is not, or nothing is seen.
async fn ended(aws: &AwsRecovery, request: &StepRequest) -> Result<Option<String>, String> {
    let found = launched(&ec2_of_successor(aws, request), request).await?;
    let ids = || found.iter().filter_map(|i| i.instance_id.clone()).collect::<Vec<_>>().join(",");
    Ok((!found.is_empty() && found.iter().all(is_ending)).then(ids))
}

async fn launched(ec2: &Client, request: &StepRequest) -> Result<Vec<Instance>, CallError> {
    if let Some(successor) = &request.successor {
        return Ok(instance(ec2, successor).await?.into_iter().collect());
    }
    let tags = [
        ("tag:forewarn:plan", vec![request.plan_id.clone()]),
        ("tag:forewarn:recovery", vec![request.recovery_id.clone()]),
        ("tag:ReplacedInstance", vec![request.subject.clone()]),
    ];
    instances(ec2, &tags).await
}

fn is_ending(found: &Instance) -> bool {
    matches!(state(found), Some(InstanceState::ShuttingDown | InstanceState::Terminated))
}

/// Ends one that is ours and serves nobody.
async fn end(ec2: &Client, request: &StepRequest, id: &str, found: &Instance) -> Result<(), StepOutcome> {
    let tags = tags::by_key(found.tags());
    let refuse = |why: &str| Err(StepOutcome::Failed(format!("{id} is not ended: {why}")));
    if id == request.subject || tags.get("forewarn:plan") != Some(&request.plan_id) {
        return refuse("it carries no tag of this plan");
    }
    let call = ec2.describe_addresses().filters(filter("instance-id", [id.to_owned()]));
    let addresses = ask("ec2:DescribeAddresses", call.send()).await.map_err(CallError::outcome)?;
    if !addresses.addresses().is_empty() {
        return refuse("it has an Elastic IP");
    }
    match ask("ec2:TerminateInstances", ec2.terminate_instances().instance_ids(id).send()).await {
        Ok(_) => Ok(()),
        // It took the protection over from the old one, and has nothing that needs it.
        Err(error) if error.code == "OperationNotPermitted" => {
            let off = AttributeBooleanValue::builder().value(false).build();
            let call = ec2.modify_instance_attribute().instance_id(id).disable_api_termination(off);
            ask("ec2:ModifyInstanceAttribute", call.send()).await.map(|_| ()).map_err(CallError::outcome)
        }
        Err(error) => Err(error.outcome()),
    }
}

/// Tags the old instance.
async fn keep(
    aws: &AwsRecovery,
    request: &StepRequest,
    tags: &BTreeMap<String, String>,
) -> Result<StepOutcome, StepOutcome> {
    let tags = tags.iter().map(|(key, value)| tags::tag(key, value)).collect();
    let call = aws.ec2.create_tags().resources(&request.subject).set_tags(Some(tags));
    ask("ec2:CreateTags", call.send()).await.map_err(CallError::outcome)?;
    Ok(StepOutcome::Done(request.before.clone()))
}

/// Says whether the old instance carries its tags.
async fn kept(
    aws: &AwsRecovery,
    request: &StepRequest,
    wanted: &BTreeMap<String, String>,
) -> Result<Option<String>, String> {
    let found = instance(&aws.ec2, &request.subject).await?;
    let tags = found.map(|i| tags::by_key(i.tags())).unwrap_or_default();
    Ok(wanted.iter().all(|(key, value)| tags.get(key) == Some(value)).then(|| request.before.clone()))
}
