"""Bad input, and a log that somebody changed: clear errors, and nothing is done."""

import json
import sqlite3
import time

from proofs.recovery.bed import Bed, Executors

NUMBER = 7
TITLE = "bad input: unknown and terminated instances, policies with unknown keys or types, malformed events, a tampered log: clear errors, no action"
SABOTAGE = ("no_action", "the policy is mended while the message waits")
UNKNOWN = "i-0aaaaaaaaaaaaaaaa"


def prove(line):
    with Bed("--seed", "9") as bed:
        i, gone, lost = bed.launch("well"), bed.launch("gone"), bed.launch("lost")
        bed.ec2.terminate_instances(InstanceIds=[gone])
        bed.until(lambda: bed.instance(gone)["State"]["Name"] == "terminated", "terminated")
        ask(bed, line, gone)
        policies(bed, line, i)
        malformed(bed, line, i)
        tampered(bed, line, lost)


def changes(bed):
    return [c["action"] for c in bed.calls()]


def ask(bed, line, gone):
    executors = Executors(bed, line.fresh("ask"))
    bed.ask("reset_calls", {})
    for key, args, wanted in (
        ("unknown", [UNKNOWN], "knows no instance " + UNKNOWN), ("no_id", ["../../etc/passwd"], "neither `default` nor an instance id"),
        ("action", [UNKNOWN, "--action", "explode"], "no action `explode`"), ("no_instance", ["default"], "name an instance"),
    ):
        r = executors.forewarn("respond", "trigger", *args)
        line.check(key, f"respond trigger {' '.join(args)}", r.code == 2 and wanted in r.err, f"exit {r.code}: {r.err.strip()[:120]}", f"2: … {wanted} …")
    recovery = executors.trigger(gone, "safe_restart")
    executors.work(until="idle").ok()
    events = executors.events(recovery)
    told = [e for e in events if e["event"] == "denied"]
    line.check("terminated", "a terminated instance", bool(told) and "gone" in json.dumps(told) and executors.row(recovery)["open"] is False, json.dumps(told)[:120], "denied: gone")
    why = executors.forewarn("respond", "why", gone)
    line.check("why", "respond why says it", "terminated" in why.out, why.out.strip().splitlines()[-1][:120] if why.out else why.err[:120], "the instance is terminated")
    for sub in ("show", "approve"):
        r = executors.forewarn("recoveries", sub, "ffff", *(["--by", "x"] if sub == "approve" else []))
        line.check(f"recoveries_{sub}", f"recoveries {sub} of one that is not there", r.code == 2 and "no recovery" in r.err, f"exit {r.code}: {r.err.strip()[:100]}", "2")
    line.check("untouched", "nothing was changed in AWS", not changes(bed), changes(bed) or "nothing", "nothing")


def policies(bed, line, i):
    executors = Executors(bed, line.fresh("policies"))
    bed.ask("reset_calls", {})
    row = executors.state / "policies" / f"{i}.json"
    for key, text, wanted in (("key", '{"auto_restrat": true}', "auto_restrat"), ("type", '{"mode": 7}', "policy"), ("bounds", '{"cooldown_ms": -1}', "cooldown_ms is -1"), ("json", "{", "EOF")):
        row.write_text(text)
        r = executors.forewarn("policy", "get", i)
        line.check(f"policy_{key}", f"a row {text}", r.code == 2 and wanted in r.err and str(row) in r.err, f"exit {r.code}: {r.err.strip()[-150:]}", f"2: file, {wanted}")
        recovery = executors.trigger(i, "safe_restart")
        executors.work(until="idle").ok()
        events = executors.events(recovery)
        refused = [e for e in events if e["event"] in ("deferred", "denied")]
        line.check(f"policy_{key}_act", "nothing is done until it is mended", "unreadable" in json.dumps(refused) and not changes(bed), json.dumps(refused)[:110], "refused: unreadable")
        executors.forewarn("recoveries", "stop", recovery, "--by", "proof").ok()
    row.unlink()
    for args, wanted in ((["mode=loud"], "loud"), (["nothing=1"], "nothing"), (["mode"], "NAME=VALUE")):
        r = executors.forewarn("policy", "set", i, *args)
        line.check(f"set_{args[0]}", f"policy set {args[0]}", r.code == 2 and wanted in r.err and not row.exists(), f"exit {r.code}: {r.err.strip()[-110:]}", "2, and nothing written")


