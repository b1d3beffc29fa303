"""For each action an instance that needs it, and the final state that it must leave: read back by the AWS CLI."""

import itertools
import json

from proofs.recovery.bed import ACCOUNT, IMAGE, OTHER, OTHER_ZONE, REGION, ZONE, Case, aws

number = itertools.count(1)


def described(bed, instance):
    return aws(bed, "ec2", "describe-instances", "--instance-ids", instance)["Reservations"][0]["Instances"][0]


def state(bed, instance):
    return described(bed, instance)["State"]["Name"]


def tags(thing):
    return {t["Key"]: t["Value"] for t in thing.get("Tags", [])}


def volumes(instance):
    return {m["DeviceName"]: m["Ebs"]["VolumeId"] for m in instance["BlockDeviceMappings"]}


def snapshots(bed, recovery):
    found = aws(bed, "ec2", "describe-snapshots", "--owner-ids", "self", "--filters", f"Name=tag:forewarn:recovery,Values={recovery}")["Snapshots"]
    return sorted(s["VolumeId"] for s in found)


def replaced(bed, instance):
    found = aws(bed, "ec2", "describe-instances", "--filters", f"Name=tag:ReplacedInstance,Values={instance}")["Reservations"]
    return [i for r in found for i in r["Instances"] if i["State"]["Name"] not in ("terminated", "shutting-down")]


def is_in(bed, arn):
    found = aws(bed, "elbv2", "describe-target-health", "--target-group-arn", arn)["TargetHealthDescriptions"]
    return sorted(t["Target"]["Id"] for t in found if t["TargetHealth"]["State"] not in ("unused", "draining"))


def owner(bed, allocation):
    return aws(bed, "ec2", "describe-addresses", "--allocation-ids", allocation)["Addresses"][0].get("InstanceId")


def all_of(*pairs):
    """Gives what is not as it must be."""
    return [f"{what}: {found!r}" for what, found, wanted in pairs if found != wanted]


def notify_only(bed):
    i = bed.launch(f"notify-{next(number)}")
    return Case("notify_only", i, {}, lambda r: all_of(("state", state(bed, i), "running"), ("snapshots", snapshots(bed, r), [])))


def restart_application(bed):
    i = bed.launch(f"app-{next(number)}")

    def expect(r):
        sent = aws(bed, "ssm", "list-commands", "--instance-id", i)["Commands"]
        units = [c for c in sent if "systemctl restart" in json.dumps(c["Parameters"])]
        return all_of(("state", state(bed, i), "running"), ("restarts sent", len(units), 1), ("in step comment", all("forewarn" in c["Comment"] for c in units), True))

    return Case("restart_application", i, {}, expect)


def safe_restart(bed, action="safe_restart"):
    i = bed.launch(f"restart-{next(number)}", data=1)
    other = bed.launch(f"beside-{next(number)}")
    arn = bed.target_group(f"tg-{next(number)}", i, other)
    allocation = bed.address(i)
    before = volumes(bed.instance(i))
    launched = bed.instance(i)["LaunchTime"].isoformat()

    def expect(r):
        now = described(bed, i)
        return all_of(
            ("state", now["State"]["Name"], "running"), ("same volumes", volumes(now), before), ("started anew", now["LaunchTime"] != launched, True),
            ("snapshots", snapshots(bed, r), sorted(before.values())), ("targets", is_in(bed, arn), sorted([i, other])), ("address", owner(bed, allocation), i), ("successors", replaced(bed, i), []),
        )

    return Case(action, i, {}, expect)


def migrate_host(bed):
    return safe_restart(bed, "migrate_host")


