"""Instances take time to stop, start and end, and are refused what AWS refuses.

https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-instance-lifecycle.html
"""

import copy

from moto.ec2 import utils
from moto.ec2.models.instances import Instance, InstanceBackend
from moto.ec2.responses.instances import InstanceResponse

from recovery_world import checks
from recovery_world.patch import around, around_call, refuse
from recovery_world.world import WORLD

CODES = {"pending": 0, "running": 16, "shutting-down": 32, "terminated": 48, "stopping": 64, "stopped": 80}


def install():
    """Puts the lag under the models, where Auto Scaling meets it too, and the refusals at the wire."""
    # Moto lacks this filter, by which an executor finds what it launched before it died.
    utils.filter_dict_attribute_mapping["client-token"] = "client_token"
    around(Instance, "stop")(stop)
    around(Instance, "start")(start)
    around(Instance, "terminate")(terminate)
    around(InstanceBackend, "run_instances")(launched)
    around_call(InstanceResponse, "run_instances")(run_instances)
    around_call(InstanceResponse, "start_instances")(start_instances)
    around_call(InstanceResponse, "stop_instances")(stop_instances)
    around_call(InstanceResponse, "terminate_instances")(terminate_instances)


def enter(instance, state):
    """Puts an instance into a state; whatever was to happen to it before is overtaken."""
    instance._state.name, instance._state.code = state, CODES[state]
    instance.world_turn = getattr(instance, "world_turn", 0) + 1


def pass_through(instance, state, arrive):
    """Leaves an instance in a passing state for a drawn time, then lets it arrive."""
    enter(instance, state)
    turn = instance.world_turn
    WORLD.later(WORLD.draw("lag"), lambda: arrive() if instance.world_turn == turn else None)


def stop(inner, instance):
    """Stops, with the lag, or hangs if the script says so."""
    before = copy.copy(instance._state)
    if before.name in ("stopped", "stopping"):
        return before
    instance.world_hung = WORLD.script.take("hung_stop", instance=instance.id)
    if instance.world_hung:
        enter(instance, "stopping")
    else:
        pass_through(instance, "stopping", lambda: inner(instance))
    return before


def start(inner, instance):
    """Starts, with the lag. The launch time changes with each start, which is how a move is seen to have happened."""
    before = copy.copy(instance._state)
    if before.name in ("running", "pending"):
        return before
    instance.launch_time = WORLD.date()

    def arrive():
        inner(instance)
        checks.after_start(instance)

    pass_through(instance, "pending", arrive)
    return before


def terminate(inner, instance):
    """Terminates, with the lag; the Elastic IP of what has ended belongs to nobody, where moto leaves it."""
    before = copy.copy(instance._state)
    if before.name in ("terminated", "shutting-down"):
        return before

    def arrive():
        for address in instance.ec2_backend.addresses:
            if address.instance is instance or (address.eni and address.eni.instance is instance):
                instance.ec2_backend.disassociate_address(address=address.public_ip)
        inner(instance)

    pass_through(instance, "shutting-down", arrive)
    return before


def launched(inner, backend, *args, **kwargs):
    """Launches: what is new is hidden, and pending, for its time."""
    reservation = inner(backend, *args, **kwargs)
    for instance in reservation.instances:
        WORLD.born(instance.id)
        instance.launch_time = WORLD.date()
        pass_through(instance, "pending", lambda instance=instance: enter(instance, "running"))
        checks.after_launch(instance)
    return reservation


def run_instances(inner, response):
    """Launches if there is room, and keeps what moto drops: the protection, and the kind of spot instance."""
    refuse_for_capacity("RunInstances", *wanted(response))
    answer = inner(response)
    for instance in answer.result.instances:
        instance.disable_api_termination = response._get_param("DisableApiTermination") or False
        if instance.lifecycle == "spot":
            instance.world_spot_kind = response._get_param("InstanceMarketOptions.SpotOptions.SpotInstanceType") or "one-time"
    return answer


