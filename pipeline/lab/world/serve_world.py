"""Serves the recovery test world (moto, made to behave like AWS: see recovery_world/) on a free port of 127.0.0.1.

Says the port on stdout and ends with its standard input, as serve_moto.py does. Arguments: the services that will be asked for,
loaded first, and `--seed N --lag-ms A:B --hide-ms A:B`: without them state changes at once and nothing is hidden.
"""

import argparse
import sys

from moto.backends import get_backend
from moto.server import ThreadedMotoServer

import recovery_world
from recovery_world import control


def milliseconds(text):
    """Reads a range such as `100:2000`."""
    low, _, high = text.partition(":")
    low, high = float(low), float(high or low)
    if not 0 <= low <= high:
        raise argparse.ArgumentTypeError(f"{text} is no range of milliseconds, such as 100:2000")
    return low, high


parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("services", nargs="*")
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--lag-ms", type=milliseconds, default=(0, 0), metavar="A:B")
parser.add_argument("--hide-ms", type=milliseconds, default=(0, 0), metavar="A:B")
options = parser.parse_args()

recovery_world.install(options.seed, options.lag_ms, options.hide_ms)
control.install()
for service in options.services:
    get_backend(service)
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
