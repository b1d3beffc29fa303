"""The world over the wire: tokens are remembered, state lags, what moto lacks is there, and mutating calls are kept."""

import json
import pathlib
import subprocess
import sys
import time
import unittest
import urllib.request

import boto3

CI = pathlib.Path(__file__).resolve().parents[2]


class FirstSight(unittest.TestCase):
    def setUp(self):
        self.server = subprocess.Popen([sys.executable, str(CI / "serve_world.py"), "--seed", "3", "--lag-ms", "500:900"],
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.url = f"http://127.0.0.1:{int(self.server.stdout.readline())}"
        self.ec2 = boto3.client("ec2", endpoint_url=self.url, region_name="eu-central-1", aws_access_key_id="x", aws_secret_access_key="x")

    def tearDown(self):
        self.server.stdin.close()
        self.server.stdout.close()
        self.server.wait(20)

    def launch(self, image):
        return self.ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, ClientToken="t1")["Instances"][0]["InstanceId"]

    def becomes(self, instance, state, within=5):
        end = time.monotonic() + within
        seen = None
        while time.monotonic() < end and seen != state:
            seen = self.ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]["State"]["Name"]
            time.sleep(0.05)
        self.assertEqual(seen, state)

    def test_tokens_lags_and_calls(self):
        # Asked once and before: listing images takes longer than the lag.
        image = self.ec2.describe_images()["Images"][0]["ImageId"]
        instance = self.launch(image)
        self.assertEqual(self.launch(image), instance, "the same token gives the same instance")
        self.becomes(instance, "pending")
        self.becomes(instance, "running")
        self.ec2.stop_instances(InstanceIds=[instance])
        self.becomes(instance, "stopping")
        self.becomes(instance, "stopped")
        self.assertEqual(self.ec2.describe_volume_status()["VolumeStatuses"][0]["VolumeStatus"]["Status"], "ok")
        with urllib.request.urlopen(f"{self.url}/_world/calls", timeout=10) as r:
            actions = [c["action"] for c in json.load(r)]
        self.assertEqual(actions, ["RunInstances", "RunInstances", "StopInstances"])


if __name__ == "__main__":
    unittest.main()
