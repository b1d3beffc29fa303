"""New resources cannot be seen for a while, and neither by id nor in a list.

https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html
"""

from moto.core.responses import ActionResult
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.responses.elastic_block_store import ElasticBlockStore
from moto.ec2.responses.instances import InstanceResponse
from moto.ec2.responses.tags import TagResponse

from recovery_world.patch import around, arguments
from recovery_world.world import WORLD

# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
NOT_FOUND = {
    "i": ("InvalidInstanceID.NotFound", "The instance ID '{}' does not exist"),
    "vol": ("InvalidVolume.NotFound", "The volume '{}' does not exist."),
    "snap": ("InvalidSnapshot.NotFound", "The snapshot '{}' does not exist."),
}
FILTERS = {"Filter", "Filters"}


def install():
    """Takes hidden resources out of the lists."""
    around(InstanceResponse, "describe_instances")(without_hidden_instances)
    for cls, name, key, identity in (
        (InstanceResponse, "describe_instance_status", "InstanceStatuses", lambda item: item.id),
        (ElasticBlockStore, "describe_volumes", "Volumes", lambda item: item.id),
        (ElasticBlockStore, "describe_snapshots", "Snapshots", lambda item: item.id),
        (ElasticBlockStore, "describe_volume_status", "VolumeStatuses", lambda item: item["VolumeId"]),
        (TagResponse, "describe_tags", "Tags", lambda item: item["resource_id"]),
    ):
        around(cls, name)(without_hidden(key, identity))


def without_hidden(key, identity):
    """Makes the function that takes hidden items out of one list of an answer."""

    def listed(inner, self):
        found = inner(self).result
        return ActionResult({**found, key: [item for item in found[key] if not WORLD.is_hidden(identity(item))]})

    return listed


def without_hidden_instances(inner, self):
    """Takes hidden instances out, and reservations left empty with them; those listed are copies that may be changed."""
    found = inner(self).result
    for reservation in found["Reservations"]:
        reservation.instances = [instance for instance in reservation.instances if not WORLD.is_hidden(instance.id)]
    return ActionResult({**found, "Reservations": [each for each in found["Reservations"] if each.instances]})


def answer_or(inner):
    """Makes the function that answers a call which names a hidden resource by id: AWS does not know it yet, whatever the call."""

    def answer(response):
        hidden = response.service_name == "ec2" and next(filter(WORLD.is_hidden, named(arguments(response))), None)
        if not hidden:
            return inner(response)
        code, message = NOT_FOUND[hidden.split("-")[0]]
        status, headers, body = response.serialized(ActionResult(EC2ClientError(code, message.format(hidden))))
        return status, {**headers, "status": str(status)}, body

    return answer


def named(value):
    """Yields every text in the arguments of a call, filters left out: a filter that finds nothing is no error."""
    if isinstance(value, dict):
        for name, inside in value.items():
            if name not in FILTERS:
                yield from named(inside)
    elif isinstance(value, list):
        for inside in value:
            yield from named(inside)
    elif isinstance(value, str):
        yield value