def malformed(bed, line, i):
    executors = Executors(bed, line.fresh("malformed"))
    sqs = bed.client("sqs")
    queue = sqs.create_queue(QueueName="malformed")["QueueUrl"]
    bodies = ["{", "[]", '{"source": "forewarn"}', '{"instance_id": "i-1", "trigger_type": "manual"}', json.dumps({"instance_id": i, "trigger_type": "whim"}), json.dumps({"source": "aws.ec2", "detail-type": "EC2 Spot Instance Interruption Warning", "id": "x", "time": "yesterday", "detail": {}}), "x" * 200_000, json.dumps({"instance_id": i, "trigger_type": "manual", "force": True})]
    for body in bodies:
        sqs.send_message(QueueUrl=queue, MessageBody=body)
    bed.ask("reset_calls", {})
    served = executors.forewarn("respond", "--queue", queue, "--until", "idle", "--caps", executors.caps).json()
    letters = [json.loads(x) for x in (executors.state / "dead-letters.jsonl").read_text().splitlines()]
    line.check("malformed", "messages set aside with their reason", served["refused"] == len(bodies) == len(letters) and all(x["words"] for x in letters), f"{len(letters)} of {len(bodies)}: {letters[0]['words'][:60]}", "all")
    changed = [c for c in changes(bed) if c != "ReceiveMessage" and not c.startswith("DeleteMessage")]
    line.check("no_action", "nothing was done for them", served["triggers"] == 0 and not changed, f"{served['triggers']} triggers, {changed or 'nothing'}", "nothing")


def tampered(bed, line, i):
    executors = Executors(bed, line.fresh("tampered"))
    recovery = executors.trigger(i, "safe_restart")
    executors.work(env={"FOREWARN_CRASH_AT": "respond.intended:3", "FOREWARN_CRASH_SIGNAL": "KILL"}, name="proof")
    db = sqlite3.connect(executors.state / "log.sqlite")
    db.execute("DROP TRIGGER events_are_never_changed")
    position, text = db.execute("SELECT position, envelope FROM events WHERE type LIKE '%recovery.planned%' ORDER BY position LIMIT 1").fetchone()
    db.execute("UPDATE events SET envelope = ? WHERE position = ?", (text.replace("safe_restart", "quarantine"), position))
    db.commit()
    db.close()
    r = executors.forewarn("log", "verify")
    told = r.out + r.err
    line.check("chain", "the chain names the first bad entry", r.code != 0 and str(position) in told, f"exit {r.code}: {' '.join(told.split())[:140]}", f"entry {position}")
    bed.ask("reset_calls", {})
    r = executors.work(until="idle")
    line.check("tampered", "an executor that finds it does nothing", r.code == 1 and str(position) in r.err and not changes(bed), f"exit {r.code}: {r.err.strip()[-160:]}; {changes(bed) or 'nothing called'}", f"1: entry {position}")


def sabotage(line, broken):
    with Bed("--seed", "9") as bed:
        i = bed.launch("well")
        executors = Executors(bed, line.fresh("sabotage"))
        row = executors.state / "policies" / f"{i}.json"
        row.write_text('{"auto_restrat": true}')
        recovery = executors.trigger(i, "safe_restart")
        bed.ask("reset_calls", {})
        executors.work(until="idle").ok()
        if broken:
            row.write_text("{}")
            executors.work(until="done").ok()
        line.check("no_action", "nothing is done while the policy can't be read", not changes(bed), changes(bed) or "nothing", "nothing")
