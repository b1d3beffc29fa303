"""The pipeline as Lambda functions: many at once, killed at any point, on one table and one bucket."""

import collections
import concurrent.futures
import json
import random
import time

from proofs import judge
from proofs.kit import Short, forewarn
from proofs.live import world
from proofs.operate import functions

NUMBER = 5
TITLE = "Lambda on DynamoDB and S3: four shards and four analyses at once, killed fifty times: exact equality, one announcement each"
SABOTAGE = ("truth", "what a killed invocation was handed is not delivered again")
TABLE, STREAM, BUS, BUCKET, PREFIX, DELIVERED = "fleet", "fleet", "fleet", "fleet", "history", "delivered"
START, DAYS, HOURS = "2026-03-02T00:00:00Z", 8, 12
STEP, HOUR, DAY = 600_000, 3_600_000, 86_400_000
INSTANCES, SHARDS, ANALYSES = 16, 4, 4
KILLS = {"metric-stream": 6, "archive": 24, "analyze": 22, "emit": 8}
MADE = "forewarn.prediction.made"
KINDS = (MADE, "forewarn.prediction.updated", "forewarn.prediction.cleared", "forewarn.prediction.observed", "forewarn.workload.")
CRASH = {
    "metric-stream": ["metric_stream.begun", "metric_stream.put", "metric_stream.taken", "metric_stream.raised"],
    "archive": ["archive.read", "archive.logged", "archive.bucket_written", "archive.committed", "archive.tables_written", "commit.staged", "commit.file_placed", "commit.manifest_written", "commit.recorded"],
    "analyze": ["analyze.analyzed", "analyze.writing", "analyze.written", "analyze.appended", "analyze.kept", "analyze.held", "analyze.progressed"],
    "emit": ["emit.read", "emit.published", "emit.cursor_moved"],
}


def points():
    """The fleet, point by point: (instance, namespace, metric, device, ts, value). A third of it fills its disk within two days."""
    rng, t0 = random.Random(5), world.ms(START)
    for i in range(INSTANCES):
        name, full = f"i-{i:017x}", t0 + DAYS * DAY + (6 + 2 * i) * HOUR
        disk, memory = rng.uniform(20, 50), rng.uniform(20, 60)
        for k in range((DAYS * DAY + HOURS * HOUR) // STEP):
            t = t0 + k * STEP
            filling = i % 3 == 0 and t > full - 3 * DAY
            yield name, "CWAgent", "disk_used_percent", "/", t, min(100.0, round(disk + (100 - disk) * (1 - (full - t) / (3 * DAY)), 3)) if filling else round(disk + rng.uniform(-0.2, 0.2), 3)
            yield name, "CWAgent", "mem_used_percent", None, t, round(memory + rng.uniform(-2, 2), 3)
            yield name, "AWS/EC2", "CPUUtilization", None, t, round(rng.uniform(5, 30), 3)


def source(place):
    """Writes the truth, and the same as Metric Streams deliver it: the first days in one file, then one an hour; gives these, each with its end."""
    rows, files = [], collections.defaultdict(list)
    first = world.ms(START) + DAYS * DAY
    for instance, namespace, metric, path, t, value in points():
        rows.append(("123456789012", "eu-central-1", instance, namespace, metric, "Average", f"path={path}" if path else None, 60, t, value))
        dimensions = {"InstanceId": instance} | ({"path": path} if path else {})
        end = first if t < first else first + ((t - first) // HOUR + 1) * HOUR
        point = {"max": value, "min": value, "sum": value, "count": 1.0}
        files[end].append(json.dumps({"metric_stream_name": "s", "account_id": "123456789012", "region": "eu-central-1", "namespace": namespace, "metric_name": metric, "dimensions": dimensions, "timestamp": t, "value": point, "unit": "Percent"}))
    db = judge.db()
    db.execute("CREATE TABLE t(account VARCHAR, region VARCHAR, instance_id VARCHAR, namespace VARCHAR, metric VARCHAR, stat VARCHAR, device VARCHAR, period_s INTEGER, ms BIGINT, value DOUBLE)")
    lines = place / "truth.csv"
    lines.write_text("".join(",".join("" if x is None else str(x) for x in r) + "\n" for r in rows))
    db.execute(f"COPY t FROM '{lines}' (FORMAT csv, NULLSTR '')")
    truth = place / "truth.parquet"
    db.execute(f"COPY (SELECT * EXCLUDE ms, make_timestamptz(ms * 1000) AS ts FROM t) TO '{truth}' (FORMAT parquet)")
    for end, text in files.items():
        (place / f"{end}.jsonl").write_text("\n".join(text) + "\n")
    return truth, sorted(files)


def stand_up(moto):
    """Makes stream, table, bucket, bus, and the queue that hears it."""
    aws = {s: world.client(s, moto.url) for s in ("kinesis", "dynamodb", "s3", "events", "sqs")}
    aws["kinesis"].create_stream(StreamName=STREAM, ShardCount=SHARDS)
    aws["dynamodb"].create_table(
        TableName=TABLE, BillingMode="PAY_PER_REQUEST", KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}, {"AttributeName": "sk", "AttributeType": "N"}],
    )
    aws["s3"].create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    aws["events"].create_event_bus(Name=BUS)
    queue = aws["sqs"].create_queue(QueueName="heard")["QueueUrl"]
    arn = aws["sqs"].get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    aws["events"].put_rule(Name="all", EventBusName=BUS, EventPattern=json.dumps({"source": ["forewarn"]}))
    aws["events"].put_targets(Rule="all", EventBusName=BUS, Targets=[{"Id": "1", "Arn": arn}])
    return aws, queue


