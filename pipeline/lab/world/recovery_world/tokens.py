"""The same ClientToken with the same arguments gives the same resource; with others, an error.

https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-idempotency.html
"""

import json

from moto.ec2.responses import EC2Response
from moto.ec2.responses.elastic_block_store import ElasticBlockStore
from moto.ec2.responses.instances import InstanceResponse

from recovery_world.patch import around_call, arguments, refuse

REMEMBERED = {}


def install():
    """Remembers what the three calls that have a token here have made."""
    for cls, name in (
        (InstanceResponse, "run_instances"),
        (ElasticBlockStore, "create_volume"),
        (EC2Response, "create_replace_root_volume_task"),
    ):
        around_call(cls, name)(once)


def once(inner, response):
    """Gives what the token has made, as it is by now, or makes it; a refused call is not remembered, so it may be tried again."""
    given = arguments(response)
    token = given.pop("ClientToken", None)
    if not token:
        return inner(response)
    key = (response.current_account, response.region, response._get_action(), token)
    asked = json.dumps(given, sort_keys=True, default=str)
    if key not in REMEMBERED:
        REMEMBERED[key] = (asked, inner(response))
    before, answer = REMEMBERED[key]
    if before != asked:
        refuse(
            "IdempotentParameterMismatch",
            "Arguments on this idempotent request are inconsistent with arguments used in previous request(s).",
        )
    return answer
