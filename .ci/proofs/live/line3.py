"""Kinesis through the fault proxy, while it is split and merged: the order of each instance is kept, nothing is lost."""

import time

from proofs import kit
from proofs.kit import Short, forewarn, run
from proofs.live import world

NUMBER = 3
TITLE = "Kinesis: partial PutRecords failures, a split and a merge while running, an expired iterator, a lost reply"
SABOTAGE = ("truth", "the stream forgets records while the reader is away")
START, DAYS, INSTANCES = "2026-03-02T00:00:00Z", 2, 60
DAY = 86_400_000
ORDERED = {
    "order.resharded": "a_split_and_a_merge_while_running_keep_each_keys_order",
    "order.retried": "partial_failures_throttles_and_lost_replies_cost_neither_a_record_nor_the_order",
}


def streamed(line, broken=False):
    place = line.fresh("kinesis")
    history, state, truth, log = place / "history", place / "state", place / "truth.parquet", place / "run.txt"
    args = ["--world", "hash", "--instances", INSTANCES, "--days", DAYS, "--start", START, "--seed", 45]
    forewarn("simulate", "--truth", truth, *args).ok()
    rules = [
        {"operation": "PutRecords", "every": 4, "action": {"partial_put_records": 0.3}},
        {"operation": "PutRecords", "nth": 6, "action": "lose_reply"},
        {"operation": "PutRecords", "nth": 11, "action": "reset"},
        {"operation": "GetRecords", "every": 7, "action": "expire_iterator"},
        {"operation": "GetRecords", "every": 11, "action": "lose_reply"},
        {"operation": "GetRecords", "every": 17, "action": "throttle"},
        {"operation": "GetRecords", "every": 41, "action": {"http": 500}},
    ]
    clock = world.just_after(START, DAYS)
    with world.moto() as moto, world.emulator(*args, env=clock.env, log=place / "emulator.txt") as emulator:
        kinesis = world.client("kinesis", moto.url)
        kinesis.create_stream(StreamName="fleet", ShardCount=1)
        proxy, faults = world.proxy(moto.url, rules, place)
        with proxy:
            env = world.aws(proxy, AWS_ENDPOINT_URL_CLOUDWATCH=emulator.url, AWS_ENDPOINT_URL_EC2=emulator.url) | clock.env
            where = ["--history", history, "--state", state, "--stream", "kinesis:fleet"]
            reader = world.background("run", "--only", "archive", *where, env=env, log=log)
            try:
                half = 6 * 3_600_000
                if broken:
                    world.end(reader)
                for part in range(int(DAYS * DAY / half)):
                    a, b = world.rfc(world.ms(START) + part * half), world.rfc(world.ms(START) + (part + 1) * half)
                    forewarn("ingest", "--once", "--from", a, "--to", b, "--select", "all", "--no-archive", *where, env=env).ok()
                    if broken and part == 1:
                        kinesis.increase_stream_retention_period(StreamName="fleet", RetentionPeriodHours=48)
                        kinesis.decrease_stream_retention_period(StreamName="fleet", RetentionPeriodHours=24)
                        reader = world.background("run", "--only", "archive", *where, env=env, log=log)
                    if part == 2:
                        split(kinesis)
                    if part == 4:
                        merge(kinesis)
                drained(place, where, env, reader)
            finally:
                code = world.end(reader) if reader.poll() is None else reader.returncode
            forewarn("archive", *where, env=env).ok()
        shards = kinesis.list_shards(StreamName="fleet")["Shards"]
    injected = world.injected(faults)
    line.check("graceful", "the reader ends gracefully", code == 0, code, "0")
    kinds = {"partial_put_records", "lose_reply", "reset", "expire_iterator", "throttle"}
    line.check("faults", "faults that took place", kinds <= set(injected), dict(injected), "each kind")
    line.check("resharded", "shards, closed ones included, after a split and a merge", len(shards) >= 4, len(shards), ">= 4")
    forewarn("history", "compact", "--history", history).ok()
    world.check_truth(line, "truth", history, truth, least=INSTANCES * 9 * 400)


def order(line):
    """The order of each instance's records, which a history can't show: the tests read the records themselves."""
    for key, name in ORDERED.items():
        r = run(["cargo", "test", "--workspace", "--locked", "-q", "--", name], env={"CARGO_TARGET_DIR": kit.TARGET}, timeout=3000)
        line.check(key, f"test {name}", r.code == 0 and "1 passed" in r.out, "passes" if r.code == 0 and "1 passed" in r.out else (r.out + r.err)[-300:], "passes")


def prove(line):
    streamed(line)
    order(line)


def split(kinesis):
    shard = next(s for s in kinesis.list_shards(StreamName="fleet")["Shards"] if "EndingSequenceNumber" not in s["SequenceNumberRange"])
    low, high = (int(shard["HashKeyRange"][k]) for k in ("StartingHashKey", "EndingHashKey"))
    kinesis.split_shard(StreamName="fleet", ShardToSplit=shard["ShardId"], NewStartingHashKey=str((low + high) // 2))


def merge(kinesis):
    a, b = [s for s in kinesis.list_shards(StreamName="fleet")["Shards"] if "EndingSequenceNumber" not in s["SequenceNumberRange"]][:2]
    kinesis.merge_shards(StreamName="fleet", ShardToMerge=a["ShardId"], AdjacentShardToMerge=b["ShardId"])


def drained(place, where, env, reader, seconds=60):
    """Gives the reader time to meet the last records; what is left is archived afterwards."""
    begun = time.time()
    while time.time() - begun < seconds / 4:
        if reader.poll() is not None:
            raise Short(f"the reader ended by itself: {(place / 'run.txt').read_text()[-400:]}")
        time.sleep(1)


def sabotage(line, broken):
    streamed(line, broken)
