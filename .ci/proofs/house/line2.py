"""Nothing else changed: old logs, golden outputs, schemas; and the other proofs hold as before."""

import importlib
import json
import re

from proofs import kit
from proofs.house.source import base, before, tests, tree
from proofs.kit import forewarn, run

NUMBER = 2
TITLE = "old logs replay, golden outputs hold, schemas only lose unreachable definitions, the other proofs hold as before"
SABOTAGE = ("schemas", "a field of a schema is renamed")


# Where a schema keeps its definitions: by the draft that it is written in.
KEPT_IN = ("$defs", "definitions")
REFERENCE = re.compile(r"#/(\$defs|definitions)/(.+)")


def references(node):
    """Yields (where, name) of each definition that a part of a schema names."""
    if isinstance(node, dict):
        named = REFERENCE.fullmatch(node["$ref"]) if isinstance(node.get("$ref"), str) else None
        if named:
            yield named.groups()
    if isinstance(node, dict | list):
        for part in node.values() if isinstance(node, dict) else node:
            yield from references(part)


def reachable(schema):
    """Gives a schema without the definitions that no reference reaches."""
    bare = {k: v for k, v in schema.items() if k not in KEPT_IN}
    wanted, seen = set(references(bare)), set()
    while wanted - seen:
        where, name = (wanted - seen).pop()
        seen.add((where, name))
        wanted |= set(references(schema.get(where, {}).get(name)))
    kept = {where: {name: d for name, d in schema.get(where, {}).items() if (where, name) in seen} for where in KEPT_IN}
    return bare | {where: definitions for where, definitions in kept.items() if definitions}


def schema_faults(now):
    """Lists schemas that differ from before by more than unreachable definitions."""
    listed = run(["git", "ls-tree", "--name-only", base(), "pipeline/schemas/"]).ok().out.split()
    bad = []
    for path in (p for p in listed if p.endswith(".json")):
        name = path.rsplit("/", 1)[1]
        old = json.loads(before(path))
        if name not in now:
            bad.append(f"{name} is gone")
        elif reachable(old) != reachable(now[name]):
            bad.append(f"{name} differs")
        elif name != "asyncapi.json" and now[name] != reachable(now[name]):
            bad.append(f"{name} has unreachable definitions")
    return bad, len(listed)


def committed():
    return {p.name: json.loads(p.read_text()) for p in (kit.ROOT / "pipeline/schemas").glob("*.json")}


def schemas(line, now):
    bad, count = schema_faults(now)
    old = sum(len(before(f"pipeline/schemas/{n}").splitlines()) for n in now)
    new = sum(len(p.read_text().splitlines()) for p in (kit.ROOT / "pipeline/schemas").glob("*.json"))
    line.check("schemas", f"{count} schemas, {old:,} lines before and {new:,} now: those that lost more than unreachable definitions", not bad, ", ".join(bad[:4]) or "none", "none")


def written(line):
    """Gives the schemas as today's program writes them."""
    place = line.fresh("schemas")
    forewarn("schema", "--out", place).ok()
    return {p.name: json.loads(p.read_text()) for p in place.glob("*.json")}


def prove(line):
    r = tests("forewarn-log", "old_log")
    line.check("replay", "every event of the committed old log replays", r.code == 0 and re.search(r"ok\. [1-9]\d* passed", r.out), (re.findall(r"test result: ok\. [1-9]\d* passed", r.out) or [r.out[-200:]])[0])
    schemas(line, written(line))
    golden(line)
    for name in SHORT_BEFORE:
        report(line, name)


# What of each proof fell short before the rooms, and its figure then; nothing else may.
SHORT_BEFORE = {
    "main": {"4.shapes": "8 of 9", "5.hard": "0.208"},
    "backtest": {"2.quiet": "0.0042, bar 0.002", "5.cpu": "3.02, bar 3"},
    "live": {},
    "recovery": {},
}

# Line 5 of `main` draws its fleets by a seed, the commit's unless PROOF_SEED says another: with this one the old program was measured.
SEEDS = {("main", "5"): "718953358"}


def is_current(name, number, told):
    """Says whether a line of a proof was run on this code, and of the seed that the old program was measured with."""
    wanted = SEEDS.get((name, number))
    return not kit.changed_since(told["commit"]) and wanted in (None, told.get("seed"))


