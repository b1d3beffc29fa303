//! Which volumes an action takes snapshots of.

use super::super::AwsHands;
use super::super::sight::{self, Disk, Machine, Wrong};
use super::{Errand, Wanted};
use forewarn_domain::action::RecoveryAction;
use forewarn_domain::step::StepKind;

/// Settles which volumes are wanted.
pub(super) fn wanted(hands: &AwsHands, errand: &Errand) -> Result<Wanted, String> {
    let machine = sight::must_see(hands, &errand.subject)?;
    let names = names(hands, &machine)?;
    let name_of = |disk: &Disk| machine.disks.iter().position(|d| d == disk).map_or("", |i| names[i].as_str());
    let disks = match (errand.action, &errand.policy.targets.data_volume) {
        (RecoveryAction::RepairVolume, _) => vec![choose(hands, &machine, &errand.subject)?],
        (RecoveryAction::ReplaceRootVolume, _) => {
            let root = machine.root().cloned();
            vec![root.ok_or_else(|| format!("{} has no root volume in EBS", errand.subject))?]
        }
        (RecoveryAction::DrainSpot, Some(name)) => {
            let data: Vec<Disk> = machine.disks.iter().filter(|d| name_of(d) == name).cloned().collect();
            if data.is_empty() { machine.disks.clone() } else { data }
        }
        _ => machine.disks.clone(),
    };
    let root = machine.root().map(|d| d.volume.clone());
    let left_out = machine.data().filter(|d| !disks.contains(d)).map(|d| d.volume.clone()).collect();
    let names = disks.iter().map(|d| name_of(d).to_owned()).collect();
    Ok(Wanted { at_ms: errand.now_ms, disks, root, left_out, names })
}

/// Gives the names of an instance's volumes, in their order.
fn names(hands: &AwsHands, machine: &Machine) -> Result<Vec<String>, String> {
    let ids = machine.disks.iter().map(|d| d.volume.clone());
    let seen = sight::volumes(hands, ids).map_err(sight::words)?;
    let name = |disk: &Disk| {
        let volume = seen.iter().find(|v| v.volume_id() == Some(disk.volume.as_str()));
        volume.and_then(|v| sight::value(v.tags(), "Name")).unwrap_or_default().to_owned()
    };
    Ok(machine.disks.iter().map(name).collect())
}

/// Chooses the data volume that is broken: the one whose status says so, else the only one.
fn choose(hands: &AwsHands, machine: &Machine, subject: &str) -> Result<Disk, String> {
    let data: Vec<&Disk> = machine.data().collect();
    let ids: Vec<String> = data.iter().map(|d| d.volume.clone()).collect();
    let impaired = sight::volumes_with(hands, &ids, Wrong::Impaired).map_err(sight::words)?;
    let found: Vec<&Disk> = data.iter().copied().filter(|d| impaired.contains(&d.volume)).collect();
    match (found.as_slice(), data.as_slice()) {
        ([one], _) | ([], [one]) => Ok((*one).clone()),
        ([], []) => Err(format!("{subject} has no data volume")),
        ([], many) => Err(format!("no data volume of {subject} is impaired, and it has {}", many.len())),
        (many, _) => Err(format!("{} data volumes of {subject} are impaired: a person must choose", many.len())),
    }
}

/// Gives the volume that a plan repairs: the one it took a snapshot of.
pub(in super::super) fn broken_disk(hands: &AwsHands, errand: &Errand) -> Result<Disk, String> {
    let noted = sight::stood::<Wanted>(errand, StepKind::Snapshot).map(|w| w.disks);
    if let Some([one]) = noted.as_deref() {
        return Ok(one.clone());
    }
    choose(hands, &sight::must_see(hands, &errand.subject)?, &errand.subject)
}
