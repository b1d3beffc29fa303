//! Shut off from the network by the isolation group, the list before it kept in the log and in tags.

mod interfaces;

use super::super::ports::{StepOutcome, StepRequest};
use super::AwsRecovery;
use super::call::{CallError, ask};
use super::ec2_reads;
use super::record::Unreadable;
use super::step::{Found, Performed, Step, precondition_of};
use super::tags;
use super::traffic::{self, Deregister};
use forewarn_domain::step::StepKind;
use forewarn_domain::time::UnixMs;
use interfaces::{Interface, groups_tags, of_instance};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How long until interfaces are looked at again, milliseconds.
const AGAIN_MS: i64 = 3_000;
/// Interfaces that are changed in one go.
const AT_ONCE: usize = 4;
/// The recovery that shut it off.
const QUARANTINED: &str = "forewarn:quarantined";

/// The groups of each interface: those that it had, or is to have.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Lists {
    at_ms: UnixMs,
    /// The group that lets nothing through; none on the way back.
    isolation: Option<String>,
    interfaces: BTreeMap<String, Vec<String>>,
}

#[derive(Debug)]
pub(super) struct Isolate;

impl Step for Isolate {
    const KIND: StepKind = StepKind::Isolate;
    type Precondition = Lists;

    async fn prepare(aws: &AwsRecovery, request: &StepRequest) -> Result<Lists, String> {
        let seen = of_instance(aws, &request.subject).await?;
        let isolation = request.policy.targets.isolation_group.clone().filter(|g| !g.is_empty());
        let isolation = isolation.ok_or("the policy names no isolation group (targets.isolation_group)")?;
        if seen.is_empty() {
            return Err(format!("{} has no network interface", request.subject));
        }
        // Where a quarantine was begun before, the list is what its tag tells.
        let list = |i: Interface| {
            let was_begun = i.groups == [isolation.clone()];
            let groups = i.kept.filter(|_| was_begun).unwrap_or(i.groups);
            (i.id, groups)
        };
        let interfaces = seen.into_iter().map(list).collect();
        Ok(Lists { at_ms: request.now_ms, isolation: Some(isolation), interfaces })
    }

    async fn perform(aws: &AwsRecovery, request: &StepRequest, lists: &Lists) -> Performed {
        isolate(aws, request, lists).await
    }

    async fn find(aws: &AwsRecovery, request: &StepRequest, lists: Result<Lists, Unreadable>) -> Found {
        found(aws, request, &lists?).await
    }
}

#[derive(Debug)]
pub(super) struct RestoreGroups;

impl Step for RestoreGroups {
    const KIND: StepKind = StepKind::RestoreGroups;
    type Precondition = Lists;

    async fn prepare(aws: &AwsRecovery, request: &StepRequest) -> Result<Lists, String> {
        let interfaces = if let Some(lists) = precondition_of::<Isolate>(request) {
            lists.interfaces
        } else {
            let seen = of_instance(aws, &request.subject).await?;
            seen.into_iter().filter_map(|i| Some((i.id, i.kept?))).collect()
        };
        Ok(Lists { at_ms: request.now_ms, isolation: None, interfaces })
    }

    async fn perform(aws: &AwsRecovery, request: &StepRequest, lists: &Lists) -> Performed {
        restore(aws, request, lists).await
    }

    async fn find(aws: &AwsRecovery, request: &StepRequest, lists: Result<Lists, Unreadable>) -> Found {
        found(aws, request, &lists?).await
    }
}

async fn found(aws: &AwsRecovery, request: &StepRequest, lists: &Lists) -> Result<Option<String>, String> {
    let seen = of_instance(aws, &request.subject).await?;
    let has_effect = match &lists.isolation {
        Some(group) => !seen.is_empty() && seen.iter().all(|i| i.groups == [group.clone()] && i.kept.is_some()),
        None => seen.iter().all(|i| i.kept.is_none() && !differs(i, lists)),
    };
    Ok(has_effect.then(|| request.before.clone()))
}

/// Gives the groups that an interface is to have again, by the log, else by its tag.
fn wanted<'a>(interface: &'a Interface, lists: &'a Lists) -> Option<&'a Vec<String>> {
    lists.interfaces.get(&interface.id).or(interface.kept.as_ref())
}

/// Says whether it has not got them; one of which nothing is known is left as it is.
fn differs(interface: &Interface, lists: &Lists) -> bool {
    wanted(interface, lists).is_some_and(|groups| !same(groups, &interface.groups))
}

