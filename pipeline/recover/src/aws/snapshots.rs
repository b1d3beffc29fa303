//! Snapshots: every volume once, found again by the step's tag, for the calls have no token.

mod age;
mod choice;
mod newest;
mod snapshot_record;

use super::super::ports::{StepOutcome, StepRequest};
use super::AwsRecovery;
use super::call::{CallError, ask};
use super::ec2_reads::Disk;
use super::record::{Since, Unreadable, done_with, may_be_hidden, to_json, too_early};
use super::step::{Found, JsonResult, Performed, Step, result_of};
use super::tags;
pub(super) use age::age;
use aws_sdk_ec2::types::{InstanceSpecification, ResourceType};
pub(super) use choice::broken_disk;
use forewarn_domain::step::StepKind;
use forewarn_domain::time::UnixMs;
use serde::{Deserialize, Serialize};
pub(super) use snapshot_record::SnapshotRecord;

/// Snapshots asked for one by one in one go.
const AT_ONCE: usize = 4;
/// How long until snapshots are looked at again, milliseconds.
const AGAIN_MS: i64 = 15_000;
/// How long until more are asked for: the first must show by then, or they would be made twice.
const MORE_MS: i64 = 10_000;

/// What is to be kept, settled before the first call.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct SnapshotRequest {
    at_ms: UnixMs,
    /// The volumes to take snapshots of.
    pub(super) disks: Vec<Disk>,
    /// The root volume.
    root: Option<String>,
    /// The other volumes of the instance, which are left out.
    left_out: Vec<String>,
    /// The tags `Name` of the volumes, in their order; empty where one has none.
    names: Vec<String>,
}

#[derive(Debug)]
pub(super) struct TakeSnapshots;

impl Step for TakeSnapshots {
    const KIND: StepKind = StepKind::Snapshot;
    type Precondition = SnapshotRequest;

    async fn prepare(aws: &AwsRecovery, request: &StepRequest) -> Result<SnapshotRequest, String> {
        choice::wanted(aws, request).await
    }

    async fn perform(aws: &AwsRecovery, request: &StepRequest, wanted: &SnapshotRequest) -> Performed {
        take(aws, request, wanted).await
    }

    async fn find(aws: &AwsRecovery, request: &StepRequest, wanted: Result<SnapshotRequest, Unreadable>) -> Found {
        let wanted = wanted?;
        let found = snapshot_record::of_step(aws, &request.token).await?;
        let set = set_of(&wanted, &found);
        if set.len() == wanted.disks.len() {
            return to_json(&set).map(Some);
        }
        too_early(request, wanted.at_ms).map_or(Ok(None), Err)
    }
}

impl JsonResult for TakeSnapshots {
    type Result = Vec<SnapshotRecord>;
}

#[derive(Debug)]
pub(super) struct AwaitSnapshots;

impl Step for AwaitSnapshots {
    const KIND: StepKind = StepKind::AwaitSnapshot;
    type Precondition = Since;

    async fn prepare(_aws: &AwsRecovery, request: &StepRequest) -> Result<Since, String> {
        Ok(Since::now(request))
    }

    async fn perform(aws: &AwsRecovery, request: &StepRequest, since: &Since) -> Performed {
        complete(aws, request, since).await
    }

    fn unreadable(_request: &StepRequest, _why: Unreadable) -> Result<Since, StepOutcome> {
        Ok(Since::LONG_AGO)
    }
}

#[derive(Debug)]
pub(super) struct FindSnapshots;

impl Step for FindSnapshots {
    const KIND: StepKind = StepKind::FindSnapshots;
    type Precondition = Since;

    async fn prepare(_aws: &AwsRecovery, request: &StepRequest) -> Result<Since, String> {
        Ok(Since::now(request))
    }

    async fn perform(aws: &AwsRecovery, request: &StepRequest, _since: &Since) -> Performed {
        newest::find(aws, request).await
    }

    fn unreadable(_request: &StepRequest, _why: Unreadable) -> Result<Since, StepOutcome> {
        Ok(Since::LONG_AGO)
    }
}

impl JsonResult for FindSnapshots {
    type Result = Vec<SnapshotRecord>;
}

/// Gives the snapshots that this plan has taken, by its log, else by their tags.
pub(super) async fn known(aws: &AwsRecovery, request: &StepRequest) -> Result<Vec<SnapshotRecord>, CallError> {
    match taken(request) {
        Some(set) => Ok(set),
        None => snapshot_record::of_plan(aws, request).await,
    }
}

fn taken(request: &StepRequest) -> Option<Vec<SnapshotRecord>> {
    result_of::<TakeSnapshots>(request)?.ok()
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

async fn take(aws: &AwsRecovery, request: &StepRequest, wanted: &SnapshotRequest) -> Result<StepOutcome, StepOutcome> {
    let mut found = snapshot_record::of_step(aws, &request.token).await.map_err(CallError::unknown)?;
    let set = set_of(wanted, &found);
    if set.is_empty() && wanted.disks.len() > 1 {
        let made = take_all(aws, request, wanted).await.map_err(CallError::outcome)?;
        name_each(aws, wanted, &made).await;
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
    let set = set_of(wanted, &found);
    if set.len() < wanted.disks.len() {
        return Ok(StepOutcome::Waiting(MORE_MS));
    }
    done_with(&set)
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
async fn complete(aws: &AwsRecovery, request: &StepRequest, since: &Since) -> Result<StepOutcome, StepOutcome> {
    let known = taken(request);
    let set = match &known {
        Some(set) => set.clone(),
        None => snapshot_record::of_plan(aws, request).await.map_err(CallError::unknown)?,
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
            None if may_be_hidden(request, since.at_ms) => is_pending = true,
            None => return Ok(StepOutcome::Failed(format!("snapshot {} is gone", snapshot_record.snapshot))),
        }
    }
    if is_pending {
        return Ok(StepOutcome::Waiting(AGAIN_MS));
    }
    done_with(&set)
}
