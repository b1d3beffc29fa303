//! The volumes of an instance.

use super::super::AwsRecovery;
use super::super::call::ask;
use aws_sdk_ec2::types::{Instance, VolumeStatusInfo, VolumeStatusInfoStatus, VolumeStatusName};
use forewarn_recovery::facts::BrokenVolume;

/// What its volumes say of an instance.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Volumes {
    /// Whether there is one besides the root.
    pub(super) has_data: bool,
    /// Whether one serves other instances as well.
    pub(super) multi_attach: bool,
    /// The one that is not well.
    pub(super) broken: Option<BrokenVolume>,
}

/// Reads them.
pub(super) async fn of(aws: &AwsRecovery, instance: &Instance) -> Result<Volumes, String> {
    let root = instance.root_device_name.as_deref();
    let mappings = instance.block_device_mappings.as_deref().unwrap_or_default().iter();
    let attached: Vec<(String, bool)> = mappings
        .filter_map(|m| Some((m.ebs.as_ref()?.volume_id.clone()?, root.is_some() && m.device_name.as_deref() == root)))
        .collect();
    if attached.is_empty() {
        return Ok(Volumes::default());
    }
    let ids: Vec<String> = attached.iter().map(|(id, _)| id.clone()).collect();
    let volumes = aws.ec2.describe_volumes().set_volume_ids(Some(ids.clone())).send();
    let statuses = aws.ec2.describe_volume_status().set_volume_ids(Some(ids)).send();
    let (volumes, statuses) =
        tokio::join!(ask("ec2:DescribeVolumes", volumes), ask("ec2:DescribeVolumeStatus", statuses));
    let (volumes, statuses) = (volumes?, statuses?);
    let broken = statuses.volume_statuses.unwrap_or_default().into_iter().filter_map(|item| {
        let is_root = attached.iter().any(|(id, root)| *root && item.volume_id.as_deref() == Some(id));
        broken(is_root, item.volume_status.as_ref()?)
    });
    Ok(Volumes {
        has_data: attached.iter().any(|(_, is_root)| !is_root),
        multi_attach: volumes.volumes.unwrap_or_default().iter().any(|v| v.attachments().len() > 1),
        // What AWS lets people enable comes first, then the root: without it nothing else helps.
        broken: broken.min(),
    })
}

fn broken(is_root: bool, status: &VolumeStatusInfo) -> Option<BrokenVolume> {
    if status.status != Some(VolumeStatusInfoStatus::Impaired) {
        return None;
    }
    let mut details = status.details.as_deref().unwrap_or_default().iter();
    let is_shut_off =
        details.any(|d| d.name == Some(VolumeStatusName::IoEnabled) && d.status.as_deref() == Some("failed"));
    Some(match (is_shut_off, is_root) {
        (true, _) => BrokenVolume::IoDisabled,
        (false, true) => BrokenVolume::Root,
        (false, false) => BrokenVolume::Data,
    })
}
