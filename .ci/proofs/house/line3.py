"""The edit loop, before and after, in the same run; the first command's cost, cold."""

import itertools
import json
import os
import re
import subprocess
import time

from proofs import kit
from proofs.house.source import build, tree
from proofs.kit import Short

NUMBER = 3
TITLE = "seconds from a changed function to the built tests, before and after; CPU minutes of the first command, cold"
SABOTAGE = ("ratio_bus", "the rooms are taken away: both edits are made in the one crate of before")
TESTS = ("test", "--workspace", "--no-run")
PROGRAM = ("build", "-p", "forewarn", "--bin", "forewarn")
# What is edited: the file before and now, and the share of before that it may take.
EDITS = {
    "command": ("pipeline/src/cli/mark.rs", "pipeline/app/src/cli/mark.rs", 0.35),
    "bus": ("pipeline/src/emit/jsonl.rs", "pipeline/deliver/src/jsonl.rs", 0.35),
    "backtest": ("pipeline/src/backtest/measure.rs", "pipeline/evaluate/src/backtest/measure.rs", 0.35),
    "recovery": ("pipeline/src/respond/inbox.rs", "pipeline/recover/src/inbox.rs", 0.35),
    "poller": ("pipeline/src/source/follow.rs", "pipeline/ingest/src/source/follow.rs", 0.6),
}
COLD_CPU_MINUTES = 30
# Each edit is longer than those before it: an incremental build knows what it built last.
EDITED = itertools.count(1)
# The trees of both halves of a sabotage.
MADE = {}


def edited(place, target, file, *args):
    """Gives the seconds of `cargo ARGS` after a change of the body of the file's first function with one."""
    path = place / file
    text = path.read_text()
    body = re.search(r"\n(?:    )?(?:pub(?:\([a-z]+\))? )?fn [^;{]*\{\n", text)
    if not body:
        raise Short(f"{file} has no function to edit")
    added = "        std::hint::black_box(1_u32);\n" * next(EDITED)
    try:
        path.write_text(text[: body.end()] + added + text[body.end() :])
        return build(place, target, *args)
    finally:
        path.write_text(text)


def trees(line):
    """Makes both trees and builds their tests once, so that only edits are timed."""
    made = {}
    for name in ("before", "now"):
        begun = time.time()
        made[name] = tree(line.work, name)
        line.note(f"{name}: tests built in {time.time() - begun:.0f} s")
    return made


def ratio(line, made, name, files, bar):
    """Checks what an edit takes now beside before, made once and in the same way in each tree."""
    took = {k: edited(*made[k], f, *TESTS) for k, f in files.items()}
    share = took["now"] / took["before"]
    line.check(f"ratio_{name}", f"{files['now']}: seconds to the built tests, before and now, and their ratio", share <= bar, f"{took['before']:.1f}, {took['now']:.1f}: {share:.2f}", f"<= {bar}")


def prove(line):
    made = trees(line)
    for place, target in made.values():
        build(place, target, *PROGRAM)
    for name, (old, new, bar) in EDITS.items():
        files = {"before": old, "now": new}
        ratio(line, made, name, files, bar)
        program = {k: edited(*made[k], f, *PROGRAM) for k, f in files.items()}
        line.note(f"{name}: a debug `forewarn` {program['before']:.1f} s before, {program['now']:.1f} s now")


def cold(line):
    """Builds the README's first command from nothing, with cargo's own account of each crate."""
    target = line.fresh("cold")
    env = dict(kit.CLEAN, CARGO_TARGET_DIR=str(target))
    was = os.times()
    options = list(itertools.takewhile(lambda a: a != "--", kit.first_command()[2:]))
    subprocess.run(["cargo", "build", *options, "-p", "forewarn", "--locked", "--timings", "-q"], cwd=kit.ROOT, env=env, check=True, stdin=subprocess.DEVNULL)
    now = os.times()
    minutes = (now.children_user - was.children_user + now.children_system - was.children_system) / 60
    page = next((target / "cargo-timings").glob("cargo-timing-*.html")).read_text()
    units = json.loads(re.search(r"const UNIT_DATA = (\[.*?\]);\n", page, re.S)[1])
    dearest = sorted(((u["duration"], u["name"]) for u in units), reverse=True)[:10]
    line.note("dearest crates, seconds: " + ", ".join(f"{n} {d:.0f}" for d, n in dearest))
    line.check("cold", f"CPU minutes of the README's first command, cold (options: {' '.join(options)})", minutes <= COLD_CPU_MINUTES, f"{minutes:.1f}", f"<= {COLD_CPU_MINUTES}")


def sabotage(line, broken):
    if not MADE:
        MADE.update(trees(line))
    old, new, bar = EDITS["bus"]
    if broken:
        ratio(line, MADE | {"now": MADE["before"]}, "bus", {"before": old, "now": old}, bar)
    else:
        ratio(line, MADE, "bus", {"before": old, "now": new}, bar)