/// Says whether two lists have the same groups; EC2 keeps no order.
fn same(one: &[String], other: &[String]) -> bool {
    let sorted = |list: &[String]| {
        let mut list = list.to_vec();
        list.sort_unstable();
        list
    };
    sorted(one) == sorted(other)
}

async fn look(aws: &AwsRecovery, request: &StepRequest) -> Result<Vec<Interface>, StepOutcome> {
    of_instance(aws, &request.subject).await.map_err(CallError::unknown)
}

async fn isolate(aws: &AwsRecovery, request: &StepRequest, lists: &Lists) -> Result<StepOutcome, StepOutcome> {
    let only =
        lists.isolation.clone().ok_or_else(|| StepOutcome::Failed("no isolation group is written down".to_owned()))?;
    let seen = look(aws, request).await?;
    let has_begun = seen.iter().any(|i| i.groups == [only.clone()]);
    remember(aws, request, lists, &seen).await.map_err(|e| later(e, has_begun))?;
    change(aws, seen.iter().filter(|i| i.groups != [only.clone()]).map(|i| (&i.id, vec![only.clone()])), has_begun)
        .await?;
    let is_shut = look(aws, request).await?.iter().all(|i| i.groups == [only.clone()]);
    Ok(if is_shut { StepOutcome::Done(request.before.clone()) } else { StepOutcome::Waiting(AGAIN_MS) })
}

/// A refusal after part of the effect is no proof that nothing has happened.
fn later(e: CallError, has_begun: bool) -> StepOutcome {
    if has_begun { StepOutcome::Unknown(e.words) } else { e.outcome() }
}

/// Writes the way back where it outlives the log; what is written already stays.
async fn remember(
    aws: &AwsRecovery,
    request: &StepRequest,
    lists: &Lists,
    seen: &[Interface],
) -> Result<(), CallError> {
    let mut unwritten = BTreeMap::<Vec<String>, Vec<String>>::new();
    for interface in seen {
        // One that came later is remembered as it is now.
        let came_later = || {
            Some(&interface.groups).filter(|g| Some(g.as_slice()) != lists.isolation.as_ref().map(std::slice::from_ref))
        };
        let groups = lists.interfaces.get(&interface.id).or_else(came_later);
        if let Some(groups) = groups.filter(|g| interface.kept.as_ref() != Some(g)) {
            unwritten.entry(groups.clone()).or_default().push(interface.id.clone());
        }
    }
    for (groups, ids) in unwritten {
        tags::put_tags(aws, &ids, &groups_tags(&groups)).await?;
    }
    let view = ec2_reads::instance_view(aws, &request.subject).await?;
    if view.is_some_and(|m| m.tags.get(QUARANTINED) == Some(&request.recovery_id)) {
        return Ok(());
    }
    let targets = precondition_of::<Deregister>(request).unwrap_or_default();
    let mut tags = traffic::to_tags(&targets);
    tags.push((QUARANTINED.to_owned(), request.recovery_id.clone()));
    tags::put_tags(aws, std::slice::from_ref(&request.subject), &tags).await
}

async fn change<'a>(
    aws: &AwsRecovery,
    wanted: impl Iterator<Item = (&'a String, Vec<String>)>,
    mut has_begun: bool,
) -> Result<(), StepOutcome> {
    for (id, groups) in wanted.take(AT_ONCE) {
        let call = aws.ec2.modify_network_interface_attribute().network_interface_id(id).set_groups(Some(groups));
        let asked = ask("ec2:ModifyNetworkInterfaceAttribute", call.send()).await;
        asked.map_err(|e| later(e, has_begun))?;
        has_begun = true;
    }
    Ok(())
}

async fn restore(aws: &AwsRecovery, request: &StepRequest, lists: &Lists) -> Result<StepOutcome, StepOutcome> {
    let seen = look(aws, request).await?;
    let wrong = seen.iter().filter(|i| differs(i, lists));
    change(aws, wrong.filter_map(|i| Some((&i.id, wanted(i, lists)?.clone()))), false).await?;
    let now = look(aws, request).await?;
    if now.iter().any(|i| differs(i, lists)) {
        return Ok(StepOutcome::Waiting(AGAIN_MS));
    }
    let written: Vec<String> = now.iter().filter(|i| i.kept.is_some()).map(|i| i.id.clone()).collect();
    if !written.is_empty() {
        tags::drop_tags(aws, &written, &interfaces::keys()).await.map_err(CallError::unknown)?;
    }
    // The targets are still needed: whoever registers it takes their tags away.
    tags::drop_tags(aws, std::slice::from_ref(&request.subject), &[QUARANTINED.to_owned()])
        .await
        .map_err(CallError::unknown)?;
    Ok(StepOutcome::Done(request.before.clone()))
}
