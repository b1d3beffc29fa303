//! Where a volume is attached, and the calls that move it; never by force.

use super::super::super::ports::{StepOutcome, StepRequest};
use super::super::AwsRecovery;
use super::super::call::{CallError, ask};
use super::super::ec2_reads::{self, Disk};
use super::super::record::may_be_hidden;
use super::super::tags;
use super::AGAIN_MS;
use aws_sdk_ec2::types::{EbsInstanceBlockDeviceSpecification, InstanceBlockDeviceMappingSpecification, Volume};
use forewarn_domain::time::UnixMs;

/// Where a volume is, as seen from one instance.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    /// It can't be seen.
    Nowhere,
    Free,
    /// It is attached to the instance, at a device.
    Here(String),
    /// It is on its way to it.
    Coming,
    /// It is on its way from it.
    Going,
    /// It is attached to another.
    Elsewhere(String),
    /// It is in another state.
    Other(String),
}

async fn place(aws: &AwsRecovery, volume: &str, instance: &str) -> Result<Place, CallError> {
    let seen = ec2_reads::volumes(aws, [volume.to_owned()]).await?;
    Ok(seen.first().map_or(Place::Nowhere, |v| place_of(v, instance)))
}

fn place_of(volume: &Volume, instance: &str) -> Place {
    let state = |a: &aws_sdk_ec2::types::VolumeAttachment| a.state().map_or("attached", |s| s.as_str()).to_owned();
    let mut held = volume.attachments().iter().filter(|a| state(a) != "detached");
    let Some(here) = held.clone().find(|a| a.instance_id() == Some(instance)) else {
        if let Some(other) = held.next() {
            return Place::Elsewhere(other.instance_id().unwrap_or("something").to_owned());
        }
        return match volume.state().map_or("", |s| s.as_str()) {
            "available" => Place::Free,
            // Between two states it is still listed as in use, with nobody who holds it.
            "in-use" => Place::Going,
            other => Place::Other(other.to_owned()),
        };
    };
    match state(here).as_str() {
        "attaching" => Place::Coming,
        "detaching" | "busy" => Place::Going,
        _ => Place::Here(here.device().unwrap_or_default().to_owned()),
    }
}

/// Says whether a volume is attached to nobody.
pub(super) async fn is_off(aws: &AwsRecovery, request: &StepRequest, volume: &str) -> Result<bool, String> {
    Ok(place(aws, volume, &request.subject).await? == Place::Free)
}

/// Says whether a volume is attached as it is to be.
pub(super) async fn is_on(aws: &AwsRecovery, request: &StepRequest, disk: &Disk) -> Result<bool, String> {
    let place = place(aws, &disk.volume, &request.subject).await?;
    let is_here = place == Place::Here(disk.device.clone());
    Ok(is_here && ends_with_it(aws, request, disk).await? == Some(disk.delete_on_termination))
}

/// Says whether an attached volume ends with its instance, as the instance tells; none where it does not show the volume yet.
async fn ends_with_it(aws: &AwsRecovery, request: &StepRequest, disk: &Disk) -> Result<Option<bool>, CallError> {
    let view = ec2_reads::instance_view(aws, &request.subject).await?;
    let disks = view.into_iter().flat_map(|m| m.disks);
    Ok(disks.into_iter().find(|d| d.volume == disk.volume).map(|d| d.delete_on_termination))
}

/// Takes a volume off the subject, which must have stopped.
pub(super) async fn off(aws: &AwsRecovery, request: &StepRequest, volume: &str) -> Result<StepOutcome, StepOutcome> {
    let look = async || place(aws, volume, &request.subject).await.map_err(CallError::unknown);
    match look().await? {
        Place::Free => return Ok(StepOutcome::Done(volume.to_owned())),
        Place::Going => return Ok(StepOutcome::Waiting(AGAIN_MS)),
        Place::Here(..) | Place::Coming => {}
        Place::Nowhere => return Ok(StepOutcome::Done(format!("{volume} is gone"))),
        Place::Elsewhere(other) => return Ok(StepOutcome::Failed(format!("{volume} is attached to {other}"))),
        Place::Other(state) => return Ok(StepOutcome::Failed(format!("{volume} is {state}"))),
    }
    detach(aws, request, volume).await?;
    Ok(if look().await? == Place::Free { StepOutcome::Done(volume.to_owned()) } else { StepOutcome::Waiting(AGAIN_MS) })
}

async fn detach(aws: &AwsRecovery, request: &StepRequest, volume: &str) -> Result<(), StepOutcome> {
    let view = ec2_reads::instance_view(aws, &request.subject).await.map_err(CallError::unknown)?;
    let state = view.map_or_else(|| "gone".to_owned(), |m| m.state);
    if state != "stopped" {
        let who = &request.subject;
        return Err(StepOutcome::Failed(format!(
            "{volume} is attached to {who}, which is {state}: stop the owner first"
        )));
    }
    let call = aws.ec2.detach_volume().volume_id(volume).instance_id(&request.subject);
    match ask("ec2:DetachVolume", call.send()).await {
        Ok(_) => Ok(()),
        // Somebody was quicker: it is looked at again.
        Err(e) if e.code == "IncorrectState" => Err(StepOutcome::Waiting(AGAIN_MS)),
        Err(e) => Err(e.outcome()),
    }
}