def replace(bed):
    i = bed.launch(f"stateless-{next(number)}", tags=[{"Key": "team", "Value": "web"}])
    allocation = bed.address(i)
    arn = bed.target_group(f"tg-{next(number)}", i, bed.launch(f"beside-{next(number)}"))

    def expect(r):
        new = replaced(bed, i)
        if len(new) != 1:
            return [f"successors: {[n['InstanceId'] for n in new]}"]
        new, old = new[0], described(bed, i)
        return all_of(
            ("new runs", new["State"]["Name"], "running"), ("old kept", old["State"]["Name"], "stopped"), ("address", owner(bed, allocation), new["InstanceId"]),
            ("enrolled", tags(new).get("AutoRecovery"), "enabled"), ("tags carried", tags(new).get("team"), "web"), ("SelfHealed", tags(new).get("SelfHealed"), "true"),
            ("old points to new", tags(old).get("forewarn:replaced-by"), new["InstanceId"]), ("target", new["InstanceId"] in is_in(bed, arn) and i not in is_in(bed, arn), True),
        )

    return Case("replace", i, {}, expect)


def stateful(bed, action, zone):
    i = bed.launch(f"stateful-{next(number)}", data=2)
    allocation = bed.address(i)
    before = volumes(bed.instance(i))

    def expect(r):
        new = replaced(bed, i)
        if len(new) != 1:
            return [f"successors: {[n['InstanceId'] for n in new]}"]
        new, old = new[0], described(bed, i)
        mine = aws(bed, "ec2", "describe-volumes", "--volume-ids", *volumes(new).values())["Volumes"]
        # Moto gives a launch's volumes the snapshot that the mapping names.
        from_snapshots = len([v for v in mine if v.get("SnapshotId", "").startswith("snap-")])
        return all_of(
            ("new runs", new["State"]["Name"], "running"), ("old kept", old["State"]["Name"], "stopped"), ("zone", new["Placement"]["AvailabilityZone"], zone),
            ("snapshots", snapshots(bed, r), sorted(before.values())), ("volumes from snapshots", from_snapshots >= 2, True), ("same devices", set(volumes(new)) >= set(before), True),
            ("address", owner(bed, allocation), new["InstanceId"]),
        )

    return Case(action, i, {}, expect)


def replace_stateful(bed):
    return stateful(bed, "replace_stateful", ZONE)


def replace_unfenced(bed):
    """Of an instance that hangs on its way down, from the snapshots of the night before."""
    name = f"hung-{next(number)}"
    i = bed.launch(name, data=1)
    allocation = bed.address(i)
    before = volumes(bed.instance(i))
    for volume in before.values():
        bed.ec2.create_snapshot(VolumeId=volume, TagSpecifications=[{"ResourceType": "snapshot", "Tags": [{"Key": "forewarn:set", "Value": name}]}])
    bed.script({"kind": "hung_stop", "instance": i, "yields_to": "never"})
    bed.ec2.stop_instances(InstanceIds=[i])

    def expect(r):
        new = replaced(bed, i)
        if len(new) != 1:
            return [f"successors: {[n['InstanceId'] for n in new]}"]
        return all_of(
            ("new runs", new[0]["State"]["Name"], "running"), ("old hangs", state(bed, i), "stopping"), ("same devices", set(volumes(new[0])) >= set(before), True),
            ("address", owner(bed, allocation), new[0]["InstanceId"]), ("snapshots made", snapshots(bed, r), []),
        )

    return Case("replace_unfenced", i, {}, expect, approve=True)


def fail_over_zone(bed):
    return stateful(bed, "fail_over_zone", OTHER_ZONE)


def repair_volume(bed):
    i = bed.launch(f"volume-{next(number)}", data=1)
    before = volumes(bed.instance(i))
    bad = before["/dev/sdf"]
    bed.script({"kind": "volume_status", "volume": bad, "status": "impaired", "io_enabled": True})

    def expect(r):
        now = volumes(described(bed, i))
        new = now.get("/dev/sdf")
        old = aws(bed, "ec2", "describe-volumes", "--volume-ids", bad)["Volumes"][0]
        return all_of(
            ("state", state(bed, i), "running"), ("root as before", now.get("/dev/sda1"), before["/dev/sda1"]), ("another volume there", new not in (None, bad), True),
            ("old kept", old["State"], "available"), ("snapshots", snapshots(bed, r), [bad]),
        )

    return Case("repair_volume", i, {}, expect)


