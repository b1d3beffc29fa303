//! Snapshots: every volume once, found again by the step's tag, for the calls have no token.

mod age;
mod choice;
mod newest;
mod snapshot_record;

use super::super::ports::{StepOutcome, StepRequest};
use super::call::{CallError, ask};
use super::ec2_reads::Disk;
use super::record::{self, Since};
use super::tags;
use super::{AwsRecovery, Part};
pub(super) use age::age;
use aws_sdk_ec2::types::{InstanceSpecification, ResourceType};
pub(super) use choice::broken_disk;
use forewarn_domain::step::StepKind as S;
use serde::{Deserialize, Serialize};
pub(super) use snapshot_record::{SnapshotRecord, of_plan};

/// Snapshots asked for one by one in one go.
const AT_ONCE: usize = 4;
/// How long until snapshots are looked at again, milliseconds.
const AGAIN_MS: i64 = 15_000;
/// How long until more are asked for: the first must show by then, or they would be made twice.
const MORE_MS: i64 = 10_000;

/// Snapshots of volumes.
#[derive(Debug)]
pub(super) struct Snapshots;

/// What is to be kept, settled before the first call.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct SnapshotRequest {
    at_ms: i64,
    /// The volumes to take snapshots of.
    pub(super) disks: Vec<Disk>,
    /// The root volume.
    root: Option<String>,
    /// The other volumes of the instance, which are left out.
    left_out: Vec<String>,
    /// The tags `Name` of the volumes, in their order; empty where one has none.
    names: Vec<String>,
}

#[expect(clippy::wildcard_enum_match_arm, reason = "these are the three steps of this part")]
impl Part for Snapshots {
    async fn prepare(&self, aws: &AwsRecovery, request: &StepRequest) -> Result<String, String> {
        if let Some(before) = record::settled(request) {
            return Ok(before);
        }
        if matches!(request.kind, S::AwaitSnapshot | S::FindSnapshots) {
            return record::encode_precondition(&Since { at_ms: request.now_ms });
        }
        record::encode_precondition(&choice::wanted(aws, request).await?)
    }

    async fn perform(&self, aws: &AwsRecovery, request: &StepRequest) -> StepOutcome {
        record::either(match request.kind {
            S::AwaitSnapshot => complete(aws, request).await,
            S::FindSnapshots => newest::find(aws, request).await,
            _ => take(aws, request).await,
        })
    }

    async fn find(&self, aws: &AwsRecovery, request: &StepRequest) -> Result<Option<String>, String> {
        if matches!(request.kind, S::AwaitSnapshot | S::FindSnapshots) {
            return Ok(None);
        }
        let wanted: SnapshotRequest = record::decode_precondition(&request.before)?;
        let found = snapshot_record::of_step(aws, &request.token).await?;
        let set = set_of(&wanted, &found);
        if set.len() == wanted.disks.len() {
            return record::encode_precondition(&set).map(Some);
        }
        record::too_early(request).map_or(Ok(None), Err)
    }
}

/// Picks the snapshots of what is wanted, one for each volume, those in error left out.
fn set_of(wanted: &SnapshotRequest, found: &[SnapshotRecord]) -> Vec<SnapshotRecord> {
    let of = |disk: &Disk| {
        let mut snapshot_record = found.iter().find(|t| t.volume == disk.volume && !t.is_broken())?.clone();
        snapshot_record.device.clone_from(&disk.device);
        Some(snapshot_record)
    };
    wanted.disks.iter().filter_map(of).collect()
}

async fn take(aws: &AwsRecovery, request: &StepRequest) -> Result<StepOutcome, StepOutcome> {
    let wanted: SnapshotRequest = record::before(request)?;
    let mut found = snapshot_record::of_step(aws, &request.token).await.map_err(CallError::unknown)?;
    let set = set_of(&wanted, &found);
    if set.is_empty() && wanted.disks.len() > 1 {
        let made = take_all(aws, request, &wanted).await.map_err(CallError::outcome)?;
        name_each(aws, &wanted, &made).await;
        found.extend(made);
    } else {
        let is_missing = |d: &&(usize, &Disk)| set.iter().all(|t| t.volume != d.1.volume);
        let disks: Vec<_> = wanted.disks.iter().enumerate().collect();
        let has_some = !set.is_empty();
        for (n, (i, disk)) in disks.iter().filter(is_missing).take(AT_ONCE).enumerate() {
            let made = take_one(aws, request, disk, wanted.names.get(*i).map_or("", String::as_str)).await;
            // Where others stand already, the step has had part of its effect.
            let partly = |e: CallError| if has_some || n > 0 { StepOutcome::Unknown(e.words) } else { e.outcome() };
            found.extend(made.map_err(partly)?);
        }
    }
    let set = set_of(&wanted, &found);
    if set.len() < wanted.disks.len() {
        return Ok(StepOutcome::Waiting(MORE_MS));
    }
    record::encode_precondition(&set).map(StepOutcome::Done).map_err(StepOutcome::Unknown)
}

