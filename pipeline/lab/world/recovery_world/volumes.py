"""Volumes take time to be made, attached and detached, and go only where AWS lets them.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AttachVolume.html
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DetachVolume.html
"""

from moto.core.responses import ActionResult
from moto.ec2.models.elastic_block_store import Volume
from moto.ec2.responses.elastic_block_store import ElasticBlockStore

from recovery_world.patch import around_call, refuse
from recovery_world.world import WORLD


def install():
    """Puts refusals and lag at the wire: a launch attaches its own volumes without either."""
    settled = Volume.status
    Volume.status = property(lambda volume: "creating" if getattr(volume, "world_creating", False) else settled.fget(volume))
    around_call(ElasticBlockStore, "create_volume")(create_volume)
    around_call(ElasticBlockStore, "attach_volume")(attach_volume)
    around_call(ElasticBlockStore, "detach_volume")(detach_volume)


def create_volume(inner, response):
    """Makes a volume that is `creating` for its time."""
    answer = inner(response)
    volume = answer.result
    volume.world_creating = True
    WORLD.later(WORLD.draw("lag"), lambda: setattr(volume, "world_creating", False))
    return answer


def attach_volume(inner, response):
    """Attaches, with the lag, or fails or never ends if the script says so."""
    backend = response.ec2_backend
    volume = backend.get_volume(response._get_param("VolumeId"))
    instance = backend.get_instance(response._get_param("InstanceId"))
    refuse_attach(volume, instance, response._get_param("Device"))
    facts = {"volume": volume.id, "instance": instance.id}
    fails = WORLD.script.take("attach_error", **facts)
    if fails:
        refuse(fails.get("code", "IncorrectState"), fails.get("message", f"The volume '{volume.id}' cannot be attached."))
    answer = inner(response)
    attachment, device = volume.attachment, instance.block_device_mapping[volume.attachment.device]
    attachment.status = device.status = "attaching"
    if not WORLD.script.take("attach_stuck", **facts):
        WORLD.later(WORLD.draw("lag"), lambda: attached(attachment, device))
    return answer


def attached(attachment, device):
    """Ends an attaching, unless a detach has overtaken it."""
    if attachment.status == "attaching":
        attachment.status = device.status = "attached"


def refuse_attach(volume, instance, device):
    """Refuses what AWS refuses; moto moves the volume, and puts one device over another."""
    if volume.availability_zone != instance.placement.zone:
        refuse("InvalidVolume.ZoneMismatch", f"The volume '{volume.id}' is not in the same availability zone as instance '{instance.id}'")
    if volume.attachment:
        refuse("VolumeInUse", f"{volume.id} is already attached to an instance")
    if volume.status != "available":
        refuse("IncorrectState", f"{volume.id} is not 'available'.")
    if instance.state not in ("running", "stopped"):
        refuse("IncorrectState", f"Instance '{instance.id}' is not 'running'.")
    if device in instance.block_device_mapping:
        refuse("InvalidParameterValue", f"Invalid value '{device}' for unixDevice. Attachment point {device} is already in use")


def detach_volume(inner, response):
    """Detaches, with the lag; a busy volume waits until its owner has stopped, or until the detach is forced."""
    backend = response.ec2_backend
    volume = backend.get_volume(response._get_param("VolumeId"))
    attachment = volume.attachment
    if not attachment:
        refuse("IncorrectState", f"Volume '{volume.id}' is in the '{volume.status}' state.")
    instance = attachment.instance
    asked = response._get_param("InstanceId")
    if asked and asked != instance.id:
        refuse("InvalidAttachment.NotFound", f"The volume '{volume.id}' is not attached to instance '{asked}'.")
    if attachment.device == instance.root_device_name and instance.state != "stopped":
        refuse("OperationNotPermitted", f"Unable to detach root volume '{volume.id}' from instance '{instance.id}'")
    leave(backend, attachment, forced=response._get_param("Force", False))
    shown = {"VolumeId": volume.id, "InstanceId": instance.id, "Device": attachment.device, "AttachTime": attachment.attach_time}
    return ActionResult({**shown, "State": "busy" if attachment.status == "busy" else "detaching"})


def leave(backend, attachment, forced):
    """Begins a detach that ends in its time; one that goes on already goes on, unless this one forces it."""
    if attachment.status == "detaching" or (attachment.status == "busy" and not forced):
        return
    volume, instance = attachment.volume, attachment.instance

    def end():
        if volume.attachment is attachment:
            backend.detach_volume(volume.id, instance.id, attachment.device)

    busy = instance.state == "running" and not forced and WORLD.script.take("detach_busy", volume=volume.id)
    attachment.status = instance.block_device_mapping[attachment.device].status = "busy" if busy else "detaching"
    if busy:
        WORLD.when(lambda: instance.state in ("stopped", "terminated"), end)
    else:
        WORLD.later(WORLD.draw("lag"), end)
