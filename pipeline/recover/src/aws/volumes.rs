//! Volumes: made of a snapshot, attached and detached, and let write again.

mod attach;
mod make;

use super::super::hands::{Errand, Reply};
use super::sight::{self, Disk, Since, Wrong};
use super::snapshots;
use super::{AwsHands, Part};
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
    fn prepare(&self, hands: &AwsHands, errand: &Errand) -> Result<String, String> {
        if let Some(before) = sight::settled(errand) {
            return Ok(before);
        }
        let at_ms = errand.now_ms;
        let moved = |volume: String, disk: Disk| sight::freeze(&Move { at_ms, disk: Disk { volume, ..disk } });
        match errand.kind {
            S::CreateVolume => make::prepare(hands, errand),
            S::EnableIo => {
                let machine = sight::must_see(hands, &errand.subject)?;
                let all: Vec<String> = machine.disks.into_iter().map(|d| d.volume).collect();
                let volumes = sight::volumes_with(hands, &all, Wrong::IoDisabled).map_err(sight::words)?;
                sight::freeze(&Shut { at_ms, volumes })
            }
            S::Detach => {
                let broken = snapshots::broken_disk(hands, errand)?;
                moved(broken.volume.clone(), broken)
            }
            S::AttachNew => moved(new_volume(errand)?, old_disk(hands, errand)?),
            S::AttachOld => match sight::stood::<Move>(errand, S::Detach) {
                Some(old) => moved(old.disk.volume.clone(), old.disk),
                None => sight::freeze(&Since { at_ms }),
            },
            _ => sight::freeze(&Since { at_ms }),
        }
    }

    fn perform(&self, hands: &AwsHands, errand: &Errand) -> Reply {
        sight::either(match errand.kind {
            S::CreateVolume => make::create(hands, errand),
            S::DeleteVolume => make::delete(hands, errand),
            S::EnableIo => enable(hands, errand),
            S::Detach => sight::before::<Move>(errand).and_then(|m| attach::off(hands, errand, &m.disk.volume)),
            S::AttachNew => sight::before::<Move>(errand).and_then(|m| attach::on(hands, errand, &m.disk)),
            S::AttachOld => match sight::thaw::<Move>(&errand.before) {
                Ok(old) => attach::back(hands, errand, &old.disk),
                // Nothing was taken off, so there is nothing to put back.
                Err(_) => Ok(Reply::Done(String::new())),
            },
            S::DetachNew => match new_volume(errand) {
                Ok(volume) => attach::off(hands, errand, &volume),
                Err(_) => Ok(Reply::Done(String::new())),
            },
            other => Ok(Reply::Failed(format!("{other:?} is no step of volumes"))),
        })
    }

    fn find(&self, hands: &AwsHands, errand: &Errand) -> Result<Option<String>, String> {
        match errand.kind {
            S::CreateVolume => make::find(hands, errand),
            S::Detach => {
                let volume = sight::thaw::<Move>(&errand.before)?.disk.volume;
                Ok(attach::is_off(hands, errand, &volume)?.then_some(volume))
            }
            S::AttachNew | S::AttachOld => {
                let Ok(moved) = sight::thaw::<Move>(&errand.before) else { return Ok(None) };
                Ok(attach::is_on(hands, errand, &moved.disk)?.then_some(moved.disk.volume))
            }
            // These are found by doing them again.
            _ => Ok(None),
        }
    }
}

/// Gives the volume that this plan has made.
fn new_volume(errand: &Errand) -> Result<String, String> {
    sight::came_of(errand, S::CreateVolume).ok_or_else(|| "no new volume of this plan is known".to_owned())
}

/// Gives the broken volume as it was attached.
fn old_disk(hands: &AwsHands, errand: &Errand) -> Result<Disk, String> {
    match sight::stood::<Move>(errand, S::Detach) {
        Some(old) => Ok(old.disk),
        None => snapshots::broken_disk(hands, errand),
    }
}

fn enable(hands: &AwsHands, errand: &Errand) -> Result<Reply, Reply> {
    let shut: Shut = sight::before(errand)?;
    let still = || sight::volumes_with(hands, &shut.volumes, Wrong::IoDisabled).map_err(sight::unread);
    let now = still()?;
    for (n, volume) in now.iter().take(AT_ONCE).enumerate() {
        let asked = sight::ask(hands, "ec2:EnableVolumeIO", hands.ec2.enable_volume_io().volume_id(volume).send());
        asked.map_err(|e| if n > 0 { Reply::Unknown(e.words) } else { e.reply() })?;
    }
    if now.is_empty() || still()?.is_empty() {
        return sight::freeze(&shut.volumes).map(Reply::Done).map_err(Reply::Unknown);
    }
    Ok(Reply::Waiting(AGAIN_MS))
}
