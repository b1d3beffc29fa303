"""The root volume of a running instance can be replaced, and the old one stays unless the call says otherwise.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateReplaceRootVolumeTask.html
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeReplaceRootVolumeTasks.html
"""

from moto.core.responses import ActionResult
from moto.ec2.responses import EC2Response
from moto.moto_api._internal import mock_random

from recovery_world.patch import adds, paged, refuse
from recovery_world.world import WORLD

ENDED = ("succeeded", "failed", "failed-detached")


def install():
    """Adds the two operations that moto lacks."""
    adds(EC2Response)(create_replace_root_volume_task)
    adds(EC2Response)(describe_replace_root_volume_tasks)


def tasks(backend):
    """Gives the tasks of a region, oldest first, which moto has no place for."""
    if not hasattr(backend, "world_root_tasks"):
        backend.world_root_tasks = {}
    return backend.world_root_tasks


def create_replace_root_volume_task(self):
    """https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateReplaceRootVolumeTask.html"""
    self.error_on_dryrun()
    backend = self.ec2_backend
    instance = backend.get_instance(self._get_param("InstanceId"))
    if instance.state != "running":
        refuse("IncorrectInstanceState", f"The instance '{instance.id}' is not in the 'running' state.")
    if any(task["InstanceId"] == instance.id and task["TaskState"] not in ENDED for task in tasks(backend).values()):
        refuse("IncorrectState", f"A root volume replacement task is already in progress for instance '{instance.id}'.")
    snapshot = self._get_param("SnapshotId")
    if snapshot and backend.get_snapshot(snapshot).status != "completed":
        refuse("IncorrectState", f"Snapshot is in invalid state - {backend.get_snapshot(snapshot).status}")
    task = {
        "ReplaceRootVolumeTaskId": f"replacevol-{mock_random.get_random_hex(17)}",
        "InstanceId": instance.id,
        "TaskState": "pending",
        "StartTime": WORLD.date().strftime("%Y-%m-%dT%H:%M:%SZ"),
        "SnapshotId": snapshot,
        "ImageId": self._get_param("ImageId"),
        "DeleteReplacedRootVolume": self._get_param("DeleteReplacedRootVolume", False),
        "Tags": self._get_param("TagSpecifications", [{}])[0].get("Tags", []),
    }
    tasks(backend)[task["ReplaceRootVolumeTaskId"]] = task
    rule = WORLD.script.take("replace_root", instance=instance.id)
    WORLD.later(WORLD.draw("lag") / 2, lambda: begin(backend, instance, task, rule))
    return ActionResult({"ReplaceRootVolumeTask": task})


def begin(backend, instance, task, rule):
    """Goes from pending to in progress, and later to the end that the script has for it."""
    task["TaskState"] = "in-progress"
    outcome = rule.get("outcome", "failed") if rule else "succeeded"
    WORLD.later(WORLD.draw("lag") / 2, lambda: end(backend, instance, task, outcome))


def end(backend, instance, task, outcome):
    """Ends a task: replaced, left as it was, or (`failed-detached`) left without a root volume."""
    device = instance.root_device_name
    if outcome != "failed":
        old = backend.get_volume(instance.block_device_mapping[device].volume_id)
        ends_with_it = instance.block_device_mapping[device].delete_on_termination
        backend.detach_volume(old.id, instance.id, device)
        if outcome == "succeeded":
            replace(backend, instance, task, old, ends_with_it)
    task["TaskState"] = outcome
    task["CompleteTime"] = WORLD.date().strftime("%Y-%m-%dT%H:%M:%SZ")


def replace(backend, instance, task, old, ends_with_it):
    """Attaches the new volume, of the old one's kind, where the old one was."""
    new = backend.create_volume(
        size=old.size,
        zone_name=old.availability_zone,
        snapshot_id=task["SnapshotId"],
        volume_type=old.volume_type,
        iops=old.iops,
        throughput=old.throughput,
        encrypted=old.encrypted,
        kms_key_id=old.kms_key_id,
    )
    backend.attach_volume(new.id, instance.id, instance.root_device_name, ends_with_it)
    if task["DeleteReplacedRootVolume"]:
        backend.delete_volume(old.id)


def describe_replace_root_volume_tasks(self):
    """https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeReplaceRootVolumeTasks.html"""
    self.error_on_dryrun()
    known = tasks(self.ec2_backend)
    asked = self._get_param("ReplaceRootVolumeTaskIds", []) or list(known)
    for task_id in asked:
        if task_id not in known:
            refuse("InvalidReplaceRootVolumeTaskId.NotFound", f"The replace root volume task '{task_id}' does not exist")
    instances = self._filters_from_querystring().get("instance-id")
    found = [known[task_id] for task_id in asked if not instances or known[task_id]["InstanceId"] in instances]
    page, following = paged(self, found)
    return ActionResult({"ReplaceRootVolumeTasks": page, "NextToken": following})
