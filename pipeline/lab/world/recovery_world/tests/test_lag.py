"""State takes its time, and new resources are hidden for theirs."""

from recovery_world.tests.support import MINUTE, ZONE, WorldTest


class Lag(WorldTest):
    flags = ("--seed", "7", "--lag-ms", f"{MINUTE}:{MINUTE}")

    def running(self):
        instance = self.launch()
        self.advance()
        return instance

    def test_instance_passes_through_each_state(self):
        instance = self.launch()
        self.assertEqual(self.state(instance), "pending")
        self.advance()
        self.assertEqual(self.state(instance), "running")
        launched = self.instance(instance)["LaunchTime"]
        for call, passing, final in (
            (self.ec2.stop_instances, "stopping", "stopped"),
            (self.ec2.start_instances, "pending", "running"),
            (self.ec2.terminate_instances, "shutting-down", "terminated"),
        ):
            call(InstanceIds=[instance])
            self.assertEqual(self.state(instance), passing)
            self.advance(MINUTE / 2)
            self.assertEqual(self.state(instance), passing)
            self.advance(MINUTE / 2)
            self.assertEqual(self.state(instance), final)
        self.assertGreater(self.instance(instance)["LaunchTime"], launched)

    def test_terminate_overtakes_a_stop(self):
        instance = self.running()
        self.ec2.stop_instances(InstanceIds=[instance])
        self.advance(MINUTE / 2)
        self.ec2.terminate_instances(InstanceIds=[instance])
        self.advance(MINUTE / 2)
        self.assertEqual(self.state(instance), "shutting-down")
        self.advance()
        self.assertEqual(self.state(instance), "terminated")

    def test_start_is_refused_while_stopping_and_stop_while_pending(self):
        instance = self.launch()
        self.refused("IncorrectInstanceState", self.ec2.stop_instances, InstanceIds=[instance])
        self.advance()
        self.ec2.stop_instances(InstanceIds=[instance])
        self.refused("IncorrectInstanceState", self.ec2.start_instances, InstanceIds=[instance])

    def test_snapshot_is_pending_and_gives_no_volume_until_completed(self):
        volume = self.volume()
        snapshot = self.ec2.create_snapshot(VolumeId=volume)
        self.assertEqual(snapshot["State"], "pending")
        snapshot = snapshot["SnapshotId"]
        self.refused("IncorrectState", self.volume, SnapshotId=snapshot)
        self.advance()
        self.assertEqual(self.ec2.describe_snapshots(SnapshotIds=[snapshot])["Snapshots"][0]["State"], "completed")
        self.volume(SnapshotId=snapshot)

    def test_snapshot_ends_in_error(self):
        volume = self.volume()
        self.script({"kind": "snapshot_error", "volume": volume})
        snapshot = self.ec2.create_snapshot(VolumeId=volume)["SnapshotId"]
        self.advance()
        self.assertEqual(self.ec2.describe_snapshots(SnapshotIds=[snapshot])["Snapshots"][0]["State"], "error")

    def test_volume_is_created_attached_and_detached_in_time(self):
        instance, volume = self.launch(), self.volume()
        shown = lambda: self.ec2.describe_volumes(VolumeIds=[volume])["Volumes"][0]
        self.assertEqual(shown()["State"], "creating")
        self.advance()
        self.assertEqual(shown()["State"], "available")
        self.ec2.attach_volume(VolumeId=volume, InstanceId=instance, Device="/dev/sdf")
        self.assertEqual((shown()["State"], shown()["Attachments"][0]["State"]), ("in-use", "attaching"))
        self.advance()
        self.assertEqual(shown()["Attachments"][0]["State"], "attached")
        self.ec2.detach_volume(VolumeId=volume)
        self.assertEqual((shown()["State"], shown()["Attachments"][0]["State"]), ("in-use", "detaching"))
        self.advance()
        self.assertEqual((shown()["State"], shown()["Attachments"]), ("available", []))

    def test_hung_stop_yields_only_to_what_the_script_says(self):
        for yields_to, options in (("force", {"Force": True}), ("skip_os_shutdown", {"Force": True, "SkipOsShutdown": True})):
            with self.subTest(yields_to):
                instance = self.running()
                self.script({"kind": "hung_stop", "instance": instance, "yields_to": yields_to})
                self.ec2.stop_instances(InstanceIds=[instance])
                self.ec2.stop_instances(InstanceIds=[instance], Force=yields_to != "force")
                self.advance(10 * MINUTE)
                self.assertEqual(self.state(instance), "stopping")
                self.ec2.stop_instances(InstanceIds=[instance], **options)
                self.advance()
                self.assertEqual(self.state(instance), "stopped")

    def test_root_volume_is_replaced_and_the_old_one_kept(self):
        instance = self.running()
        old = self.root(instance)
        snapshot = self.ec2.create_snapshot(VolumeId=old)["SnapshotId"]
        self.advance()
        asked = {"InstanceId": instance, "SnapshotId": snapshot, "ClientToken": "root-1"}
        task = self.ec2.create_replace_root_volume_task(**asked)["ReplaceRootVolumeTask"]
        self.assertEqual((task["TaskState"], task["InstanceId"]), ("pending", instance))
        again = self.ec2.create_replace_root_volume_task(**asked)["ReplaceRootVolumeTask"]
        self.assertEqual(again["ReplaceRootVolumeTaskId"], task["ReplaceRootVolumeTaskId"])
        shown = lambda: self.ec2.describe_replace_root_volume_tasks(ReplaceRootVolumeTaskIds=[task["ReplaceRootVolumeTaskId"]])
        state = lambda: shown()["ReplaceRootVolumeTasks"][0]["TaskState"]
        self.advance(MINUTE / 2)
        self.assertEqual(state(), "in-progress")
        self.advance(MINUTE / 2)
        self.assertEqual(state(), "succeeded")
        self.assertNotEqual(self.root(instance), old)
        self.assertEqual(self.ec2.describe_volumes(VolumeIds=[old])["Volumes"][0]["State"], "available")
        new = self.ec2.describe_volumes(VolumeIds=[self.root(instance)])["Volumes"][0]
        self.assertEqual((new["SnapshotId"], new["AvailabilityZone"]), (snapshot, ZONE))

    def test_root_volume_task_fails_and_leaves_the_old_one(self):
        instance = self.running()
        old = self.root(instance)
        self.script({"kind": "replace_root", "instance": instance, "outcome": "failed"})
        self.ec2.create_replace_root_volume_task(InstanceId=instance)
        self.advance()
        tasks = self.ec2.describe_replace_root_volume_tasks(Filters=[{"Name": "instance-id", "Values": [instance]}])
        self.assertEqual(tasks["ReplaceRootVolumeTasks"][0]["TaskState"], "failed")
        self.assertEqual(self.root(instance), old)

    def test_address_is_refused_to_a_pending_instance_and_leaves_an_ended_one(self):
        address = self.ec2.allocate_address(Domain="vpc")["AllocationId"]
        instance = self.launch()
        self.refused("InvalidInstanceID", self.ec2.associate_address, AllocationId=address, InstanceId=instance)
        self.advance()
        self.ec2.associate_address(AllocationId=address, InstanceId=instance)
        self.ec2.terminate_instances(InstanceIds=[instance])
        self.advance()
        self.assertFalse(self.ec2.describe_addresses(AllocationIds=[address])["Addresses"][0].get("AssociationId"))


