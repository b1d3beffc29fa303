"""AWS refuses what moto does not; and without flags nothing lags."""

import urllib.error

from recovery_world.tests.support import IMAGE, OTHER_ZONE, WorldTest


class Refusals(WorldTest):
    def test_without_flags_everything_is_at_once(self):
        instance = self.launch()
        self.assertEqual(self.state(instance), "running")
        self.assertEqual(self.checks(instance), ("ok", "ok", "ok"))
        snapshot = self.ec2.create_snapshot(VolumeId=self.root(instance))["SnapshotId"]
        self.assertEqual(self.ec2.describe_snapshots(SnapshotIds=[snapshot])["Snapshots"][0]["State"], "completed")
        self.ec2.stop_instances(InstanceIds=[instance])
        self.assertEqual(self.state(instance), "stopped")

    def test_attach_across_zones_twice_or_over_another(self):
        instance, volume = self.launch(), self.volume()
        attach = self.ec2.attach_volume
        self.refused("InvalidVolume.ZoneMismatch", attach, VolumeId=self.volume(OTHER_ZONE), InstanceId=instance, Device="/dev/sdf")
        attach(VolumeId=volume, InstanceId=instance, Device="/dev/sdf")
        self.refused("VolumeInUse", attach, VolumeId=volume, InstanceId=instance, Device="/dev/sdg")
        self.refused("VolumeInUse", attach, VolumeId=volume, InstanceId=self.launch(), Device="/dev/sdg")
        self.refused("InvalidParameterValue", attach, VolumeId=self.volume(), InstanceId=instance, Device="/dev/sdf")
        self.refused("OperationNotPermitted", self.ec2.detach_volume, VolumeId=self.root(instance))

    def test_detach_of_what_is_not_attached(self):
        self.refused("IncorrectState", self.ec2.detach_volume, VolumeId=self.volume())

    def test_attach_fails_by_script(self):
        instance, volume = self.launch(), self.volume()
        self.script({"kind": "attach_error", "volume": volume, "code": "InternalError"})
        self.refused("InternalError", self.ec2.attach_volume, VolumeId=volume, InstanceId=instance, Device="/dev/sdf")
        self.ec2.attach_volume(VolumeId=volume, InstanceId=instance, Device="/dev/sdf")

    def test_attach_never_ends_by_script(self):
        instance, volume = self.launch(), self.volume()
        self.script({"kind": "attach_stuck", "volume": volume})
        self.ec2.attach_volume(VolumeId=volume, InstanceId=instance, Device="/dev/sdf")
        self.advance()
        self.assertEqual(self.ec2.describe_volumes(VolumeIds=[volume])["Volumes"][0]["Attachments"][0]["State"], "attaching")

    def test_busy_volume_waits_for_its_owner_to_stop(self):
        instance, volume = self.launch(), self.volume()
        self.ec2.attach_volume(VolumeId=volume, InstanceId=instance, Device="/dev/sdf")
        self.script({"kind": "detach_busy", "volume": volume})
        self.assertEqual(self.ec2.detach_volume(VolumeId=volume)["State"], "busy")
        self.advance()
        self.assertEqual(self.ec2.describe_volumes(VolumeIds=[volume])["Volumes"][0]["Attachments"][0]["State"], "busy")
        self.ec2.stop_instances(InstanceIds=[instance])
        self.assertEqual(self.ec2.describe_volumes(VolumeIds=[volume])["Volumes"][0]["State"], "available")

    def test_address_is_not_taken_unless_the_call_says_so(self):
        first, second = self.launch(), self.launch()
        address = self.ec2.allocate_address(Domain="vpc")
        asked = {"AllocationId": address["AllocationId"]}
        associate = self.ec2.associate_address
        association = associate(InstanceId=first, **asked)["AssociationId"]
        self.assertEqual(associate(InstanceId=first, **asked)["AssociationId"], association)
        self.refused("Resource.AlreadyAssociated", associate, InstanceId=second, **asked)
        self.refused("Resource.AlreadyAssociated", associate, InstanceId=second, AllowReassociation=False, **asked)
        associate(InstanceId=second, AllowReassociation=True, **asked)
        self.assertEqual(self.instance(second)["PublicIpAddress"], address["PublicIp"])
        self.assertNotEqual(self.instance(first).get("PublicIpAddress"), address["PublicIp"])
        self.script({"kind": "reassociation", "mode": "automatic"})
        self.refused("Resource.AlreadyAssociated", associate, InstanceId=first, AllowReassociation=False, **asked)
        associate(InstanceId=first, **asked)
        self.script({"kind": "reassociation", "mode": "explicit"})
        self.assertEqual(self.ec2.describe_addresses(AllocationIds=[address["AllocationId"]])["Addresses"][0]["InstanceId"], first)

    def test_protected_instances_are_neither_stopped_nor_terminated(self):
        other = self.launch()
        at_launch = self.launch(DisableApiTermination=True, DisableApiStop=True)
        later = self.launch()
        self.ec2.modify_instance_attribute(InstanceId=later, DisableApiTermination={"Value": True})
        self.ec2.modify_instance_attribute(InstanceId=later, Attribute="disableApiStop", Value="true")
        for instance in (at_launch, later):
            self.refused("OperationNotPermitted", self.ec2.terminate_instances, InstanceIds=[other, instance])
            self.refused("OperationNotPermitted", self.ec2.stop_instances, InstanceIds=[other, instance])
            self.assertEqual((self.state(other), self.state(instance)), ("running", "running"))

    def test_one_time_spot_is_not_stopped_and_persistent_is(self):
        market = lambda kind: {"MarketType": "spot", "SpotOptions": {"SpotInstanceType": kind}} if kind else {"MarketType": "spot"}
        for kind in (None, "one-time"):
            instance = self.launch(InstanceMarketOptions=market(kind))
            self.refused("UnsupportedOperation", self.ec2.stop_instances, InstanceIds=[instance])
        self.ec2.stop_instances(InstanceIds=[self.launch(InstanceMarketOptions=market("persistent"))])
        asked = self.ec2.request_spot_instances(LaunchSpecification={"ImageId": IMAGE, "InstanceType": "t3.micro"}, Type="one-time")
        request = asked["SpotInstanceRequests"][0]["SpotInstanceRequestId"]
        found = self.ec2.describe_spot_instance_requests(SpotInstanceRequestIds=[request])["SpotInstanceRequests"][0]
        self.refused("UnsupportedOperation", self.ec2.stop_instances, InstanceIds=[found["InstanceId"]])

    def test_placement_changes_only_when_stopped(self):
        instance = self.launch()
        asked = {"InstanceId": instance, "Tenancy": "dedicated", "Affinity": "default"}
        self.refused("IncorrectInstanceState", self.ec2.modify_instance_placement, **asked)
        self.ec2.stop_instances(InstanceIds=[instance])
        self.assertTrue(self.ec2.modify_instance_placement(**asked)["Return"])
        placement = self.instance(instance)["Placement"]
        self.assertEqual((placement["Tenancy"], placement["Affinity"]), ("dedicated", "default"))

    def test_capacity_runs_out_by_type_and_zone(self):
        self.script({"kind": "capacity", "call": "RunInstances", "type": "t3.micro", "zone": OTHER_ZONE, "times": 2})
        self.launch()
        for _ in range(2):
            error = self.refused("InsufficientInstanceCapacity", self.launch, zone=OTHER_ZONE, ClientToken="room")
            self.assertEqual(error.response["ResponseMetadata"]["HTTPStatusCode"], 500)
        instance = self.launch(zone=OTHER_ZONE, ClientToken="room")
        self.ec2.stop_instances(InstanceIds=[instance])
        self.script({"kind": "capacity", "call": "StartInstances", "type": "t3.micro", "zone": OTHER_ZONE})
        self.refused("InsufficientInstanceCapacity", self.ec2.start_instances, InstanceIds=[instance])
        self.ec2.start_instances(InstanceIds=[instance])
        self.assertEqual(self.state(instance), "running")

    def test_dry_run_meets_no_rule(self):
        self.script({"kind": "capacity"})
        self.refused("DryRunOperation", self.launch, DryRun=True)
        self.refused("InsufficientInstanceCapacity", self.launch)