def wanted(response):
    """Gives the type and the zone that a launch asks for, in the call or by its template, subnet or first interface."""
    template = response._get_param("LaunchTemplate")
    data = response.ec2_backend._get_template_from_args(template).data if template else {}
    interfaces = response._get_param("NetworkInterfaces", []) or data.get("NetworkInterfaces", [])
    subnet = response._get_param("SubnetId") or next((each["SubnetId"] for each in interfaces if "SubnetId" in each), None)
    zone = response._get_param("Placement.AvailabilityZone") or response.region + "a"
    if subnet:
        zone = response.ec2_backend.get_subnet(subnet).availability_zone
    return response._get_param("InstanceType") or data.get("InstanceType", "m1.small"), zone


def refuse_for_capacity(call, kind, zone):
    """Refuses for want of room if the script says so."""
    if WORLD.script.take("capacity", call=call, type=kind, zone=zone):
        refuse(
            "InsufficientInstanceCapacity",
            f"We currently do not have sufficient {kind} capacity in the Availability Zone you requested ({zone}).",
        )


def asked_for(response):
    """Gives the instances that a call names."""
    return response.ec2_backend.get_multi_instances_by_id(response._get_param("InstanceIds", []))


def refuse_from(instances, states, verb):
    """Refuses if any instance is in a state from which it cannot go where it is sent; then none is changed."""
    for instance in instances:
        if instance.state in states:
            refuse("IncorrectInstanceState", f"The instance '{instance.id}' is not in a state from which it can be {verb}.")


def start_instances(inner, response):
    """https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_StartInstances.html"""
    instances = asked_for(response)
    refuse_from(instances, ("stopping", "shutting-down", "terminated"), "started")
    for instance in instances:
        if instance.state == "stopped":
            refuse_for_capacity("StartInstances", instance.instance_type, instance.placement.zone)
    return inner(response)


def stop_instances(inner, response):
    """https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_StopInstances.html"""
    instances = asked_for(response)
    for instance in instances:
        if is_set(instance.disable_api_stop):
            refuse(
                "OperationNotPermitted",
                f"The instance '{instance.id}' may not be stopped. Modify its 'disableApiStop' instance attribute and try again.",
            )
        refuse_one_time_spot(instance)
    refuse_from(instances, ("pending", "shutting-down", "terminated"), "stopped")
    for instance in instances:
        free_if_hung(instance, response)
    return inner(response)


def is_set(value):
    """Says whether a protection is on; moto keeps what ModifyInstanceAttribute was given, which may be a text."""
    return str(value).lower() == "true"


def refuse_one_time_spot(instance):
    """https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/using-spot-instances-request.html#stopping-a-spot-instance"""
    requests = instance.ec2_backend.spot_instance_requests.values()
    kind = next((each.type for each in requests if each.instance is instance), getattr(instance, "world_spot_kind", None))
    if kind == "one-time":
        refuse(
            "UnsupportedOperation",
            f"You can't stop the Spot Instance '{instance.id}' because it is associated with a one-time Spot Instance request. "
            "You can only stop Spot Instances associated with persistent Spot Instance requests.",
        )


def free_if_hung(instance, response):
    """Lets a hung stop go on if this call is the one it yields to: Force, or SkipOsShutdown."""
    hung = getattr(instance, "world_hung", None)
    if not hung or instance.state != "stopping":
        return
    given = {name for name, option in (("force", "Force"), ("skip_os_shutdown", "SkipOsShutdown")) if response._get_param(option)}
    if hung.get("yields_to", "force") in given:
        enter(instance, "running")


def terminate_instances(inner, response):
    """https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_TerminateInstances.html: with one protected, none is terminated here."""
    for instance in asked_for(response):
        if is_set(instance.disable_api_termination):
            refuse(
                "OperationNotPermitted",
                f"The instance '{instance.id}' may not be terminated. Modify its 'disableApiTermination' instance attribute and try again.",
            )
    return inner(response)
