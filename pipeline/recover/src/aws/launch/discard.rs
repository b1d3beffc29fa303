//! Ends a successor that never served, and marks an old instance for a later decision. The old one is never ended here.

use super::super::super::hands::{Errand, Reply};
use super::super::AwsHands;
use super::super::call::Trouble;
use super::super::facts::read::{ask, ec2_of_successor, filter, instance, instances, state, tags, words};
use super::super::facts::tags::{SUCCESSOR, UNTIL};
use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{AttributeBooleanValue, Instance, Tag};
use forewarn_recovery::facts::InstanceState;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How long until a successor is looked at again, milliseconds.
const LOOK_AGAIN_MS: i64 = 5_000;
/// How long what was launched may not be seen yet, milliseconds.
const HIDDEN_MS: i64 = 30_000;

#[derive(Debug, Serialize, Deserialize)]
struct Before {
    at_ms: i64,
}

/// Notes when it was first looked for.
pub(super) fn prepare(errand: &Errand) -> Result<String, String> {
    serde_json::to_string(&Before { at_ms: errand.now_ms }).map_err(|e| e.to_string())
}

/// Ends the successor, or what was launched for this plan and never named because the reply was lost.
pub(super) async fn discard(hands: &AwsHands, errand: &Errand) -> Reply {
    let ec2 = ec2_of_successor(hands, errand);
    let found = match launched(&ec2, errand).await {
        Ok(found) => found,
        Err(trouble) => return Reply::Unknown(trouble.words),
    };
    let since = serde_json::from_str::<Before>(&errand.before).map_or(errand.now_ms, |b| b.at_ms);
    if found.is_empty() {
        let is_hidden = errand.now_ms - since < HIDDEN_MS;
        return if is_hidden { Reply::Waiting(LOOK_AGAIN_MS) } else { Reply::Done("there is none".to_owned()) };
    }
    let mut ended = Vec::new();
    for one in &found {
        let id = one.instance_id.clone().unwrap_or_default();
        if !is_ending(one) {
            return match end(&ec2, errand, &id, one).await {
                Ok(()) => Reply::Waiting(LOOK_AGAIN_MS),
                Err(reply) => reply,
            };
        }
        ended.push(id);
    }
    Reply::Done(ended.join(","))
}

/// Says whether all that was launched is ending; none if something is not, or nothing is seen.
pub(super) async fn ended(hands: &AwsHands, errand: &Errand) -> Result<Option<String>, String> {
    let found = launched(&ec2_of_successor(hands, errand), errand).await.map_err(words)?;
    let ids = || found.iter().filter_map(|i| i.instance_id.clone()).collect::<Vec<_>>().join(",");
    Ok((!found.is_empty() && found.iter().all(is_ending)).then(ids))
}

async fn launched(ec2: &Client, errand: &Errand) -> Result<Vec<Instance>, Trouble> {
    if let Some(successor) = &errand.successor {
        return Ok(instance(ec2, successor).await?.into_iter().collect());
    }
    let tags = [
        ("tag:forewarn:plan", vec![errand.plan_id.clone()]),
        ("tag:forewarn:recovery", vec![errand.recovery_id.clone()]),
        ("tag:ReplacedInstance", vec![errand.subject.clone()]),
    ];
    instances(ec2, &tags).await
}

fn is_ending(found: &Instance) -> bool {
    matches!(state(found), Some(InstanceState::ShuttingDown | InstanceState::Terminated))
}

/// Ends one that is ours and serves nobody.
async fn end(ec2: &Client, errand: &Errand, id: &str, found: &Instance) -> Result<(), Reply> {
    let tags = tags(found.tags.as_deref());
    let refuse = |why: &str| Err(Reply::Failed(format!("{id} is not ended: {why}")));
    if id == errand.subject || tags.get("forewarn:plan") != Some(&errand.plan_id) {
        return refuse("it carries no tag of this plan");
    }
    let call = ec2.describe_addresses().filters(filter("instance-id", [id.to_owned()]));
    let addresses = ask("ec2:DescribeAddresses", call.send()).await.map_err(Trouble::reply)?;
    if !addresses.addresses().is_empty() {
        return refuse("it has an Elastic IP");
    }
    match ask("ec2:TerminateInstances", ec2.terminate_instances().instance_ids(id).send()).await {
        Ok(_) => Ok(()),
        // It took the protection over from the old one, and has nothing that needs it.
        Err(trouble) if trouble.code == "OperationNotPermitted" => {
            let off = AttributeBooleanValue::builder().value(false).build();
            let call = ec2.modify_instance_attribute().instance_id(id).disable_api_termination(off);
            ask("ec2:ModifyInstanceAttribute", call.send()).await.map(|_| ()).map_err(Trouble::reply)
        }
        Err(trouble) => Err(trouble.reply()),
    }
}

/// Settles the tags of an old instance.
pub(super) fn settle_tags(errand: &Errand, until: &str) -> Result<String, String> {
    let mut tags = BTreeMap::from([("forewarn:kept-for", errand.recovery_id.as_str()), (UNTIL, until)]);
    if let Some(successor) = &errand.successor {
        tags.insert(SUCCESSOR, successor);
    }
    serde_json::to_string(&tags).map_err(|e| e.to_string())
}

/// Tags the old instance.
pub(super) async fn keep(hands: &AwsHands, errand: &Errand) -> Reply {
    let tags: BTreeMap<String, String> = match serde_json::from_str(&errand.before) {
        Ok(tags) => tags,
        Err(e) => return Reply::Failed(format!("the tags can't be read: {e}")),
    };
    let tags = tags.into_iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect();
    let call = hands.ec2.create_tags().resources(&errand.subject).set_tags(Some(tags));
    match ask("ec2:CreateTags", call.send()).await {
        Ok(_) => Reply::Done(errand.before.clone()),
        Err(trouble) => trouble.reply(),
    }
}

/// Says whether the old instance carries its tags.
pub(super) async fn kept(hands: &AwsHands, errand: &Errand) -> Result<Option<String>, String> {
    let wanted: BTreeMap<String, String> = serde_json::from_str(&errand.before).map_err(|e| e.to_string())?;
    let found = instance(&hands.ec2, &errand.subject).await.map_err(words)?;
    let tags = tags(found.and_then(|i| i.tags).as_deref());
    Ok(wanted.iter().all(|(key, value)| tags.get(key) == Some(value)).then(|| errand.before.clone()))
}