class Tokens(WorldTest):
    def test_same_token_and_arguments_give_the_same_and_others_a_mismatch(self):
        for make, changed in ((self.launch, {"KeyName": "other"}), (self.volume, {"VolumeType": "gp3"})):
            made = make(ClientToken="one")
            count = len(self.ec2.describe_volumes()["Volumes"])
            self.assertEqual(make(ClientToken="one"), made)
            self.assertEqual(len(self.ec2.describe_volumes()["Volumes"]), count)
            self.assertNotEqual(make(ClientToken="two"), made)
            self.refused("IdempotentParameterMismatch", make, ClientToken="one", **changed)

    def test_instances_are_found_by_their_token(self):
        instance = self.launch(ClientToken="find-me")
        found = self.ec2.describe_instances(Filters=[{"Name": "client-token", "Values": ["find-me"]}])["Reservations"]
        self.assertEqual([each["InstanceId"] for all in found for each in all["Instances"]], [instance])

    def test_root_volume_task_token(self):
        asked = {"InstanceId": self.launch(), "ClientToken": "root"}
        make = self.ec2.create_replace_root_volume_task
        first, again = make(**asked), make(**asked)
        ids = {answer["ReplaceRootVolumeTask"]["ReplaceRootVolumeTaskId"] for answer in (first, again)}
        self.assertEqual(len(ids), 1)
        self.refused("IdempotentParameterMismatch", make, DeleteReplacedRootVolume=True, **asked)


