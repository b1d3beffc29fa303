"""Announcements through EventBridge to a queue: the rule's pattern, partial failures, a detail too large, and both consumers."""

import json
import re

from proofs import kit
from proofs.kit import forewarn, run
from proofs.live import world

NUMBER = 4
TITLE = "EventBridge: a rule on confidence = high to SQS, partial failures, a trimmed detail, the consumers"
SABOTAGE = ("once", "the consumer does not drop repeated ids")
PATTERN = {"source": ["forewarn"], "detail": {"confidence": ["high"]}}


ROUNDS = range(world.ms("2026-03-10T00:00:00Z"), world.ms("2026-03-13T00:00:00Z"), 3 * 3_600_000)


def fleet(line):
    """The history of a fleet with failures ahead."""
    place = line.fresh("fleet")
    forewarn("simulate", "--out", place / "raw", "--instances", 80, "--days", 11, "--seed", 51, "--incident-rate", 10, "--start", "2026-03-02T00:00:00Z").ok()
    raw = place / "raw"
    forewarn("import", "--history", place / "history", raw / "metrics.parquet", "--instances", raw / "instances.parquet").ok()
    return place


def rounds(place, proxy):
    """Analyzes every three hours for three days, and announces at once what is then news."""
    for at in ROUNDS:
        env = world.aws(proxy) | world.Clock(world.rfc(at + 600_000), 1).env
        where = ["--history", place / "history", "--state", place / "state"]
        forewarn("analyze", "--due", "--no-deliver", "--every", "3h", "--from", world.rfc(at), "--to", world.rfc(at + 3_600_000), *where, env=env).ok()
        forewarn("emit", "--state", place / "state", "--eventbridge", "fleet", *(["--from-start"] if at == ROUNDS.start else []), env=env).ok()


def high(place):
    """The ids of what has to be announced at high, and how many announcements there are in all."""
    # A workload's episode speaks for its members, and calls its confidence a level; of what is cleared nothing lies ahead.
    ahead = {f"forewarn.{t}" for t in ("prediction.made", "prediction.announced", "prediction.updated", "workload.predicted", "workload.updated")}
    told = [e for e in entries(place) if e["type"].rsplit(".v", 1)[0] in ahead and ("instance_id" not in e["data"] or not e["data"].get("workload_episode_id"))]
    return {e["id"] for e in told if confidence(e["data"]) == "high"}, len(told)


def entries(place):
    listed = forewarn("log", "list", "--state", place / "state", "--format", "json").json()
    return [e.get("envelope", e) for e in (listed if isinstance(listed, list) else listed["entries"])]


def confidence(data):
    return data.get("confidence") or data.get("level")


def prove(line, broken=False):
    place = fleet(line)
    with world.moto() as moto:
        events, sqs = world.client("events", moto.url), world.client("sqs", moto.url)
        events.create_event_bus(Name="fleet")
        queues = {}
        for name, pattern in (("high", PATTERN), ("python", PATTERN)):
            queues[name] = sqs.create_queue(QueueName=name)["QueueUrl"]
            arn = sqs.get_queue_attributes(QueueUrl=queues[name], AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
            events.put_rule(Name=name, EventBusName="fleet", EventPattern=json.dumps(pattern))
            events.put_targets(Rule=name, EventBusName="fleet", Targets=[{"Id": "1", "Arn": arn}])
        rules = [
            {"operation": "PutEvents", "every": 2, "action": {"partial_put_events": 0.3}},
            {"operation": "PutEvents", "nth": 3, "action": "lose_reply"},
            {"operation": "PutEvents", "nth": 5, "action": "throttle"},
        ]
        proxy, faults = world.proxy(moto.url, rules, place)
        with proxy:
            rounds(place, proxy)
        wanted, told = high(place)
        line.check("wants", "predictions at high in the log, to be announced", len(wanted) >= 5, f"{len(wanted)} of {told}", ">= 5")
        injected = world.injected(faults)
        line.check("faults", "faults that took place", {"partial_put_events", "lose_reply"} <= set(injected), dict(injected), "both kinds")
        rust = raw(sqs, queues["high"]) if broken else ids(consumer(line, world.aws(moto), queues["high"]))
        examples = kit.ROOT / "pipeline" / "app" / "examples"
        python = ids(run([kit.PYTHON, examples / "consumer.py", "--queue", queues["python"], "--once"], env=world.aws(moto), timeout=120).ok().out)
    for key, name, got in (("once", "Rust", rust), ("python", "Python", python)):
        line.check(key, f"the {name} consumer has every prediction at high once, and nothing else", sorted(got) == sorted(wanted), f"{len(got)} of {len(wanted)}", "equal")
    r = run(["cargo", "test", "--workspace", "--locked", "-q", "--", "oversized"], env={"CARGO_TARGET_DIR": kit.TARGET}, timeout=3000)
    line.check("trimmed", "an oversized detail is trimmed to fit, and says so (tests `oversized…`)", r.code == 0 and " 0 passed" not in r.out.splitlines()[-1:], summary(r), "pass")


def ids(printed):
    return re.findall(r"\b[0-9a-f]{32}\b", printed)


def raw(sqs, queue):
    """Reads a queue as it is."""
    got = []
    while messages := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", []):
        for m in messages:
            got.append(json.loads(m["Body"])["detail"]["event_id"])
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=m["ReceiptHandle"])
    return got


def summary(r):
    passed = [x for x in r.out.splitlines() if x.startswith("test result:")]
    return "; ".join(x[13:45] for x in passed if " 0 passed" not in x) or (r.out + r.err)[-200:]


def consumer(line, env, queue):
    """Runs the example in Rust, built with the tests' profile."""
    built = run(["cargo", "build", "-q", "--locked", "--workspace", "--example", "consumer"], env={"CARGO_TARGET_DIR": kit.TARGET}, timeout=3000)
    built.ok()
    return run([kit.TARGET / "debug" / "examples" / "consumer", "--queue", queue, "--once"], env=env, timeout=300).ok().out


def sabotage(line, broken):
    prove(line, broken)


__all__ = ["NUMBER", "SABOTAGE", "TITLE", "prove", "sabotage"]
