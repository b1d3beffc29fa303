//! The arguments of a launch: settled once, written down, and the same under the same token.

use super::super::AwsRecovery;
use super::super::call::{CallError, ask};
use super::super::ec2_reads::{ec2_in, instances};
use aws_sdk_ec2::Client;
use aws_sdk_ec2::operation::run_instances::builders::RunInstancesFluentBuilder;
use aws_sdk_ec2::types::{
    BlockDeviceMapping, CreditSpecificationRequest, EbsBlockDevice, HttpTokensState, IamInstanceProfileSpecification,
    InstanceMetadataEndpointState, InstanceMetadataOptionsRequest, InstanceMetadataTagsState, InstanceType,
    LaunchTemplateSpecification, Placement, ResourceType, RunInstancesMonitoringEnabled, Tag, TagSpecification,
    Tenancy, VolumeType,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How many types are tried: each is a call, and one perform makes six at most.
pub(super) const MOST_TYPES: usize = 3;

/// Everything that goes with a launch, but for the user data, which may hold secrets: the log keeps only its digest.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(in crate::aws) struct Arguments {
    pub(in crate::aws) region: String,
    pub(super) template: Option<Template>,
    pub(super) image: Option<String>,
    /// An image that has to be made first of the snapshot of a root volume.
    pub(super) root: Option<Root>,
    /// In the order in which they are tried; none is the template's own.
    pub(in crate::aws) types: Vec<Option<String>>,
    pub(in crate::aws) subnet: Option<String>,
    pub(super) zone: Option<String>,
    pub(super) groups: Vec<String>,
    pub(super) key: Option<String>,
    pub(super) profile: Option<String>,
    pub(super) user_data: Option<UserData>,
    pub(super) metadata: Option<Metadata>,
    pub(super) ebs_optimized: Option<bool>,
    pub(super) monitoring: Option<bool>,
    pub(super) termination_protection: Option<bool>,
    pub(super) stop_protection: Option<bool>,
    pub(super) credits: Option<String>,
    pub(super) tenancy: Option<String>,
    pub(super) devices: Vec<Device>,
    pub(super) tags: BTreeMap<String, String>,
}

/// A launch template, in the version that was its default when this was settled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Template {
    pub(super) id: String,
    pub(super) version: String,
}

/// What an image of a root volume's snapshot is made with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Root {
    pub(super) name: String,
    pub(super) snapshot: String,
    pub(super) device: String,
    pub(super) architecture: String,
    pub(super) boot_mode: Option<String>,
    pub(super) ena: Option<bool>,
    pub(super) sriov: Option<String>,
    pub(super) tpm: Option<String>,
}

/// Whose user data it is, and which: it is read again when it is needed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct UserData {
    pub(super) of: String,
    pub(super) sha256: String,
}

/// How the metadata service of an instance is set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Metadata {
    pub(super) tokens: Option<String>,
    pub(super) hops: Option<i32>,
    pub(super) endpoint: Option<String>,
    pub(super) tags: Option<String>,
}

/// One volume that comes with the instance.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Device {
    pub(super) name: String,
    pub(super) snapshot: Option<String>,
    pub(super) kind: Option<String>,
    pub(super) size_gib: Option<i32>,
    pub(super) iops: Option<i32>,
    pub(super) throughput: Option<i32>,
    pub(super) ends_with_instance: Option<bool>,
    pub(super) encrypted: bool,
    pub(super) key: Option<String>,
}

impl Device {
    fn mapping(&self) -> BlockDeviceMapping {
        // A volume of a snapshot is encrypted as that is, and EC2 refuses to be told so.
        let encrypted = (self.encrypted && self.snapshot.is_none()).then_some(true);
        let ebs = EbsBlockDevice::builder()
            .set_snapshot_id(self.snapshot.clone())
            .set_volume_type(self.kind.as_deref().map(VolumeType::from))
            .set_volume_size(self.size_gib)
            .set_iops(self.iops)
            .set_throughput(self.throughput)
            .set_delete_on_termination(self.ends_with_instance)
            .set_encrypted(encrypted)
            .set_kms_key_id(self.key.clone().filter(|_| encrypted.is_some()))
            .build();
        BlockDeviceMapping::builder().device_name(&self.name).ebs(ebs).build()
    }
}

/// Says whether a type has credits: `t3.micro` does, `trn1.2xlarge` does not.
pub(super) fn is_burstable(kind: &str) -> bool {
    ["t2.", "t3.", "t3a.", "t4g."].iter().any(|family| kind.starts_with(family))
}

/// Gives the token of the n-th type: the same token with another type would be refused.
fn token_of(token: &str, n: usize) -> String {
    if n == 0 { token.to_owned() } else { format!("{token}-{n}") }
}

impl Arguments {
    /// Gives EC2 where it is launched.
    pub(in crate::aws) fn ec2(&self, aws: &AwsRecovery) -> Client {
        ec2_in(aws, &self.region)
    }