/// Asks for all at one moment.
async fn take_all(
    aws: &AwsRecovery,
    request: &StepRequest,
    wanted: &SnapshotRequest,
) -> Result<Vec<SnapshotRecord>, CallError> {
    let has_root = wanted.disks.iter().any(|d| Some(&d.volume) == wanted.root.as_ref());
    let left_out = Some(wanted.left_out.clone()).filter(|l| !l.is_empty());
    let of = InstanceSpecification::builder()
        .instance_id(&request.subject)
        .exclude_boot_volume(!has_root)
        .set_exclude_data_volume_ids(left_out)
        .build();
    let name = format!("{} {}", request.plan_id, request.subject);
    let marks = tags::marks(request, ResourceType::Snapshot, &[("Name", &name)]);
    let call = aws.ec2.create_snapshots().instance_specification(of).description(describe(request));
    let reply = ask("ec2:CreateSnapshots", call.tag_specifications(marks).send()).await?;
    let made = reply.snapshots.unwrap_or_default().into_iter();
    Ok(made.filter_map(|s| SnapshotRecord::new(s.volume_id?, s.snapshot_id?, s.state.as_ref())).collect())
}

/// One call gives all the same tags: which device each one is of is added where it can be.
async fn name_each(aws: &AwsRecovery, wanted: &SnapshotRequest, made: &[SnapshotRecord]) {
    for (i, disk) in wanted.disks.iter().enumerate().take(AT_ONCE) {
        let Some(snapshot_record) = made.iter().find(|t| t.volume == disk.volume) else { continue };
        let name = wanted.names.get(i).filter(|n| !n.is_empty()).map(|n| ("Name", n.as_str()));
        let tags: Vec<_> = std::iter::once(("forewarn:device", disk.device.as_str())).chain(name).collect();
        tags::try_tags(aws, &snapshot_record.snapshot, &tags).await;
    }
}

async fn take_one(
    aws: &AwsRecovery,
    request: &StepRequest,
    disk: &Disk,
    name: &str,
) -> Result<Option<SnapshotRecord>, CallError> {
    let made_up = format!("{} {} {}", request.plan_id, request.subject, disk.device);
    let name = if name.is_empty() { made_up.as_str() } else { name };
    let marks =
        tags::marks(request, ResourceType::Snapshot, &[("Name", name), ("forewarn:device", disk.device.as_str())]);
    let call = aws.ec2.create_snapshot().volume_id(&disk.volume).description(describe(request));
    let reply = ask("ec2:CreateSnapshot", call.tag_specifications(marks).send()).await?;
    Ok(reply.snapshot_id.and_then(|id| SnapshotRecord::new(disk.volume.clone(), id, reply.state.as_ref())))
}

fn describe(request: &StepRequest) -> String {
    format!("forewarn {} of {}", request.plan_id, request.subject)
}

/// Looks whether all are complete: a set of which one has failed is none.
async fn complete(aws: &AwsRecovery, request: &StepRequest) -> Result<StepOutcome, StepOutcome> {
    let known = came_of_step(request);
    let set = match &known {
        Some(set) => set.clone(),
        None => of_plan(aws, request).await.map_err(CallError::unknown)?,
    };
    if set.is_empty() {
        return Ok(if known.is_some() {
            StepOutcome::Done("[]".to_owned())
        } else {
            StepOutcome::Failed(format!("no snapshot of {} is known", request.plan_id))
        });
    }
    let seen = snapshot_record::by_id(aws, set.iter().map(|t| t.snapshot.clone())).await.map_err(CallError::unknown)?;
    let mut is_pending = false;
    for snapshot_record in &set {
        match seen.iter().find(|s| s.snapshot == snapshot_record.snapshot) {
            Some(s) if s.is_broken() => {
                let (snapshot, volume) = (&s.snapshot, &s.volume);
                return Ok(StepOutcome::Failed(format!(
                    "snapshot {snapshot} of {volume} has failed: the set is not whole"
                )));
            }
            Some(s) => is_pending |= !s.is_complete(),
            None if record::may_be_hidden(request) => is_pending = true,
            None => return Ok(StepOutcome::Failed(format!("snapshot {} is gone", snapshot_record.snapshot))),
        }
    }
    if is_pending {
        return Ok(StepOutcome::Waiting(AGAIN_MS));
    }
    record::encode_precondition(&set).map(StepOutcome::Done).map_err(StepOutcome::Unknown)
}

/// Gives what came of the step `Snapshot`.
pub(super) fn came_of_step(request: &StepRequest) -> Option<Vec<SnapshotRecord>> {
    record::decoded_note(request, S::Snapshot, |n| n.result.as_deref())
}
