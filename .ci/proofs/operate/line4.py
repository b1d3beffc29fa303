"""A year in small: what a fleet of 20,000 instances in fifty accounts leaves in a year, a round a day, few descriptors."""

import collections
import concurrent.futures
import contextlib
import json
import os
import random
import re
import shutil
import statistics

from proofs import judge, kit
from proofs.kit import Short, run
from proofs.live import world
from proofs.operate.accounts import Accounts, settings
from proofs.operate.counting import Counting

NUMBER = 4
TITLE = "a year in small: fifty accounts (two denied, one hung), 500 events an hour, one round a day, 256 descriptors"
SABOTAGE = ("rounds", "nobody merges or forgets anything")
START, DAY = "2025-11-01T00:00:00Z", 86_400_000
DAYS = int(os.environ.get("PROOF_YEAR_DAYS", "365"))
ENTRIES = int(os.environ.get("PROOF_LOG_ENTRIES", "10000000"))
ACCOUNTS, EACH, FLEET, EVENTS = 50, 2, 20_000, 12_000
IDS = [f"{100_000_000_000 + i}" for i in range(ACCOUNTS)]
DENIED, HUNG = IDS[7:9], IDS[23:24]
SLOWER, GROWTH = 1.3, 1.3
STATES = ["pending", "running", "stopping", "stopped", "shutting-down", "terminated"]


def at(day, hours=0):
    return world.rfc(world.ms(START) + day * DAY + hours * 3_600_000)


Weight = collections.namedtuple("Weight", "files bytes entries peak")


