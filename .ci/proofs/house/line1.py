"""The tree and its edges are kept by a test; no circle of files within a crate; ARCHITECTURE.md leads to twenty behaviours in two hops."""

import random
import re
import shutil

from proofs import kit
from proofs.house.source import tests
from proofs.kit import forewarn, run

NUMBER = 1
TITLE = "the tree and its edges; no circle of files; twenty behaviours drawn by the commit, each found in two hops from ARCHITECTURE.md"
SABOTAGE = ("circles", "two files of a crate name each other")
DRAWN = 20
PATH = re.compile(r"`((?:models|rules|pipeline|infra|\.ci)[\w./{}<>-]*)`")


def behaviours():
    """Yields (kind, name, what its source file contains): commands, event types, settings, failure types."""
    listed = forewarn("--help").ok().out.split("Commands:")[1].split("Options:")[0]
    for name in re.findall(r"^  ([a-z][a-z-]+) ", listed, re.M):
        if name != "help":
            yield "command", name, rf"^//! `forewarn {name}`:"
    for path in sorted((kit.ROOT / "pipeline/schemas").glob("forewarn.*.json")):
        kind, event = path.name.split(".")[1:3]
        yield "event type", f"{kind}.{event}", rf'"(forewarn\.)?{kind}\.{event}(" v \d|", \d|\.v\d")'
    settings = (kit.ROOT / "pipeline/runtime/src/settings.rs").read_text()
    for name in re.findall(r'^    key\(\s*"(\w+)"', settings, re.M):
        yield "setting", name, rf'key\(\s*"{name}"'
    failures = (kit.ROOT / "rules/domain/src/prediction.rs").read_text()
    for name in re.findall(r'^            Self::\w+ => "(\w+)",', failures.split("impl FailureType")[1].split("}\n}")[0], re.M):
        yield "failure type", name, rf'"{name}"'


def hops(kind, name, contains):
    """Gives the two hops to a behaviour: the row of ARCHITECTURE.md that says where its kind lies, and the file below that has it."""
    text = (kit.ROOT / "ARCHITECTURE.md").read_text()
    rows = [r for r in text.splitlines() if kind in r.lower() and PATH.search(r)]
    for row in rows:
        for template in PATH.findall(row):
            place = re.sub(r"[{<][^}>]*[}>]|\bX\b|\bA\b", "*", template)
            for found in sorted(kit.ROOT.glob(place.rstrip("/"))):
                files = [found] if found.is_file() else sorted(found.rglob("*.rs"))
                stem = {name.replace("-", "_"), name.split(".")[0]}
                if "*" in place:
                    files = [f for f in files if f.stem in stem or f.parent.name in stem]
                for f in files:
                    if f.suffix in (".rs", ".toml") and re.search(contains, f.read_text()):
                        return row.strip()[:90], str(f.relative_to(kit.ROOT))
    return None


def circles(line, *members):
    r = run(["python3", kit.ROOT / ".ci/checks/circles.py", *members])
    return line.check("circles", "circles of files within a crate, but for a parent with its own children", r.code == 0, (r.out.strip().splitlines() or ["-"])[-1], "none")


def prove(line):
    r = tests("forewarn", "house::")
    line.check("edges", "the members and their edges, read from manifests and imports", r.code == 0 and "house::" in r.out, (re.findall(r"test result: \w+\. [1-9]\d* passed; \d+ failed", r.out) or [r.err[-200:]])[0])
    circles(line)
    length = len((kit.ROOT / "ARCHITECTURE.md").read_text().splitlines())
    line.check("page", "ARCHITECTURE.md, lines", length <= 200, length, "<= 200")
    commit = run(["git", "rev-parse", "HEAD"]).ok().out.strip()
    every = sorted(behaviours())
    drawn = random.Random(commit).sample(every, DRAWN)
    missed = []
    for kind, name, contains in drawn:
        way = hops(kind, name, contains)
        line.note(f"{kind} {name}: " + (f"{way[0]} -> {way[1]}" if way else "NOT FOUND"))
        missed += [] if way else [name]
    line.check("hops", f"{DRAWN} of {len(every)} behaviours, drawn by {commit[:7]}: found in two hops", not missed, f"{DRAWN - len(missed)} of {DRAWN}", f"{DRAWN}")


def sabotage(line, broken):
    place = line.fresh("tree")
    shutil.copytree(kit.ROOT / "models", place / "models", dirs_exist_ok=True)
    if broken:
        for a, b in (("score", "flap"), ("flap", "score")):
            f = place / "models/src" / f"{a}.rs"
            f.write_text(f"use crate::{b}::anything;\n" + f.read_text())
    circles(line, place / "models")
