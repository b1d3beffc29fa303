"""Systems Manager: agents may be offline, and commands take time, fail, time out or are cancelled.

https://docs.aws.amazon.com/systems-manager/latest/userguide/monitor-commands.html
"""

from functools import partial

from moto.core.responses import ActionResult, EmptyResult
from moto.ec2.models import ec2_backends
from moto.ssm.exceptions import SSMException
from moto.ssm.models import Command, SimpleSystemManagerBackend
from moto.ssm.responses import SimpleSystemManagerResponse

from recovery_world import patch
from recovery_world.patch import adds, around, paged
from recovery_world.world import WORLD

refuse = partial(patch.refuse, error=SSMException)

# How an invocation ends: its status, the words for it, and the exit code of the script.
ENDS = {
    "Success": ("Success", "Success", 0),
    "Failed": ("Failed", "Failed", 1),
    "TimedOut": ("TimedOut", "Execution Timed Out", -1),
    "offline": ("TimedOut", "Delivery Timed Out", -1),
}
OPEN = ("Pending", "InProgress")


def install():
    """Adds the three operations that moto lacks, and gives commands a life."""
    around(SimpleSystemManagerBackend, "send_command")(send_command)
    around(Command, "get_invocation")(get_invocation)
    around(Command, "_get_instance_ids_from_targets")(targeted)
    for operation in (describe_instance_information, list_command_invocations, cancel_command):
        adds(SimpleSystemManagerResponse)(operation)


def ping(instance):
    """Gives what Systems Manager knows of an instance's agent; None is an instance that it does not manage."""
    rule = WORLD.script.find("ssm", instance=instance.id) or {}
    if rule.get("outcome") == "unregistered" or instance.state in ("pending", "shutting-down", "terminated"):
        return None
    return "ConnectionLost" if rule.get("outcome") == "offline" or instance.state != "running" else "Online"


def send_command(inner, backend, **kwargs):
    """https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_SendCommand.html"""
    instances = ec2_backends[backend.account_id][backend.region_name]
    for instance_id in kwargs["instance_ids"]:
        instance = instances.get_instance_by_id(instance_id)
        # Moto takes any id; one that is no instance of this world is left to it, for it may be a managed node of another kind.
        if instance and ping(instance) is None:
            refuse("InvalidInstanceId", f"Instances [[{instance_id}]] not in a valid state for account {backend.account_id}")
    command = inner(backend, **kwargs)
    for invocation in command.invocations:
        run(command, invocation, instances.get_instance_by_id(invocation["InstanceId"]))
    sum_up(command)
    return command


def targeted(inner, command):
    """Gives the instances of the targets: with no targets none, where moto's filter of nothing finds every instance there is."""
    return inner(command) if command.targets else []


def run(command, invocation, instance):
    """Gives an invocation the life that the script has for it; how it ends is settled when it is sent."""
    rule = WORLD.script.take("ssm", document=command.document_name, instance=invocation["InstanceId"]) or {}
    lost = instance is not None and ping(instance) == "ConnectionLost"
    outcome = "offline" if lost else rule.get("outcome", "Success")
    # Nothing is delivered to an agent that is away: the command waits for its own time-out.
    delay = rule.get("after_ms", command.timeout_seconds * 1000 if outcome == "offline" else 0)
    waits = "Pending" if outcome == "offline" else "InProgress"
    invocation["world_missing"] = rule.get("missing_polls", 0)
    invocation.update(Status=waits, StatusDetails=waits, ResponseCode=-1)
    status, details, code = ENDS[outcome]
    said = {"StandardOutputContent": rule.get("stdout", ""), "StandardErrorContent": rule.get("stderr", "")}

    def end():
        if invocation["Status"] in OPEN:
            invocation.update(Status=status, StatusDetails=details, ResponseCode=code, **said)
            sum_up(command)

    WORLD.later(delay, end)


