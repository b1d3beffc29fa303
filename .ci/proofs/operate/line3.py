"""Silence: each remote port in turn accepts and says nothing, or sends a byte a second."""

import concurrent.futures
import contextlib
import dataclasses
import shutil
import subprocess
import time

from proofs.kit import Short
from proofs.live import world
from proofs.operate import scraped
from proofs.operate.scraped import Running, largest

NUMBER = 3
TITLE = "silence: each remote port says nothing, or a byte a second; the other parts go on, the metrics say so, SIGTERM ends it"
SABOTAGE = ("SQS.silent.told", "the port that is to be silent answers")
START, DAYS = "2026-03-02T00:00:00Z", 9
SAID_WITHIN, ENDED_WITHIN = 120, 10
MODES = ("silent", "drip")
# How far behind a part may be that is said to go on, seconds.
FRESH = 60


@dataclasses.dataclass
class Port:
    """A remote port: the variable that names its endpoint, whose calls it takes, what is run, and what is to be told of it."""

    name: str
    variable: str
    told: object
    goes_on: tuple
    only: str = "ingest,events,archive,emit"
    more: tuple = ()
    behind: str = "moto"


def failing(name, **labels):
    return lambda t: (largest(t, name, **labels) or 0) > 0


def any_of(*ways):
    return lambda t: any(way(t) for way in ways)


def pulled(t):
    return largest(t, "forewarn_place_last_success_seconds") is not None


def fresh(part):
    return lambda t: (lag := largest(t, "forewarn_lag_seconds", part=part)) is not None and lag < FRESH


def works(part):
    return pulled if part == "ingest" else fresh(part)


def stuck(part):
    return any_of(failing("forewarn_part_hung", part=part), failing("forewarn_failed_turns", part=part))


PLACE = failing("forewarn_place_failed")
PORTS = [
    Port("CloudWatch", "AWS_ENDPOINT_URL_CLOUDWATCH", PLACE, ("archive", "events"), behind="emulator"),
    Port("EC2", "AWS_ENDPOINT_URL_EC2", PLACE, ("archive", "events"), behind="emulator"),
    Port("STS", "AWS_ENDPOINT_URL_STS", PLACE, ("archive", "events"), more=("--accounts", "accounts.toml")),
    Port("SQS", "AWS_ENDPOINT_URL_SQS", failing("forewarn_queue_failed"), ("ingest", "archive")),
    Port("Kinesis", "AWS_ENDPOINT_URL_KINESIS", failing("forewarn_aws_failures_in_sequence", service="kinesis"), ("events",), more=("--stream", "kinesis:fleet")),
    Port("EventBridge", "AWS_ENDPOINT_URL_EVENTBRIDGE", failing("forewarn_bus_failed", bus="eventbridge"), ("ingest", "archive", "events")),
    Port("S3 in archive", "AWS_ENDPOINT_URL_S3", stuck("archive"), ("ingest", "events"), more=("--history", "s3://fleet/history")),
    Port("S3 in analyze", "AWS_ENDPOINT_URL_S3", stuck("analyze"), (), only="analyze,events", more=("--history", "s3://fleet/history")),
]