class Killer:
    """Decides who dies, and where; counts."""

    def __init__(self, seed):
        self.rng, self.left, self.died = random.Random(seed), dict(KILLS), collections.Counter()

    def arm(self, part, chance):
        """Gives what is to end the next invocation: a crash point, a kill from outside, or nothing."""
        if self.left[part] <= 0 or self.rng.random() >= chance:
            return {}
        if self.rng.random() < 0.15:
            return {"kill_after": self.rng.uniform(0.1, 5)}
        return {"crash": f"{self.rng.choice(CRASH[part])}:{self.rng.choice([1, 1, 1, 2])}"}

    def note(self, part, outcome):
        if outcome == "killed":
            self.left[part] -= 1
            self.died[part] += 1


def archive(shard, records, env, killer, seed, log, broken):
    """Is the event source mapping of one shard: hands over batches until each was dealt with, from where it stands after a failure, with other boundaries."""
    rng, at, tries = random.Random(seed), 0, 0
    with functions.Container("archive", env, log) as container:
        while at < len(records):
            batch = records[at : at + rng.choice([1, 3, 10, 40])]
            armed = killer.arm("archive", 0.6 if tries < 6 else 0)
            outcome, reply = container.invoke(functions.kinesis_event(shard, batch), **armed)
            killer.note("archive", outcome)
            if outcome == "response":
                failed = [f["itemIdentifier"] for f in reply["batchItemFailures"]]
                again = next((i for i, r in enumerate(batch) if r["SequenceNumber"] in failed), len(batch))
                at, tries = at + again, 0 if again else tries + 1
            elif broken and outcome == "killed":
                at += len(batch)
            else:
                tries += 1
            if tries > 60:
                raise Short(f"a batch of shard {shard} was not taken within 60 deliveries: {reply}")
        # A mapping may hand over what was dealt with: nothing changes.
        for _ in range(2):
            batch = records[(i := rng.randrange(len(records))) : i + 20]
            outcome, _ = container.invoke(functions.kinesis_event(shard, batch), **killer.arm("archive", 1))
            killer.note("archive", outcome)


def kind(message):
    """Of an answer that nothing was done: that another process has or took the lease, or what else it was."""
    return "the lease is another's" if " lease " in message or "writing to it" in message else message[:200]


def scheduled(part, env, killer, log, done, seed):
    """Invokes a function again and again, as a schedule would, until everything is done."""
    rng, failures = random.Random(seed), collections.Counter()
    with functions.Container(part, env, log) as container:
        while not done():
            outcome, reply = container.invoke({"detail-type": "Scheduled Event"}, **killer.arm(part, 1))
            killer.note(part, outcome)
            if outcome == "error":
                failures[kind(reply["errorMessage"])] += 1
            done.wait(rng.uniform(0.05, 0.3))
    return failures


