"""Kills ingest, archive, analyze and emit in mid-work, embedded and on Kinesis; in the end nothing is lost, doubled, or told twice."""

import collections
import json
import random
import signal
import subprocess
import time

from proofs import judge, kit
from proofs.kit import Short, forewarn
from proofs.live import world

NUMBER = 2
TITLE = "kill -9 fifty times in mid-work of ingest, archive, analyze and emit, embedded and on Kinesis"
SABOTAGE = ("embedded", "before the archiver reads, the records of one instance become copies of another's, as if their puts had gone wrong")
START, DAYS, INSTANCES = "2026-03-02T00:00:00Z", 10, 20
DAY, HOUR = 86_400_000, 3_600_000
PHASES = ("ingest", "archive", "analyze", "emit")
LONGEST = 90  # seconds a killed command may take to land


class Scene:
    """A history, a state, and the four commands of a day."""

    def __init__(self, place, env, stream, buses, ids):
        self.place, self.env, self.stream, self.buses, self.ids = place, env, stream, buses, ids
        self.history, self.state = place / "history", place / "state"

    def command(self, phase, day):
        a, b = world.rfc(world.ms(START) + day * DAY), world.rfc(world.ms(START) + (day + 1) * DAY)
        where = ["--history", self.history, "--state", self.state]
        return {
            "ingest": ["ingest", "--once", "--from", a, "--to", b, "--select", "all", "--ids", self.ids, "--no-archive", *self.stream, *where],
            "archive": ["archive", *self.stream, *where],
            # The first slot of a day speaks from what came before it.
            "analyze": ["analyze", "--due", "--no-deliver", "--every", "3h", "--from", a, "--to", b, *where],
            "emit": ["emit", *self.buses, "--state", self.state],
        }[phase]

    def start(self, phase, day, trace):
        env = kit.CLEAN | {k: str(v) for k, v in (self.env | {"FOREWARN_CRASH_TRACE": trace}).items()}
        return subprocess.Popen([str(kit.binary()), *map(str, self.command(phase, day))], env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                stderr=open(self.place / "stderr.txt", "ab"))

    def run(self, phase, day):
        """Runs a command to its end; gives the number of points that it passed."""
        trace = self.place / "trace"
        trace.unlink(missing_ok=True)
        p = self.start(phase, day, trace)
        if p.wait(600):
            raise Short(f"{phase} of day {day} exits {p.returncode}: {(self.place / 'stderr.txt').read_text(errors='replace')[-400:]}")
        return points(trace)

    def kill(self, phase, day, after):
        """Starts a command and kills it once it has passed `after` points; gives where it was, or None when it was quicker."""
        trace = self.place / "trace"
        trace.unlink(missing_ok=True)
        p = self.start(phase, day, trace)
        begun = time.time()
        while p.poll() is None and len(points(trace)) < after and time.time() - begun < LONGEST:
            time.sleep(0.0002)
        if p.poll() is not None:
            return None
        p.send_signal(signal.SIGKILL)
        p.wait()
        seen = points(trace)
        return seen[-1] if seen else None


def points(trace):
    return [p for p in trace.read_text().split("\n") if p] if trace.exists() else []


