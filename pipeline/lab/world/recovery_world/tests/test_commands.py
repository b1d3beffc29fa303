"""Systems Manager answers as the script says."""

from recovery_world.tests.support import MINUTE, WorldTest

DOCUMENT = "AWS-RunShellScript"


class Commands(WorldTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.ssm = cls.client("ssm")

    def setUp(self):
        self.script({"kind": "clear"})
        self.one = self.launch()

    def send(self, **more):
        asked = {"DocumentName": DOCUMENT, "InstanceIds": [self.one], "Parameters": {"commands": ["true"]}}
        return self.ssm.send_command(**{**asked, **more})["Command"]["CommandId"]

    def invocation(self, command):
        return self.ssm.get_command_invocation(CommandId=command, InstanceId=self.one)

    def ping(self):
        asked = [{"Key": "InstanceIds", "Values": [self.one]}]
        found = self.ssm.describe_instance_information(Filters=asked)["InstanceInformationList"]
        return found[0]["PingStatus"] if found else None

    def test_success_at_once_without_a_script(self):
        found = self.invocation(self.send())
        self.assertEqual((found["Status"], found["ResponseCode"]), ("Success", 0))

    def test_outcome_by_document_and_instance_after_its_time(self):
        for outcome, code in (("Success", 0), ("Failed", 1), ("TimedOut", -1)):
            with self.subTest(outcome):
                entry = {"kind": "ssm", "document": DOCUMENT, "instance": self.one, "outcome": outcome, "after_ms": MINUTE}
                self.script({**entry, "stdout": "said"})
                command = self.send()
                self.assertEqual(self.invocation(command)["Status"], "InProgress")
                self.advance()
                found = self.invocation(command)
                self.assertEqual((found["Status"], found["ResponseCode"], found["StandardOutputContent"]), (outcome, code, "said"))
                self.assertEqual(self.ssm.list_commands(CommandId=command)["Commands"][0]["Status"], outcome)
                self.assertEqual(self.invocation(self.send(DocumentName="AWS-Other"))["Status"], "Success")

    def test_invocation_does_not_exist_for_the_first_polls(self):
        self.script({"kind": "ssm", "missing_polls": 2})
        command = self.send()
        asked = {"CommandId": command, "InstanceId": self.one}
        for _ in range(2):
            self.refused("InvocationDoesNotExist", self.ssm.get_command_invocation, **asked)
        self.assertEqual(self.invocation(command)["Status"], "Success")

    def test_offline_agent_gets_nothing_delivered(self):
        self.assertEqual(self.ping(), "Online")
        self.script({"kind": "ssm", "instance": self.one, "outcome": "offline"})
        self.assertEqual(self.ping(), "ConnectionLost")
        command = self.send(TimeoutSeconds=60)
        self.assertEqual(self.invocation(command)["Status"], "Pending")
        self.advance()
        found = self.invocation(command)
        self.assertEqual((found["Status"], found["StatusDetails"]), ("TimedOut", "Delivery Timed Out"))

    def test_unregistered_instance_is_refused(self):
        self.script({"kind": "ssm", "instance": self.one, "outcome": "unregistered"})
        self.assertIsNone(self.ping())
        self.refused("InvalidInstanceId", self.send)

    def test_stopped_instance_is_not_online(self):
        self.ec2.stop_instances(InstanceIds=[self.one])
        self.assertEqual(self.ping(), "ConnectionLost")

    def test_information_is_paged_and_filtered_in_both_forms(self):
        self.launch()
        seen, token = [], {}
        while True:
            answer = self.ssm.describe_instance_information(MaxResults=5, **token)
            seen += [each["InstanceId"] for each in answer["InstanceInformationList"]]
            if not answer.get("NextToken"):
                break
            token = {"NextToken": answer["NextToken"]}
        self.assertEqual((len(seen), self.one in seen), (len(set(seen)), True))
        asked = [{"key": "InstanceIds", "valueSet": [self.one]}]
        found = self.ssm.describe_instance_information(InstanceInformationFilterList=asked)["InstanceInformationList"]
        self.assertEqual([each["InstanceId"] for each in found], [self.one])

    def test_invocations_are_listed(self):
        self.script({"kind": "ssm", "instance": self.one, "outcome": "Failed"})
        command = self.send(InstanceIds=[self.one, self.launch()], Comment="step-1")
        found = self.ssm.list_command_invocations(CommandId=command, Details=True)["CommandInvocations"]
        self.assertEqual(sorted(each["Status"] for each in found), ["Failed", "Success"])
        self.assertEqual({each["Comment"] for each in found}, {"step-1"})
        self.assertEqual(sorted(each["CommandPlugins"][0]["ResponseCode"] for each in found), [0, 1])
        mine = self.ssm.list_command_invocations(CommandId=command, InstanceId=self.one)["CommandInvocations"]
        self.assertEqual([(each["InstanceId"], each["Status"], each["CommandPlugins"]) for each in mine], [(self.one, "Failed", [])])

    def test_cancel_ends_what_is_open_and_nothing_else(self):
        self.script({"kind": "ssm", "instance": self.one, "outcome": "Success", "after_ms": MINUTE})
        command = self.send()
        self.ssm.cancel_command(CommandId=command)
        self.advance()
        self.assertEqual(self.invocation(command)["Status"], "Cancelled")
        done = self.send()
        self.advance()
        self.ssm.cancel_command(CommandId=done)
        self.assertEqual(self.invocation(done)["Status"], "Success")
        self.refused("InvalidCommandId", self.ssm.cancel_command, CommandId="0" * 36)