class Bed:
    """The servers behind all ports, shared by all cases."""

    def __init__(self, line, stack):
        self.clock = world.just_after(START, DAYS)
        self.moto = stack.enter_context(world.Moto("kinesis", "events", "sqs", "s3", "sts", "dynamodb"))
        args = ["--world", "hash", "--instances", 8, "--days", DAYS, "--start", START, "--seed", 45]
        self.emulator = stack.enter_context(world.emulator(*args, env=self.clock.env, log=line.fresh("servers") / "emulator.txt"))
        world.client("kinesis", self.moto.url).create_stream(StreamName="fleet", ShardCount=1)
        world.client("events", self.moto.url).create_event_bus(Name="fleet")
        world.client("s3", self.moto.url).create_bucket(Bucket="fleet", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
        self.queue = world.client("sqs", self.moto.url).create_queue(QueueName="events")["QueueUrl"]
        self.env = world.aws(self.moto, AWS_ENDPOINT_URL_CLOUDWATCH=self.emulator.url, AWS_ENDPOINT_URL_EC2=self.emulator.url, AWS_MAX_ATTEMPTS=3) | self.clock.env
        self.due = scraped.due(START, DAYS)


def spoiled(bed, place, port, mode, broken):
    """Puts the fault proxy before the port; gives it and the environment in which its calls go there."""
    to = bed.emulator.url if port.behind == "emulator" else bed.moto.url
    rules = [] if broken else [{"operation": "*", "action": mode}]
    proxy, faults = world.proxy(to, rules, place)
    return proxy, faults, bed.env | {port.variable: proxy.url}


def case(line, bed, port, mode, broken=False):
    """Gives what came of one port in one mode: when it was told, who went on, how long it took to end, and what was spoiled."""
    place = line.fresh(f"{port.name.replace(' ', '-')}-{mode}")
    shutil.copytree(bed.due / "state", place / "state")
    accounts = place / "accounts.toml"
    accounts.write_text('[[account]]\nrole = "arn:aws:iam::123456789012:role/read"\n')
    proxy, faults, env = spoiled(bed, place, port, mode, broken)
    more = [accounts if m == "accounts.toml" else m for m in port.more]
    history = [] if "--history" in port.more else ["--history", place / "new-history"]
    args = ["--only", port.only, "--state", place / "state", "--queue", bed.queue, "--eventbridge", "fleet", "--select", "all", *history, *more]
    with proxy, Running(place, *args, env=env) as running:
        said = running.until(port.told, SAID_WITHIN)
        # Every age begins with the process: before that, one that does nothing is as young as one that works.
        time.sleep(max(0.0, FRESH + 15 - (time.monotonic() - running.began)))
        goes_on = running.scrape() or {}
        others = {part: works(part)(goes_on) for part in port.goes_on}
        ended = running.end(60)
        return said, others, ended, world.injected(faults) if faults.exists() else {}, running.said(300)


def report(line, port, mode, outcome):
    said, others, ended, faults, log = outcome
    key = f"{port.name.replace(' ', '')}.{mode}"
    line.check(f"{key}.told", f"{port.name} {mode}: its metrics say so within two minutes", said is not None, f"{said:.0f} s" if said else f"not at all: {log}", f"<= {SAID_WITHIN} s")
    line.check(f"{key}.others", f"{port.name} {mode}: the other parts go on", all(others.values()), others or "no other part", "all")
    line.check(f"{key}.asked", f"{port.name} {mode}: calls that were spoiled", faults.get(mode, 0) > 0, faults.get(mode, 0), "> 0")
    line.check(f"{key}.ends", f"{port.name} {mode}: it ends after SIGTERM", ended <= ENDED_WITHIN, f"{ended:.1f} s", f"<= {ENDED_WITHIN} s")


def dynamodb(line, bed, mode):
    """The log of recoveries in DynamoDB: `respond` waits for it, and ends when it is asked to."""
    place = line.fresh(f"DynamoDB-{mode}")
    proxy, faults = world.proxy(bed.moto.url, [{"operation": "*", "action": mode}], place)
    with proxy:
        child = world.background("respond", "--recovery-log", "dynamodb:recoveries", "--state", place / "state", env=bed.env | {"AWS_ENDPOINT_URL_DYNAMODB": proxy.url}, log=place / "run.txt")
        try:
            child.wait(15)
            raise Short(f"respond ended by itself: {(place / 'run.txt').read_text()[-300:]}")
        except subprocess.TimeoutExpired:
            begun = time.monotonic()
            world.end(child, 60)
            took = time.monotonic() - begun
    asked = world.injected(faults).get(mode, 0)
    line.check(f"DynamoDB.{mode}.ends", f"DynamoDB {mode}: respond, which waits for it, ends after SIGTERM", took <= ENDED_WITHIN and asked, f"{took:.1f} s", f"<= {ENDED_WITHIN} s")


def prove(line):
    with contextlib.ExitStack() as stack, concurrent.futures.ThreadPoolExecutor(20) as pool:
        bed = Bed(line, stack)
        # All at once: nearly all of the time is waiting.
        running = [(port, mode, pool.submit(case, line, bed, port, mode)) for port in PORTS for mode in MODES]
        logs = [pool.submit(dynamodb, line, bed, mode) for mode in MODES]
        for port, mode, outcome in running:
            report(line, port, mode, outcome.result())
        for log in logs:
            log.result()


def sabotage(line, broken):
    port = next(p for p in PORTS if p.name == "SQS")
    with contextlib.ExitStack() as stack:
        bed = Bed(line, stack)
        report(line, port, "silent", case(line, bed, port, "silent", broken))
