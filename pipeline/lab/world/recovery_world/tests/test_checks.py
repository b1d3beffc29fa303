"""Status checks of instances and volumes come from the script."""

from recovery_world.tests.support import MINUTE, WorldTest


class Checks(WorldTest):
    def test_each_check_is_what_the_script_says(self):
        instance = self.launch()
        for checks in (
            {"system": "impaired", "instance": "ok", "attached_ebs": "ok"},
            {"system": "ok", "instance": "initializing", "attached_ebs": "impaired"},
            {"system": "insufficient-data", "instance": "insufficient-data", "attached_ebs": "insufficient-data"},
        ):
            self.script({"kind": "status", "instance": instance, "checks": checks})
            self.assertEqual(self.checks(instance), tuple(checks.values()))
        found = self.ec2.describe_instance_status(InstanceIds=[instance])["InstanceStatuses"][0]
        self.assertEqual(found["SystemStatus"]["Details"][0]["Name"], "reachability")

    def test_a_restart_cures_after_its_time(self):
        instance = self.launch()
        self.script({"kind": "status", "instance": instance, "checks": {"system": "impaired"}, "ok_after_running_ms": MINUTE})
        self.advance(10 * MINUTE)
        self.assertEqual(self.checks(instance)[0], "impaired")
        self.ec2.stop_instances(InstanceIds=[instance])
        self.assertEqual(self.checks(instance), ("not-applicable",) * 3)
        self.ec2.start_instances(InstanceIds=[instance])
        self.assertEqual(self.checks(instance), ("initializing",) * 3)
        self.advance()
        self.assertEqual(self.checks(instance), ("ok",) * 3)

    def test_a_restart_does_not_cure_what_is_scripted_to_stay(self):
        instance = self.launch()
        self.script({"kind": "status", "instance": instance, "checks": {"system": "impaired"}})
        self.ec2.stop_instances(InstanceIds=[instance])
        self.ec2.start_instances(InstanceIds=[instance])
        self.assertEqual(self.checks(instance)[0], "impaired")

    def test_a_fault_passes_by_itself(self):
        instance = self.launch()
        entry = {"kind": "status", "instance": instance, "checks": {"instance": "impaired"}, "ok_after_running_ms": MINUTE}
        self.script({**entry, "from": "now"})
        self.assertEqual(self.checks(instance)[1], "impaired")
        self.advance()
        self.assertEqual(self.checks(instance)[1], "ok")

    def test_a_new_instance_initializes_or_is_born_ill(self):
        self.script({"kind": "new_status", "ok_after_ms": MINUTE})
        instance = self.launch()
        self.assertEqual(self.checks(instance), ("initializing",) * 3)
        self.advance()
        self.assertEqual(self.checks(instance), ("ok",) * 3)
        self.script({"kind": "new_status", "checks": {"instance": "impaired"}})
        self.assertEqual(self.checks(self.launch())[1], "impaired")

    def test_volume_with_disabled_io_is_enabled(self):
        volume, other = self.volume(), self.volume()
        self.script({"kind": "volume_status", "volume": volume})
        found = self.ec2.describe_volume_status(VolumeIds=[volume])["VolumeStatuses"][0]
        self.assertEqual(found["VolumeStatus"]["Status"], "impaired")
        self.assertIn({"Name": "io-enabled", "Status": "failed"}, found["VolumeStatus"]["Details"])
        self.assertEqual(found["Actions"][0]["Code"], "enable-volume-io")
        impaired = self.ec2.describe_volume_status(Filters=[{"Name": "volume-status.status", "Values": ["impaired"]}])
        self.assertEqual([each["VolumeId"] for each in impaired["VolumeStatuses"]], [volume])
        self.ec2.enable_volume_io(VolumeId=volume)
        healthy = self.ec2.describe_volume_status(VolumeIds=[volume, other])["VolumeStatuses"]
        self.assertEqual({each["VolumeStatus"]["Status"] for each in healthy}, {"ok"})
        self.refused("InvalidVolume.NotFound", self.ec2.enable_volume_io, VolumeId="vol-0")
