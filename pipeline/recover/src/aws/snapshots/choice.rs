//! Which volumes an action takes snapshots of.

use super::super::AwsRecovery;
use super::super::ec2_reads::{self, Disk, InstanceView, VolumeFault};
use super::super::step::precondition_of;
use super::super::tags;
use super::{SnapshotRequest, StepRequest, TakeSnapshots};
use forewarn_domain::action::SnapshotScope;

/// Settles which volumes are wanted.
pub(super) async fn wanted(aws: &AwsRecovery, request: &StepRequest) -> Result<SnapshotRequest, String> {
    let view = ec2_reads::require_instance_view(aws, &request.subject).await?;
    let names = names(aws, &view).await?;
    let name_of = |disk: &Disk| view.disks.iter().position(|d| d == disk).map_or("", |i| names[i].as_str());
    let disks = match (request.action.spec().snapshots, &request.policy.targets.data_volume) {
        (SnapshotScope::BrokenVolume, _) => vec![choose(aws, &view, &request.subject).await?],
        (SnapshotScope::Root, _) => {
            let root = view.root().cloned();
            vec![root.ok_or_else(|| format!("{} has no root volume in EBS", request.subject))?]
        }
        (SnapshotScope::NamedData, Some(name)) => {
            let data: Vec<Disk> = view.disks.iter().filter(|d| name_of(d) == name).cloned().collect();
            if data.is_empty() { view.disks.clone() } else { data }
        }
        (SnapshotScope::NamedData, None) | (SnapshotScope::All, _) => view.disks.clone(),
    };
    let root = view.root().map(|d| d.volume.clone());
    let left_out = view.data().filter(|d| !disks.contains(d)).map(|d| d.volume.clone()).collect();
    let names = disks.iter().map(|d| name_of(d).to_owned()).collect();
    Ok(SnapshotRequest { at_ms: request.now_ms, disks, root, left_out, names })
}

/// Gives the names of an instance's volumes, in their order.
async fn names(aws: &AwsRecovery, view: &InstanceView) -> Result<Vec<String>, String> {
    let ids = view.disks.iter().map(|d| d.volume.clone());
    let seen = ec2_reads::volumes(aws, ids).await?;
    let name = |disk: &Disk| {
        let volume = seen.iter().find(|v| v.volume_id() == Some(disk.volume.as_str()));
        volume.and_then(|v| tags::value(v.tags(), "Name")).unwrap_or_default().to_owned()
    };
    Ok(view.disks.iter().map(name).collect())
}

/// Chooses the data volume that is broken: the one whose status says so, else the only one.
async fn choose(aws: &AwsRecovery, view: &InstanceView, subject: &str) -> Result<Disk, String> {
    let data: Vec<&Disk> = view.data().collect();
    let ids: Vec<String> = data.iter().map(|d| d.volume.clone()).collect();
    let impaired = ec2_reads::faulty_volumes(aws, &ids, VolumeFault::Impaired).await?;
    let found: Vec<&Disk> = data.iter().copied().filter(|d| impaired.contains(&d.volume)).collect();
    match (found.as_slice(), data.as_slice()) {
        ([one], _) | ([], [one]) => Ok((*one).clone()),
        ([], []) => Err(format!("{subject} has no data volume")),
        ([], many) => Err(format!("no data volume of {subject} is impaired, and it has {}", many.len())),
        (many, _) => Err(format!("{} data volumes of {subject} are impaired: a person must choose", many.len())),
    }
}

/// Gives the volume that a plan repairs: the one it took a snapshot of.
pub(in super::super) async fn broken_disk(aws: &AwsRecovery, request: &StepRequest) -> Result<Disk, String> {
    let disks = precondition_of::<TakeSnapshots>(request).map(|wanted| wanted.disks);
    if let Some([one]) = disks.as_deref() {
        return Ok(one.clone());
    }
    choose(aws, &ec2_reads::require_instance_view(aws, &request.subject).await?, &request.subject).await
}
