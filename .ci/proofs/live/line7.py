"""`doctor` finds what is wrong, and says how to mend it."""

import json

from proofs.kit import forewarn
from proofs.live import world

NUMBER = 7
TITLE = "doctor against the emulators: credentials, permissions, streams, queues, agents, clock"
SABOTAGE = ("missing", "the queue that is said to be missing is there")
START = "2026-03-02T00:00:00Z"


def findings(ran):
    return json.loads(ran.out)


def prove(line, broken=False):
    place = line.fresh("doctor")
    clock = world.Clock(world.rfc(world.ms(START) + 2 * 86_400_000), 1)
    args = ["--world", "fleet", "--instances", 12, "--days", 3, "--start", START, "--seed", 49]
    with world.moto() as moto, world.emulator(*args, env=clock.env, log=place / "emulator.txt") as emulator:
        world.client("kinesis", moto.url).create_stream(StreamName="fleet", ShardCount=1)
        world.client("events", moto.url).create_event_bus(Name="fleet")
        sqs = world.client("sqs", moto.url)
        queue = sqs.create_queue(QueueName="events")["QueueUrl"]
        env = world.aws(moto, AWS_ENDPOINT_URL_CLOUDWATCH=emulator.url, AWS_ENDPOINT_URL_EC2=emulator.url) | {"FOREWARN_STREAM": "kinesis:fleet", "FOREWARN_QUEUE": queue, "FOREWARN_EVENTBRIDGE": "fleet"}
        where = ["--history", place / "history", "--state", place / "state", "--format", "json"]
        good = forewarn("doctor", "--live", *where, env=env)
        faults = [f for f in findings(good) if f["verdict"] == "fault"]
        checked = sorted({f["check"] for f in findings(good)})
        line.check("checks", "checks made", len(checked) >= 10, ", ".join(checked), ">= 10")
        line.note("\n".join(f"{f['verdict']:8} {f['check']}: {f['text']}" for f in findings(good)))
        # The emulator's clock is not this machine's, and so is what moto says.
        line.check("good", "faults where all is there", all(f["check"] == "clock" for f in faults), [f["check"] for f in faults], "none")
        bad = env | {"FOREWARN_STREAM": "kinesis:nowhere", "FOREWARN_EVENTBRIDGE": "nowhere"}
        bad |= {} if broken else {"FOREWARN_QUEUE": queue.replace("events", "nothing")}
        ran = forewarn("doctor", "--live", *where, env=bad)
        found = [f for f in findings(ran) if f["verdict"] == "fault"]
        # What is not there shows in the call that asked for it.
        kinds = {f["check"].split(":")[0] for f in found}
        line.check("missing", "missing stream, queue and bus are faults", {"kinesis", "sqs", "events"} <= kinds and ran.code == 1, f"{sorted(kinds)}, exit {ran.code}", "kinesis, sqs, events; 1")
        line.check("fixes", "faults that say what to do", found and all(f.get("fix") for f in found), f"{sum(bool(f.get('fix')) for f in found)} of {len(found)}", "all")
        nobody = {k: v for k, v in env.items() if not k.startswith(("AWS_ACCESS", "AWS_SECRET"))}
        ran = forewarn("doctor", "--live", *where, env=nobody | {"HOME": place, "AWS_CONFIG_FILE": place / "none", "AWS_SHARED_CREDENTIALS_FILE": place / "none"})
        found = [f for f in findings(ran) if f["verdict"] == "fault" and "credentials" in f["check"]]
        line.check("credentials", "missing credentials are a fault with its fix", found and all(f.get("fix") for f in found) and ran.code == 1, found[0]["text"] if found else "not found", "a fault")


def sabotage(line, broken):
    prove(line, broken)
