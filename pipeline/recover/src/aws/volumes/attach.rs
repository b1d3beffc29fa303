//! Where a volume is attached, and the calls that move it; never by force.

use super::super::super::ports::{StepOutcome, StepRequest};
use super::super::AwsRecovery;
use super::super::call::CallError;
use super::super::ec2_reads::{self, Disk};
use super::AGAIN_MS;
use aws_sdk_ec2::types::{EbsInstanceBlockDeviceSpecification, InstanceBlockDeviceMappingSpecification, Volume};
use forewarn_domain::step::StepKind;

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

fn place(aws: &AwsRecovery, volume: &str, instance: &str) -> Result<Place, CallError> {
    let seen = ec2_reads::volumes(aws, [volume.to_owned()])?;
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
pub(super) fn is_off(aws: &AwsRecovery, request: &StepRequest, volume: &str) -> Result<bool, String> {
    Ok(place(aws, volume, &request.subject).map_err(ec2_reads::words)? == Place::Free)
}

/// Says whether a volume is attached as it is to be.
pub(super) fn is_on(aws: &AwsRecovery, request: &StepRequest, disk: &Disk) -> Result<bool, String> {
    let place = place(aws, &disk.volume, &request.subject).map_err(ec2_reads::words)?;
    let is_here = place == Place::Here(disk.device.clone());
    Ok(is_here && ends_with_it(aws, request, disk).map_err(ec2_reads::words)? == Some(disk.delete_on_termination))
}

/// Says whether an attached volume ends with its instance, as the instance tells; none where it does not show the volume yet.
fn ends_with_it(aws: &AwsRecovery, request: &StepRequest, disk: &Disk) -> Result<Option<bool>, CallError> {
    let machine = ec2_reads::machine(aws, &request.subject)?;
    let disks = machine.into_iter().flat_map(|m| m.disks);
    Ok(disks.into_iter().find(|d| d.volume == disk.volume).map(|d| d.delete_on_termination))
}

/// Takes a volume off the subject, which must have stopped.
pub(super) fn off(aws: &AwsRecovery, request: &StepRequest, volume: &str) -> Result<StepOutcome, StepOutcome> {
    let look = || place(aws, volume, &request.subject).map_err(ec2_reads::unread);
    match look()? {
        Place::Free => return Ok(StepOutcome::Done(volume.to_owned())),
        Place::Going => return Ok(StepOutcome::Waiting(AGAIN_MS)),
        Place::Here(..) | Place::Coming => {}
        Place::Nowhere => return Ok(StepOutcome::Done(format!("{volume} is gone"))),
        Place::Elsewhere(other) => return Ok(StepOutcome::Failed(format!("{volume} is attached to {other}"))),
        Place::Other(state) => return Ok(StepOutcome::Failed(format!("{volume} is {state}"))),
    }
    detach(aws, request, volume)?;
    Ok(if look()? == Place::Free { StepOutcome::Done(volume.to_owned()) } else { StepOutcome::Waiting(AGAIN_MS) })
}

fn detach(aws: &AwsRecovery, request: &StepRequest, volume: &str) -> Result<(), StepOutcome> {
    let machine = ec2_reads::machine(aws, &request.subject).map_err(ec2_reads::unread)?;
    let state = machine.map_or_else(|| "gone".to_owned(), |m| m.state);
    if state != "stopped" {
        let who = &request.subject;
        return Err(StepOutcome::Failed(format!(
            "{volume} is attached to {who}, which is {state}: stop the owner first"
        )));
    }
    let call = aws.ec2.detach_volume().volume_id(volume).instance_id(&request.subject);
    match ec2_reads::ask(aws, "ec2:DetachVolume", call.send()) {
        Ok(_) => Ok(()),
        // Somebody was quicker: it is looked at again.
        Err(e) if e.code == "IncorrectState" => Err(StepOutcome::Waiting(AGAIN_MS)),
        Err(e) => Err(e.reply()),
    }
}

/// Attaches a volume to the subject.
pub(super) fn on(aws: &AwsRecovery, request: &StepRequest, disk: &Disk) -> Result<StepOutcome, StepOutcome> {
    let look = || place(aws, &disk.volume, &request.subject).map_err(ec2_reads::unread);
    let mut seen = look()?;
    if seen == Place::Free {
        let call = aws.ec2.attach_volume().volume_id(&disk.volume).instance_id(&request.subject).device(&disk.device);
        ec2_reads::ask(aws, "ec2:AttachVolume", call.send()).map_err(CallError::reply)?;
        seen = look()?;
    }
    let volume = &disk.volume;
    match seen {
        Place::Here(device) if device != disk.device => {
            Ok(StepOutcome::Failed(format!("{volume} is attached as {device}, not as {}", disk.device)))
        }
        Place::Here(_) => {
            match ends_with_it(aws, request, disk).map_err(ec2_reads::unread)? {
                None => return Ok(StepOutcome::Waiting(AGAIN_MS)),
                Some(as_is) if as_is == disk.delete_on_termination => {}
                Some(_) => keep_or_delete(aws, request, disk)?,
            }
            mark_replaced(aws, request, disk);
            Ok(StepOutcome::Done(volume.clone()))
        }
        Place::Coming | Place::Going | Place::Free => Ok(StepOutcome::Waiting(AGAIN_MS)),
        Place::Nowhere if ec2_reads::may_be_hidden(request) => Ok(StepOutcome::Waiting(AGAIN_MS)),
        Place::Nowhere => Ok(StepOutcome::Failed(format!("there is no volume {volume}"))),
        Place::Elsewhere(other) => Ok(StepOutcome::Failed(format!("{volume} is attached to {other}"))),
        Place::Other(state) if state == "creating" => Ok(StepOutcome::Waiting(AGAIN_MS)),
        Place::Other(state) => Ok(StepOutcome::Failed(format!("{volume} is {state}"))),
    }
}

/// Attaches the old volume again; one of ours that has its device, or was on its way there, goes first.
pub(super) fn back(aws: &AwsRecovery, request: &StepRequest, disk: &Disk) -> Result<StepOutcome, StepOutcome> {
    if place(aws, &disk.volume, &request.subject).map_err(ec2_reads::unread)? == Place::Free {
        let machine = ec2_reads::machine(aws, &request.subject).map_err(ec2_reads::unread)?;
        let there = machine.and_then(|m| m.disks.into_iter().find(|d| d.device == disk.device));
        let decoded_note = ec2_reads::result_of(request, StepKind::CreateVolume);
        for other in decoded_note.into_iter().chain(there.map(|d| d.volume)).filter(|v| *v != disk.volume).take(1) {
            match place(aws, &other, &request.subject).map_err(ec2_reads::unread)? {
                Place::Going => return Ok(StepOutcome::Waiting(AGAIN_MS)),
                Place::Here(..) | Place::Coming if is_ours(aws, request, &other)? => {
                    detach(aws, request, &other)?;
                    if place(aws, &other, &request.subject).map_err(ec2_reads::unread)? != Place::Free {
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
    on(aws, request, disk)
}

fn is_ours(aws: &AwsRecovery, request: &StepRequest, volume: &str) -> Result<bool, StepOutcome> {
    let seen = ec2_reads::volumes(aws, [volume.to_owned()]).map_err(ec2_reads::unread)?;
    Ok(seen.first().is_some_and(|v| ec2_reads::value(v.tags(), ec2_reads::PLAN) == Some(&request.plan_id)))
}

/// Says whether the volume ends with its instance, as it was before.
fn keep_or_delete(aws: &AwsRecovery, request: &StepRequest, disk: &Disk) -> Result<(), StepOutcome> {
    let ebs = EbsInstanceBlockDeviceSpecification::builder().delete_on_termination(disk.delete_on_termination);
    let mapping = InstanceBlockDeviceMappingSpecification::builder().device_name(&disk.device).ebs(ebs.build());
    let call = aws.ec2.modify_instance_attribute().instance_id(&request.subject);
    let call = call.block_device_mappings(mapping.build());
    // The volume is attached already: part of the effect is there.
    ec2_reads::ask(aws, "ec2:ModifyInstanceAttribute", call.send()).map(drop).map_err(ec2_reads::unread)
}

/// Writes on the old volume what took its place.
fn mark_replaced(aws: &AwsRecovery, request: &StepRequest, disk: &Disk) {
    let old = ec2_reads::precondition_of::<super::Move>(request, StepKind::Detach).map(|m| m.disk.volume);
    if request.kind == StepKind::AttachNew
        && let Some(old) = old
    {
        ec2_reads::try_tags(aws, &old, &[("forewarn:replaced-by", disk.volume.as_str())]);
    }
}