class Done:
    """Says when the rounds are held, everything is announced and enough have died."""

    def __init__(self, dynamodb, last, killer, limit=900):
        self.until, self.over = time.time() + limit, False
        self.dynamodb, self.last, self.killer = dynamodb, last, killer

    def item(self, pk):
        return self.dynamodb.get_item(TableName=TABLE, Key={"pk": {"S": pk}, "sk": {"N": "0"}}, ConsistentRead=True).get("Item", {})

    def wait(self, seconds):
        time.sleep(seconds)

    def __call__(self):
        if time.time() > self.until:
            raise Short("rounds and announcements were not done in time")
        through = self.item("cell#through/analyze").get("text", {}).get("S", START)
        head, cursor = (int(self.item(pk).get("position", {}).get("N", -1)) for pk in ("head", "cursor#eventbridge"))
        # Once is enough: the clock goes on, and with it the rounds.
        died = self.killer.left["analyze"] <= 0 and self.killer.left["emit"] <= 0
        self.over = self.over or died and world.ms(through) >= self.last and head == cursor
        return self.over


def entries(dynamodb):
    """Gives the events of the log, in order."""
    found = []
    for page in dynamodb.get_paginator("scan").paginate(TableName=TABLE, ConsistentRead=True):
        found += [(int(i["position"]["N"]), json.loads(i["envelope"]["S"])) for i in page["Items"] if i["pk"]["S"].startswith("all#")]
    return [envelope for _, envelope in sorted(found, key=lambda e: e[0])]


def heard(sqs, queue):
    got = []
    while messages := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", []):
        for m in messages:
            got.append(json.loads(m["Body"]))
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=m["ReceiptHandle"])
    return got


def fill(s3, env, place, files, killer):
    """Delivers the files as Firehose does, and has the function take each when it has come, three minutes after its last point; a killed one goes on."""
    for end in files:
        s3.put_object(Bucket=BUCKET, Key=f"{DELIVERED}/{world.rfc(end)}", Body=(place / f"{end}.jsonl").read_bytes())
        # Twenty times as fast as the real one: the lease of who was killed runs out within three seconds.
        clock = {"FOREWARN_CLOCK": f"{end + 180_000},{int(time.time() * 1000)},20", "FOREWARN_METRIC_STREAM": f"s3://{BUCKET}/{DELIVERED}"}
        with functions.Container("metric-stream", env | clock, place / "metric-stream.txt") as container:
            armed = killer.arm("metric-stream", 1)
            for _ in range(60):
                outcome, reply = container.invoke({"detail-type": "Scheduled Event"}, **armed)
                killer.note("metric-stream", outcome)
                armed = {}
                if outcome == "response":
                    break
                time.sleep(0.2)
            else:
                raise Short(f"what was delivered was not taken within 60 invocations: {reply}")


def prove(line, broken=False, archive_only=False):
    place = line.fresh("functions")
    truth, files = source(place)
    last = files[-1] + 600_000
    with world.Moto("kinesis", "dynamodb", "s3", "events", "sqs", "sts") as moto:
        aws, queue = stand_up(moto)
        env = world.aws(moto) | {"FOREWARN_HISTORY": f"s3://{BUCKET}/{PREFIX}", "FOREWARN_STATE": f"dynamodb:{TABLE}", "FOREWARN_STREAM": f"kinesis:{STREAM}", "FOREWARN_EVENTBRIDGE": BUS, "FOREWARN_LOG": "warn"}
        killer = Killer(7)
        fill(aws["s3"], env, place, files, killer)
        shards = functions.records_of(aws["kinesis"], STREAM)
        line.note(f"{sum(map(len, shards.values()))} records in {len(shards)} shards")
        with concurrent.futures.ThreadPoolExecutor(SHARDS) as pool:
            jobs = [pool.submit(archive, shard, records, env, killer, n, place / f"archive-{n}.txt", broken) for n, (shard, records) in enumerate(shards.items())]
            for job in jobs:
                job.result()
        forewarn("history", "compact", "--grace", "0s", "--history", f"s3://{BUCKET}/{PREFIX}", env=env).ok()
        functions.download(aws["s3"], BUCKET, PREFIX, place / "history")
        rows = judge.db().execute(f"SELECT count(*) FROM read_parquet('{truth}')").fetchone()[0]
        world.check_truth(line, "truth", place / "history", truth, least=rows)
        if archive_only:
            return
        analyses(line, place, env, aws, queue, killer, files, last)


