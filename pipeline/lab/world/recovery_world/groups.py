"""Auto Scaling: standby keeps to the group's minimum, and lifecycle actions wait for somebody to complete them.

https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_EnterStandby.html
https://docs.aws.amazon.com/autoscaling/ec2/userguide/lifecycle-hooks.html
"""

from functools import partial

from moto.autoscaling.exceptions import AutoscalingClientError
from moto.autoscaling.models import AutoScalingBackend, autoscaling_backends
from moto.autoscaling.responses import AutoScalingResponse
from moto.core.responses import EmptyResult
from moto.moto_api._internal import mock_random

from recovery_world import patch
from recovery_world.patch import adds, around, script_instance
from recovery_world.script import BadScript, Script
from recovery_world.world import WORLD

refuse = partial(patch.refuse, error=AutoscalingClientError)


def install():
    """Adds the two operations that moto lacks, and the refusal."""
    around(AutoScalingResponse, "enter_standby")(enter_standby)
    around(AutoScalingBackend, "set_instance_health")(set_instance_health)
    adds(AutoScalingResponse)(complete_lifecycle_action)
    adds(AutoScalingResponse)(record_lifecycle_action_heartbeat)


def set_instance_health(inner, backend, instance_id, health_status):
    """https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-health-checks.html: the group ends a member that is
    unhealthy and launches another, unless that is suspended."""
    inner(backend, instance_id, health_status)
    if health_status == "Unhealthy":
        WORLD.later(WORLD.draw("lag"), partial(replace_member, backend, instance_id))


def replace_member(backend, instance_id):
    """Ends a member that is still unhealthy and launches another in its place."""
    for group in backend.autoscaling_groups.values():
        for member in group.instance_states:
            if member.instance.id == instance_id and member.health_status == "Unhealthy" and "ReplaceUnhealthy" not in group._suspended_processes:
                backend.terminate_instance(instance_id, should_decrement=False)
                return


def enter_standby(inner, response):
    """https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_EnterStandby.html"""
    group = group_of(response)
    members = {state.instance.id: state.lifecycle_state for state in group.instance_states}
    asked = response._get_param("InstanceIds", [])
    for instance in asked:
        if members.get(instance) != "InService":
            refuse("ValidationError", f"The instance {instance} is not in InService in Auto Scaling group {group.name}.")
    if response._get_bool_param("ShouldDecrementDesiredCapacity") and group.desired_capacity - len(asked) < group.min_size:
        refuse(
            "ValidationError",
            f"AutoScalingGroup {group.name} has min-size={group.min_size}, max-size={group.max_size}, and "
            f"desired-size={group.desired_capacity}. To place into standby {len(asked)} instance, please update the "
            "AutoScalingGroup sizes appropriately.",
        )
    return inner(response)


def group_of(response):
    """Gives the group that a call names."""
    name = response._get_param("AutoScalingGroupName")
    group = response.autoscaling_backend.autoscaling_groups.get(name)
    return group or refuse("ValidationError", f"AutoScalingGroup name not found - AutoScalingGroup '{name}' not found")


def actions(backend):
    """Gives the lifecycle actions that wait in a region."""
    if not hasattr(backend, "world_actions"):
        backend.world_actions = []
    return backend.world_actions


@Script.sets("lifecycle", "group", "hook", "instance", "token")
def begin_lifecycle_action(group, hook, instance, token=None):
    """Makes an instance of a group wait at a hook, as AWS does by itself when it launches or ends one."""
    region = script_instance(instance).region_name
    backend = next((regions[region] for regions in autoscaling_backends.values() if group in regions[region].autoscaling_groups), None)
    if backend is None or f"{group}_{hook}" not in backend.lifecycle_hooks:
        raise BadScript(f"there is no group {group!r} with a hook {hook!r}")
    found = backend.lifecycle_hooks[f"{group}_{hook}"]
    launching = found.lifecycle_transition == "autoscaling:EC2_INSTANCE_LAUNCHING"
    member = next((state for state in backend.autoscaling_groups[group].instance_states if state.instance.id == instance), None)
    if member is None:
        raise BadScript(f"{instance} is not of the group {group}")
    member.lifecycle_state = "Pending:Wait" if launching else "Terminating:Wait"
    action = {"group": group, "hook": found, "member": member, "launching": launching, "token": token or str(mock_random.uuid4())}
    actions(backend).append(action)
    beat(backend, action)


def beat(backend, action):
    """Gives an action its heartbeat time anew; when that runs out, the hook's default is the result."""
    action["deadline"] = deadline = WORLD.now() + int(action["hook"].heartbeat_timeout) * 1000

    def expire():
        if action in actions(backend) and action["deadline"] == deadline:
            finish(backend, action, action["hook"].default_result)

    WORLD.later(deadline - WORLD.now(), expire)


def finish(backend, action, result):
    """Ends an action: an instance that launched goes in service or is given up, one that ends does end."""
    actions(backend).remove(action)
    if action["launching"] and result == "CONTINUE":
        action["member"].lifecycle_state = "InService"
    else:
        backend.terminate_instance(action["member"].instance.id, should_decrement=False)


def waiting(response):
    """Gives the action that a call names by token or by instance, or refuses as AWS does."""
    group = group_of(response)
    hook, token, instance = (response._get_param(name) for name in ("LifecycleHookName", "LifecycleActionToken", "InstanceId"))
    for action in actions(response.autoscaling_backend):
        named = action["token"] == token if token else action["member"].instance.id == instance
        if action["group"] == group.name and action["hook"].name == hook and named:
            return action
    by = f"token {token}" if token else f"instance ID {instance}"
    return refuse("ValidationError", f"No active Lifecycle Action found with {by}")


def complete_lifecycle_action(self):
    """https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_CompleteLifecycleAction.html"""
    result = self._get_param("LifecycleActionResult")
    if result not in ("CONTINUE", "ABANDON"):
        refuse("ValidationError", "Lifecycle action result must be CONTINUE or ABANDON")
    finish(self.autoscaling_backend, waiting(self), result)
    return EmptyResult()


def record_lifecycle_action_heartbeat(self):
    """https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_RecordLifecycleActionHeartbeat.html"""
    beat(self.autoscaling_backend, waiting(self))
    return EmptyResult()
