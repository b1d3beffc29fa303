//! Volumes: made of a snapshot, attached and detached, and let write again.

mod attach;
mod make;

use super::super::ports::{StepOutcome, StepRequest};
use super::AwsRecovery;
use super::call::{CallError, ask};
use super::ec2_reads::{self, Disk, VolumeFault};
use super::record::{Since, Unreadable, done_with};
use super::snapshots;
use super::step::{Found, Performed, Step, plain_result_of, precondition_of};
use super::tags::{self, SUCCESSOR};
use forewarn_domain::step::StepKind;
use forewarn_domain::time::UnixMs;
pub(super) use make::{CreateVolume, DeleteVolume};
use serde::{Deserialize, Serialize};

/// How long until a volume is looked at again, milliseconds.
const AGAIN_MS: i64 = 3_000;
/// Volumes that are let write again in one go.
const AT_ONCE: usize = 4;

/// What is moved, and how it was attached.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Move {
    at_ms: UnixMs,
    #[serde(flatten)]
    disk: Disk,
}

/// What is put back; none where nothing was taken off.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct MoveBack {
    at_ms: UnixMs,
    #[serde(flatten)]
    disk: Option<Disk>,
}

/// Volumes that AWS has shut off.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Shut {
    at_ms: UnixMs,
    volumes: Vec<String>,
}

#[derive(Debug)]
pub(super) struct EnableIo;

impl Step for EnableIo {
    const KIND: StepKind = StepKind::EnableIo;
    type Precondition = Shut;

    async fn prepare(aws: &AwsRecovery, request: &StepRequest) -> Result<Shut, String> {
        let view = ec2_reads::require_instance_view(aws, &request.subject).await?;
        let all: Vec<String> = view.disks.into_iter().map(|d| d.volume).collect();
        let volumes = ec2_reads::faulty_volumes(aws, &all, VolumeFault::IoDisabled).await?;
        Ok(Shut { at_ms: request.now_ms, volumes })
    }

    async fn perform(aws: &AwsRecovery, _request: &StepRequest, shut: &Shut) -> Performed {
        enable(aws, &shut.volumes).await
    }
}

#[derive(Debug)]
pub(super) struct Detach;

impl Step for Detach {
    const KIND: StepKind = StepKind::Detach;
    type Precondition = Move;

    async fn prepare(aws: &AwsRecovery, request: &StepRequest) -> Result<Move, String> {
        let disk = snapshots::broken_disk(aws, request).await?;
        Ok(Move { at_ms: request.now_ms, disk })
    }

    async fn perform(aws: &AwsRecovery, request: &StepRequest, moved: &Move) -> Performed {
        attach::off(aws, request, &moved.disk.volume).await
    }

    async fn find(aws: &AwsRecovery, request: &StepRequest, moved: Result<Move, Unreadable>) -> Found {
        let volume = moved?.disk.volume;
        Ok(attach::is_off(aws, request, &volume).await?.then_some(volume))
    }
}

#[derive(Debug)]
pub(super) struct AttachNew;

impl Step for AttachNew {
    const KIND: StepKind = StepKind::AttachNew;
    type Precondition = Move;

    async fn prepare(aws: &AwsRecovery, request: &StepRequest) -> Result<Move, String> {
        let volume = new_volume(request).ok_or("no new volume of this plan is known")?;
        let old = match precondition_of::<Detach>(request) {
            Some(old) => old.disk,
            None => snapshots::broken_disk(aws, request).await?,
        };
        Ok(Move { at_ms: request.now_ms, disk: Disk { volume, ..old } })
    }

    async fn perform(aws: &AwsRecovery, request: &StepRequest, moved: &Move) -> Performed {
        let outcome = attach::on(aws, request, &moved.disk, moved.at_ms).await?;
        if let (StepOutcome::Done(_), Some(old)) = (&outcome, precondition_of::<Detach>(request)) {
            tags::try_tags(aws, &old.disk.volume, &[(SUCCESSOR, moved.disk.volume.as_str())]).await;
        }
        Ok(outcome)
    }

    async fn find(aws: &AwsRecovery, request: &StepRequest, moved: Result<Move, Unreadable>) -> Found {
        let Ok(moved) = moved else { return Ok(None) };
        Ok(attach::is_on(aws, request, &moved.disk).await?.then_some(moved.disk.volume))
    }
}

#[derive(Debug)]
pub(super) struct AttachOld;

impl Step for AttachOld {
    const KIND: StepKind = StepKind::AttachOld;
    type Precondition = MoveBack;

    async fn prepare(_aws: &AwsRecovery, request: &StepRequest) -> Result<MoveBack, String> {
        Ok(MoveBack { at_ms: request.now_ms, disk: precondition_of::<Detach>(request).map(|old| old.disk) })
    }

    async fn perform(aws: &AwsRecovery, request: &StepRequest, moved: &MoveBack) -> Performed {
        match &moved.disk {
            Some(disk) => attach::back(aws, request, disk, moved.at_ms).await,
            None => Ok(StepOutcome::Done(String::new())),
        }
    }

    async fn find(aws: &AwsRecovery, request: &StepRequest, moved: Result<MoveBack, Unreadable>) -> Found {
        let Some(disk) = moved.ok().and_then(|m| m.disk) else { return Ok(None) };
        Ok(attach::is_on(aws, request, &disk).await?.then_some(disk.volume))
    }

    fn unreadable(_request: &StepRequest, _why: Unreadable) -> Result<MoveBack, StepOutcome> {
        Err(StepOutcome::Done(String::new()))
    }
}

#[derive(Debug)]
pub(super) struct DetachNew;

impl Step for DetachNew {
    const KIND: StepKind = StepKind::DetachNew;
    type Precondition = Since;

    async fn prepare(_aws: &AwsRecovery, request: &StepRequest) -> Result<Since, String> {
        Ok(Since::now(request))
    }

    async fn perform(aws: &AwsRecovery, request: &StepRequest, _since: &Since) -> Performed {
        match new_volume(request) {
            Some(volume) => attach::off(aws, request, &volume).await,
            None => Ok(StepOutcome::Done(String::new())),
        }
    }

    fn unreadable(_request: &StepRequest, _why: Unreadable) -> Result<Since, StepOutcome> {
        Ok(Since::LONG_AGO)
    }
}

/// Gives the volume that this plan has made.
fn new_volume(request: &StepRequest) -> Option<String> {
    plain_result_of::<CreateVolume>(request)
}

async fn enable(aws: &AwsRecovery, volumes: &[String]) -> Result<StepOutcome, StepOutcome> {
    let still =
        async || ec2_reads::faulty_volumes(aws, volumes, VolumeFault::IoDisabled).await.map_err(CallError::unknown);
    let now = still().await?;
    for (n, volume) in now.iter().take(AT_ONCE).enumerate() {
        let asked = ask("ec2:EnableVolumeIO", aws.ec2.enable_volume_io().volume_id(volume).send()).await;
        asked.map_err(|e| if n > 0 { StepOutcome::Unknown(e.words) } else { e.outcome() })?;
    }
    if now.is_empty() || still().await?.is_empty() {
        return done_with(&volumes);
    }
    Ok(StepOutcome::Waiting(AGAIN_MS))
}