def analyses(line, place, env, aws, queue, killer, files, last):
    # The rounds begin with the first hour after the days that came at once; the clock stands after the last one, and runs as the real one.
    begin = world.rfc(files[0] + 600_000)
    aws["dynamodb"].put_item(TableName=TABLE, Item={"pk": {"S": "cell#through/analyze"}, "sk": {"N": "0"}, "text": {"S": world.rfc(files[0] + 599_999)}, "revision": {"N": "1"}, "mark": {"S": "proof"}})
    # A bus that is new begins at the present: before the first round.
    forewarn("emit", "--eventbridge", BUS, env=env).ok()
    clock = world.Clock(world.rfc(last + 60_000), 20)
    done = Done(aws["dynamodb"], last, killer)
    with concurrent.futures.ThreadPoolExecutor(ANALYSES + 1) as pool:
        jobs = [pool.submit(scheduled, "analyze", env | clock.env, killer, place / f"analyze-{n}.txt", done, n) for n in range(ANALYSES)]
        jobs.append(pool.submit(scheduled, "emit", env | clock.env, killer, place / "emit.txt", done, 99))
        refused = sum((job.result() for job in jobs), collections.Counter())
    line.note(f"invocations that ended without doing anything: {dict(refused.most_common(4))}")
    others = {why: n for why, n in refused.items() if why != kind(" lease ")}
    line.check("errors", "invocations that ended with another error than that the lease is another's", not others, others or "none", "none")
    deaths = sum(killer.died.values())
    line.check("killed", "containers killed", deaths >= 50, dict(killer.died), ">= 50")
    heard_all = heard(aws["sqs"], queue)
    told = {t["detail"]["event_id"]: t for t in heard_all}
    # The clock went on meanwhile, and later rounds with it; how things turned out depends on when it is asked.
    log = [e for e in entries(aws["dynamodb"]) if e["type"].startswith(KINDS) and world.ms(e["time"]) <= last]
    # The same rounds undisturbed, on one machine.
    quiet = place / "quiet"
    forewarn("analyze", "--due", "--no-deliver", "--from", begin, "--to", world.rfc(last), "--history", place / "history", "--state", quiet).ok()
    listed = forewarn("log", "list", "--state", quiet, "--format", "json").json()
    listed = [e.get("envelope", e) for e in (listed if isinstance(listed, list) else listed["entries"])]
    ids = lambda events: sorted(e["id"] for e in events if e["type"].startswith(KINDS))
    line.check("rounds", "events of the rounds in the log, beside those of one undisturbed process", ids(log) == ids(listed), f"{len(ids(log))} and {len(ids(listed))}", "the same ids, once each")
    opened = collections.Counter(e["data"]["episode_id"] if "episode_id" in e["data"] else e["data"]["prediction"]["episode_id"] for e in log if e["type"].startswith(MADE))
    line.check("episodes", "episodes opened, each once", len(opened) >= 5 and set(opened.values()) == {1}, f"{len(opened)}, at most {max(opened.values(), default=0)} times", ">= 5, once")
    made = collections.Counter(t["detail"]["episode_id"] for t in told.values() if t["detail"]["event_type"].startswith(MADE) and t["detail"]["episode_id"] in opened)
    line.note(f"{len(heard_all)} messages of {len(told)} events: {dict(collections.Counter(t['detail-type'] for t in told.values()))}")
    line.check("announced", "each episode announced once, repeats of an event's id aside", judged_once(made.elements(), opened), f"{len(made)} of {len(opened)}", "one each")
    judges(line)


def judged_once(told, opened):
    """Whether each episode that was opened was told, and each once."""
    counts = collections.Counter(told)
    return set(counts) == set(opened) and set(counts.values()) == {1}


def sabotage(line, broken):
    prove(line, broken, archive_only=True)


# Judged alone, on made-up answers: whether a second announcement of an episode, and an event too few in the log, are seen.
def judges(line):
    once = lambda told: judged_once(told, {"a": 1, "b": 1})
    line.check("judge", "an episode that was announced twice, and one that was not, are seen", once(["a", "b"]) and not once(["a", "a", "b"]) and not once(["a"]), "seen", "seen")