class Control(WorldTest):
    def test_mutating_calls_are_listed_in_order_with_their_arguments(self):
        self.ask("reset_calls", {})
        volume = self.volume(ClientToken="listed")
        self.ec2.describe_volumes()
        self.ec2.create_snapshot(VolumeId=volume, Description="first")
        self.refused("IncorrectState", self.ec2.detach_volume, VolumeId=volume)
        self.client("ssm").put_parameter(Name="p", Value="v", Type="String")
        sqs = self.client("sqs")
        sqs.create_queue(QueueName="q")
        calls = self.ask("calls")
        seen = [(call["service"], call["action"], call["error"]) for call in calls]
        self.assertEqual(
            seen,
            [
                ("ec2", "CreateVolume", None),
                ("ec2", "CreateSnapshot", None),
                ("ec2", "DetachVolume", "IncorrectState"),
                ("ssm", "PutParameter", None),
                ("sqs", "CreateQueue", None),
            ],
        )
        self.assertEqual(calls[1]["args"], {"VolumeId": volume, "Description": "first"})
        self.assertEqual(calls[0]["args"]["ClientToken"], "listed")
        self.assertEqual(calls[3]["args"]["Name"], "p")
        times = [call["time"] for call in calls]
        self.assertEqual(times, sorted(times))

    def test_a_script_that_cannot_be_followed_is_refused(self):
        for entry in (
            {"kind": "capacty"},
            {"kind": "capacity", "typ": "t3.micro"},
            {"kind": "ssm", "outcome": "Perhaps"},
            {"kind": "status", "instance": "i-0", "checks": {}},
            {"kind": "status", "instance": self.launch(), "checks": {"system": "bad"}},
            "text",
        ):
            with self.subTest(entry), self.assertRaises(urllib.error.HTTPError) as caught:
                self.script(entry)
            self.assertEqual(caught.exception.code, 400)
            caught.exception.close()

    def test_an_unknown_path_is_not_found(self):
        with self.assertRaises(urllib.error.HTTPError) as caught:
            self.ask("nothing")
        self.assertEqual(caught.exception.code, 404)
        caught.exception.close()
