//! Reads of EC2 that several parts make.

use super::super::AwsRecovery;
use super::super::call::CallError;
use crate::ports::StepRequest;
use aws_config::Region;
use aws_sdk_ec2::Client;
use aws_sdk_ec2::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ec2::primitives::DateTime;
use aws_sdk_ec2::types::{Filter, Instance, InstanceStateName, InstanceStatus, Tag};
use forewarn_recovery::facts::InstanceState;
use forewarn_runtime::time::real_duration;
use std::collections::BTreeMap;

/// The code of an instance that EC2 does not know, or not yet.
const UNKNOWN: &str = "InvalidInstanceID.NotFound";

/// How long many reads may take together, milliseconds.
const TOGETHER_MS: u64 = 50_000;

/// Waits for a call, such as `ec2:StopInstances`.
pub(in crate::aws) async fn ask<T, E>(
    call: &str,
    sent: impl Future<Output = Result<T, SdkError<E>>>,
) -> Result<T, CallError>
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    sent.await.map_err(|e| CallError::of(call, &e))
}

/// Waits for many reads together, as long as what asks for them may take.
pub(in crate::aws) async fn bounded<T>(reads: impl Future<Output = T>) -> Result<T, String> {
    let read = tokio::time::timeout(real_duration(TOGETHER_MS), reads).await;
    read.map_err(|_| format!("AWS took more than {} s to answer", TOGETHER_MS / 1000))
}

/// Gives what is wrong in words: for reads, of which it does not matter whether they arrived.
pub(in crate::aws) fn words(trouble: CallError) -> String {
    trouble.words
}

/// Gives EC2 in another region of the same account.
pub(in crate::aws) fn ec2_in(aws: &AwsRecovery, region: &str) -> Client {
    if region == aws.region {
        return aws.ec2.clone();
    }
    Client::new(&aws.config.to_builder().region(Region::new(region.to_owned())).build())
}

/// Gives EC2 where the successor is: in the other region for a failover there.
pub(in crate::aws) fn ec2_of_successor(aws: &AwsRecovery, request: &StepRequest) -> Client {
    let other = request.policy.targets.other_region.as_ref();
    match other.filter(|_| request.action.leaves_region()) {
        Some(other) => ec2_in(aws, &other.region),
        None => aws.ec2.clone(),
    }
}

/// Describes an instance; none if EC2 does not know it, or not yet.
pub(in crate::aws) async fn instance(ec2: &Client, id: &str) -> Result<Option<Instance>, CallError> {
    match ask("ec2:DescribeInstances", ec2.describe_instances().instance_ids(id).send()).await {
        Ok(reply) => {
            let all = reply.reservations.unwrap_or_default().into_iter().flat_map(|r| r.instances.unwrap_or_default());
            Ok(all.into_iter().find(|i| i.instance_id.as_deref() == Some(id)))
        }
        Err(trouble) if trouble.code == UNKNOWN => Ok(None),
        Err(trouble) => Err(trouble),
    }
}

/// Describes the instances that fit filters, each a name and its values.
pub(in crate::aws) async fn instances(
    ec2: &Client,
    filters: &[(&str, Vec<String>)],
) -> Result<Vec<Instance>, CallError> {
    let filters = filters.iter().map(|(name, values)| filter(name, values.iter().cloned())).collect();
    let reply = ask("ec2:DescribeInstances", ec2.describe_instances().set_filters(Some(filters)).send()).await?;
    let all = reply.reservations.unwrap_or_default().into_iter().flat_map(|r| r.instances.unwrap_or_default());
    Ok(all.collect())
}

/// Gives the checks and events of one instance, whatever its state; none if EC2 does not know it.
pub(in crate::aws) async fn status(ec2: &Client, id: &str) -> Result<Option<InstanceStatus>, CallError> {
    let call = ec2.describe_instance_status().instance_ids(id).include_all_instances(true);
    match ask("ec2:DescribeInstanceStatus", call.send()).await {
        Ok(reply) => Ok(reply.instance_statuses.unwrap_or_default().into_iter().next()),
        Err(trouble) if trouble.code == UNKNOWN => Ok(None),
        Err(trouble) => Err(trouble),
    }
}

/// Makes a filter.
pub(in crate::aws) fn filter(name: &str, values: impl IntoIterator<Item = String>) -> Filter {
    Filter::builder().name(name).set_values(Some(values.into_iter().collect())).build()
}

/// Gives the state of an instance; none if it tells none that is known here.
#[expect(clippy::wildcard_enum_match_arm, reason = "the SDK's enumeration is open")]
pub(in crate::aws) fn state(instance: &Instance) -> Option<InstanceState> {
    Some(match instance.state.as_ref()?.name.as_ref()? {
        InstanceStateName::Pending => InstanceState::Pending,
        InstanceStateName::Running => InstanceState::Running,
        InstanceStateName::Stopping => InstanceState::Stopping,
        InstanceStateName::Stopped => InstanceState::Stopped,
        InstanceStateName::ShuttingDown => InstanceState::ShuttingDown,
        InstanceStateName::Terminated => InstanceState::Terminated,
        _ => return None,
    })
}

/// Gives tags by their keys.
pub(in crate::aws) fn tags(tags: Option<&[Tag]>) -> BTreeMap<String, String> {
    tags.unwrap_or_default().iter().filter_map(|t| Some((t.key.clone()?, t.value.clone()?))).collect()
}

/// Gives a time of AWS's in milliseconds since 1970.
pub(in crate::aws) fn millis(time: Option<&DateTime>) -> Option<i64> {
    time.and_then(|t| t.to_millis().ok())
}

/// Gives the zone of an instance.
pub(in crate::aws) fn zone(instance: &Instance) -> Option<&str> {
    instance.placement.as_ref()?.availability_zone.as_deref()
}
