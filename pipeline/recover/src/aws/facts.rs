//! What is seen of an instance: EC2's description of it and its checks, its group, its volumes, its addresses, its targets.

mod group;
mod instance_tags;
mod place;
mod targets;
mod volumes;

use super::super::ports::{Place, Seen};
use super::AwsRecovery;
use super::call::{ask, bounded};
use super::ec2_reads::{filter, instance, state, zone};
use super::tags;
use aws_sdk_ec2::types::{Instance, InstanceAttributeName, InstanceLifecycleType, InstanceType, SpotInstanceType};
use forewarn_domain::time::UnixMs;
use forewarn_recovery::facts::{Group, InstanceFacts, InstanceState, Market, Read, RetainedInstance};
use forewarn_runtime::time::parse_instant;
use std::collections::BTreeMap;

/// Looks at an instance.
pub(super) async fn look(aws: &AwsRecovery, instance: &str) -> Seen {
    bounded(Box::pin(look_at(aws, instance))).await.unwrap_or_else(|why| nothing(&format!("{instance}: {why}")))
}

fn nothing(why: &str) -> Seen {
    let why = || why.to_owned();
    Seen { instance: Read::Failed(why()), place: Read::Failed(why()), aws_recovers_until: Read::Failed(why()) }
}

async fn look_at(aws: &AwsRecovery, id: &str) -> Seen {
    let found = match instance(&aws.ec2, id).await {
        Ok(Some(found)) => found,
        Ok(None) => {
            let why = format!("EC2 knows no instance {id} in account {} and {}", aws.account, aws.region);
            return Seen { instance: Read::Absent(why.clone()), ..nothing(&why) };
        }
        Err(error) => return nothing(&error.words),
    };
    let (group, statuses) = tokio::join!(group::of(aws, id, &found), place::statuses(aws));
    let membership = group.as_ref().map(Option::as_ref).map_err(Clone::clone);
    let statuses = statuses.as_ref();
    let place = membership.clone().and_then(|membership| {
        let statuses = statuses.map_err(Clone::clone)?;
        let zone = zone(&found).ok_or_else(|| format!("EC2 names no zone for {id}"))?.to_owned();
        let in_zone = statuses.iter().filter(|s| s.availability_zone.as_ref() == Some(&zone));
        Ok(Place {
            group: membership.map(|m| m.health),
            in_zone: place::health(in_zone),
            fleet: place::health(statuses.iter()),
            zone,
        })
    });
    let until = statuses
        .map_err(Clone::clone)
        .map(|all| place::aws_recovers_until(&found, all.iter().find(|s| s.instance_id.as_deref() == Some(id))));
    let instance = match membership {
        Ok(membership) => Box::pin(facts(aws, id, &found, membership.map(|m| m.group.clone()))).await,
        Err(why) => Err(why),
    };
    Seen { instance: read(instance), place: read(place), aws_recovers_until: read(until) }
}

fn read<T>(of: Result<T, String>) -> Read<T> {
    of.map_or_else(Read::Failed, Read::Known)
}

async fn facts(aws: &AwsRecovery, id: &str, found: &Instance, group: Option<Group>) -> Result<InstanceFacts, String> {
    let state = state(found).ok_or_else(|| format!("EC2 tells no state of {id}"))?;
    let (stop, termination, market, instance_store, addresses, volumes, last_target) = tokio::try_join!(
        is_set(aws, id, InstanceAttributeName::DisableApiStop),
        is_set(aws, id, InstanceAttributeName::DisableApiTermination),
        market(aws, id, found),
        has_instance_store(aws, id, found),
        elastic_ips(aws, id),
        volumes::of(aws, found),
        targets::is_last(aws, id, found),
    )?;
    let tags = tags::by_key(found.tags());
    let kept = kept(aws, id, &tags).await?;
    Ok(InstanceFacts {
        state,
        market,
        enrolled: instance_tags::is_enrolled(&tags),
        self_heal: instance_tags::is_self_healing(&tags),
        stop_protection: stop,
        termination_protection: termination,
        instance_store,
        assigned_public_ip: public_ips(found).iter().any(|ip| !addresses.contains(ip)),
        elastic_ip: !addresses.is_empty(),
        stateful: instance_tags::stateful(&tags).unwrap_or(volumes.has_data),
        multi_attach: volumes.multi_attach,
        broken_volume: volumes.broken,
        last_target,
        group,
        kept,
        controller: instance_tags::controller(&tags),
    })
}