class Hide(WorldTest):
    flags = ("--hide-ms", f"{MINUTE}:{MINUTE}")

    def test_new_resources_are_unknown_by_id_and_absent_from_lists_for_a_while(self):
        instance, volume = self.launch(), self.volume()
        listed = lambda: [each["InstanceId"] for all in self.ec2.describe_instances()["Reservations"] for each in all["Instances"]]
        volumes = lambda: [each["VolumeId"] for each in self.ec2.describe_volumes()["Volumes"]]
        self.assertEqual((instance in listed(), volume in volumes()), (False, False))
        self.refused("InvalidInstanceID.NotFound", self.ec2.describe_instances, InstanceIds=[instance])
        self.refused("InvalidInstanceID.NotFound", self.ec2.create_tags, Resources=[instance], Tags=[{"Key": "a", "Value": "b"}])
        self.refused("InvalidVolume.NotFound", self.ec2.describe_volumes, VolumeIds=[volume])
        self.assertEqual(self.ec2.describe_instance_status()["InstanceStatuses"], [])
        mine = [{"Name": "instance-id", "Values": [instance]}]
        self.assertEqual(self.ec2.describe_instances(Filters=mine)["Reservations"], [])
        self.advance()
        self.assertEqual((instance in listed(), volume in volumes(), self.state(instance)), (True, True, "running"))
        snapshot = self.ec2.create_snapshot(VolumeId=volume)["SnapshotId"]
        self.refused("InvalidSnapshot.NotFound", self.ec2.describe_snapshots, SnapshotIds=[snapshot])
        self.assertNotIn(snapshot, [each["SnapshotId"] for each in self.ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]])
        self.advance()
        self.ec2.describe_snapshots(SnapshotIds=[snapshot])

    def test_the_token_finds_what_cannot_be_seen_yet(self):
        self.assertEqual(self.launch(ClientToken="hidden"), self.launch(ClientToken="hidden"))
