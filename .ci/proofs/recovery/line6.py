"""How long our own part takes: from a trigger to the first call, and to have ten thousand recoveries in hand again."""

import json
import time

from proofs import kit
from proofs.live.world import Clock
from proofs.recovery.bed import Bed, Executors, stop

NUMBER = 6
TITLE = "from trigger to first call under a second of our own time; 10,000 open recoveries resumed in under 10 s and 500 MiB"
SABOTAGE = ("first_call", "the world answers each call half a second late")
TRIGGERS, MANY = 10, 10_000


def first_calls(bed, line, through=None):
    """Seconds from a message in the queue to the first call that changes something, for each of several instances."""
    bed.clock = Clock(time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), 1)
    sqs = bed.client("sqs")
    queue = sqs.create_queue(QueueName=f"latency-{time.time_ns()}")["QueueUrl"]
    instances = [bed.launch(f"latency-{n}") for n in range(TRIGGERS)]
    for i in instances:
        bed.script({"kind": "status", "instance": i, "checks": {"instance": "impaired"}, "ok_after_running_ms": 100})
    for n in range(TRIGGERS):
        bed.launch(f"beside-{n}")
    executors = Executors(bed, line.fresh("latency"), through=through)
    child = executors.start(more=["--queue", queue])
    took = []
    try:
        time.sleep(3)
        for i in instances:
            sent = time.time()
            sqs.send_message(QueueUrl=queue, MessageBody=json.dumps({"instance_id": i, "trigger_type": "instance_check", "id": "1"}))
            bed.until(lambda: any(c["action"] == "SendCommand" and i in json.dumps(c["args"]) for c in bed.ask("calls")), f"a call about {i}", 60)
            took.append(next(c["time"] for c in bed.ask("calls") if c["action"] == "SendCommand" and i in json.dumps(c["args"])) - sent)
    finally:
        stop(child)
    return sorted(took)


def resumed(line):
    place = line.fresh("resumed")
    r = kit.run(["cargo", "test", "--workspace", "--locked", "--test", "it", "executor::open_recoveries"], env={"CARGO_TARGET_DIR": kit.TARGET, "FOREWARN_SCALE": MANY, "FOREWARN_SCALE_DIR": place}, timeout=1200)
    r.ok()
    with Bed() as bed:
        executors = Executors(bed, place)
        # Announced far ahead by the clock on the wall: this executor's runs as that does.
        ran = executors.forewarn("respond", "--until", "idle", env={"FOREWARN_CLOCK": ""}, timeout=120)
        served = ran.json()
    return served, ran


def prove(line):
    with Bed("--seed", "3") as bed:
        took = first_calls(bed, line)
        line.check("first_call", f"{len(took)} triggers, queue and reads of AWS included: seconds to the first call, median and worst", took[-1] < 1, f"{took[len(took) // 2]:.2f} and {took[-1]:.2f}", "< 1")
    served, ran = resumed(line)
    line.check("resumed", "open recoveries in hand again, the chain of the whole log checked before", served["resumed"] == MANY and served["turns"] >= MANY and ran.wall < 10, f"{served['resumed']:,} in {ran.wall:.1f} s of the wall's, {served['turns']:,} turns", f"{MANY:,} in < 10 s")
    line.check("memory", "peak", ran.peak < 500, f"{ran.peak:.0f} MiB", "< 500 MiB")


def sabotage(line, broken):
    from proofs.live.world import proxy

    with Bed("--seed", "3") as bed:
        server, _ = proxy(bed.url, [{"operation": "*", "every": 1, "action": {"delay": 500 if broken else 0}}], line.fresh("proxy"))
        with server:
            took = first_calls(bed, line, server.url)
            line.check("first_call", "worst", took[-1] < 1, f"{took[-1]:.2f}", "< 1")
