//! Shut off from the network by the isolation group, the list before it kept in the log and in tags.

mod interfaces;

use super::super::ports::{StepOutcome, StepRequest};
use super::call::CallError;
use super::ec2_reads;
use super::traffic::{self, Target};
use super::{AwsRecovery, Part};
use forewarn_domain::step::StepKind as S;
use interfaces::{Interface, groups_tags, of_instance};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How long until interfaces are looked at again, milliseconds.
const AGAIN_MS: i64 = 3_000;
/// Interfaces that are changed in one go.
const AT_ONCE: usize = 4;
/// The recovery that shut it off.
const QUARANTINED: &str = "forewarn:quarantined";

/// What stands between an instance and the network.
#[derive(Debug)]
pub(super) struct Isolation;

/// The groups of each interface: those that it had, or is to have.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Lists {
    at_ms: i64,
    /// The group that lets nothing through; none on the way back.
    isolation: Option<String>,
    interfaces: BTreeMap<String, Vec<String>>,
}

impl Part for Isolation {
    fn prepare(&self, aws: &AwsRecovery, request: &StepRequest) -> Result<String, String> {
        if let Some(before) = ec2_reads::settled(request) {
            return Ok(before);
        }
        if request.kind == S::RestoreGroups
            && let Some(decoded_note) = ec2_reads::precondition_of::<Lists>(request, S::Isolate)
        {
            return ec2_reads::encode_precondition(&Lists {
                at_ms: request.now_ms,
                isolation: None,
                interfaces: decoded_note.interfaces,
            });
        }
        let seen = of_instance(aws, &request.subject).map_err(ec2_reads::words)?;
        if request.kind == S::RestoreGroups {
            let interfaces = seen.into_iter().filter_map(|i| Some((i.id, i.kept?))).collect();
            return ec2_reads::encode_precondition(&Lists { at_ms: request.now_ms, isolation: None, interfaces });
        }
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
        ec2_reads::encode_precondition(&Lists { at_ms: request.now_ms, isolation: Some(isolation.clone()), interfaces })
    }

    fn perform(&self, aws: &AwsRecovery, request: &StepRequest) -> StepOutcome {
        ec2_reads::either(if request.kind == S::Isolate { isolate(aws, request) } else { restore(aws, request) })
    }

    fn find(&self, aws: &AwsRecovery, request: &StepRequest) -> Result<Option<String>, String> {
        let lists: Lists = ec2_reads::decode_precondition(&request.before)?;
        let seen = of_instance(aws, &request.subject).map_err(ec2_reads::words)?;
        let has_effect = match &lists.isolation {
            Some(group) => !seen.is_empty() && seen.iter().all(|i| i.groups == [group.clone()] && i.kept.is_some()),
            None => seen.iter().all(|i| i.kept.is_none() && !differs(i, &lists)),
        };
        Ok(has_effect.then(|| request.before.clone()))
    }
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

fn look(aws: &AwsRecovery, request: &StepRequest) -> Result<Vec<Interface>, StepOutcome> {
    of_instance(aws, &request.subject).map_err(ec2_reads::unread)
}

fn isolate(aws: &AwsRecovery, request: &StepRequest) -> Result<StepOutcome, StepOutcome> {
    let lists: Lists = ec2_reads::before(request)?;
    let only =
        lists.isolation.clone().ok_or_else(|| StepOutcome::Failed("no isolation group is written down".to_owned()))?;
    let seen = look(aws, request)?;
    let has_begun = seen.iter().any(|i| i.groups == [only.clone()]);
    remember(aws, request, &lists, &seen).map_err(|e| later(e, has_begun))?;
    change(aws, seen.iter().filter(|i| i.groups != [only.clone()]).map(|i| (&i.id, vec![only.clone()])), has_begun)?;
    let is_shut = look(aws, request)?.iter().all(|i| i.groups == [only.clone()]);
    Ok(if is_shut { StepOutcome::Done(request.before.clone()) } else { StepOutcome::Waiting(AGAIN_MS) })
}

/// A refusal after part of the effect is no proof that nothing has happened.
fn later(e: CallError, has_begun: bool) -> StepOutcome {
    if has_begun { StepOutcome::Unknown(e.words) } else { e.reply() }
}

/// Writes the way back where it outlives the log; what is written already stays.
fn remember(aws: &AwsRecovery, request: &StepRequest, lists: &Lists, seen: &[Interface]) -> Result<(), CallError> {
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
        ec2_reads::put_tags(aws, &ids, &groups_tags(&groups))?;
    }
    let machine = ec2_reads::machine(aws, &request.subject)?;
    if machine.is_some_and(|m| m.tags.get(QUARANTINED) == Some(&request.recovery_id)) {
        return Ok(());
    }
    let targets: Vec<Target> = ec2_reads::precondition_of(request, S::Deregister).unwrap_or_default();
    let mut tags = traffic::to_tags(&targets);
    tags.push((QUARANTINED.to_owned(), request.recovery_id.clone()));
    ec2_reads::put_tags(aws, std::slice::from_ref(&request.subject), &tags)
}

fn change<'a>(
    aws: &AwsRecovery,
    wanted: impl Iterator<Item = (&'a String, Vec<String>)>,
    mut has_begun: bool,
) -> Result<(), StepOutcome> {
    for (id, groups) in wanted.take(AT_ONCE) {
        let call = aws.ec2.modify_network_interface_attribute().network_interface_id(id).set_groups(Some(groups));
        let asked = ec2_reads::ask(aws, "ec2:ModifyNetworkInterfaceAttribute", call.send());
        asked.map_err(|e| later(e, has_begun))?;
        has_begun = true;
    }
    Ok(())
}

fn restore(aws: &AwsRecovery, request: &StepRequest) -> Result<StepOutcome, StepOutcome> {
    let lists: Lists = ec2_reads::before(request)?;
    let seen = look(aws, request)?;
    let wrong = seen.iter().filter(|i| differs(i, &lists));
    change(aws, wrong.filter_map(|i| Some((&i.id, wanted(i, &lists)?.clone()))), false)?;
    let now = look(aws, request)?;
    if now.iter().any(|i| differs(i, &lists)) {
        return Ok(StepOutcome::Waiting(AGAIN_MS));
    }
    let written: Vec<String> = now.iter().filter(|i| i.kept.is_some()).map(|i| i.id.clone()).collect();
    if !written.is_empty() {
        ec2_reads::drop_tags(aws, &written, &interfaces::keys()).map_err(ec2_reads::unread)?;
    }
    // The targets are still needed: whoever registers it takes their tags away.
    ec2_reads::drop_tags(aws, std::slice::from_ref(&request.subject), &[QUARANTINED.to_owned()])
        .map_err(ec2_reads::unread)?;
    Ok(StepOutcome::Done(request.before.clone()))
}