    /// Finds what was launched with these, whichever type it is.
    pub(super) async fn launched(&self, ec2: &Client, token: &str) -> Result<Option<String>, CallError> {
        let tokens: Vec<String> = (0..self.types.len()).map(|n| token_of(token, n)).collect();
        let found = instances(ec2, &[("client-token", tokens)]).await?;
        Ok(found.into_iter().find_map(|i| i.instance_id))
    }

    /// Makes the call for the n-th type.
    pub(in crate::aws) fn call(&self, ec2: &Client, token: &str, n: usize) -> RunInstancesFluentBuilder {
        let template = self.template.as_ref().map(|t| {
            let by_id = t.id.starts_with("lt-");
            LaunchTemplateSpecification::builder()
                .set_launch_template_id(by_id.then(|| t.id.clone()))
                .set_launch_template_name((!by_id).then(|| t.id.clone()))
                .version(&t.version)
                .build()
        });
        let placement = (self.tenancy.is_some() || self.zone.is_some()).then(|| {
            Placement::builder()
                .set_tenancy(self.tenancy.as_deref().map(Tenancy::from))
                .set_availability_zone(self.zone.clone())
                .build()
        });
        let some = |of: &[String]| (!of.is_empty()).then(|| of.to_vec());
        let devices: Vec<BlockDeviceMapping> = self.devices.iter().map(Device::mapping).collect();
        let profile = self.profile.as_ref().map(|arn| IamInstanceProfileSpecification::builder().arn(arn).build());
        let credits = self
            .credits
            .as_ref()
            .filter(|_| self.is_burstable(n))
            .map(|c| CreditSpecificationRequest::builder().cpu_credits(c).build());
        ec2.run_instances()
            .client_token(token_of(token, n))
            .min_count(1)
            .max_count(1)
            .set_launch_template(template)
            .set_image_id(self.image.clone())
            .set_instance_type(self.types.get(n).cloned().flatten().as_deref().map(InstanceType::from))
            .set_subnet_id(self.subnet.clone())
            .set_placement(placement)
            .set_security_group_ids(some(&self.groups))
            .set_key_name(self.key.clone())
            .set_iam_instance_profile(profile)
            .set_metadata_options(self.metadata.as_ref().map(Metadata::options))
            .set_ebs_optimized(self.ebs_optimized)
            .set_monitoring(self.monitoring.map(|on| RunInstancesMonitoringEnabled::builder().enabled(on).build()))
            .set_disable_api_termination(self.termination_protection)
            .set_disable_api_stop(self.stop_protection)
            .set_credit_specification(credits)
            .set_block_device_mappings((!devices.is_empty()).then_some(devices))
            .set_tag_specifications(self.tag_specifications())
    }

    /// EC2 refuses the credits of a type that has none; a template's own type is not known here, nor are its credits said.
    fn is_burstable(&self, n: usize) -> bool {
        self.types.get(n).and_then(Option::as_deref).is_some_and(is_burstable)
    }

    /// EC2 refuses a specification of no tags: a dry run for an instance without any has none.
    fn tag_specifications(&self) -> Option<Vec<TagSpecification>> {
        let both = || [ResourceType::Instance, ResourceType::Volume].map(|of| specification(of, &self.tags)).into();
        (!self.tags.is_empty()).then(both)
    }

    /// Launches the n-th type.
    pub(super) async fn launch(
        &self,
        ec2: &Client,
        token: &str,
        n: usize,
        user_data: Option<&str>,
    ) -> Result<String, CallError> {
        let call = self.call(ec2, token, n).set_user_data(user_data.map(str::to_owned));
        let reply = ask("ec2:RunInstances", Box::pin(call.send())).await?;
        let id = reply.instances.unwrap_or_default().into_iter().next().and_then(|i| i.instance_id);
        id.ok_or_else(|| CallError {
            code: String::new(),
            words: "ec2:RunInstances: the reply names no instance".to_owned(),
            definitely_not_applied: false,
        })
    }
}

/// Makes the tags that go with a call.
pub(super) fn specification(of: ResourceType, tags: &BTreeMap<String, String>) -> TagSpecification {
    let tags = tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect();
    TagSpecification::builder().resource_type(of).set_tags(Some(tags)).build()
}

impl Metadata {
    fn options(&self) -> InstanceMetadataOptionsRequest {
        InstanceMetadataOptionsRequest::builder()
            .set_http_tokens(self.tokens.as_deref().map(HttpTokensState::from))
            .set_http_put_response_hop_limit(self.hops)
            .set_http_endpoint(self.endpoint.as_deref().map(InstanceMetadataEndpointState::from))
            .set_instance_metadata_tags(self.tags.as_deref().map(InstanceMetadataTagsState::from))
            .build()
    }
}
