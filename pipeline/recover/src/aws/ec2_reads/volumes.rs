//! Volumes, and what is wrong with them.

use super::super::AwsRecovery;
use super::super::call::{CallError, ask};
use super::filter;
use aws_sdk_ec2::types::{Volume, VolumeStatusDetails};

/// Looks at volumes by id; those that are not there, or can't be seen yet, are left out.
pub(in crate::aws) async fn volumes(
    aws: &AwsRecovery,
    ids: impl IntoIterator<Item = String>,
) -> Result<Vec<Volume>, CallError> {
    let ids: Vec<String> = ids.into_iter().collect();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let call = aws.ec2.describe_volumes().filters(filter("volume-id", ids));
    Ok(ask("ec2:DescribeVolumes", call.send()).await?.volumes.unwrap_or_default())
}

/// Gives those volumes that have a fault.
pub(in crate::aws) async fn faulty_volumes(
    aws: &AwsRecovery,
    ids: &[String],
    fault: VolumeFault,
) -> Result<Vec<String>, CallError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let call = aws.ec2.describe_volume_status().set_volume_ids(Some(ids.to_vec()));
    let items = ask("ec2:DescribeVolumeStatus", call.send()).await?.volume_statuses.unwrap_or_default();
    let found = items.into_iter().filter(|item| {
        let status = item.volume_status();
        match fault {
            VolumeFault::Impaired => status.and_then(|s| s.status()).is_some_and(|s| s.as_str() == "impaired"),
            VolumeFault::IoDisabled => status.is_some_and(|s| {
                let io = |d: &&VolumeStatusDetails| d.name().is_some_and(|n| n.as_str() == "io-enabled");
                s.details().iter().find(io).and_then(|d| d.status()) == Some("failed")
            }),
        }
    });
    Ok(found.filter_map(|item| item.volume_id).collect())
}

/// What may be wrong with a volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::aws) enum VolumeFault {
    /// Its status is impaired.
    Impaired,
    /// AWS has disabled its input and output.
    IoDisabled,
}
