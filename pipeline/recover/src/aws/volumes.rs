//! Volumes: made of a snapshot, attached and detached, and let write again.

mod attach;
mod make;

use super::super::ports::{StepOutcome, StepRequest};
use super::call::{CallError, ask};
use super::ec2_reads::{self, Disk, VolumeFault};
use super::record::{self, Since};
use super::snapshots;
use super::{AwsRecovery, Part};
use forewarn_domain::step::StepKind as S;
use serde::{Deserialize, Serialize};

/// How long until a volume is looked at again, milliseconds.
const AGAIN_MS: i64 = 3_000;
/// Volumes that are let write again in one go.
const AT_ONCE: usize = 4;

/// Volumes of an instance.
#[derive(Debug)]
pub(super) struct Volumes;

/// What is moved, and how it was attached.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Move {
    at_ms: i64,
    #[serde(flatten)]
    disk: Disk,
}

/// Volumes that AWS has shut off.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Shut {
    at_ms: i64,
    volumes: Vec<String>,
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the other steps belong to other parts")]
impl Part for Volumes {
    async fn prepare(&self, aws: &AwsRecovery, request: &StepRequest) -> Result<String, String> {
        if let Some(before) = record::settled(request) {
            return Ok(before);
        }
        let at_ms = request.now_ms;
        let moved =
            |volume: String, disk: Disk| record::encode_precondition(&Move { at_ms, disk: Disk { volume, ..disk } });
        match request.kind {
            S::CreateVolume => make::prepare(aws, request).await,
            S::EnableIo => {
                let view = ec2_reads::require_instance_view(aws, &request.subject).await?;
                let all: Vec<String> = view.disks.into_iter().map(|d| d.volume).collect();
                let volumes = ec2_reads::faulty_volumes(aws, &all, VolumeFault::IoDisabled).await?;
                record::encode_precondition(&Shut { at_ms, volumes })
            }
            S::Detach => {
                let broken = snapshots::broken_disk(aws, request).await?;
                moved(broken.volume.clone(), broken)
            }
            S::AttachNew => moved(new_volume(request)?, old_disk(aws, request).await?),
            S::AttachOld => match record::precondition_of::<Move>(request, S::Detach) {
                Some(old) => moved(old.disk.volume.clone(), old.disk),
                None => record::encode_precondition(&Since { at_ms }),
            },
            _ => record::encode_precondition(&Since { at_ms }),
        }
    }

    async fn perform(&self, aws: &AwsRecovery, request: &StepRequest) -> StepOutcome {
        record::either(match request.kind {
            S::CreateVolume => make::create(aws, request).await,
            S::DeleteVolume => make::delete(aws, request).await,
            S::EnableIo => enable(aws, request).await,
            S::Detach => match record::before::<Move>(request) {
                Ok(moved) => attach::off(aws, request, &moved.disk.volume).await,
                Err(outcome) => Err(outcome),
            },
            S::AttachNew => match record::before::<Move>(request) {
                Ok(moved) => attach::on(aws, request, &moved.disk).await,
                Err(outcome) => Err(outcome),
            },
            S::AttachOld => match record::decode_precondition::<Move>(&request.before) {
                Ok(old) => attach::back(aws, request, &old.disk).await,
                // Nothing was taken off, so there is nothing to put back.
                Err(_) => Ok(StepOutcome::Done(String::new())),
            },
            S::DetachNew => match new_volume(request) {
                Ok(volume) => attach::off(aws, request, &volume).await,
                Err(_) => Ok(StepOutcome::Done(String::new())),
            },
            other => Ok(StepOutcome::Failed(format!("{other:?} is no step of volumes"))),
        })
    }

    async fn find(&self, aws: &AwsRecovery, request: &StepRequest) -> Result<Option<String>, String> {
        match request.kind {
            S::CreateVolume => make::find(aws, request).await,
            S::Detach => {
                let volume = record::decode_precondition::<Move>(&request.before)?.disk.volume;
                Ok(attach::is_off(aws, request, &volume).await?.then_some(volume))
            }
            S::AttachNew | S::AttachOld => {
                let Ok(moved) = record::decode_precondition::<Move>(&request.before) else { return Ok(None) };
                Ok(attach::is_on(aws, request, &moved.disk).await?.then_some(moved.disk.volume))
            }
            // These are found by doing them again.
            _ => Ok(None),
        }
    }
}

/// Gives the volume that this plan has made.
fn new_volume(request: &StepRequest) -> Result<String, String> {
    record::result_of(request, S::CreateVolume).ok_or_else(|| "no new volume of this plan is known".to_owned())
}

/// Gives the broken volume as it was attached.
async fn old_disk(aws: &AwsRecovery, request: &StepRequest) -> Result<Disk, String> {
    match record::precondition_of::<Move>(request, S::Detach) {
        Some(old) => Ok(old.disk),
        None => snapshots::broken_disk(aws, request).await,
    }
}

async fn enable(aws: &AwsRecovery, request: &StepRequest) -> Result<StepOutcome, StepOutcome> {
    let shut: Shut = record::before(request)?;
    let still = async || {
        ec2_reads::faulty_volumes(aws, &shut.volumes, VolumeFault::IoDisabled).await.map_err(CallError::unknown)
    };
    let now = still().await?;
    for (n, volume) in now.iter().take(AT_ONCE).enumerate() {
        let asked = ask("ec2:EnableVolumeIO", aws.ec2.enable_volume_io().volume_id(volume).send()).await;
        asked.map_err(|e| if n > 0 { StepOutcome::Unknown(e.words) } else { e.outcome() })?;
    }
    if now.is_empty() || still().await?.is_empty() {
        return record::encode_precondition(&shut.volumes).map(StepOutcome::Done).map_err(StepOutcome::Unknown);
    }
    Ok(StepOutcome::Waiting(AGAIN_MS))
}
