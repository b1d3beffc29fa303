//! Asks EC2 itself, over the SDK.

use super::api::{ApiError, Instance, InstanceApi, InstancePage, UnlimitedPage};
use super::cloudwatch::{named, timeouts};
use aws_config::SdkConfig;
use aws_sdk_ec2::Client;
use aws_sdk_ec2::config::retry::RetryConfig;
use aws_sdk_ec2::types::Reservation;
use forewarn_history::UNLIMITED;
use forewarn_runtime::aws::Aws;

/// Instances of one page.
const PAGE: i32 = 1000;

/// EC2 of one account in one region.
#[derive(Debug)]
pub struct Ec2 {
    aws: Aws,
    client: Client,
}

impl Ec2 {
    /// Makes a client.
    pub fn new(aws: &Aws, config: &SdkConfig) -> Self {
        let config = aws_sdk_ec2::config::Builder::from(config)
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts())
            .build();
        Self { aws: aws.clone(), client: Client::from_conf(config) }
    }
}

impl InstanceApi for Ec2 {
    fn describe_instances(&self, token: Option<&str>) -> Result<InstancePage, ApiError> {
        let call = self.client.describe_instances().max_results(PAGE).set_next_token(token.map(str::to_owned));
        let reply = self.aws.block_on(call.send()).map_err(|e| named(&e, "ec2:DescribeInstances"))?;
        let next = reply.next_token.filter(|t| !t.is_empty());
        Ok(InstancePage { instances: reply.reservations.unwrap_or_default().into_iter().flat_map(of).collect(), next })
    }

    fn unlimited_credits(&self, token: Option<&str>) -> Result<UnlimitedPage, ApiError> {
        // Of no instance in particular, EC2 names those that are unlimited.
        let call = self.client.describe_instance_credit_specifications().max_results(PAGE);
        let reply = self.aws.block_on(call.set_next_token(token.map(str::to_owned)).send());
        let reply = reply.map_err(|e| named(&e, "ec2:DescribeInstanceCreditSpecifications"))?;
        let all = reply.instance_credit_specifications.unwrap_or_default().into_iter();
        let unlimited = all.filter(|c| c.cpu_credits.as_deref() == Some(UNLIMITED)).filter_map(|c| c.instance_id);
        Ok(UnlimitedPage { ids: unlimited.collect(), next: reply.next_token.filter(|t| !t.is_empty()) })
    }
}

fn of(reservation: Reservation) -> impl Iterator<Item = Instance> {
    let owner = reservation.owner_id;
    reservation.instances.unwrap_or_default().into_iter().filter_map(move |i| {
        let tags = i.tags.unwrap_or_default().into_iter().filter_map(|t| Some((t.key?, t.value?))).collect();
        let volumes = i.block_device_mappings.unwrap_or_default().into_iter();
        let volumes = volumes.filter_map(|m| Some((m.ebs?.volume_id?, m.device_name.unwrap_or_default()))).collect();
        Some(Instance {
            id: i.instance_id?,
            account: owner.clone(),
            state: i.state.and_then(|s| s.name).map_or_else(String::new, |n| n.as_str().to_owned()),
            instance_type: i.instance_type.map(|t| t.as_str().to_owned()),
            launched_at: i.launch_time.and_then(|t| t.to_millis().ok()),
            tags,
            volumes,
            cpu_credits: None,
        })
    })
}
