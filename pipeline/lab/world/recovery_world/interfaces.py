"""An interface has the security groups that it was given last, and no others; moto adds those of the launch again.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyNetworkInterfaceAttribute.html
"""

from moto.ec2.models.elastic_network_interfaces import NetworkInterface, NetworkInterfaceBackend

from recovery_world.patch import around


def install():
    """Remembers which interfaces had their groups changed."""
    around(NetworkInterfaceBackend, "modify_network_interface_attribute")(modified)
    launched = NetworkInterface.group_set.fget
    NetworkInterface.group_set = property(lambda self: list(self._group_set) if hasattr(self, "world_groups_given") else launched(self))


def modified(inner, backend, eni_id, group_ids, *args, **kwargs):
    """Gives an interface its groups."""
    inner(backend, eni_id, group_ids, *args, **kwargs)
    if group_ids:
        backend.get_network_interface(eni_id).world_groups_given = True
