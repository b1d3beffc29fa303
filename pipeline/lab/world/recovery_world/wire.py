"""What happens around every call: its turn, the world's settling, and the record of what changes something."""

import json
import re
import time

from moto.core.responses import BaseResponse

from recovery_world import hiding
from recovery_world.patch import around
from recovery_world.world import WORLD

# One call at a time where calls share the world. Others keep moto's threads: a long poll of SQS would stop everything else.
IN_TURN = {"ec2", "ssm", "autoscaling", "elbv2", "elb"}
READING = re.compile(r"(Describe|Get|List|Head|Search|Lookup)")
CODE = re.compile(r'<Code>([^<]+)</Code>|"__type":\s*"(?:[^"#]*#)?([^"]+)"')
# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html (server error codes): SDKs try these again by themselves.
SERVER_ERRORS = {"InsufficientInstanceCapacity"}


def install():
    """Puts the world around `call_action`, through which every query and JSON call of moto goes."""

    @around(BaseResponse, "call_action")
    def call_action(inner, self):
        if self.service_name not in IN_TURN:
            return recorded(inner, self)
        with WORLD.turn:
            WORLD.settle()
            return recorded(hiding.answer_or(inner), self)


def recorded(inner, response):
    """Answers the call and writes it down if it changes something, or would have if it had not been refused."""
    action = response._get_action() or ""
    entry = {"service": response.service_name, "region": response.region, "action": action, "args": given(response)}
    entry |= {"at_ms": round(WORLD.now(), 3), "time": time.time()}
    changes = action and not READING.match(action)
    if changes:
        # Written down before it is carried out: the order of this list is the order of effects.
        WORLD.calls.append(entry)
    status, headers, body = DARK if is_dark(response) else inner(response)
    code = error_code(body) if int(status) >= 400 else None
    if code in SERVER_ERRORS:
        status, headers = 500, {**headers, "status": "500"}
    entry |= {"status": int(status), "error": code}
    return status, headers, body


# Services that have an endpoint of their own in each region; what they answer while it is down.
REGIONAL = IN_TURN | {"sts"}
DARK = 503, {"status": "503"}, "<Response><Errors><Error><Code>ServiceUnavailable</Code><Message>scripted</Message></Error></Errors></Response>"


def is_dark(response):
    return response.service_name in REGIONAL and WORLD.script.take("dark", region=response.region) is not None


def given(response):
    """Gives the arguments of any call, as far as they can be read, in a form that JSON has."""
    if response.automated_parameter_parsing:
        params = response.params
        found = params.original_dict() if hasattr(params, "original_dict") else dict(params)
    else:
        try:
            found = json.loads(response.body)
        except (TypeError, ValueError):
            found = {name: value[0] if isinstance(value, list) else value for name, value in response.querystring.items()}
    return json.loads(json.dumps(found, default=str))


def error_code(body):
    """Gives the code in the body of an error, XML or JSON."""
    text = body.decode(errors="replace") if isinstance(body, bytes) else str(body)
    found = CODE.search(text)
    return found and (found[1] or found[2])