def report(line, name):
    """Reads the report that a proof wrote; it holds when each of its lines was made on this code and nothing fell short that held before."""
    path = kit.TARGET / "proof" / name / "report.json"
    told = json.loads(path.read_text()) if path.exists() else {}
    wanted = [str(m.NUMBER) for m in importlib.import_module(f"proofs.{name}").LINES]
    missing = [n for n in wanted if n not in told or not is_current(name, n, told[n])]
    short = {f"{n}.{key}": told[n]["figures"][key] for n in wanted if n in told for key in told[n]["short"]}
    held = sum(len(told[n]["figures"]) for n in wanted if n in told) - len(short)
    old = SHORT_BEFORE[name]
    for key, figure in short.items():
        line.note(f"{name} {key}: {figure} (before: {old.get(key, 'held')})")
    fresh = sorted(set(short) - set(old))
    commits = ", ".join(sorted({told[n]["commit"] for n in wanted if n in told}))
    figure = f"{held} hold, short: {', '.join(short) or 'none'}, of these new: {', '.join(fresh) or 'none'}; lines not run on this code: {', '.join(missing) or 'none'}"
    line.check(name, f".ci/prove {name} at {commits or 'no commit'}", not fresh and not missing, figure, "nothing new falls short, on this code")


NUMBER_IN_TEXT = re.compile(r"-?\d+(?:\.\d+)?(?:e-?\d+)?")
HISTORY = ("--history", "history")
RANGE = ("--from", "2026-01-07T00:00:00Z", "--to", "2026-01-09T00:00:00Z", "--step", "2h", "--incidents", "fleet/incidents.parquet")
# What both programs are asked, one after the other, each in a folder of its own; what is JSON has to be equal, and of words the numbers.
ASKED = [
    ("simulate", "--out", "fleet", "--instances", "12", "--days", "9", "--seed", "5", "--incident-rate", "3"),
    ("import", *HISTORY, "fleet/metrics.parquet"),
    ("history", "stats", *HISTORY),
    ("history", "verify", *HISTORY),
    ("analyze", *HISTORY, "--as-of", "latest"),
    ("analyze", *HISTORY, "--as-of", "latest", "--all", "--format", "json"),
    ("analyze", *HISTORY, "--as-of", "2026-01-08T12:00:00Z", "--all", "--format", "csv"),
    ("analyze", *HISTORY, "--as-of", "2026-01-08T12:00:00Z", "--state", "state", "--emit", "--format", "json"),
    ("analyze", *HISTORY, "--as-of", "2026-01-08T18:00:00Z", "--state", "state", "--emit", "--format", "json"),
    ("log", "verify", "--state", "state"),
    ("backtest", *HISTORY, *RANGE, "--format", "json"),
    ("backtest", *HISTORY, *RANGE),
    ("policy", "get", "default", "--state", "state"),
    ("recoveries", "list", "--state", "state", "--all"),
]


def said(program, place):
    """Gives what a program says to each question."""
    place.mkdir(parents=True)
    return [run([program, *args], cwd=place) for args in ASKED]


def meaning(ran):
    """Gives what must be equal of what was said: a JSON document whole, otherwise the numbers in their order."""
    try:
        return ran.code, json.loads(ran.out)
    except ValueError:
        return ran.code, NUMBER_IN_TEXT.findall(ran.out)


def golden(line):
    _, target = tree(line.work, "before")
    place = line.fresh("golden")
    old, new = said(target / "debug/forewarn", place / "before"), said(kit.binary(), place / "now")
    differ = [" ".join(args[:3]) for args, a, b in zip(ASKED, old, new) if meaning(a) != meaning(b)]
    words = sum(a.out != b.out for a, b in zip(old, new))
    line.check("golden", f"answers of both programs to {len(ASKED)} questions: those that differ in more than words ({words} in words)", not differ, ", ".join(differ) or "none", "none")


def sabotage(line, broken):
    now = committed()
    if broken:
        now["prediction.json"]["properties"]["when"] = now["prediction.json"]["properties"].pop("as_of")
    schemas(line, now)
