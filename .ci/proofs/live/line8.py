"""Hostile events: none crashes anything, each ends in the dead-letter place with its reason."""

import collections
import json
import shutil

from proofs import kit
from proofs.kit import forewarn, run
from proofs.live import world

NUMBER = 8
TITLE = "hostile events end in the dead-letter place with their reasons, and the parsers hold out against a fuzzer"
SABOTAGE = ("each", "one of the hostile events is a good one")
GOOD = {
    "version": "0", "id": "7bf73129-1428-4cd3-a780-95db273d1602", "detail-type": "EC2 Instance State-change Notification", "source": "aws.ec2", "account": "123456789012",
    "time": "2026-03-02T21:22:54Z", "region": "eu-central-1", "resources": ["arn:aws:ec2:eu-central-1:123456789012:instance/i-0123456789abcdef0"],
    "detail": {"instance-id": "i-0123456789abcdef0", "state": "stopping"},
}


def hostile():
    """Gives (what it is, its bytes, one line each)."""
    def but(**changes):
        return json.dumps({k: v for k, v in (GOOD | changes).items() if v is not None}).encode()

    deep = b'{"detail":' * 400 + b"1" + b"}" * 400
    return [
        ("oversized", but(detail={"instance-id": "i-0123456789abcdef0", "state": "stopping", "x": "y" * 400_000})),
        ("deep", deep),
        ("wrong type: detail", but(detail=[1, 2])),
        ("wrong type: state", but(detail={"instance-id": "i-0123456789abcdef0", "state": 7})),
        ("wrong type: id", but(id=12)),
        ("missing id", but(id=None)),
        ("missing instance", but(detail={"state": "stopping"})),
        ("missing time", but(time=None)),
        ("bad instance id", but(detail={"instance-id": "i-../../etc", "state": "stopping"})),
        ("bad time", but(time="soon")),
        ("unknown state", but(detail={"instance-id": "i-0123456789abcdef0", "state": "levitating"})),
        ("unknown detail-type", but(**{"detail-type": "EC2 Instance Weather Report"})),
        ("invalid UTF-8", but().replace(b"stopping", b"sto\xff\xfeping")),
        ("not JSON", b"Hello"),
        ("a number", b"1e999"),
        ("null", b"null"),
        # A message may go on in the next line, where that does not begin another.
        ("cut short", but()[:120]),
    ]


def hostile_file(line, broken=False):
    place = line.fresh("events")
    cases = hostile()
    if broken:
        cases[3] = ("a good one", json.dumps(GOOD | {"id": "another"}).encode())
    state, history = place / "state", place / "history"
    where = ["--history", history, "--state", state]
    f = place / "hostile.jsonl"
    good = json.dumps(GOOD).encode()
    # The good one comes three times: replayed events change nothing.
    f.write_bytes(b"\n".join([good, *[raw for _, raw in cases], good, good]) + b"\n")
    for _ in range(2):
        ran = forewarn("events", "import", f, "--state", state)
        line.note((ran.out + ran.err).strip()[-300:])
    line.check("alive", "importing them, twice, ends without a crash", ran.code in (0, 1), ran.code, "0 or 1")
    forewarn("archive", *where).ok()
    dead = forewarn("events", "dead", "--state", state, "--format", "json").json()
    dead = dead if isinstance(dead, list) else dead["dead_letters"]
    reasons = collections.Counter(d["why"]["reason"] for d in dead)
    line.check("each", "hostile events in the dead-letter place, each with its reason", len(dead) == len(hostile()) and all(d["why"]["reason"] for d in dead), f"{len(dead)} of {len(hostile())}: {dict(reasons)}", "all, once")
    log = forewarn("log", "list", "--state", state, "--format", "json").json()
    log = [e.get("envelope", e) for e in (log if isinstance(log, list) else log["entries"])]
    states = [e for e in log if e["type"].startswith("forewarn.instance.state_changed")]
    line.check("once", "a good event, replayed six times, in the log", len(states) == (2 if broken else 1), len(states), "1")


def prove(line):
    hostile_file(line)
    fuzz(line)


def fuzz(line):
    r = run(["cargo", "test", "--workspace", "--locked", "-q", "--", "hostile_events"], env={"CARGO_TARGET_DIR": kit.TARGET}, timeout=3000)
    passed = [x for x in r.out.splitlines() if x.startswith("test result: ok") and " 0 passed" not in x]
    line.check("seeded", "the seeded mutation tests of CI", r.code == 0 and passed, passed[0][:60] if passed else (r.out + r.err)[-300:], "pass")
    if not shutil.which("cargo-fuzz"):
        got = run(["cargo", "install", "cargo-fuzz", "--locked", "-q", "--root", kit.TARGET / "tools"], timeout=1800)
        line.note(f"cargo-fuzz installed from crates.io: exit {got.code}")
    env = {"PATH": f"{kit.TARGET / 'tools' / 'bin'}:{kit.CLEAN['PATH']}", "RUSTC_BOOTSTRAP": "1", "CARGO_TARGET_DIR": kit.TARGET / "fuzz"}
    for target in ("event_json", "record"):
        r = run(["cargo", "fuzz", "run", "--sanitizer", "none", "--fuzz-dir", "pipeline/lab/fuzz", target, "--", "-max_total_time=60", "-seed=1", "-max_len=65536"], env=env, timeout=3000)
        runs = [x for x in r.err.splitlines() if x.startswith("Done ")]
        line.check(f"fuzz.{target}", f"cargo fuzz, target {target}, a minute", r.code == 0 and runs, runs[-1] if runs else r.err[-300:], "no crash")


def sabotage(line, broken):
    hostile_file(line, broken)


__all__ = ["NUMBER", "SABOTAGE", "TITLE", "prove", "sabotage", "world"]