/// Attaches a volume to the subject.
pub(super) async fn on(
    aws: &AwsRecovery,
    request: &StepRequest,
    disk: &Disk,
    first_ms: UnixMs,
) -> Result<StepOutcome, StepOutcome> {
    let look = async || place(aws, &disk.volume, &request.subject).await.map_err(CallError::unknown);
    let mut seen = look().await?;
    if seen == Place::Free {
        let call = aws.ec2.attach_volume().volume_id(&disk.volume).instance_id(&request.subject).device(&disk.device);
        ask("ec2:AttachVolume", call.send()).await.map_err(CallError::outcome)?;
        seen = look().await?;
    }
    let volume = &disk.volume;
    match seen {
        Place::Here(device) if device != disk.device => {
            Ok(StepOutcome::Failed(format!("{volume} is attached as {device}, not as {}", disk.device)))
        }
        Place::Here(_) => {
            match ends_with_it(aws, request, disk).await.map_err(CallError::unknown)? {
                None => return Ok(StepOutcome::Waiting(AGAIN_MS)),
                Some(as_is) if as_is == disk.delete_on_termination => {}
                Some(_) => keep_or_delete(aws, request, disk).await?,
            }
            Ok(StepOutcome::Done(volume.clone()))
        }
        Place::Coming | Place::Going | Place::Free => Ok(StepOutcome::Waiting(AGAIN_MS)),
        Place::Nowhere if may_be_hidden(request, first_ms) => Ok(StepOutcome::Waiting(AGAIN_MS)),
        Place::Nowhere => Ok(StepOutcome::Failed(format!("there is no volume {volume}"))),
        Place::Elsewhere(other) => Ok(StepOutcome::Failed(format!("{volume} is attached to {other}"))),
        Place::Other(state) if state == "creating" => Ok(StepOutcome::Waiting(AGAIN_MS)),
        Place::Other(state) => Ok(StepOutcome::Failed(format!("{volume} is {state}"))),
    }
}

/// Attaches the old volume again; one of ours that has its device, or was on its way there, goes first.
pub(super) async fn back(
    aws: &AwsRecovery,
    request: &StepRequest,
    disk: &Disk,
    first_ms: UnixMs,
) -> Result<StepOutcome, StepOutcome> {
    if place(aws, &disk.volume, &request.subject).await.map_err(CallError::unknown)? == Place::Free {
        let view = ec2_reads::instance_view(aws, &request.subject).await.map_err(CallError::unknown)?;
        let there = view.and_then(|m| m.disks.into_iter().find(|d| d.device == disk.device));
        let new = super::new_volume(request);
        for other in new.into_iter().chain(there.map(|d| d.volume)).filter(|v| *v != disk.volume).take(1) {
            match place(aws, &other, &request.subject).await.map_err(CallError::unknown)? {
                Place::Going => return Ok(StepOutcome::Waiting(AGAIN_MS)),
                Place::Here(..) | Place::Coming if is_ours(aws, request, &other).await? => {
                    detach(aws, request, &other).await?;
                    if place(aws, &other, &request.subject).await.map_err(CallError::unknown)? != Place::Free {
                        return Ok(StepOutcome::Waiting(AGAIN_MS));
                    }
                }
                Place::Here(device) if device == disk.device => {
                    return Ok(StepOutcome::Failed(format!("{other} is attached as {device}, and is not ours")));
                }
                Place::Nowhere
                | Place::Free
                | Place::Here(..)
                | Place::Coming
                | Place::Elsewhere(_)
                | Place::Other(_) => {}
            }
        }
    }
    on(aws, request, disk, first_ms).await
}

async fn is_ours(aws: &AwsRecovery, request: &StepRequest, volume: &str) -> Result<bool, StepOutcome> {
    let seen = ec2_reads::volumes(aws, [volume.to_owned()]).await.map_err(CallError::unknown)?;
    Ok(seen.first().is_some_and(|v| tags::value(v.tags(), tags::PLAN) == Some(&request.plan_id)))
}

/// Says whether the volume ends with its instance, as it was before.
async fn keep_or_delete(aws: &AwsRecovery, request: &StepRequest, disk: &Disk) -> Result<(), StepOutcome> {
    let ebs = EbsInstanceBlockDeviceSpecification::builder().delete_on_termination(disk.delete_on_termination);
    let mapping = InstanceBlockDeviceMappingSpecification::builder().device_name(&disk.device).ebs(ebs.build());
    let call = aws.ec2.modify_instance_attribute().instance_id(&request.subject);
    let call = call.block_device_mappings(mapping.build());
    // The volume is attached already: part of the effect is there.
    ask("ec2:ModifyInstanceAttribute", call.send()).await.map(drop).map_err(CallError::unknown)
}
