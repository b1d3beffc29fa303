"""How moto's methods are put aside, wrapped and found again."""

from functools import wraps

from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models import ec2_backends

from recovery_world.script import BadScript


def around(cls, name):
    """Decorates a function that is given the method it takes the place of, and then the method's own arguments."""

    def put(outer):
        inner = getattr(cls, name)

        @wraps(inner)
        def call(self, *args, **kwargs):
            return outer(inner, self, *args, **kwargs)

        setattr(cls, name, call)
        return outer

    return put


def around_call(cls, name):
    """As `around`, for a method that answers a call; a dry run goes past it, for it meets no rule and changes nothing."""

    def put(outer):
        @around(cls, name)
        def call(inner, self):
            return inner(self) if self._get_param("DryRun", False) else outer(inner, self)

        return call

    return put


def adds(cls):
    """Decorates a function that becomes a method of a class: an operation that moto lacks, or answers with an exception."""

    def put(function):
        setattr(cls, function.__name__, function)
        return function

    return put


def refuse(code, message, error=EC2ClientError):
    """Raises an error that goes over the wire as AWS would send it; moto finds the service's form by the class of the error."""
    raise error(code, message)


def arguments(response):
    """Gives the arguments of a call as they came: the parsed query, or the JSON body."""
    params = response.params
    return params.original_dict() if hasattr(params, "original_dict") else dict(params)


def backends():
    """Yields every EC2 backend that is in use."""
    for regions in list(ec2_backends.values()):
        yield from list(regions.values())


def script_instance(instance_id):
    """Gives the instance that a script names, wherever it runs."""
    for backend in backends():
        found = backend.get_instance_by_id(instance_id)
        if found:
            return found
    raise BadScript(f"there is no instance {instance_id!r}")


def script_volume(volume_id):
    """Gives the volume that a script names, wherever it is."""
    for backend in backends():
        if volume_id in backend.volumes:
            return backend.volumes[volume_id]
    raise BadScript(f"there is no volume {volume_id!r}")


def paged(response, items):
    """Gives one page of a list and the token of the next, which is the place where it starts."""
    start = int(response._get_param("NextToken") or 0)
    size = int(response._get_param("MaxResults") or 1000)
    following = start + size
    return items[start:following], str(following) if following < len(items) else None
