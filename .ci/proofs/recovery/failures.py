"""The failure modes of a recovery, each injected, and the response that each must have."""

import json

from proofs.kit import Short
from proofs.live.world import Clock, rfc
from proofs.recovery.bed import ACCOUNT, REGION, Bed, Executors
from proofs.recovery.cases import all_of, described, fail_over_region, is_in, owner, replaced, snapshots, state, tags, volumes

POLICY_SHORT = {}


def carried_out(bed, line, name, instance, action, policy=None, until="done", approve=False):
    executors = Executors(bed, line.fresh(name), policy=policy)
    recovery = executors.trigger(instance, action)
    if approve:
        executors.forewarn("recoveries", "approve", recovery, "--by", "proof").ok()
    executors.work(until=until, timeout=420).ok()
    return executors, recovery, executors.row(recovery)["state"], executors.events(recovery)


def kinds(events, name):
    return [e for e in events if e["event"] == name]


def reasons(events):
    return " | ".join(e["reason"] for e in events if e["event"] in ("step_failed", "escalated", "stuck"))


def calls(bed, action, instance):
    return [c for c in bed.calls() if c["action"] == action and instance in str(c["args"])]


def said(events, word):
    return word.lower() in str(events).lower()


def ssm_offline_escalates(bed, line):
    """SSM offline: a restart of the application escalates to a safe restart."""
    with bed.turn:
        i = bed.launch("ssm-offline")
    bed.script({"kind": "ssm", "instance": i, "outcome": "offline"})
    _, r, s, events = carried_out(bed, line, "ssm_offline_escalates", i, "restart_application")
    return all_of(("escalated to", [e["to"] for e in kinds(events, "escalated")][:1], ["restart"]), ("says why", said(events, "offline"), True), ("runs", state(bed, i), "running"), ("snapshots", len(snapshots(bed, r)), 1)), len(events)


def ssm_timed_out_is_cancelled(bed, line):
    """TimedOut: CancelCommand, escalate."""
    with bed.turn:
        i = bed.launch("ssm-late")
    bed.script({"kind": "ssm", "instance": i, "outcome": "TimedOut", "after_ms": 100})
    _, _, s, events = carried_out(bed, line, "ssm_timed_out_is_cancelled", i, "restart_application")
    return all_of(("escalated to", [e["to"] for e in kinds(events, "escalated")][:1], ["restart"]), ("runs", state(bed, i), "running")), len(events)


def ssm_invocation_comes_late(bed, line):
    """InvocationDoesNotExist early: asked again, and the command is sent once."""
    with bed.turn:
        i = bed.launch("ssm-unseen")
    bed.script({"kind": "ssm", "instance": i, "outcome": "Success", "missing_polls": 3})
    _, _, s, events = carried_out(bed, line, "ssm_invocation_comes_late", i, "restart_application")
    return all_of(("ended", s["phase"], {"closed": {"outcome": "recovered"}}), ("commands", len([c for c in calls(bed, "SendCommand", i) if "systemctl restart" in str(c["args"])]), 1)), len(events)


def hung_stop_is_forced(bed, line):
    """A hung stop: Force."""
    with bed.turn:
        i = bed.launch("hung")
    bed.script({"kind": "hung_stop", "instance": i, "yields_to": "force"})
    _, _, s, events = carried_out(bed, line, "hung_stop_is_forced", i, "safe_restart")
    forced = [c for c in calls(bed, "StopInstances", i) if "true" in str(c["args"].get("Force", "")).lower()]
    return all_of(("ended", s["phase"], {"closed": {"outcome": "recovered"}}), ("forced", len(forced) >= 1, True), ("runs", state(bed, i), "running")), len(events)


def no_capacity_on_start(bed, line):
    """InsufficientInstanceCapacity on start: back off, then rung 2: a replacement of another type."""
    with bed.turn:
        # A type of its own: others are started at the same time.
        i = bed.launch("no-room", InstanceType="r5.large")
        allocation = bed.address(i)
    bed.script({"kind": "capacity", "call": "StartInstances", "type": "r5.large", "times": None})
    policy = {"targets": {"isolation_group": bed.shut, "replacement": {"instance_type": "m5.xlarge"}}}
    _, _, s, events = carried_out(bed, line, "no_capacity_on_start", i, "safe_restart", policy)
    new = [n["InstanceId"] for n in replaced(bed, i)]
    return all_of(("escalated to", [e["to"] for e in kinds(events, "escalated")][:1], ["replace"]), ("says why", said(events, "InsufficientInstanceCapacity"), True), ("one successor", len(new), 1), ("address", [owner(bed, allocation)], new), ("old", state(bed, i), "stopped")), len(events)


