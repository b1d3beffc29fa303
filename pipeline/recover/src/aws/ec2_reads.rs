//! Reads of EC2 that several steps make: an instance, its checks and its volumes.

mod view;
mod volumes;

pub(super) use view::{Disk, InstanceView, instance_view, require_instance_view};
pub(super) use volumes::{VolumeFault, faulty_volumes, volumes};

use super::super::ports::StepRequest;
use super::AwsRecovery;
use super::call::{CallError, ask};
use aws_config::Region;
use aws_sdk_ec2::Client;
use aws_sdk_ec2::primitives::DateTime;
use aws_sdk_ec2::types::{Filter, Instance, InstanceStateName, InstanceStatus};
use forewarn_domain::time::UnixMs;
use forewarn_recovery::facts::InstanceState;

/// The code of an instance that EC2 does not know, or not yet.
const UNKNOWN: &str = "InvalidInstanceID.NotFound";

/// Gives EC2 in another region of the same account.
pub(super) fn ec2_in(aws: &AwsRecovery, region: &str) -> Client {
    if region == aws.region {
        return aws.ec2.clone();
    }
    Client::new(&aws.config.to_builder().region(Region::new(region.to_owned())).build())
}

/// Gives EC2 where the successor is: in the other region for a failover there.
pub(super) fn ec2_of_successor(aws: &AwsRecovery, request: &StepRequest) -> Client {
    let other = request.policy.targets.other_region.as_ref();
    match other.filter(|_| request.action.leaves_region()) {
        Some(other) => ec2_in(aws, &other.region),
        None => aws.ec2.clone(),
    }
}

/// Describes an instance; none if EC2 does not know it, or not yet.
pub(super) async fn instance(ec2: &Client, id: &str) -> Result<Option<Instance>, CallError> {
    match ask("ec2:DescribeInstances", ec2.describe_instances().instance_ids(id).send()).await {
        Ok(reply) => {
            let all = reply.reservations.unwrap_or_default().into_iter().flat_map(|r| r.instances.unwrap_or_default());
            Ok(all.into_iter().find(|i| i.instance_id.as_deref() == Some(id)))
        }
        Err(error) if error.code == UNKNOWN => Ok(None),
        Err(error) => Err(error),
    }
}

/// Describes the instances that fit filters, each a name and its values.
pub(super) async fn instances(ec2: &Client, filters: &[(&str, Vec<String>)]) -> Result<Vec<Instance>, CallError> {
    let filters = filters.iter().map(|(name, values)| filter(name, values.iter().cloned())).collect();
    let reply = ask("ec2:DescribeInstances", ec2.describe_instances().set_filters(Some(filters)).send()).await?;
    let all = reply.reservations.unwrap_or_default().into_iter().flat_map(|r| r.instances.unwrap_or_default());
    Ok(all.collect())
}

/// Gives the checks and events of one instance, whatever its state; none if EC2 does not know it.
pub(super) async fn status(ec2: &Client, id: &str) -> Result<Option<InstanceStatus>, CallError> {
    let call = ec2.describe_instance_status().instance_ids(id).include_all_instances(true);
    match ask("ec2:DescribeInstanceStatus", call.send()).await {
        Ok(reply) => Ok(reply.instance_statuses.unwrap_or_default().into_iter().next()),
        Err(error) if error.code == UNKNOWN => Ok(None),
        Err(error) => Err(error),
    }
}

pub(super) fn filter(name: &str, values: impl IntoIterator<Item = String>) -> Filter {
    Filter::builder().name(name).set_values(Some(values.into_iter().collect())).build()
}

/// Makes a filter for one tag.
pub(super) fn tagged(key: &str, value: &str) -> Filter {
    filter(&format!("tag:{key}"), [value.to_owned()])
}

/// Gives the state of an instance; none if it tells none that is known here.
#[expect(clippy::wildcard_enum_match_arm, reason = "the SDK's enumeration is open")]
pub(super) fn state(instance: &Instance) -> Option<InstanceState> {
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

/// Gives a time of AWS's; none where it is beyond what milliseconds can hold.
pub(super) fn unix_ms(time: Option<&DateTime>) -> Option<UnixMs> {
    time.and_then(|t| t.to_millis().ok()).map(UnixMs)
}

/// Gives the zone of an instance.
pub(super) fn zone(instance: &Instance) -> Option<&str> {
    instance.placement.as_ref()?.availability_zone.as_deref()
}
