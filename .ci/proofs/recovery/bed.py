"""The bed that recoveries are proved in: a world, instances for each action, executors that are real processes, and who looks afterwards."""

import dataclasses
import json
import os
import signal
import subprocess
import threading
import time
import urllib.request

import boto3
from botocore.config import Config

from proofs import kit
from proofs.kit import Short
from proofs.live.world import KEYS, Clock, Server, proxy

REGION, OTHER = "us-east-1", "us-west-2"
ZONE, OTHER_ZONE = "us-east-1a", "us-east-1b"
IMAGE = "ami-12c6146b"
ACCOUNT = "123456789012"
HOME = KEYS | {"AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION}
# Executors and world are this many times as fast as the clock on the wall: a lease of five minutes is then over in twenty seconds.
SPEED = 15
POLICY = {
    "mode": "act", "auto_restart": True, "host_migration": True, "cross_az_failover": True, "ebs_repair": True, "app_level_recovery": True,
    "quarantine_mode": True, "units": ["app.service"], "objection_ms": 0, "hold_ms": 1000, "cooldown_ms": 0, "daily_budget": 50, "may_lose_public_ip": True,
}
CAPS = {"share": 1.0, "open": 500, "hourly": 5000, "by_action": 500, "storm_share": 1.0, "storm_least": 100_000}


class Bed(Server):
    """The world, on the wire."""

    def __init__(self, *flags, is_quick=False, services=("ec2", "ssm", "autoscaling", "elbv2", "sts", "route53", "sqs", "dynamodb")):
        super().__init__([kit.PYTHON, kit.ROOT / "pipeline/lab/world/serve_world.py", *services, *flags], says="", stdin=subprocess.PIPE)
        self.url = f"http://127.0.0.1:{int(self.url)}"
        self.turn = threading.Lock()
        self.is_quick = is_quick
        self.ec2, self.asg, self.elb = self.client("ec2"), self.client("autoscaling"), self.client("elbv2")
        self.clock = Clock(time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), SPEED)
        vpc = self.ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"][0]["VpcId"]
        self.vpc = vpc
        subnets = self.ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["Subnets"]
        self.subnets = {s["AvailabilityZone"]: s["SubnetId"] for s in subnets}
        self.shut = self.ec2.create_security_group(GroupName="shut", Description="isolation", VpcId=vpc)["GroupId"]
        self.web = self.ec2.create_security_group(GroupName="web", Description="web", VpcId=vpc)["GroupId"]
        self.script({"kind": "reassociation", "mode": "automatic"})

    def client(self, service, region=REGION):
        config = Config(region_name=region, retries={"total_max_attempts": 2}, max_pool_connections=64)
        return boto3.client(service, endpoint_url=self.url, aws_access_key_id="test", aws_secret_access_key="test", config=config)

    def ask(self, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(urllib.request.Request(f"{self.url}/_world/{path}", data=data), timeout=60) as answer:
            return json.load(answer)

    def script(self, *entries):
        return self.ask("script", list(entries))

    def calls(self):
        """The calls that changed something: neither refused nor dry."""
        return [c for c in self.ask("calls") if c.get("error") is None]

    def launch(self, name, zone=ZONE, tags=(), data=0, **more):
        """Launches an enrolled instance with so many data volumes."""
        devices = [{"DeviceName": "/dev/sda1", "Ebs": {"VolumeSize": 8, "DeleteOnTermination": True, "VolumeType": "gp3"}}]
        devices += [{"DeviceName": f"/dev/sd{'fghij'[n]}", "Ebs": {"VolumeSize": 4, "DeleteOnTermination": False, "VolumeType": "gp3"}} for n in range(data)]
        tags = [{"Key": "AutoRecovery", "Value": "enabled"}, {"Key": "Name", "Value": name}, *tags]
        more.setdefault("InstanceType", "m5.large")
        answer = self.ec2.run_instances(
            ImageId=IMAGE, MinCount=1, MaxCount=1, SubnetId=self.subnets[zone], SecurityGroupIds=[self.web], BlockDeviceMappings=devices,
            TagSpecifications=[{"ResourceType": "instance", "Tags": tags}], **more,
        )
        instance = answer["Instances"][0]["InstanceId"]
        self.until(lambda: self.instance(instance)["State"]["Name"] == "running", f"{instance} runs")
        return instance

    def instance(self, instance):
        found = self.ec2.describe_instances(InstanceIds=[instance])["Reservations"]
        return found[0]["Instances"][0]

    def until(self, holds, what, seconds=30):
        end = time.time() + seconds
        while time.time() < end:
            try:
                if holds():
                    return
            except Exception as e:
                # Hidden for its seeded time.
                if "NotFound" not in str(e):
                    raise
            time.sleep(0.05)
        raise Short(f"{what}: not within {seconds} s")

    def address(self, instance):
        allocation = self.ec2.allocate_address(Domain="vpc")["AllocationId"]
        self.ec2.associate_address(AllocationId=allocation, InstanceId=instance)
        return allocation

    def owner(self, allocation):
        return self.ec2.describe_addresses(AllocationIds=[allocation])["Addresses"][0].get("InstanceId")

    def target_group(self, name, *instances):
        arn = self.elb.create_target_group(Name=name, Protocol="HTTP", Port=80, VpcId=self.vpc)["TargetGroups"][0]["TargetGroupArn"]
        self.elb.register_targets(TargetGroupArn=arn, Targets=[{"Id": i, "Port": 80} for i in instances])
        return arn

    def targets(self, arn):
        return sorted(t["Target"]["Id"] for t in self.elb.describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"] if t["TargetHealth"]["State"] not in ("unused", "draining"))

    def group(self, name, size=2, least=1):
        """An Auto Scaling group, its members running, enrolled by its tags."""
        template = self.ec2.create_launch_template(LaunchTemplateName=f"lt-{name}", LaunchTemplateData={"ImageId": IMAGE, "InstanceType": "m5.large"})["LaunchTemplate"]["LaunchTemplateId"]
        self.asg.create_auto_scaling_group(
            AutoScalingGroupName=name, LaunchTemplate={"LaunchTemplateId": template}, MinSize=least, MaxSize=size + 2, DesiredCapacity=size,
            VPCZoneIdentifier=self.subnets[ZONE], Tags=[{"Key": "AutoRecovery", "Value": "enabled", "PropagateAtLaunch": True, "ResourceId": name, "ResourceType": "auto-scaling-group"}],
        )
        self.until(lambda: len(self.members(name)) == size, f"group {name} is up")
        members = [m["InstanceId"] for m in self.members(name)]
        for m in members:
            self.until(lambda m=m: self.instance(m)["State"]["Name"] == "running", f"{m} runs")
        return members

    def members(self, name):
        return self.asg.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"][0]["Instances"]

    def successors(self, instance, region=REGION):
        """The instances that say that they replaced another, those that were ended again left out."""
        ec2 = self.ec2 if region == REGION else self.client("ec2", region)
        found = ec2.describe_instances(Filters=[{"Name": "tag:ReplacedInstance", "Values": [instance]}])["Reservations"]
        return [i["InstanceId"] for r in found for i in r["Instances"] if i["State"]["Name"] not in ("terminated", "shutting-down")]

    def snapshots(self, recovery):
        found = self.ec2.describe_snapshots(OwnerIds=["self"], Filters=[{"Name": "tag:forewarn:recovery", "Values": [recovery]}])["Snapshots"]
        return sorted(s["VolumeId"] for s in found)


class Executors:
    """Executors on one state directory, as processes."""

    def __init__(self, bed, state, through=None, policy=None, caps=None):
        self.bed, self.state, self.through = bed, state, through or bed.url
        (state / "policies").mkdir(parents=True, exist_ok=True)
        targets = {"isolation_group": bed.shut, "replacement": {}}
        (state / "policies" / "default.json").write_text(json.dumps(POLICY | {"targets": targets} | (policy or {})))
        self.caps = state / "caps.json"
        self.caps.write_text(json.dumps(CAPS | (caps or {})))

    def env(self, more=None):
        return HOME | self.bed.clock.env | {"AWS_ENDPOINT_URL": self.through, "FOREWARN_LOG": "info"} | (more or {})

    def forewarn(self, *args, env=None, timeout=120):
        return kit.forewarn(*args, "--state", self.state, env=self.env(env), timeout=timeout)

    def trigger(self, instance, action, *more):
        """Asks for a recovery by hand; gives its id."""
        return self.forewarn("respond", "trigger", instance, "--action", action, *more).json()["recovery_id"]

    def work(self, env=None, until="done", timeout=300, name=None):
        """Lets one executor work to its end, or to its death; gives how it ended."""
        more = ["--name", name] if name else []
        return self.forewarn("respond", "--until", until, "--caps", self.caps, *more, env=env, timeout=timeout)

    def start(self, env=None, until="stopped", name=None, more=()):
        """Starts one that goes on by itself."""
        log = open(self.state / f"executor-{name or 'one'}.log", "ab")
        args = [kit.binary(), "respond", "--until", until, "--caps", self.caps, *(["--name", name] if name else []), *more, "--state", self.state]
        return subprocess.Popen([str(a) for a in args], env=kit.CLEAN | {k: str(v) for k, v in self.env(env).items()}, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True)

    def row(self, recovery):
        return next(r for r in self.forewarn("recoveries", "list", "--all", "--format", "json").json() if r["recovery_id"] == recovery)

    def rows(self):
        return self.forewarn("recoveries", "list", "--all", "--format", "json").json()

    def events(self, recovery):
        shown = self.forewarn("recoveries", "show", recovery, "--format", "json").json()
        return [e["envelope"]["data"] for e in shown["events"]]

    def chain(self):
        """Whether the log's chain is whole."""
        return self.forewarn("log", "verify").code == 0


def stop(child):
    if child.poll() is None:
        child.send_signal(signal.SIGTERM)
        try:
            child.wait(60)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


@dataclasses.dataclass
class Case:
    """An instance for one action, and what must be there afterwards."""

    action: str
    instance: str
    policy: dict
    expect: object
    prepare: object = None
    approve: bool = False


# Flags of the AWS CLI that take a list.
LISTS = {"InstanceIds", "Filters", "VolumeIds", "AllocationIds", "OwnerIds", "AutoScalingGroupNames"}


def spelled(flag):
    """A flag of the AWS CLI as the API spells it."""
    return "".join(w.capitalize() for w in flag.removeprefix("--").split("-"))


def quickly(bed, service, operation, *args):
    """The same read without the CLI, whose start takes longer than all else where a world is read hundreds of times."""
    params, flag = {}, None
    for a in args:
        if a.startswith("--"):
            flag = spelled(a)
        elif flag == "Filters":
            name, values = a.removeprefix("Name=").split(",Values=")
            params.setdefault(flag, []).append({"Name": name, "Values": values.split(",")})
        elif flag in LISTS:
            params.setdefault(flag, []).append(a)
        else:
            params[flag] = a
    answer = getattr(bed.client(service), operation.replace("-", "_"))(**params)
    return json.loads(json.dumps(answer, default=lambda t: t.isoformat()))


def aws(bed, *args):
    """Reads the world back by the AWS CLI; gives what it printed."""
    if bed.is_quick:
        return quickly(bed, *args)
    cli = str(kit.TARGET / "proof-venv" / "bin" / "aws")
    r = kit.run([cli, *args, "--output", "json", "--endpoint-url", bed.url, "--region", REGION], env=HOME | {"AWS_EC2_METADATA_DISABLED": "true"})
    return r.json()
