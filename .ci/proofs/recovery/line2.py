"""Two executors, triggers that come again and again, leases that run out, and one that sleeps through its own."""

import json
import random
import signal
import time

from proofs.kit import Short
from proofs.recovery.bed import SPEED, Bed, Executors, stop

NUMBER = 2
TITLE = "each trigger three times, out of order, two executors, an expired lease: one recovery; who slept through its lease calls nothing"
SABOTAGE = ("slept", "the lease has not run out when it is woken")
INSTANCES = 8


def wait_for(holds, what, seconds):
    end = time.time() + seconds
    while time.time() < end:
        if holds():
            return
        time.sleep(0.5)
    raise Short(f"{what}: not within {seconds} s")


def ailing(bed, name):
    """An instance whose next start cures it."""
    i = bed.launch(name, data=1)
    bed.script({"kind": "status", "instance": i, "checks": {"instance": "impaired"}, "ok_after_running_ms": 200})
    return i


def delivered(bed, line):
    """Each of three kinds of trigger for each instance three times, shuffled, to two executors."""
    queue = bed.client("sqs").create_queue(QueueName="recoveries")["QueueUrl"]
    instances = [ailing(bed, f"ailing-{n}") for n in range(INSTANCES)]
    messages = []
    for i in instances:
        alarm = {"id": f"a{i}", "source": "aws.cloudwatch", "detail-type": "CloudWatch Alarm State Change", "account": "123456789012", "region": "us-east-1", "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "resources": [], "detail": {"alarmName": f"StatusCheckFailed_Instance {i}", "state": {"value": "ALARM", "reason": "1 datapoint"}, "previousState": {"value": "OK"}, "configuration": {"metrics": [{"id": "m", "metricStat": {"metric": {"namespace": "AWS/EC2", "name": "StatusCheckFailed_Instance", "dimensions": {"InstanceId": i}}, "period": 60, "stat": "Maximum"}, "returnData": True}]}}}
        messages += [json.dumps(alarm)] * 3
        messages += [json.dumps({"instance_id": i, "trigger_type": "instance_check", "id": "1"})] * 3
        messages += [json.dumps({"instance_id": i, "trigger_type": "application", "id": "2"})] * 3
    random.Random(3).shuffle(messages)
    sqs = bed.client("sqs")
    executors = Executors(bed, line.fresh("delivered"), policy={"daily_budget": 1, "cooldown_ms": 3_600_000})
    args = ["--queue", queue]
    children = []
    for name in ("a", "b"):
        child = executors.start(name=name, more=args)
        children.append(child)
    for m in messages:
        sqs.send_message(QueueUrl=queue, MessageBody=m)
    try:
        done = lambda: len(rows := executors.rows()) >= INSTANCES and not any(r["open"] for r in rows) and int(sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["ApproximateNumberOfMessages"])["Attributes"]["ApproximateNumberOfMessages"]) == 0
        wait_for(done, "every message dealt with and every recovery over", 400)
    finally:
        for child in children:
            stop(child)
    rows = executors.rows()
    acted = {}
    for r in rows:
        if r["state"]["epoch"] > 0:
            acted[r["instance_id"]] = acted.get(r["instance_id"], 0) + 1
    line.check("once", f"{len(messages)} deliveries of {INSTANCES * 3} triggers to two executors: recoveries that acted, by instance", acted == {i: 1 for i in instances}, f"{sorted(acted.values())} of {len(rows)} in the log", "one each")
    stops = {i: 0 for i in instances}
    for c in bed.calls():
        for i in instances:
            stops[i] += c["action"] == "StopInstances" and i in json.dumps(c["args"])
    line.check("stops", "each instance was stopped once", all(n == 1 for n in stops.values()), sorted(stops.values()), "1 each")
    holders = {e["holder"] for r in rows for e in executors.events(r["recovery_id"]) if e["event"] == "leased"}
    line.check("both", "both executors worked", holders == {"a", "b"}, sorted(holders), "a and b")
    line.check("chain", "the log's chain is whole", executors.chain(), "verified")


def slept(bed, line, key, nth, awake_early=False):
    """One executor stops between intent and call; another goes on after its lease; then the first is woken."""
    i = ailing(bed, f"sleeper-{key}-{nth}")
    executors = Executors(bed, line.fresh(f"{key}-{nth}"))
    recovery = executors.trigger(i, "safe_restart")
    sleeper = executors.start(name="sleeper", env={"FOREWARN_CRASH_AT": f"respond.intended:{nth}", "FOREWARN_CRASH_SIGNAL": "STOP"})
    try:
        stopped = lambda: open(f"/proc/{sleeper.pid}/stat").read().rsplit(")", 1)[1].split()[0] == "T"
        wait_for(stopped, "the first executor stops between intent and call", 60)
        intents = len([e for e in executors.events(recovery) if e["event"] == "step_intended"])
        if awake_early:
            before = len(bed.calls())
        else:
            executors.work(name="second", timeout=200).ok()
            before = len(bed.calls())
        sleeper.send_signal(signal.SIGCONT)
        time.sleep(3)
        after = bed.calls()[before:]
        mine = [c["action"] for c in after if i in json.dumps(c["args"])]
    finally:
        stop(sleeper)
    said = (executors.state / "executor-sleeper.log").read_text(errors="replace")
    events = executors.events(recovery)
    return mine, "nothing is called" in said, events, intents


def prove(line):
    with Bed("--seed", "5", "--lag-ms", "50:400", "--hide-ms", "0:200") as bed:
        delivered(bed, line)
        for nth in (2, 4, 6):
            mine, said, events, intents = slept(bed, line, "slept", nth)
            epochs = [e["epoch"] for e in events if e["event"] == "leased"]
            line.check(f"slept-{nth}", f"stopped at its {intents}. intent for longer than its lease ({300 / SPEED:.0f} s of the wall's), then woken: calls it makes", not mine and said and len(epochs) > 1 and events[-1]["event"] == "completed", f"{mine or 'none'}, said {said}; epochs {epochs}", "none, said, a later epoch went on")


def sabotage(line, broken):
    with Bed("--seed", "5") as bed:
        mine, said, events, _ = slept(bed, line, "sabotage", 4, awake_early=broken)
        line.check("slept", "calls after it was woken", not mine, mine or "none", "none")
