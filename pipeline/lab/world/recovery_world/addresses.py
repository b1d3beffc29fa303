"""An Elastic IP has one owner, and is taken from another only by a call that says so.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AssociateAddress.html
"""

from moto.core.responses import ActionResult
from moto.ec2.responses.elastic_ip_addresses import ElasticIPAddresses

from recovery_world.patch import around_call, refuse
from recovery_world.script import BadScript, Script

MODE = {"reassociation": "explicit"}


def install():
    """Puts the compare before moto's set."""
    around_call(ElasticIPAddresses, "associate_address")(associate_address)


@Script.sets("reassociation", "mode")
def set_mode(mode):
    """Says what a call without AllowReassociation does: `explicit` refuses, which is the stricter reading and the default here;
    `automatic` takes the address from its owner, as the page above has it for accounts that have only VPCs."""
    if mode not in ("explicit", "automatic"):
        raise BadScript(f"reassociation is explicit or automatic, not {mode!r}")
    MODE["reassociation"] = mode


def associate_address(inner, response):
    """Associates. Again with the owner it has changes nothing, and the former owner no longer shows the address, as moto lets it."""
    backend = response.ec2_backend
    address = wanted(backend, response)
    target = interface(backend, response)
    owner = address.eni
    if owner is target:
        return ActionResult({"AssociationId": address.association_id})
    allowed = response._get_param("AllowReassociation")
    if allowed is None and MODE["reassociation"] == "automatic":
        allowed = True
    if owner and not allowed:
        named = address.allocation_id or address.public_ip
        refuse("Resource.AlreadyAssociated", f"resource {named} is already associated with associate-id {address.association_id}")
    response.params["AllowReassociation"] = True
    answer = inner(response)
    address.instance = target.instance
    if owner:
        owner.public_ip = None
    return answer


def wanted(backend, response):
    """Gives the address that a call names."""
    allocation = response._get_param("AllocationId")
    if allocation:
        return backend.address_by_allocation([allocation])[0]
    return backend.address_by_ip([response._get_param("PublicIp")])[0]


def interface(backend, response):
    """Gives the interface that a call names, itself or by its instance, which must be past `pending`."""
    asked = response._get_param("InstanceId")
    if not asked:
        return backend.get_network_interface(response._get_param("NetworkInterfaceId"))
    instance = backend.get_instance(asked)
    if instance.state not in ("running", "stopping", "stopped"):
        refuse("InvalidInstanceID", f"The {instance.state} instance '{asked}' is not in a valid state for this operation.")
    return instance.nics[0]
