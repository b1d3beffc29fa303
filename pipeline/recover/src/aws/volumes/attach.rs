//! Where a volume is attached, and the calls that move it; never by force.

use super::super::super::hands::{Errand, Reply};
use super::super::AwsHands;
use super::super::call::Trouble;
use super::super::sight::{self, Disk};
use super::AGAIN_MS;
use aws_sdk_ec2::types::{EbsInstanceBlockDeviceSpecification, InstanceBlockDeviceMappingSpecification, Volume};
use forewarn_domain::step::StepKind;

/// Where a volume is, as seen from one instance.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    /// It can't be seen.
    Nowhere,
    /// It is free.
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

fn place(hands: &AwsHands, volume: &str, instance: &str) -> Result<Place, Trouble> {
    let seen = sight::volumes(hands, [volume.to_owned()])?;
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
pub(super) fn is_off(hands: &AwsHands, errand: &Errand, volume: &str) -> Result<bool, String> {
    Ok(place(hands, volume, &errand.subject).map_err(sight::words)? == Place::Free)
}

/// Says whether a volume is attached as it is to be.
pub(super) fn is_on(hands: &AwsHands, errand: &Errand, disk: &Disk) -> Result<bool, String> {
    let place = place(hands, &disk.volume, &errand.subject).map_err(sight::words)?;
    let is_here = place == Place::Here(disk.device.clone());
    Ok(is_here && ends_with_it(hands, errand, disk).map_err(sight::words)? == Some(disk.delete_on_termination))
}

/// Says whether an attached volume ends with its instance, as the instance tells; none where it does not show the volume yet.
fn ends_with_it(hands: &AwsHands, errand: &Errand, disk: &Disk) -> Result<Option<bool>, Trouble> {
    let machine = sight::machine(hands, &errand.subject)?;
    let disks = machine.into_iter().flat_map(|m| m.disks);
    Ok(disks.into_iter().find(|d| d.volume == disk.volume).map(|d| d.delete_on_termination))
}

/// Takes a volume off the subject, which must have stopped.
pub(super) fn off(hands: &AwsHands, errand: &Errand, volume: &str) -> Result<Reply, Reply> {
    let look = || place(hands, volume, &errand.subject).map_err(sight::unread);
    match look()? {
        Place::Free => return Ok(Reply::Done(volume.to_owned())),
        Place::Going => return Ok(Reply::Waiting(AGAIN_MS)),
        Place::Here(..) | Place::Coming => {}
        Place::Nowhere => return Ok(Reply::Done(format!("{volume} is gone"))),
        Place::Elsewhere(other) => return Ok(Reply::Failed(format!("{volume} is attached to {other}"))),
        Place::Other(state) => return Ok(Reply::Failed(format!("{volume} is {state}"))),
    }
    detach(hands, errand, volume)?;
    Ok(if look()? == Place::Free { Reply::Done(volume.to_owned()) } else { Reply::Waiting(AGAIN_MS) })
}

fn detach(hands: &AwsHands, errand: &Errand, volume: &str) -> Result<(), Reply> {
    let machine = sight::machine(hands, &errand.subject).map_err(sight::unread)?;
    let state = machine.map_or_else(|| "gone".to_owned(), |m| m.state);
    if state != "stopped" {
        let who = &errand.subject;
        return Err(Reply::Failed(format!("{volume} is attached to {who}, which is {state}: stop the owner first")));
    }
    let call = hands.ec2.detach_volume().volume_id(volume).instance_id(&errand.subject);
    match sight::ask(hands, "ec2:DetachVolume", call.send()) {
        Ok(_) => Ok(()),
        // Somebody was quicker: it is looked at again.
        Err(e) if e.code == "IncorrectState" => Err(Reply::Waiting(AGAIN_MS)),
        Err(e) => Err(e.reply()),
    }
}

/// Attaches a volume to the subject.
pub(super) fn on(hands: &AwsHands, errand: &Errand, disk: &Disk) -> Result<Reply, Reply> {
    let look = || place(hands, &disk.volume, &errand.subject).map_err(sight::unread);
    let mut seen = look()?;
    if seen == Place::Free {
        let call = hands.ec2.attach_volume().volume_id(&disk.volume).instance_id(&errand.subject).device(&disk.device);
        sight::ask(hands, "ec2:AttachVolume", call.send()).map_err(Trouble::reply)?;
        seen = look()?;
    }
    let volume = &disk.volume;
    match seen {
        Place::Here(device) if device != disk.device => {
            Ok(Reply::Failed(format!("{volume} is attached as {device}, not as {}", disk.device)))
        }
        Place::Here(_) => {
            match ends_with_it(hands, errand, disk).map_err(sight::unread)? {
                None => return Ok(Reply::Waiting(AGAIN_MS)),
                Some(as_is) if as_is == disk.delete_on_termination => {}
                Some(_) => keep_or_delete(hands, errand, disk)?,
            }
            mark_replaced(hands, errand, disk);
            Ok(Reply::Done(volume.clone()))
        }
        Place::Coming | Place::Going | Place::Free => Ok(Reply::Waiting(AGAIN_MS)),
        Place::Nowhere if sight::may_be_hidden(errand) => Ok(Reply::Waiting(AGAIN_MS)),
        Place::Nowhere => Ok(Reply::Failed(format!("there is no volume {volume}"))),
        Place::Elsewhere(other) => Ok(Reply::Failed(format!("{volume} is attached to {other}"))),
        Place::Other(state) if state == "creating" => Ok(Reply::Waiting(AGAIN_MS)),
        Place::Other(state) => Ok(Reply::Failed(format!("{volume} is {state}"))),
    }
}

/// Attaches the old volume again; one of ours that has its device, or was on its way there, goes first.
pub(super) fn back(hands: &AwsHands, errand: &Errand, disk: &Disk) -> Result<Reply, Reply> {
    if place(hands, &disk.volume, &errand.subject).map_err(sight::unread)? == Place::Free {
        let machine = sight::machine(hands, &errand.subject).map_err(sight::unread)?;
        let there = machine.and_then(|m| m.disks.into_iter().find(|d| d.device == disk.device));
        let noted = sight::came_of(errand, StepKind::CreateVolume);
        for other in noted.into_iter().chain(there.map(|d| d.volume)).filter(|v| *v != disk.volume).take(1) {
            match place(hands, &other, &errand.subject).map_err(sight::unread)? {
                Place::Going => return Ok(Reply::Waiting(AGAIN_MS)),
                Place::Here(..) | Place::Coming if is_ours(hands, errand, &other)? => {
                    detach(hands, errand, &other)?;
                    if place(hands, &other, &errand.subject).map_err(sight::unread)? != Place::Free {
                        return Ok(Reply::Waiting(AGAIN_MS));
                    }
                }
                Place::Here(device) if device == disk.device => {
                    return Ok(Reply::Failed(format!("{other} is attached as {device}, and is not ours")));
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
    on(hands, errand, disk)
}

fn is_ours(hands: &AwsHands, errand: &Errand, volume: &str) -> Result<bool, Reply> {
    let seen = sight::volumes(hands, [volume.to_owned()]).map_err(sight::unread)?;
    Ok(seen.first().is_some_and(|v| sight::value(v.tags(), sight::PLAN) == Some(&errand.plan_id)))
}

/// Says whether the volume ends with its instance, as it was before.
fn keep_or_delete(hands: &AwsHands, errand: &Errand, disk: &Disk) -> Result<(), Reply> {
    let ebs = EbsInstanceBlockDeviceSpecification::builder().delete_on_termination(disk.delete_on_termination);
    let mapping = InstanceBlockDeviceMappingSpecification::builder().device_name(&disk.device).ebs(ebs.build());
    let call = hands.ec2.modify_instance_attribute().instance_id(&errand.subject);
    let call = call.block_device_mappings(mapping.build());
    // The volume is attached already: part of the effect is there.
    sight::ask(hands, "ec2:ModifyInstanceAttribute", call.send()).map(drop).map_err(sight::unread)
}

/// Writes on the old volume what took its place.
fn mark_replaced(hands: &AwsHands, errand: &Errand, disk: &Disk) {
    let old = sight::stood::<super::Move>(errand, StepKind::Detach).map(|m| m.disk.volume);
    if errand.kind == StepKind::AttachNew
        && let Some(old) = old
    {
        sight::try_tags(hands, &old, &[("forewarn:replaced-by", disk.volume.as_str())]);
    }
}
