"""The control endpoint, on the port of the server itself: tests script the world and read what was asked of it.

`POST /_world/script` takes a script (see script.py), `GET /_world/calls` gives the calls that change something, in order,
`POST /_world/advance` with `{"ms": N}` moves the clock on, and `POST /_world/reset_calls` forgets the calls so far.
"""

import json

from moto.moto_server.werkzeug_app import DomainDispatcherApplication

from recovery_world.patch import around
from recovery_world.script import BadScript
from recovery_world.world import WORLD

PREFIX = "/_world/"


def install():
    """Answers what is under the prefix before moto guesses a service for it."""

    @around(DomainDispatcherApplication, "__call__")
    def dispatch(inner, self, environ, start_response):
        path = environ.get("PATH_INFO", "")
        if not path.startswith(PREFIX):
            return inner(self, environ, start_response)
        status, answer = answered(environ["REQUEST_METHOD"], path.removeprefix(PREFIX), environ)
        body = json.dumps(answer).encode()
        start_response(status, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
        return [body]


def answered(method, name, environ):
    """Gives the status and the body of an answer; a bad script says what is wrong with it."""
    endpoint = ENDPOINTS.get((method, name))
    if endpoint is None:
        return "404 Not Found", {"error": "there is " + ", ".join(f"{verb} {PREFIX}{path}" for verb, path in ENDPOINTS)}
    try:
        asked = json.loads(environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)) or "null")
        with WORLD.turn:
            WORLD.settle()
            return "200 OK", endpoint(asked)
    except (BadScript, ValueError, TypeError, KeyError) as e:
        return "400 Bad Request", {"error": f"{type(e).__name__}: {e}"}


def script(asked):
    """Takes a script: one entry or a list of them."""
    for entry in asked if isinstance(asked, list) else [asked]:
        WORLD.script.add(entry)
    return {"rules": len(WORLD.script.rules)}


def calls(_):
    """Gives the calls so far."""
    return WORLD.calls


def reset_calls(_):
    """Forgets the calls so far, so that a test counts from here."""
    WORLD.calls.clear()
    return {}


def advance(asked):
    """Moves the clock on and carries out what has come due, each deed at its own time."""
    WORLD.moved += float(asked["ms"])
    WORLD.settle()
    return {"now_ms": WORLD.now()}


ENDPOINTS = {
    ("POST", "script"): script,
    ("GET", "calls"): calls,
    ("POST", "reset_calls"): reset_calls,
    ("POST", "advance"): advance,
}