class Year:
    """A state and a history, and the commands of a day."""

    def __init__(self, place, front, bucket=None, quarters=(), maintained=True):
        self.place, self.front, self.bucket, self.quarters, self.maintained = place, front, bucket, quarters, maintained
        self.history, self.state = place / "history", place / "state"
        self.where = ["--history", self.history, "--state", self.state]
        self.accounts = settings(IDS, place)
        self.rounds, self.calls, self.weights, self.peak = [], [], [], collections.Counter()
        # Processor seconds of each round, by command: what a busy machine does not lengthen.
        self.works, self.work = [], {}

    def forewarn(self, phase, day, *args, may_fail=False):
        """Runs a command at two in the morning after a day, by a clock that is sixty times as fast, with few descriptors; gives the seconds it took."""
        env = world.aws(self.front) | {"FOREWARN_CLOCK": f"{world.ms(at(day + 1, 2))},{int(kit.time.time() * 1000)},60"}
        limited = ["bash", "-c", 'ulimit -n 256; exec "$@"', "-", kit.binary()]
        r = run([*limited, *args], env=env, timeout=600)
        if r.code and not may_fail:
            raise Short(f"{phase} of day {day}: exit {r.code}: {r.err.strip()[-400:]}")
        self.peak[phase] = max(self.peak[phase], r.peak)
        self.work[phase] = r.cpu
        return r.wall

    def events(self, day):
        """Writes the events of a day: of any of the 20,000, as EventBridge gives them."""
        rng, path = random.Random(day), self.place / "events.jsonl"
        with path.open("w") as out:
            for n in range(EVENTS):
                i, moment = f"i-{rng.randrange(FLEET):017x}", world.ms(at(day)) + n * DAY // EVENTS
                account = IDS[rng.randrange(ACCOUNTS)]
                out.write(json.dumps({
                    "version": "0", "id": f"{day:08x}-0000-4000-8000-{n:012x}", "detail-type": "EC2 Instance State-change Notification", "source": "aws.ec2",
                    "account": account, "time": world.rfc(moment - moment % 1000), "region": "eu-central-1",
                    "resources": [f"arn:aws:ec2:eu-central-1:{account}:instance/{i}"], "detail": {"instance-id": i, "state": STATES[n % len(STATES)]},
                }) + "\n")
        return path

    def round(self, day, first=None):
        """Pulls what is due, or the days from `first` on, and does with it what is done each day."""
        for url in self.front.backends.values():
            world.set_clock(url, world.ms(at(day + 1, 2)))
        span = [] if first is None else ["--from", at(first), "--to", at(day + 1)]
        took = {
            "ingest": self.forewarn("ingest", day, "ingest", "--once", *span, "--select", "all", "--accounts", self.accounts, "--no-archive", *self.where, may_fail=True),
            "events": self.forewarn("events", day, "events", "import", self.events(day), "--state", self.state),
            "archive": self.forewarn("archive", day, "archive", *self.where),
        }
        if self.bucket and (first is not None or day + 1 in self.quarters):
            self.calls.append(self.on_s3(day))
        took |= {
            "mark": self.forewarn("mark", day, "mark", "--state", self.state, "--workload", f"w{day % 17}", f"deploy {day}"),
            "analyze": self.forewarn("analyze", day, "analyze", "--due", "--every", "24h", *self.where),
            "emit": self.forewarn("emit", day, "emit", "--state", self.state),
        }
        if self.maintained:
            took["maintain"] = self.forewarn("maintain", day, "maintain", *self.where)
        self.rounds.append(took)
        self.works.append(dict(self.work))

    def on_s3(self, day):
        """Has the round of this day held on a copy of history and state, the history on S3; gives the calls of S3 by kind."""
        s3, copy = world.client("s3", self.bucket.url), self.place / "copy"
        s3.create_bucket(Bucket=f"day-{day}", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
        for file in (f for f in self.history.rglob("*") if f.is_file()):
            s3.upload_file(str(file), f"day-{day}", f"history/{file.relative_to(self.history)}")
        shutil.copytree(self.state, copy, dirs_exist_ok=True)
        env = world.aws(self.front) | {"AWS_ENDPOINT_URL_S3": self.bucket.url, "FOREWARN_CLOCK": f"{world.ms(at(day + 1, 2))},{int(kit.time.time() * 1000)},1"}
        self.bucket.calls.clear()
        kit.forewarn("analyze", "--due", "--every", "24h", "--no-deliver", "--history", f"s3://day-{day}/history", "--state", copy, env=env).ok()
        calls = dict(self.bucket.calls)
        for item in s3.get_paginator("list_objects_v2").paginate(Bucket=f"day-{day}").search("Contents[].Key"):
            s3.delete_object(Bucket=f"day-{day}", Key=item)
        shutil.rmtree(copy)
        return calls

    def weight(self):
        """Weighs what lies there, and the memory that was needed since the last time."""
        found = [f for root in (self.history, self.state) for f in root.rglob("*") if f.is_file()]
        files = collections.Counter(str(f.relative_to(self.place)).split("/")[1] for f in found)
        log = kit.forewarn("log", "verify", "--state", self.state, "--format", "json").json()
        peak, self.peak = self.peak, collections.Counter()
        return Weight(files, sum(f.stat().st_size for f in found), log["entries"], peak)


def machines(account, days):
    """The machines of an account: in each fourth they fail, and some of those end."""
    n = IDS.index(account)
    kind = ["--world", "hash"] if n % 4 else ["--incident-rate", 1]
    return ["--instances", EACH, "--days", days, "--start", START, "--seed", 500 + n, "--account", account, *kind]


@contextlib.contextmanager
def fleet(line, days):
    """Serves an account of two machines for each of those that answer."""
    with contextlib.ExitStack() as stack:
        # As fast as that of the commands; each round sets it to its own time, for CloudWatch forgets what is old.
        end = world.Clock(at(7, 2), 60)
        backends = {}
        for account in IDS:
            if account not in DENIED:
                backends[account] = stack.enter_context(world.emulator(*machines(account, days), env=end.env, log=line.work / "emulator.txt")).url
        yield stack.enter_context(Accounts(backends, DENIED, HUNG))


def total(took, but=()):
    return sum(v for k, v in took.items() if k not in but)


def week(rounds, but=("ingest",)):
    """The typical round of a week, without what the hung account makes pulling wait for."""
    return statistics.median(total(t, but) for t in rounds)


class Upkeep:
    """Verifies, rebuilds and prunes a log of ten million entries while others append and read, beside the year: neither its first rounds
    nor its last ones, which are compared, have it beside them."""

    BEGINS, ENDS = 30, 10

    def __init__(self, line):
        self.line, self.place, self.pool = line, line.fresh("log"), concurrent.futures.ThreadPoolExecutor(1)
        self.ran = None
        # Light by itself: in one build with the binary it would have Polars built anew, with other features.
        build = ["cargo", "build", "--release", "-p", "forewarn-testkit", "--no-default-features", "--example", "log_upkeep", "--locked"]
        run(build, env={"CARGO_TARGET_DIR": kit.TARGET}, timeout=3600).ok()

    def before(self, day, days):
        """Is told of each day before it begins."""
        if day == min(self.BEGINS, days - self.ENDS - 1):
            self.ran = self.pool.submit(run, [kit.TARGET / "release" / "examples" / "log_upkeep", ENTRIES, self.place], timeout=5400)
        if day == days - self.ENDS:
            self.ran.result()

    def judge(self):
        r = self.ran.result()
        shutil.rmtree(self.place)
        self.line.note(r.out)
        longest = re.search(r"longest wait of all: (\d+) ms", r.out)
        holds = r.code == 0 and longest and int(longest[1]) <= 1000
        words = f"longest wait for a log of {ENTRIES:,} entries while it is rebuilt, verified and pruned, ms"
        self.line.check("upkeep", words, holds, longest[1] if longest else r.err[-300:], "<= 1,000")


def year(line, days, maintained=True, upkeep=None):
    place = line.fresh(f"year-{days}{'' if maintained else '-untended'}")
    with fleet(line, days + 1) as front:
        stack = contextlib.ExitStack()
        bucket = stack.enter_context(Counting(stack.enter_context(world.Moto("s3")).url)) if maintained else None
        quarters = {7 + (days - 7) * q // 4 for q in range(1, 5)}
        it = Year(place, front, bucket, quarters, maintained)
        with stack:
            it.round(6, first=0)
            for day in range(7, days):
                if upkeep:
                    upkeep.before(day, days)
                it.round(day)
                if day + 1 in quarters:
                    it.weights.append(w := it.weight())
                    took = {k: round(v, 2) for k, v in it.rounds[-1].items()}
                    peak = {k: round(v) for k, v in w.peak.items()}
                    line.note(f"day {day + 1}: round {total(it.rounds[-1]):.1f} s {took}; calls of S3 {it.calls[-1:]}; files {dict(w.files)}; {w.bytes / 2**20:.0f} MiB; peak MiB {peak}; {w.entries:,} entries")
    return it


def judged(line, it):
    first, last = week(it.rounds[1:8]), week(it.rounds[-7:])
    early, late = week(it.works[1:8]), week(it.works[-7:])
    line.check("work", "... by processor time", late <= SLOWER * early, f"{late:.2f} s and {early:.2f} s: {late / early:.2f}", f"<= {SLOWER}")
    line.check("rounds", "a round of the last week beside one of the first", last <= SLOWER * first, f"{last:.2f} s and {first:.2f} s: {last / first:.2f}", f"<= {SLOWER}")


def flat(line, it):
    """What a round reads, holds and leaves at the end of the year, beside the end of its first quarter; of what retention keeps, a day of it."""
    first, last = it.weights[0], it.weights[-1]
    days = [7 + (DAYS - 7) // 4, DAYS]
    gets = [calls.get("GET", 0) + calls.get("LIST", 0) for calls in (it.calls[1], it.calls[-1])]
    files = [sum(weight.files.values()) / day for weight, day in zip((first, last), days)]
    size = [weight.bytes / day for weight, day in zip((first, last), days)]
    entries = [weight.entries / day for weight, day in zip((first, last), days)]
    peak = [max(weight.peak.values()) for weight in (first, last)]
    for name, words, (a, b) in [
        ("gets", "GETs and LISTs of a round on S3", gets), ("files", "files for each day that is kept", files), ("disk", "bytes for each day that is kept", size),
        ("log", "entries of the log for each day that is kept", entries), ("memory", "largest memory of any command, MiB", peak),
    ]:
        line.check(name, f"{words}, at the end of the year and of its first quarter", b <= GROWTH * a, f"{b:,.1f} and {a:,.1f}: {b / max(a, 1e-9):.2f}", f"<= {GROWTH}")


def seen(files, day):
    """The instances with samples on a day, by Parquet files."""
    begins = world.ms(at(day))
    rows = judge.db().execute(f"SELECT DISTINCT instance_id FROM read_parquet('{files}') WHERE epoch_ms(ts) BETWEEN {begins} AND {begins + DAY - 1}")
    return {i for i, in rows.fetchall()}


def living(line):
    """The instances that have samples on the last day by the simulator's own account, of those of accounts that answer; what computes its series does not end."""
    found, truth = set(), line.work / "truth.parquet"
    for account in set(IDS) - set(DENIED) - set(HUNG):
        args = machines(account, DAYS + 1)
        if "hash" in args:
            args[args.index("--days") + 1], day = 1, 0
        else:
            day = DAYS - 1
        kit.forewarn("simulate", "--truth", truth, *args).ok()
        found |= seen(truth, day)
    return found


def prove(line):
    upkeep = Upkeep(line)
    it = year(line, DAYS, upkeep=upkeep)
    judged(line, it)
    flat(line, it)
    upkeep.judge()
    line.check("held", "rounds held", len(it.rounds) == DAYS - 6, len(it.rounds), DAYS - 6)
    heard, alive = seen(f"{it.history}/metrics/**/*.parquet", DAYS - 1), living(line)
    line.check("heard", "instances of accounts that answer, heard of on the last day as the simulator tells", heard == alive and len(alive) > EACH * 35, len(heard & alive), len(alive))
    refused = [a for a in DENIED if it.front.calls.get(a)]
    line.check("accounts", "accounts that answer were pulled, those denied and hung held nobody up", not refused and len(it.front.calls) >= ACCOUNTS - len(DENIED), len(it.front.calls))


def sabotage(line, broken):
    judged(line, year(line, 40, maintained=not broken))
