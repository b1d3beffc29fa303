"""The placement of a stopped instance can be changed.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyInstancePlacement.html
"""

from moto.core.responses import ActionResult
from moto.ec2.responses import EC2Response

from recovery_world.patch import adds, refuse

FIELDS = {
    "Affinity": "affinity",
    "GroupName": "group_name",
    "GroupId": "group_id",
    "HostId": "host_id",
    "HostResourceGroupArn": "host_resource_group_arn",
    "PartitionNumber": "partition_number",
    "Tenancy": "tenancy",
}


def install():
    """Adds the operation that moto lacks."""
    adds(EC2Response)(modify_instance_placement)


def modify_instance_placement(self):
    """https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyInstancePlacement.html"""
    instance = self.ec2_backend.get_instance(self._get_param("InstanceId"))
    given = {field: self._get_param(name) for name, field in FIELDS.items() if self._get_param(name) is not None}
    if not given:
        refuse("MissingParameter", "At least one of affinity, group, host, partition or tenancy must be specified")
    if instance.state != "stopped":
        refuse("IncorrectInstanceState", f"The instance '{instance.id}' is not in the 'stopped' state.")
    for field, value in given.items():
        setattr(instance.placement, field, value)
    return ActionResult({"Return": True})
