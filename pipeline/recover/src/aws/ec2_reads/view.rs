//! An instance and its disks, as far as steps on disks, groups and tags look at it.

use super::super::AwsRecovery;
use super::super::call::{CallError, ask};
use super::super::tags;
use super::filter;
use aws_sdk_ec2::types::{Instance, InstanceBlockDeviceMapping};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A volume of an instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::aws) struct Disk {
    pub(in crate::aws) volume: String,
    pub(in crate::aws) device: String,
    #[serde(default)]
    pub(in crate::aws) delete_on_termination: bool,
}

/// An instance, as far as these steps look at it.
#[derive(Debug, Clone)]
pub(in crate::aws) struct InstanceView {
    pub(in crate::aws) state: String,
    pub(in crate::aws) root_device: String,
    pub(in crate::aws) disks: Vec<Disk>,
    pub(in crate::aws) tags: BTreeMap<String, String>,
}

impl InstanceView {
    /// Gives its root volume.
    pub(in crate::aws) fn root(&self) -> Option<&Disk> {
        self.disks.iter().find(|d| d.device == self.root_device)
    }

    /// Gives its other volumes.
    pub(in crate::aws) fn data(&self) -> impl Iterator<Item = &Disk> {
        self.disks.iter().filter(|d| d.device != self.root_device)
    }
}

/// Looks at an instance; none where there is no such instance, or it can't be seen yet.
pub(in crate::aws) async fn instance_view(aws: &AwsRecovery, id: &str) -> Result<Option<InstanceView>, CallError> {
    let call = aws.ec2.describe_instances().filters(filter("instance-id", [id.to_owned()]));
    let reply = ask("ec2:DescribeInstances", call.send()).await?;
    let found = reply.reservations.unwrap_or_default().into_iter().flat_map(|r| r.instances.unwrap_or_default());
    Ok(found.into_iter().find(|i| i.instance_id() == Some(id)).map(|i| view_of(&i)))
}

/// Looks at an instance that must be there.
pub(in crate::aws) async fn require_instance_view(aws: &AwsRecovery, id: &str) -> Result<InstanceView, String> {
    instance_view(aws, id).await?.ok_or_else(|| format!("there is no instance {id}"))
}

fn view_of(instance: &Instance) -> InstanceView {
    InstanceView {
        state: instance.state().and_then(|s| s.name()).map_or_else(String::new, |n| n.as_str().to_owned()),
        root_device: instance.root_device_name().unwrap_or_default().to_owned(),
        disks: instance.block_device_mappings().iter().filter_map(disk_of).collect(),
        tags: tags::by_key(instance.tags()),
    }
}

fn disk_of(mapping: &InstanceBlockDeviceMapping) -> Option<Disk> {
    let ebs = mapping.ebs()?;
    Some(Disk {
        volume: ebs.volume_id()?.to_owned(),
        device: mapping.device_name()?.to_owned(),
        delete_on_termination: ebs.delete_on_termination().unwrap_or_default(),
    })
}