def replace_root_volume(bed):
    i = bed.launch(f"root-{next(number)}")
    before = volumes(bed.instance(i))

    def expect(r):
        now = volumes(described(bed, i))
        old = aws(bed, "ec2", "describe-volumes", "--volume-ids", before["/dev/sda1"])["Volumes"][0]
        tasks = aws(bed, "ec2", "describe-replace-root-volume-tasks", "--filters", f"Name=instance-id,Values={i}")["ReplaceRootVolumeTasks"]
        return all_of(
            ("state", state(bed, i), "running"), ("another root", now.get("/dev/sda1") not in (None, before["/dev/sda1"]), True), ("old root kept", old["State"], "available"),
            ("tasks", len([t for t in tasks if t["TaskState"] == "succeeded"]), 1), ("snapshots", snapshots(bed, r), [before["/dev/sda1"]]),
        )

    return Case("replace_root_volume", i, {}, expect)


def quarantine(bed):
    i = bed.launch(f"quarantine-{next(number)}")
    arn = bed.target_group(f"tg-{next(number)}", i, bed.launch(f"beside-{next(number)}"), bed.launch(f"beside-{next(number)}"))

    def expect(r):
        now = described(bed, i)
        groups = [g["GroupId"] for n in now["NetworkInterfaces"] for g in n["Groups"]]
        return all_of(("state", now["State"]["Name"], "running"), ("groups", groups, [bed.shut]), ("in no target group", i in is_in(bed, arn), False), ("snapshots", len(snapshots(bed, r)), 1))

    return Case("quarantine", i, {}, expect)


def release(bed):
    """Of an instance that was quarantined by the very executor, before."""
    case = quarantine(bed)
    i = case.instance
    before = sorted(g["GroupId"] for n in bed.instance(i)["NetworkInterfaces"] for g in n["Groups"])
    arns = [t["TargetGroupArn"] for t in bed.elb.describe_target_groups()["TargetGroups"] if i in bed.targets(t["TargetGroupArn"])]

    def prepare(executors):
        executors.trigger(i, "quarantine")
        executors.work().ok()

    def expect(r):
        now = described(bed, i)
        groups = sorted(g["GroupId"] for n in now["NetworkInterfaces"] for g in n["Groups"])
        return all_of(("state", now["State"]["Name"], "running"), ("groups", groups, before), ("back in its target groups", all(i in is_in(bed, a) for a in arns), True))

    return Case("release", i, {}, expect, prepare=prepare)


def drain_spot(bed):
    i = bed.launch(f"spot-{next(number)}", data=1, InstanceMarketOptions={"MarketType": "spot", "SpotOptions": {"SpotInstanceType": "one-time"}})
    arn = bed.target_group(f"tg-{next(number)}", i, bed.launch(f"beside-{next(number)}"))
    before = volumes(bed.instance(i))

    def expect(r):
        sent = aws(bed, "ssm", "list-commands", "--instance-id", i)["Commands"]
        drains = [c for c in sent if "docker stop" in json.dumps(c["Parameters"])]
        return all_of(("out of traffic", i in is_in(bed, arn), False), ("snapshots", snapshots(bed, r), sorted(before.values())), ("stopped its container once", len(drains), 1), ("successors", replaced(bed, i), []))

    return Case("drain_spot", i, {}, expect)


def replace_in_group(bed):
    name = f"group-{next(number)}"
    members = bed.group(name, size=2)
    i = members[0]

    def expect(r):
        now = aws(bed, "autoscaling", "describe-auto-scaling-groups", "--auto-scaling-group-names", name)["AutoScalingGroups"][0]
        serving = [m for m in now["Instances"] if m["LifecycleState"] == "InService" and m["HealthStatus"] == "Healthy"]
        return all_of(("desired", now["DesiredCapacity"], 2), ("in service, healthy", len(serving), 2), ("the bad one among them", i in [m["InstanceId"] for m in serving], False), ("ours launched", replaced(bed, i), []))

    return Case("replace_in_group", i, {}, expect)


