"""Auto Scaling keeps its minimum, and waits at its hooks."""

from recovery_world.tests.support import IMAGE, MINUTE, ZONE, WorldTest


class Groups(WorldTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.groups = cls.client("autoscaling")
        cls.groups.create_launch_configuration(LaunchConfigurationName="c", ImageId=IMAGE, InstanceType="t3.micro")

    def group(self, size, least):
        """Makes a group with hooks at both transitions, and gives its name and its instances."""
        name = self.id().rsplit(".", 1)[-1]
        sizes = {"MinSize": least, "MaxSize": size + 1, "DesiredCapacity": size}
        self.groups.create_auto_scaling_group(
            AutoScalingGroupName=name, LaunchConfigurationName="c", AvailabilityZones=[ZONE], **sizes
        )
        for transition in ("LAUNCHING", "TERMINATING"):
            self.groups.put_lifecycle_hook(
                LifecycleHookName=transition,
                AutoScalingGroupName=name,
                LifecycleTransition=f"autoscaling:EC2_INSTANCE_{transition}",
                HeartbeatTimeout=60,
            )
        return name, list(self.members(name))

    def members(self, name):
        found = self.groups.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"][0]["Instances"]
        return {each["InstanceId"]: each["LifecycleState"] for each in found}

    def wait_at(self, name, hook, instance, **more):
        self.script({"kind": "lifecycle", "group": name, "hook": hook, "instance": instance, **more})
        return {"AutoScalingGroupName": name, "LifecycleHookName": hook}

    def test_standby_keeps_to_the_minimum(self):
        name, (first, second) = self.group(2, 1)
        asked = {"AutoScalingGroupName": name, "ShouldDecrementDesiredCapacity": True}
        self.groups.enter_standby(InstanceIds=[first], **asked)
        self.assertEqual(self.members(name)[first], "Standby")
        error = self.refused("ValidationError", self.groups.enter_standby, InstanceIds=[second], **asked)
        self.assertIn("min-size=1", str(error))
        self.refused("ValidationError", self.groups.enter_standby, InstanceIds=[first], **asked)
        self.groups.exit_standby(AutoScalingGroupName=name, InstanceIds=[first])
        self.assertEqual(self.members(name)[first], "InService")

    def test_completing_the_launch_puts_it_in_service(self):
        name, (instance,) = self.group(1, 1)
        token = "token-of-launch-".ljust(36, "0")
        asked = self.wait_at(name, "LAUNCHING", instance, token=token)
        self.assertEqual(self.members(name)[instance], "Pending:Wait")
        complete = self.groups.complete_lifecycle_action
        asked |= {"LifecycleActionToken": token}
        self.refused("ValidationError", complete, LifecycleActionResult="PERHAPS", **asked)
        complete(LifecycleActionResult="CONTINUE", **asked)
        self.assertEqual(self.members(name)[instance], "InService")
        error = self.refused("ValidationError", complete, LifecycleActionResult="CONTINUE", **asked)
        self.assertIn("No active Lifecycle Action", str(error))

    def test_completing_the_end_ends_it_and_the_group_replaces_it(self):
        name, (instance,) = self.group(1, 1)
        asked = self.wait_at(name, "TERMINATING", instance)
        self.assertEqual((self.members(name)[instance], self.state(instance)), ("Terminating:Wait", "running"))
        self.groups.complete_lifecycle_action(LifecycleActionResult="CONTINUE", InstanceId=instance, **asked)
        self.assertEqual(self.state(instance), "terminated")
        self.assertEqual((instance in self.members(name), len(self.members(name))), (False, 1))

    def test_a_heartbeat_keeps_it_waiting_and_silence_ends_it(self):
        name, (instance,) = self.group(1, 1)
        asked = self.wait_at(name, "TERMINATING", instance)
        self.advance(MINUTE * 0.9)
        self.groups.record_lifecycle_action_heartbeat(InstanceId=instance, **asked)
        self.advance(MINUTE * 0.9)
        self.assertEqual(self.state(instance), "running")
        self.advance(MINUTE * 0.2)
        self.assertEqual(self.state(instance), "terminated")
        self.refused("ValidationError", self.groups.record_lifecycle_action_heartbeat, InstanceId=instance, **asked)
