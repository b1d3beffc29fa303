"""Runs tests of the workspace by name."""

import re

from proofs import kit
from proofs.kit import run


def passes(line, key, what, name, env=None):
    """Runs the tests whose path contains `name`; gives what they printed."""
    r = run(["cargo", "test", "-p", "forewarn-recovery", "--locked", "--test", "it", name, "--", "--nocapture"], env={"CARGO_TARGET_DIR": kit.TARGET} | (env or {}), timeout=3000)
    found = re.search(r"test result: ok\. (\d+) passed", r.out)
    told = f"{found[1]} tests pass" if found else next((x for x in (r.out + r.err).splitlines() if x.startswith("seed ")), (r.out + r.err)[-300:])
    line.check(key, what, r.code == 0 and found and int(found[1]) > 0, told, "pass")
    return r
