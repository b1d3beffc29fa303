//! Volumes: made of a snapshot, attached and detached, and let write again.

mod attach;
mod make;

use super::super::ports::{StepOutcome, StepRequest};
use super::ec2_reads::{self, CommandRejected, Disk, Since};
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
    fn prepare(&self, aws: &AwsRecovery, request: &StepRequest) -> Result<String, String> {
        if let Some(before) = ec2_reads::settled(request) {
            return Ok(before);
        }
        let at_ms = request.now_ms;
        let moved =
            |volume: String, disk: Disk| ec2_reads::encode_precondition(&Move { at_ms, disk: Disk { volume, ..disk } });
        match request.kind {
            S::CreateVolume => make::prepare(aws, request),
            S::EnableIo => {
                let machine = ec2_reads::must_see(aws, &request.subject)?;
                let all: Vec<String> = machine.disks.into_iter().map(|d| d.volume).collect();
                let volumes =
                    ec2_reads::volumes_with(aws, &all, CommandRejected::IoDisabled).map_err(ec2_reads::words)?;
                ec2_reads::encode_precondition(&Shut { at_ms, volumes })
            }
            S::Detach => {
                let broken = snapshots::broken_disk(aws, request)?;
                moved(broken.volume.clone(), broken)
            }
            S::AttachNew => moved(new_volume(request)?, old_disk(aws, request)?),
            S::AttachOld => match ec2_reads::precondition_of::<Move>(request, S::Detach) {
                Some(old) => moved(old.disk.volume.clone(), old.disk),
                None => ec2_reads::encode_precondition(&Since { at_ms }),
            },
            _ => ec2_reads::encode_precondition(&Since { at_ms }),
        }
    }

    fn perform(&self, aws: &AwsRecovery, request: &StepRequest) -> StepOutcome {
        ec2_reads::either(match request.kind {
            S::CreateVolume => make::create(aws, request),
            S::DeleteVolume => make::delete(aws, request),
            S::EnableIo => enable(aws, request),
            S::Detach => ec2_reads::before::<Move>(request).and_then(|m| attach::off(aws, request, &m.disk.volume)),
            S::AttachNew => ec2_reads::before::<Move>(request).and_then(|m| attach::on(aws, request, &m.disk)),
            S::AttachOld => match ec2_reads::decode_precondition::<Move>(&request.before) {
                Ok(old) => attach::back(aws, request, &old.disk),
                // Nothing was taken off, so there is nothing to put back.
                Err(_) => Ok(StepOutcome::Done(String::new())),
            },
            S::DetachNew => match new_volume(request) {
                Ok(volume) => attach::off(aws, request, &volume),
                Err(_) => Ok(StepOutcome::Done(String::new())),
            },
            other => Ok(StepOutcome::Failed(format!("{other:?} is no step of volumes"))),
        })
    }

    fn find(&self, aws: &AwsRecovery, request: &StepRequest) -> Result<Option<String>, String> {
        match request.kind {
            S::CreateVolume => make::find(aws, request),
            S::Detach => {
                let volume = ec2_reads::decode_precondition::<Move>(&request.before)?.disk.volume;
                Ok(attach::is_off(aws, request, &volume)?.then_some(volume))
            }
            S::AttachNew | S::AttachOld => {
                let Ok(moved) = ec2_reads::decode_precondition::<Move>(&request.before) else { return Ok(None) };
                Ok(attach::is_on(aws, request, &moved.disk)?.then_some(moved.disk.volume))
            }
            // These are found by doing them again.
            _ => Ok(None),
        }
    }
}

/// Gives the volume that this plan has made.
fn new_volume(request: &StepRequest) -> Result<String, String> {
    ec2_reads::result_of(request, S::CreateVolume).ok_or_else(|| "no new volume of this plan is known".to_owned())
}

/// Gives the broken volume as it was attached.
fn old_disk(aws: &AwsRecovery, request: &StepRequest) -> Result<Disk, String> {
    match ec2_reads::precondition_of::<Move>(request, S::Detach) {
        Some(old) => Ok(old.disk),
        None => snapshots::broken_disk(aws, request),
    }
}

fn enable(aws: &AwsRecovery, request: &StepRequest) -> Result<StepOutcome, StepOutcome> {
    let shut: Shut = ec2_reads::before(request)?;
    let still = || ec2_reads::volumes_with(aws, &shut.volumes, CommandRejected::IoDisabled).map_err(ec2_reads::unread);
    let now = still()?;
    for (n, volume) in now.iter().take(AT_ONCE).enumerate() {
        let asked = ec2_reads::ask(aws, "ec2:EnableVolumeIO", aws.ec2.enable_volume_io().volume_id(volume).send());
        asked.map_err(|e| if n > 0 { StepOutcome::Unknown(e.words) } else { e.reply() })?;
    }
    if now.is_empty() || still()?.is_empty() {
        return ec2_reads::encode_precondition(&shut.volumes).map(StepOutcome::Done).map_err(StepOutcome::Unknown);
    }
    Ok(StepOutcome::Waiting(AGAIN_MS))
}