def elsewhere(bed, n):
    """A prepared other region: a policy that names it, and EC2 there."""
    there = bed.client("ec2", OTHER)
    subnet = there.describe_subnets()["Subnets"][0]["SubnetId"]
    image = there.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
    zone = bed.client("route53").create_hosted_zone(Name=f"n{n}.example.com", CallerReference=str(n))["HostedZone"]["Id"].rsplit("/", 1)[-1]
    return {"targets": {"other_region": {"region": OTHER, "image_id": image, "subnet_id": subnet, "hosted_zone_id": zone, "record_name": f"app.n{n}.example.com", "copy_age_ms": 10**15}}}, there


def serves_there(bed, there, instance, policy):
    """What is wrong with the one successor in the other region, and the name that points to it."""
    found = there.describe_instances(Filters=[{"Name": "tag:ReplacedInstance", "Values": [instance]}])["Reservations"]
    new = [x for res in found for x in res["Instances"] if x["State"]["Name"] == "running"]
    if len(new) != 1:
        return [f"successors there: {len(new)}"]
    zone = policy["targets"]["other_region"]["hosted_zone_id"]
    records = aws(bed, "route53", "list-resource-record-sets", "--hosted-zone-id", zone)["ResourceRecordSets"]
    points = [v["Value"] for s in records if s["Name"].startswith("app.") for v in s["ResourceRecords"]]
    return all_of(("name points to the new one", points and points[0] in (new[0].get("PublicIpAddress"), new[0].get("PrivateIpAddress")), True), ("records", len(points), 1))


def fail_over_region(bed):
    n = next(number)
    i = bed.launch(f"region-{n}")
    policy, there = elsewhere(bed, n)
    expect = lambda r: [*serves_there(bed, there, i, policy), *all_of(("old stopped", state(bed, i), "stopped"))]
    return Case("fail_over_region", i, policy, expect, approve=True)


def fail_over_dark(bed):
    """Of an instance of a home region that answers nothing; nothing else can be done in that world."""
    n = next(number)
    i = f"i-{n:017x}"
    policy, there = elsewhere(bed, n)
    policy["targets"] |= {"isolation_group": bed.shut, "replacement": {"instance_type": "m5.large"}}
    bed.script({"kind": "dark", "region": REGION})
    return Case("fail_over_dark", i, policy, lambda r: serves_there(bed, there, i, policy), approve=True)


def terminate_replaced(bed):
    """Of an instance that was replaced two days ago."""
    i, new = bed.launch(f"replaced-{next(number)}", data=1), bed.launch(f"successor-{next(number)}")
    before = volumes(bed.instance(i))
    bed.ec2.stop_instances(InstanceIds=[i])
    bed.until(lambda: state(bed, i) == "stopped", f"{i} is stopped")
    bed.ec2.create_tags(Resources=[i], Tags=[{"Key": "forewarn:replaced-by", "Value": new}, {"Key": "forewarn:terminate-after", "Value": "2026-01-01T00:00:00Z"}])

    def expect(r):
        return all_of(("ended", state(bed, i), "terminated"), ("successor", state(bed, new), "running"), ("snapshots", snapshots(bed, r), sorted(before.values())), ("successors", replaced(bed, i), []))

    return Case("terminate_replaced", i, {}, expect, approve=True)


# What can't be done beside others in one world.
ALONE = {"fail_over_dark": fail_over_dark}
BY_ACTION = {f.__name__: f for f in (notify_only, restart_application, safe_restart, migrate_host, replace, replace_stateful, replace_unfenced, fail_over_zone, repair_volume, replace_root_volume, quarantine, release, drain_spot, replace_in_group, fail_over_region, terminate_replaced)}
