"""A world in a process of its own for each class of tests, and clients that speak to it over the wire.

The lag and the hiding are a minute, and tests move the world's clock on: nothing here sleeps.
"""

import json
import pathlib
import subprocess
import sys
import unittest
import urllib.error
import urllib.request

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

SERVE = pathlib.Path(__file__).resolve().parents[2] / "serve_world.py"
MINUTE = 60_000
ONCE = Config(region_name="us-east-1", retries={"total_max_attempts": 1})
ZONE, OTHER_ZONE, IMAGE = "us-east-1a", "us-east-1b", "ami-12c6146b"


class WorldTest(unittest.TestCase):
    """Starts the server with the flags of the class, and ends it by closing its input."""

    flags = ()

    @classmethod
    def setUpClass(cls):
        command = [sys.executable, str(SERVE), "ec2", *cls.flags]
        cls.server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        cls.url = f"http://127.0.0.1:{int(cls.server.stdout.readline())}"
        cls.ec2 = cls.client("ec2")

    @classmethod
    def tearDownClass(cls):
        cls.ec2.close()
        cls.server.stdin.close()
        assert cls.server.wait(timeout=10) == 0, "the server ends with its input"
        cls.server.stdout.close()

    @classmethod
    def client(cls, service, config=ONCE):
        return boto3.client(service, endpoint_url=cls.url, aws_access_key_id="test", aws_secret_access_key="test", config=config)

    def ask(self, path, body=None):
        """Speaks to the control endpoint."""
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(urllib.request.Request(f"{self.url}/_world/{path}", data=data)) as answer:
            return json.load(answer)

    def script(self, *entries):
        self.ask("script", list(entries))

    def advance(self, ms=MINUTE):
        self.ask("advance", {"ms": ms})

    def refused(self, code, call, **arguments):
        """Asserts that a call is refused with this code, and gives the error."""
        with self.assertRaises(ClientError) as caught:
            call(**arguments)
        self.assertEqual(caught.exception.response["Error"]["Code"], code)
        return caught.exception

    def launch(self, zone=ZONE, **more):
        """Launches one instance and gives its id."""
        more.setdefault("Placement", {"AvailabilityZone": zone})
        answer = self.ec2.run_instances(ImageId=IMAGE, InstanceType="t3.micro", MinCount=1, MaxCount=1, **more)
        return answer["Instances"][0]["InstanceId"]

    def volume(self, zone=ZONE, **more):
        return self.ec2.create_volume(Size=8, AvailabilityZone=zone, **more)["VolumeId"]

    def instance(self, instance_id):
        found = self.ec2.describe_instances(InstanceIds=[instance_id])["Reservations"]
        return found[0]["Instances"][0]

    def state(self, instance_id):
        return self.instance(instance_id)["State"]["Name"]

    def root(self, instance_id):
        return self.instance(instance_id)["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]

    def checks(self, instance_id):
        """Gives the system, instance and attached EBS checks of an instance."""
        found = self.ec2.describe_instance_status(InstanceIds=[instance_id], IncludeAllInstances=True)["InstanceStatuses"][0]
        return tuple(found[name]["Status"] for name in ("SystemStatus", "InstanceStatus", "AttachedEbsStatus"))