/// Reads what the tags say of an instance that was replaced, and whether its successor runs.
async fn kept(
    aws: &AwsRecovery,
    id: &str,
    tags: &BTreeMap<String, String>,
) -> Result<Option<RetainedInstance>, String> {
    let Some((until, successor)) = instance_tags::kept(tags) else { return Ok(None) };
    let until_ms = parse_instant(until, None).map(UnixMs).map_err(|_| {
        format!("tag {} of {id} is {until:?}, expected a time such as 2026-02-15T06:00:00Z", tags::UNTIL)
    })?;
    let found = instance(&aws.ec2, successor).await?;
    Ok(Some(RetainedInstance {
        until_ms,
        successor_runs: found.as_ref().and_then(state) == Some(InstanceState::Running),
    }))
}

/// Reads one of the two protections.
async fn is_set(aws: &AwsRecovery, id: &str, name: InstanceAttributeName) -> Result<bool, String> {
    let is_stop = name == InstanceAttributeName::DisableApiStop;
    let call = aws.ec2.describe_instance_attribute().instance_id(id).attribute(name);
    let reply = ask("ec2:DescribeInstanceAttribute", call.send()).await?;
    let value = if is_stop { reply.disable_api_stop } else { reply.disable_api_termination };
    Ok(value.and_then(|v| v.value).unwrap_or(false))
}

/// A spot instance whose request can't be read, or is gone, counts as asked for once.
async fn market(aws: &AwsRecovery, id: &str, found: &Instance) -> Result<Market, String> {
    if found.instance_lifecycle != Some(InstanceLifecycleType::Spot) {
        return Ok(Market::OnDemand);
    }
    let call = aws.ec2.describe_spot_instance_requests();
    let call = match &found.spot_instance_request_id {
        Some(request) => call.spot_instance_request_ids(request),
        None => call.filters(filter("instance-id", [id.to_owned()])),
    };
    let reply = ask("ec2:DescribeSpotInstanceRequests", call.send()).await;
    let requests = reply.ok().and_then(|r| r.spot_instance_requests).unwrap_or_default();
    let is_persistent = requests.iter().any(|r| r.r#type == Some(SpotInstanceType::Persistent));
    Ok(if is_persistent { Market::SpotPersistent } else { Market::SpotOneTime })
}

async fn has_instance_store(aws: &AwsRecovery, id: &str, found: &Instance) -> Result<bool, String> {
    let kind: &InstanceType = found.instance_type.as_ref().ok_or_else(|| format!("EC2 names no type of {id}"))?;
    let call = aws.ec2.describe_instance_types().instance_types(kind.clone());
    let reply = ask("ec2:DescribeInstanceTypes", call.send()).await?;
    let info = reply.instance_types.unwrap_or_default().into_iter().next();
    let supported = info.and_then(|i| i.instance_storage_supported);
    supported.ok_or_else(|| format!("EC2 does not tell whether {} has instance store", kind.as_str()))
}

/// Gives the Elastic IPs of an instance.
async fn elastic_ips(aws: &AwsRecovery, id: &str) -> Result<Vec<String>, String> {
    let call = aws.ec2.describe_addresses().filters(filter("instance-id", [id.to_owned()]));
    let reply = ask("ec2:DescribeAddresses", call.send()).await?;
    Ok(reply.addresses.unwrap_or_default().into_iter().filter_map(|a| a.public_ip).collect())
}

/// Gives every public address of an instance, of whichever kind.
fn public_ips(found: &Instance) -> Vec<String> {
    let interfaces = found.network_interfaces.as_deref().unwrap_or_default().iter();
    let of_interfaces = interfaces.filter_map(|n| n.association.as_ref()?.public_ip.clone());
    of_interfaces.chain(found.public_ip_address.clone()).collect()
}
