"""The tree as it is, and as it was before the rooms."""

import pathlib
import shutil
import time

from proofs import kit
from proofs.kit import Short, run

# The last commit in which `pipeline` was one crate.
BEFORE = "8803cdf9b0c1"


def base():
    """Names the commit before the rooms in full."""
    r = run(["git", "rev-parse", "--verify", f"{BEFORE[:7]}^{{commit}}"])
    if r.code:
        raise Short(f"the commit before the rooms, {BEFORE[:7]}, is not in this clone: {r.err.strip()}")
    return r.out.strip()


def before(path):
    """Gives a file as it was before the rooms."""
    r = run(["git", "show", f"{base()}:{path}"])
    if r.code:
        raise Short(f"{path} was not there before the rooms")
    return r.out


def clone(place, commit):
    """Makes a clone of this repository at a commit."""
    shutil.rmtree(place, ignore_errors=True)
    run(["git", "clone", "-q", "--no-local", kit.ROOT, place]).ok()
    run(["git", "checkout", "-q", commit], cwd=place).ok()
    return pathlib.Path(place)


def tests(package, name, env=None):
    """Runs the tests of a package whose path contains `name`; gives what was run."""
    return run(["cargo", "test", "-p", package, "--locked", "--", name], env={"CARGO_TARGET_DIR": kit.TARGET} | (env or {}), timeout=3000)


def tree(work, name):
    """Gives (clone, target folder) of `before` or `now`, its tests built; what is built already stays."""
    commit = base() if name == "before" else run(["git", "rev-parse", "HEAD"]).ok().out.strip()
    place, target = work / f"tree-{name}", work / f"target-{name}"
    if not place.exists() or run(["git", "rev-parse", "HEAD"], cwd=place).out.strip() != commit:
        clone(place, commit)
    build(place, target, "test", "--workspace", "--no-run")
    return place, target


def build(place, target, *args):
    """Runs cargo in a clone; gives the seconds it took."""
    begun = time.time()
    r = run(["cargo", *args, "--locked", "-q"], env={"CARGO_TARGET_DIR": target}, cwd=place, timeout=5400)
    if r.code:
        raise Short(f"cargo {' '.join(args)} in {place.name}: {r.err[-400:]}")
    return time.time() - begun