def sum_up(command):
    """Makes the command's own status that of its invocations: open while one is, else the worst."""
    found = {invocation["Status"] for invocation in command.invocations} or {"Success"}
    for status in ("Pending", "InProgress", "TimedOut", "Failed", "Cancelled", "Success"):
        if status in found:
            command.status = command.status_details = status
            break
    ended = [invocation for invocation in command.invocations if invocation["Status"] not in OPEN]
    command.completed_count = len(ended)
    command.error_count = sum(invocation["Status"] in ("Failed", "TimedOut") for invocation in ended)


def get_invocation(inner, command, *args, **kwargs):
    """https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetCommandInvocation.html: right after the command was
    sent there may be no invocation yet."""
    invocation = inner(command, *args, **kwargs)
    if invocation["world_missing"] > 0:
        invocation["world_missing"] -= 1
        refuse("InvocationDoesNotExist", "")
    return invocation


def describe_instance_information(self):
    """https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_DescribeInstanceInformation.html"""
    known = ec2_backends[self.current_account][self.region].all_instances()
    items = [information(instance) for instance in known if ping(instance)]
    for name, values in information_filters(self):
        field = {"InstanceIds": "InstanceId", "PingStatus": "PingStatus"}.get(name)
        if field is None:
            refuse("InvalidInstanceInformationFilterValue", f"The filter {name} is not one that this server has")
        items = [item for item in items if item[field] in values]
    page, following = paged(self, items)
    return ActionResult({"InstanceInformationList": page, "NextToken": following})


def information_filters(response):
    """Yields the filters in either of the two forms that the call has."""
    for given in response._get_param("Filters", []):
        yield given["Key"], given["Values"]
    for given in response._get_param("InstanceInformationFilterList", []):
        yield given["key"], given["valueSet"]


def information(instance):
    """Gives what is known of one managed instance."""
    return {
        "InstanceId": instance.id,
        "PingStatus": ping(instance),
        "AgentVersion": "3.3.0.0",
        "IsLatestVersion": True,
        "PlatformType": "Linux",
        "PlatformName": "Amazon Linux",
        "ResourceType": "EC2Instance",
        "IPAddress": instance.private_ip,
    }


def list_command_invocations(self):
    """https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_ListCommandInvocations.html"""
    commands = self.ssm_backend.list_commands(self._get_param("CommandId"), None)
    asked = self._get_param("InstanceId")
    statuses = [given["value"] for given in self._get_param("Filters", []) if given["key"] == "Status"]
    details = self._get_param("Details", False)
    items = [
        listed(command, invocation, details)
        for command in commands
        for invocation in command.invocations
        if asked in (None, invocation["InstanceId"]) and (not statuses or invocation["Status"] in statuses)
    ]
    page, following = paged(self, items)
    return ActionResult({"CommandInvocations": page, "NextToken": following})


def listed(command, invocation, details):
    """Gives an invocation as the list has it, with its plugin if details are asked for."""
    same = {name: invocation[name] for name in ("CommandId", "InstanceId", "Comment", "DocumentName", "Status", "StatusDetails")}
    plugin = {name: invocation[name] for name in ("Status", "StatusDetails", "ResponseCode")}
    plugin |= {"Name": invocation["PluginName"], "Output": invocation["StandardOutputContent"]}
    return {**same, "RequestedDateTime": command.requested_date_time, "CommandPlugins": [plugin] if details else []}


def cancel_command(self):
    """https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_CancelCommand.html: what has ended stays as it is."""
    command = self.ssm_backend.get_command_by_id(self._get_param("CommandId"))
    asked = self._get_param("InstanceIds") or command.instance_ids
    for invocation in command.invocations:
        if invocation["InstanceId"] in asked and invocation["Status"] in OPEN:
            invocation.update(Status="Cancelled", StatusDetails="Cancelled", ResponseCode=-1)
    sum_up(command)
    return EmptyResult()
