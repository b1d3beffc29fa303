"""Status checks of instances and of volumes, as the script has them.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstanceStatus.html
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeVolumeStatus.html
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_EnableVolumeIO.html
"""

from moto.core.responses import ActionResult, EmptyResult
from moto.ec2.models.instances import Instance
from moto.ec2.responses.elastic_block_store import ElasticBlockStore

from recovery_world.patch import adds, paged, script_instance, script_volume
from recovery_world.script import BadScript, Script
from recovery_world.world import WORLD

NAMES = ("system", "instance", "attached_ebs")
DETAIL = {"ok": "passed", "impaired": "failed", "initializing": "initializing", "insufficient-data": "insufficient-data"}


def install():
    """Answers the three checks of DescribeInstanceStatus from the script, and adds the volume's."""
    for name in NAMES:
        setattr(Instance, f"{name}_status", property(lambda instance, name=name: summary(instance, name)))
    adds(ElasticBlockStore)(describe_volume_status)
    adds(ElasticBlockStore)(enable_volume_io)


def summary(instance, name):
    """Gives one check of an instance; there is none unless it runs."""
    if instance.state != "running":
        return {"Status": "not-applicable"}
    checks = getattr(instance, "world_checks", {})
    status = checks.get(name, "ok")
    detail = {"Name": "reachability", "Status": DETAIL[status]}
    if status == "impaired":
        detail["ImpairedSince"] = instance.world_impaired_since
    return {"Status": status, "Details": [detail]}


def put(instance, checks):
    """Sets checks of an instance; those not named are `ok`."""
    if set(checks) - set(NAMES) or set(checks.values()) - set(DETAIL):
        raise BadScript(f"checks are {', '.join(NAMES)}, each one of {', '.join(DETAIL)}, not {checks!r}")
    instance.world_checks = dict(checks)
    instance.world_impaired_since = WORLD.date()


@Script.sets("status", "instance", "checks", "ok_after_running_ms", "from")
def set_status(instance, checks, ok_after_running_ms=None, **others):
    """Sets the checks of an instance. With `ok_after_running_ms` its next start cures it: `initializing` for that time, then `ok`;
    with `"from": "now"` as well, it comes back that much later by itself."""
    found = script_instance(instance)
    put(found, checks)
    found.world_cure = None
    if ok_after_running_ms is not None and others.get("from") == "now":
        ok_later(found, ok_after_running_ms)
    else:
        found.world_cure = ok_after_running_ms


def after_start(instance):
    """Begins the cure that a start brings, if there is one: a fault that is not scripted to end stays."""
    cure = getattr(instance, "world_cure", None)
    if cure is not None:
        put(instance, dict.fromkeys(NAMES, "initializing"))
        ok_later(instance, cure)


def after_launch(instance):
    """Gives a new instance the checks that the script has for it."""
    rule = WORLD.script.take("new_status", type=instance.instance_type, zone=instance.placement.zone)
    if rule:
        put(instance, rule.get("checks", dict.fromkeys(NAMES, "initializing")))
        if "ok_after_ms" in rule:
            ok_later(instance, rule["ok_after_ms"])


def ok_later(instance, delay):
    """Makes the checks `ok` after a time, unless they were set anew meanwhile."""
    held = instance.world_checks
    WORLD.later(delay, lambda: put(instance, {}) if instance.world_checks is held else None)


@Script.sets("volume_status", "volume", "status", "io_enabled")
def set_volume_status(volume, status="impaired", io_enabled=False):
    """Sets a volume's status, and whether its I/O is disabled until somebody enables it."""
    if status not in ("ok", "warning", "impaired", "insufficient-data"):
        raise BadScript(f"a volume is not {status!r}")
    script_volume(volume).world_status = (status, io_enabled)


def describe_volume_status(self):
    """https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeVolumeStatus.html"""
    self.error_on_dryrun()
    filters = self._filters_from_querystring()
    by_status = filters.pop("volume-status.status", None)
    volumes = self.ec2_backend.describe_volumes(volume_ids=self._get_param("VolumeIds", []), filters=filters)
    items = [status_item(volume) for volume in volumes]
    if by_status:
        items = [item for item in items if item["VolumeStatus"]["Status"] in by_status]
    page, following = paged(self, items)
    return ActionResult({"VolumeStatuses": page, "NextToken": following})


def status_item(volume):
    """Gives the status of one volume; disabled I/O comes with the event and the action that AWS offers."""
    status, io_enabled = getattr(volume, "world_status", ("ok", True))
    details = [
        {"Name": "io-enabled", "Status": "passed" if io_enabled else "failed"},
        {"Name": "io-performance", "Status": "normal" if status == "ok" else "not-applicable"},
    ]
    item = {"VolumeId": volume.id, "AvailabilityZone": volume.availability_zone, "Actions": [], "Events": []}
    item["VolumeStatus"] = {"Status": status, "Details": details}
    if not io_enabled:
        kind, event = "potential-data-inconsistency", f"evol-{volume.id.removeprefix('vol-')}"
        item["Events"] = [{"EventId": event, "EventType": kind, "Description": "Awaiting Action: Enable IO"}]
        item["Actions"] = [{"Code": "enable-volume-io", "Description": "Enable volume I/O", "EventId": event, "EventType": kind}]
    return item


def enable_volume_io(self):
    """https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_EnableVolumeIO.html"""
    self.error_on_dryrun()
    self.ec2_backend.get_volume(self._get_param("VolumeId")).world_status = ("ok", True)
    return EmptyResult()