def rounds(line, scene, kills, rng, before=None):
    """Goes through the days; spreads the kills over phases and days; gives where each landed."""
    landed = collections.Counter()
    where = []
    lengths = {}
    per_day = -(-kills // (DAYS * len(PHASES))) + 1
    for day in range(DAYS):
        for phase in PHASES:
            if before and day:
                before(scene, phase)
            # The first day shows how long the work of a phase is, in points passed.
            tries = per_day if day and sum(landed.values()) < kills else 0
            for _ in range(tries):
                at = scene.kill(phase, day, rng.randint(1, max(1, lengths[phase] - 1)))
                if at:
                    landed[phase] += 1
                    where.append(at)
            passed = scene.run(phase, day)
            if passed and (phase not in lengths or len(passed) > lengths[phase]):
                lengths[phase] = len(passed)
            lengths.setdefault(phase, 2)
    return landed, where


def announced(state):
    """The ids that had to be announced, from the log itself."""
    entries = forewarn("log", "list", "--state", state, "--format", "json").json()
    entries = judge.listed(entries, "entries", "events")
    told = {"forewarn.prediction.made", "forewarn.prediction.updated", "forewarn.prediction.cleared", "forewarn.workload.predicted", "forewarn.workload.updated", "forewarn.workload.cleared"}
    out = []
    for e in entries:
        env = e.get("envelope", e)
        if env["type"].rsplit(".v", 1)[0] in told and not (env["data"].get("workload_episode_id") and env["data"].get("instance_id")):
            out.append(env["id"])
    return out


def fleet(place):
    args = ["--world", "fleet", "--instances", INSTANCES, "--days", DAYS, "--start", START, "--seed", 77, "--incident-rate", 12]
    truth = place / "truth.parquet"
    forewarn("simulate", "--truth", truth, *args).ok()
    return args, truth, world.volumes_of(truth, place)


class Consumer:
    """A bus of EventBridge, and a queue that hears all of it."""

    BUSES = ["--eventbridge", "fleet"]

    def __init__(self, moto):
        events, self.sqs = (world.client(s, moto.url) for s in ("events", "sqs"))
        events.create_event_bus(Name="fleet")
        self.queue = self.sqs.create_queue(QueueName="told")["QueueUrl"]
        arn = self.sqs.get_queue_attributes(QueueUrl=self.queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        events.put_rule(Name="all", EventBusName="fleet", EventPattern=json.dumps({"source": ["forewarn"]}))
        events.put_targets(Rule="all", EventBusName="fleet", Targets=[{"Id": "1", "Arn": arn}])

    def begin(self, scene):
        """A bus that is new starts at the present: it is made known before there is anything to tell."""
        forewarn("mark", "--state", scene.state, "--workload", "nobody", "the proof begins", env=scene.env).ok()
        forewarn("emit", "--state", scene.state, *self.BUSES, env=scene.env).ok()

    def heard(self):
        """How often each announcement was heard."""
        got = collections.Counter()
        while messages := self.sqs.receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10).get("Messages", []):
            for m in messages:
                got[json.loads(m["Body"])["detail"]["event_id"]] += 1
                self.sqs.delete_message(QueueUrl=self.queue, ReceiptHandle=m["ReceiptHandle"])
        return got


def beside(moto, emulator, clock):
    """The environment in which CloudWatch and EC2 are the emulator's, and all else is moto's."""
    return world.aws(moto, AWS_ENDPOINT_URL_CLOUDWATCH=emulator.url, AWS_ENDPOINT_URL_EC2=emulator.url) | clock.env


def undisturbed(line, ids, emulator, clock):
    """What a run without kills announces: in the file of events, and on EventBridge, where nobody hears of what is over and old."""
    with world.moto() as moto:
        consumer = Consumer(moto)
        scene = Scene(line.fresh("undisturbed"), beside(moto, emulator, clock), [], Consumer.BUSES, ids)
        consumer.begin(scene)
        for day in range(DAYS):
            for phase in PHASES:
                scene.run(phase, day)
        return world.bus_ids(scene.state / "events.jsonl"), set(consumer.heard())


def embedded(line, truth, ids, env, kills, want, before=None):
    scene = Scene(line.fresh("embedded"), env, [], [], ids)
    landed, where = rounds(line, scene, kills, random.Random(5), before)
    forewarn("history", "compact", "--history", scene.history).ok()
    line.note(f"embedded: {sum(landed.values())} kills landed: {dict(landed)}; {json.dumps(collections.Counter(where))}")
    world.check_truth(line, "embedded", scene.history, truth, least=INSTANCES * 1000)
    told = world.bus_ids(scene.state / "events.jsonl")
    line.check("embedded.told", "announcements on the bus: the undisturbed run's, each once", told and sorted(told) == sorted(want), f"{len(told)} of {len(want)}, {len(told) - len(set(told))} twice", "equal")
    chain = forewarn("log", "verify", "--state", scene.state)
    line.check("embedded.chain", "the log's hash chain is whole", chain.code == 0, chain.out.strip()[-80:] or chain.err.strip()[-80:])
    return landed


def on_kinesis(line, truth, ids, emulator, clock, kills, want):
    place = line.fresh("kinesis")
    with world.moto() as moto:
        world.client("kinesis", moto.url).create_stream(StreamName="fleet", ShardCount=2)
        consumer = Consumer(moto)
        scene = Scene(place, beside(moto, emulator, clock), ["--stream", "kinesis:fleet"], Consumer.BUSES, ids)
        consumer.begin(scene)
        landed, where = rounds(line, scene, kills, random.Random(6))
        line.note(f"on Kinesis: {sum(landed.values())} kills landed: {dict(landed)}; {json.dumps(collections.Counter(where))}")
        got = consumer.heard()
    forewarn("history", "compact", "--history", scene.history).ok()
    world.check_truth(line, "kinesis", scene.history, truth, least=INSTANCES * 1000)
    line.check("kinesis.told", "a consumer of EventBridge that drops repeated ids has the undisturbed run's announcements, each once", set(got) == want and want, f"{len(got)} of {len(want)}, {sum(got.values()) - len(got)} repeats dropped", "equal")
    return landed


def prove(line):
    args, truth, ids = fleet(line.fresh("fleet"))
    clock = world.just_after(START, DAYS)
    with world.emulator(*args, env=clock.env, log=line.work / "emulator.txt") as server:
        want, heard = undisturbed(line, ids, server, clock)
        line.check("wants", "announcements of an undisturbed run, and those of them on EventBridge", len(want) >= len(heard) >= 5, f"{len(want)}, {len(heard)}", ">= 5")
        a = embedded(line, truth, ids, world.aws(server) | clock.env, 26, want)
        b = on_kinesis(line, truth, ids, server, clock, 26, heard)
    both = a + b
    line.check("kills", "kills that landed in mid-work, by phase", sum(both.values()) >= 50 and min(both.get(p, 0) for p in PHASES) >= 5, f"{sum(both.values())}: {dict(both)}", ">= 50, each >= 5")


def sabotage(line, broken):
    import sqlite3

    args, truth, ids = fleet(line.fresh("fleet"))
    taken = []

    def lose(scene, phase):
        path = scene.state / "stream.sqlite"
        if broken and phase == "archive" and not taken and path.exists():
            with sqlite3.connect(path) as db:
                # All of an instance's, for a killed ingest may have put them twice.
                key, other = (r[0] for r in db.execute("SELECT key FROM records GROUP BY key ORDER BY max(seq) DESC LIMIT 2"))
                db.execute("UPDATE records SET data = (SELECT data FROM records WHERE key = ?2 LIMIT 1) WHERE key = ?1", (key, other))
                taken.append(key)

    clock = world.just_after(START, DAYS)
    with world.emulator(*args, env=clock.env, log=line.work / "emulator.txt") as server:
        want, _ = undisturbed(line, ids, server, clock)
        embedded(line, truth, ids, world.aws(server) | clock.env, 12, want, lose)