def an_unexpected_owner_stops_it(bed, line):
    """An owner of the address that nobody expects: it stops, and people are told; the address stays."""
    with bed.turn:
        i, stranger = bed.launch("owned"), bed.launch("stranger")
        allocation = bed.address(i)
    policy = {"targets": {"isolation_group": bed.shut, "replacement": {"allocation_id": bed.address(stranger)}}}
    mine = policy["targets"]["replacement"]["allocation_id"]
    _, _, s, events = carried_out(bed, line, "an_unexpected_owner_stops_it", i, "replace", policy)
    return all_of(("the stranger's address", owner(bed, mine), stranger), ("says why", said(events, "expects"), True), ("handed over", s["phase"], {"closed": {"outcome": "handed_over"}})), len(events)


def a_snapshot_in_error_rejects_the_set(bed, line):
    """A partial set is rejected: nothing is launched from it, and the old instance comes back."""
    with bed.turn:
        i = bed.launch("partial", data=1)
    bad = volumes(bed.instance(i))["/dev/sdf"]
    bed.script({"kind": "snapshot_error", "volume": bad, "times": None})
    _, _, s, events = carried_out(bed, line, "a_snapshot_in_error_rejects_the_set", i, "replace_stateful")
    return all_of(("successors", replaced(bed, i), []), ("old runs again", state(bed, i), "running"), ("undone", len(kinds(events, "undoing")), 1)), len(events)


def no_capacity_in_the_zone_falls_back(bed, line):
    """Capacity: the next type."""
    with bed.turn:
        i = bed.launch("fallback")
    bed.script({"kind": "capacity", "call": "RunInstances", "type": "c5.2xlarge", "times": None})
    policy = {"targets": {"isolation_group": bed.shut, "replacement": {"instance_type": "c5.2xlarge", "fallback_types": ["c5.4xlarge"]}}}
    _, _, s, events = carried_out(bed, line, "no_capacity_in_the_zone_falls_back", i, "replace", policy)
    return all_of(("type", [n["InstanceType"] for n in replaced(bed, i)], ["c5.4xlarge"]), ("ended", s["phase"], {"closed": {"outcome": "recovered"}})), len(events)


def an_attach_that_fails_puts_the_old_volume_back(bed, line):
    """Attach fails: the old volume goes back, and the instance runs."""
    with bed.turn:
        i = bed.launch("attach", data=1)
    before = volumes(bed.instance(i))
    bad = before["/dev/sdf"]
    bed.script({"kind": "volume_status", "volume": bad, "status": "impaired", "io_enabled": True})
    # The three tries of the new volume; the old one's is not refused.
    bed.script({"kind": "attach_error", "instance": i, "code": "IncorrectState", "message": "scripted", "times": 3})
    _, _, s, events = carried_out(bed, line, "an_attach_that_fails_puts_the_old_volume_back", i, "repair_volume")
    return all_of(("volumes", volumes(described(bed, i)).get("/dev/sdf"), bad), ("undone", len(kinds(events, "undoing")) >= 1, True), ("runs, or was replaced by the next rung", state(bed, i) == "running" or len(replaced(bed, i)) == 1, True)), len(events)


def a_root_replacement_that_fails_is_told(bed, line):
    """The task fails: the old root stays."""
    with bed.turn:
        i = bed.launch("root-fails")
    before = volumes(bed.instance(i))
    bed.script({"kind": "replace_root", "instance": i, "outcome": "failed", "times": None})
    _, _, s, events = carried_out(bed, line, "a_root_replacement_that_fails_is_told", i, "replace_root_volume")
    return all_of(("root", volumes(described(bed, i)).get("/dev/sda1") in before.values() or bool(replaced(bed, i)), True), ("says why", said(events, "failed"), True)), len(events)


