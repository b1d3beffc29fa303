//! The volumes that a successor gets: as blank as the old one's were, or made of this plan's snapshots.

use super::super::AwsRecovery;
use super::super::call::ask;
use super::super::snapshots::SnapshotRecord;
use super::arguments::{Device, Root};
use aws_sdk_ec2::types::{Instance, PlatformValues, Volume};
use std::collections::BTreeMap;

/// A volume where it is attached.
struct Attached {
    device: String,
    volume: String,
    ends_with_instance: Option<bool>,
}

fn attached(old: &Instance) -> Vec<Attached> {
    let mappings = old.block_device_mappings.as_deref().unwrap_or_default().iter();
    let attached = mappings.filter_map(|m| {
        let ebs = m.ebs.as_ref()?;
        let (device, volume) = (m.device_name.clone()?, ebs.volume_id.clone()?);
        Some(Attached { device, volume, ends_with_instance: ebs.delete_on_termination })
    });
    attached.collect()
}

async fn volumes(aws: &AwsRecovery, attached: &[Attached]) -> Result<BTreeMap<String, Volume>, String> {
    if attached.is_empty() {
        return Ok(BTreeMap::new());
    }
    let ids = attached.iter().map(|a| a.volume.clone()).collect();
    let call = aws.ec2.describe_volumes().set_volume_ids(Some(ids));
    let reply = ask("ec2:DescribeVolumes", call.send()).await?;
    Ok(reply.volumes.unwrap_or_default().into_iter().filter_map(|v| Some((v.volume_id.clone()?, v))).collect())
}

fn device(at: Attached, volume: &Volume) -> Device {
    let kind = volume.volume_type.as_ref().map(|t| t.as_str().to_owned());
    let is = |kinds: &[&str]| kind.as_deref().is_some_and(|k| kinds.contains(&k));
    Device {
        name: at.device,
        snapshot: None,
        size_gib: volume.size,
        // EC2 tells the IOPS of a gp2 as well, and refuses to be told them.
        iops: volume.iops.filter(|_| is(&["io1", "io2", "gp3"])),
        throughput: volume.throughput.filter(|_| is(&["gp3"])),
        ends_with_instance: at.ends_with_instance,
        encrypted: volume.encrypted.unwrap_or(false),
        key: volume.kms_key_id.clone(),
        kind,
    }
}

/// Gives volumes like the old one's, with what its image puts on them.
pub(super) async fn blank(aws: &AwsRecovery, old: &Instance) -> Result<Vec<Device>, String> {
    let attached = attached(old);
    let known = volumes(aws, &attached).await?;
    attached
        .into_iter()
        .map(|at| match known.get(&at.volume) {
            Some(volume) => Ok(device(at, volume)),
            None => Err(format!("EC2 knows no volume {}", at.volume)),
        })
        .collect()
}

/// Gives volumes made of snapshots. A launch can't put another snapshot under the root device of an image (?), so an image is made of
/// the root's, and the others are mapped.
pub(super) async fn from_snapshots(
    aws: &AwsRecovery,
    old: &Instance,
    snapshots: &[SnapshotRecord],
) -> Result<(Root, Vec<Device>), String> {
    let id = old.instance_id.as_deref().unwrap_or_default();
    let of: BTreeMap<&str, &str> = snapshots.iter().map(|s| (s.volume.as_str(), s.snapshot.as_str())).collect();
    let attached = attached(old);
    let missing: Vec<&str> =
        attached.iter().map(|a| a.volume.as_str()).filter(|volume| !of.contains_key(volume)).collect();
    if !missing.is_empty() {
        return Err(format!(
            "there is no snapshot of {}: a part of the volumes of {id} is not enough",
            missing.join(", ")
        ));
    }
    let root_device = old.root_device_name.as_deref();
    let root_volume = attached.iter().find(|a| root_device == Some(&a.device)).map(|a| a.volume.clone());
    let root_volume = root_volume.ok_or_else(|| format!("EC2 does not tell the root volume of {id}"))?;
    let known = volumes(aws, &attached).await?;
    let mut devices = Vec::new();
    for at in attached {
        let volume = known.get(&at.volume).ok_or_else(|| format!("EC2 knows no volume {}", at.volume))?;
        let snapshot = (at.volume != root_volume).then(|| of.get(at.volume.as_str())).flatten();
        let snapshot = snapshot.map(ToString::to_string);
        // The root is encrypted as its image is.
        devices.push(Device { snapshot, encrypted: false, key: None, ..device(at, volume) });
    }
    let snapshot = of.get(root_volume.as_str()).map(ToString::to_string).unwrap_or_default();
    Ok((root(id, old, snapshot)?, devices))
}

fn root(id: &str, old: &Instance, snapshot: String) -> Result<Root, String> {
    // What an image is billed by is lost where it is made of a snapshot, and with it the right to run it.
    let is_billed = old.platform == Some(PlatformValues::Windows)
        || old.usage_operation.as_deref().is_some_and(|op| op != "RunInstances" && !op.is_empty())
        || old.product_codes.as_ref().is_some_and(|codes| !codes.is_empty());
    if is_billed {
        return Err(format!("the image of {id} is billed for its software, and none can be made of its snapshot"));
    }
    let architecture = old.architecture.as_ref().map(|a| a.as_str().to_owned());
    Ok(Root {
        name: format!("forewarn-{snapshot}"),
        snapshot,
        device: old.root_device_name.clone().unwrap_or_default(),
        architecture: architecture.ok_or_else(|| format!("EC2 does not tell the architecture of {id}"))?,
        boot_mode: old.boot_mode.as_ref().map(|m| m.as_str().to_owned()),
        ena: old.ena_support,
        sriov: old.sriov_net_support.clone(),
        tpm: old.tpm_support.clone(),
    })
}
