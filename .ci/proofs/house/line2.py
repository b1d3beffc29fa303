"""Nothing else changed: old logs, golden outputs, schemas; and the other proofs hold as before."""

import json
import re

from proofs import kit
from proofs.house.source import base, before, tests
from proofs.kit import Short, run

NUMBER = 2
TITLE = "old logs replay, golden outputs hold, schemas only lose unreachable definitions, the other proofs hold as before"
SABOTAGE = ("schemas", "a field of a schema is renamed")


def references(node, found):
    if isinstance(node, dict):
        ref = node.get("$ref")
        if isinstance(ref, str) and ref.startswith("#/$defs/"):
            found.add(ref.removeprefix("#/$defs/"))
        for v in node.values():
            references(v, found)
    elif isinstance(node, list):
        for v in node:
            references(v, found)
    return found


def reachable(schema):
    """Gives a schema without the definitions that no reference reaches."""
    defs = schema.get("$defs", {})
    wanted, seen = references({k: v for k, v in schema.items() if k != "$defs"}, set()), set()
    while wanted - seen:
        name = (wanted - seen).pop()
        seen.add(name)
        references(defs.get(name, {}), wanted)
    kept = {k: v for k, v in defs.items() if k in seen}
    return {k: v for k, v in schema.items() if k != "$defs"} | ({"$defs": kept} if kept else {})


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


def prove(line):
    r = tests("forewarn-log", "old_log")
    line.check("replay", "every event of the committed old log replays", r.code == 0 and "1 passed" in r.out or re.search(r"ok\. [1-9]\d* passed", r.out), (re.findall(r"test result: ok\. [1-9]\d* passed", r.out) or [r.out[-200:]])[0])
    r = tests("forewarn", "cli::")
    line.check("golden", "outputs of the command line", r.code == 0 and re.search(r"ok\. [1-9]\d* passed", r.out), (re.findall(r"test result: ok\. [1-9]\d* passed", r.out) or [r.out[-200:]])[0])
    schemas(line, committed())
    for name in ("main", "backtest", "live", "recovery"):
        report(line, name)


def report(line, name):
    """Reads the report that a proof wrote; it holds when it was made on this code and nothing fell short."""
    path = kit.TARGET / "proof" / name / "report.json"
    if not path.exists():
        line.check(name, f".ci/prove {name}", False, "it has not been run", "holds")
        return
    told = json.loads(path.read_text())
    changed = run(["git", "diff", "--name-only", told["commit"], "HEAD", "--", "*.rs", "*.toml"])
    if changed.code:
        raise Short(f"the report of {name} is of {told['commit']}, which is not in this clone")
    line.note(f"{name} at {told['commit']}: {told['summary']}; code changed since: {len(changed.out.split())} files")
    line.check(name, f".ci/prove {name}, run whole at {told['commit']}", told["whole"] and not told["short"], f"{told['held']} hold, {len(told['short'])} fall short", "all hold")


def sabotage(line, broken):
    now = committed()
    if broken:
        now["prediction.json"]["properties"]["when"] = now["prediction.json"]["properties"].pop("as_of")
    schemas(line, now)