def standby_blocked_by_the_minimum(bed, line):
    """Standby blocked: processes are suspended and resumed, only those that nobody had suspended."""
    name = "at-minimum"
    with bed.turn:
        i = bed.group(name, size=2, least=2)[0]
    bed.asg.suspend_processes(AutoScalingGroupName=name, ScalingProcesses=["ReplaceUnhealthy"])
    # A person's wish is kept: with it suspended, only HealthCheck is ours.
    _, _, s, events = carried_out(bed, line, "standby_blocked_by_the_minimum", i, "safe_restart")
    left = sorted(p["ProcessName"] for p in bed.asg.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"][0]["SuspendedProcesses"])
    return all_of(("ended", s["phase"], {"closed": {"outcome": "recovered"}}), ("still suspended", left, ["ReplaceUnhealthy"]), ("ours", len(calls(bed, "SuspendProcesses", name)) >= 2, True), ("standby", calls(bed, "EnterStandby", name), [])), len(events)


def standby_and_back(bed, line):
    """A member is taken into standby with decrement, and comes back."""
    name = "standby"
    with bed.turn:
        i = bed.group(name, size=2, least=1)[0]
    _, _, s, events = carried_out(bed, line, "standby_and_back", i, "safe_restart")
    group = bed.asg.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"][0]
    inside = {m["InstanceId"]: m["LifecycleState"] for m in group["Instances"]}
    return all_of(("ended", s["phase"], {"closed": {"outcome": "recovered"}}), ("in service", inside.get(i), "InService"), ("desired", group["DesiredCapacity"], 2), ("entered", len(calls(bed, "EnterStandby", name)), 1)), len(events)


def a_suspended_group_is_left_alone(bed, line):
    """Administrative suspension: nothing is done, and it is said."""
    name = "suspended"
    with bed.turn:
        i = bed.group(name, size=2)[0]
    bed.asg.suspend_processes(AutoScalingGroupName=name, ScalingProcesses=["ReplaceUnhealthy"])
    executors, r, s, events = carried_out(bed, line, "a_suspended_group_is_left_alone", i, "replace_in_group", until="idle")
    return all_of(("says why", said(events, "group_suspended"), True), ("touched", calls(bed, "SetInstanceHealth", i), [])), len(events)


def a_spot_drain_goes_on_without_ssm(bed, line):
    """SSM offline: the snapshot is taken at once all the same."""
    with bed.turn:
        i = bed.launch("spot-offline", data=1, InstanceMarketOptions={"MarketType": "spot", "SpotOptions": {"SpotInstanceType": "one-time"}})
    before = volumes(bed.instance(i))
    bed.script({"kind": "ssm", "instance": i, "outcome": "offline"})
    _, r, s, events = carried_out(bed, line, "a_spot_drain_goes_on_without_ssm", i, "drain_spot")
    return all_of(("snapshots", snapshots(bed, r), sorted(before.values())), ("ended", s["phase"], {"closed": {"outcome": "recovered"}})), len(events)


def warned(line, name, action, late_s):
    """A warning of AWS comes so late from a queue, for an instance whose container does not stop; gives how its recovery went."""
    with Bed("--seed", "31", "--lag-ms", "50:400") as bed:
        i = bed.launch(name, data=1, InstanceMarketOptions={"MarketType": "spot", "SpotOptions": {"SpotInstanceType": "one-time"}})
        before = volumes(bed.instance(i))
        bed.script({"kind": "ssm", "instance": i, "outcome": "Success", "after_ms": 600_000})
        # Slow enough for an executor's own time not to count.
        bed.clock = Clock(rfc(bed.clock.now()), 4)
        executors = Executors(bed, line.fresh(name))
        sqs = bed.client("sqs")
        queue = sqs.create_queue(QueueName=name)["QueueUrl"]
        at = bed.clock.now() - late_s * 1000
        event = {"version": "0", "id": name, "detail-type": "EC2 Spot Instance Interruption Warning", "source": "aws.ec2", "account": ACCOUNT, "time": rfc(at), "region": REGION,
                 "resources": [f"arn:aws:ec2:{REGION}:{ACCOUNT}:instance/{i}"], "detail": {"instance-id": i, "instance-action": action}}
        sqs.send_message(QueueUrl=queue, MessageBody=json.dumps(event))
        executors.forewarn("respond", "--until", "done", "--caps", executors.caps, "--queue", queue, timeout=300).ok()
        rows = executors.rows()
        r, s = rows[0]["recovery_id"], rows[0]["state"]
        events = executors.events(r)
        steps = [step["kind"] for step in s["plan"]["steps"]]
        asked = [e["at_ms"] for e in kinds(events, "step_intended") if steps[e["step"]] == "snapshot"]
        drains = len([c for c in calls(bed, "SendCommand", i) if "docker stop" in str(c["args"])])
        wrong = all_of(("recoveries", len(rows), 1), ("ended", s["phase"], {"closed": {"outcome": "recovered"}}), ("snapshots", snapshots(bed, r), sorted(before.values())))
        return wrong, asked[0] - at, drains, len(events)


def a_warning_that_comes_late_keeps_its_deadline(_, line):
    """The snapshots are asked for by T-50 s, though the warning came 40 s late and the container does not stop."""
    wrong, asked_ms, drains, n = warned(line, "spot-late", "terminate", 40)
    line.note(f"a warning 40 s late, a container that does not stop: the snapshots are asked for at T-{120 - asked_ms / 1000:.0f} s")
    return [*wrong, *all_of(("by T-50 s", asked_ms <= 70_000, True), ("waited for the container", asked_ms > 50_000, True), ("told it to stop", drains, 1))], n


def a_hibernation_begins_at_once(_, line):
    """Hibernation begins with its warning: nobody waits for the container, the snapshots are asked for at once."""
    wrong, asked_ms, drains, n = warned(line, "spot-hibernates", "hibernate", 0)
    line.note(f"a hibernation that begins: the snapshots are asked for after {asked_ms / 1000:.1f} s of an executor four times as fast as the clock")
    return [*wrong, *all_of(("at once", asked_ms < 30_000, True), ("told it to stop", drains, 0))], n


def a_stale_copy_is_said(bed, line):
    """The copy in the other region is stale: its age is shown, and nothing starts there."""
    with bed.turn:
        i = bed.launch("stale-copy")
    there = bed.client("ec2", "us-west-2")
    image = there.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
    subnet = there.describe_subnets()["Subnets"][0]["SubnetId"]
    policy = {"targets": {"other_region": {"region": "us-west-2", "image_id": image, "subnet_id": subnet, "hosted_zone_id": "Z0", "record_name": "app.example.com", "copy_age_ms": 1}}}
    executors, r, s, events = carried_out(bed, line, "a_stale_copy_is_said", i, "fail_over_region", policy, until="idle", approve=True)
    return all_of(("says its age", said(kinds(events, "deferred") + kinds(events, "denied"), "capacity"), True), ("runs here", state(bed, i), "running"), ("successors there", bed.successors(i, "us-west-2"), [])), len(events)


def it_does_not_get_well(bed, line):
    """What does not get well is escalated, and at the end of the ladder people have it."""
    with bed.turn:
        i = bed.launch("never-well")
    bed.script({"kind": "status", "instance": i, "checks": {"instance": "impaired"}}, {"kind": "new_status", "type": "m5.4xlarge", "checks": {"instance": "impaired"}, "times": None})
    policy = {"targets": {"isolation_group": bed.shut, "replacement": {"instance_type": "m5.4xlarge"}}}
    executors, r, s, events = carried_out(bed, line, "it_does_not_get_well", i, "safe_restart", policy)
    return all_of(("handed over", s["phase"], {"closed": {"outcome": "handed_over"}}), ("rungs", [e["to"] for e in kinds(events, "escalated")], ["replace", "region"]), ("no successor left", replaced(bed, i), [])), len(events)


def a_stop_that_nothing_helps_is_cut_off_where_allowed(bed, line):
    """A hung stop that Force does not help: SkipOsShutdown, where the policy approves of it."""
    with bed.turn:
        i = bed.launch("cut-off")
    bed.script({"kind": "hung_stop", "instance": i, "yields_to": "skip_os_shutdown"})
    _, _, s, events = carried_out(bed, line, "a_stop_that_nothing_helps_is_cut_off_where_allowed", i, "safe_restart", {"may_skip_os_shutdown": True})
    cut = [c for c in calls(bed, "StopInstances", i) if "SkipOsShutdown" in c["args"]]
    return all_of(("ended", s["phase"], {"closed": {"outcome": "recovered"}}), ("cut off", len(cut) >= 1, True), ("runs", state(bed, i), "running")), len(events)


def unfenced(bed, line, name, with_set):
    """An instance whose stop never ends, carried up the ladder until a person has to approve; gives what the rest needs."""
    with bed.turn:
        i = bed.launch(name, data=1)
        allocation = bed.address(i)
    disks = volumes(bed.instance(i))
    if with_set:
        for volume in disks.values():
            bed.ec2.create_snapshot(VolumeId=volume, TagSpecifications=[{"ResourceType": "snapshot", "Tags": [{"Key": "forewarn:set", "Value": name}]}])
    bed.script({"kind": "hung_stop", "instance": i, "yields_to": "never"})
    executors, r, s, events = carried_out(bed, line, name, i, "replace_stateful")
    wrong = all_of(("waits for a person", isinstance(s["phase"], dict) and "deferred" in s["phase"], True), ("plan", (s["plan"] or {}).get("action"), "replace_unfenced"), ("launched before approval", replaced(bed, i), []))
    executors.forewarn("recoveries", "approve", r, "--by", "proof").ok()
    executors.work(timeout=420).ok()
    return wrong, i, allocation, disks, executors.row(r)["state"], executors.events(r)


def a_fence_that_cannot_be_proven_needs_approval(bed, line):
    """Fence unprovable: approval; then the newest complete tagged set within the recovery point."""
    wrong, i, allocation, disks, s, events = unfenced(bed, line, "a_fence_that_cannot_be_proven_needs_approval", True)
    new = replaced(bed, i)
    if len(new) != 1:
        return [*wrong, f"successors: {len(new)}: {s['phase']} {s.get('reason')}"], len(events)
    return [*wrong, *all_of(("ended", s["phase"], {"closed": {"outcome": "recovered"}}), ("devices", set(volumes(new[0])) >= set(disks), True), ("address", owner(bed, allocation), new[0]["InstanceId"]), ("old", state(bed, i), "stopping"))], len(events)


def no_set_of_snapshots_is_for_people(bed, line):
    """No complete set: a human has it, and nothing is launched."""
    wrong, i, allocation, _, s, events = unfenced(bed, line, "no_set_of_snapshots_is_for_people", False)
    return [*wrong, *all_of(("ended", s["phase"], {"closed": {"outcome": "handed_over"}}), ("says why", said(events, "no whole set"), True), ("launched", replaced(bed, i), []), ("address", owner(bed, allocation), i))], len(events)


def a_volume_without_io_is_enabled(bed, line):
    """I/O disabled: EnableVolumeIO, and nothing is detached."""
    with bed.turn:
        i = bed.launch("io", data=1)
    before = volumes(bed.instance(i))
    bed.script({"kind": "volume_status", "volume": before["/dev/sdf"], "status": "impaired", "io_enabled": False})
    _, r, s, events = carried_out(bed, line, "a_volume_without_io_is_enabled", i, "repair_volume")
    enabled = [c for c in bed.calls() if c["action"] == "EnableVolumeIO" and before["/dev/sdf"] in str(c["args"])]
    return all_of(("ended", s["phase"], {"closed": {"outcome": "recovered"}}), ("enabled", len(enabled), 1), ("volumes", volumes(described(bed, i)), before), ("stopped", calls(bed, "StopInstances", i), [])), len(events)


def a_home_region_that_is_dark(_, line):
    """The home region answers nothing: a person asks and approves, and the copy in the other region serves."""
    with Bed("--seed", "21") as bed:
        case = fail_over_region(bed)
        targets = case.policy["targets"] | {"isolation_group": bed.shut, "replacement": {"instance_type": "m5.large"}}
        bed.script({"kind": "dark", "region": REGION})
        executors, r, s, events = carried_out(bed, line, "a_home_region_that_is_dark", case.instance, "fail_over_dark", {"targets": targets}, approve=True)
        bed.script({"kind": "clear"})
        # Nobody could stop the old one: that is what the person accepted.
        wrong = [w for w in case.expect(r) if not w.startswith("old stopped")]
        return [*wrong, *all_of(("ended", s["phase"], {"closed": {"outcome": "recovered"}}), ("approved", len(kinds(events, "approved")), 1))], len(events)


MODES = (
    ssm_offline_escalates, ssm_timed_out_is_cancelled, ssm_invocation_comes_late, hung_stop_is_forced, no_capacity_on_start, an_unexpected_owner_stops_it,
    a_snapshot_in_error_rejects_the_set, no_capacity_in_the_zone_falls_back, an_attach_that_fails_puts_the_old_volume_back, a_root_replacement_that_fails_is_told,
    standby_blocked_by_the_minimum, standby_and_back, a_suspended_group_is_left_alone, a_spot_drain_goes_on_without_ssm, a_stale_copy_is_said, it_does_not_get_well,
    a_stop_that_nothing_helps_is_cut_off_where_allowed, a_fence_that_cannot_be_proven_needs_approval, no_set_of_snapshots_is_for_people, a_volume_without_io_is_enabled,
    a_home_region_that_is_dark, a_warning_that_comes_late_keeps_its_deadline, a_hibernation_begins_at_once,
)
