"""A year in small: what a fleet of 20,000 instances in fifty accounts leaves in a year, a round a day, few descriptors."""

import collections
import contextlib
import json
import os
import random
import statistics

from proofs import kit
from proofs.kit import Short, run
from proofs.live import world
from proofs.operate.accounts import Accounts, settings

NUMBER = 4
TITLE = "a year in small: fifty accounts (two denied, one hung), 500 events an hour, one round a day, 256 descriptors"
SABOTAGE = ("rounds", "nobody merges or forgets anything")
START, DAY = "2025-11-01T00:00:00Z", 86_400_000
DAYS = int(os.environ.get("PROOF_YEAR_DAYS", "365"))
ACCOUNTS, EACH, FLEET, EVENTS = 50, 2, 20_000, 12_000
IDS = [f"{100_000_000_000 + i}" for i in range(ACCOUNTS)]
DENIED, HUNG = IDS[7:9], IDS[23:24]
SLOWER, GROWTH = 1.3, 1.3
STATES = ["pending", "running", "stopping", "stopped", "shutting-down", "terminated"]


def at(day, hours=0):
    return world.rfc(world.ms(START) + day * DAY + hours * 3_600_000)


class Year:
    """A state and a history, and the commands of a day."""

    def __init__(self, place, front, maintained=True):
        self.place, self.front, self.maintained = place, front, maintained
        self.history, self.state = place / "history", place / "state"
        self.where = ["--history", self.history, "--state", self.state]
        self.accounts = settings(IDS, place)
        self.rounds, self.peak = [], collections.Counter()

    def forewarn(self, phase, day, *args, may_fail=False):
        """Runs a command at two in the morning after a day, with few descriptors; gives the seconds it took."""
        env = world.aws(self.front) | {"FOREWARN_CLOCK": f"{world.ms(at(day + 1, 2))},{int(kit.time.time() * 1000)},1"}
        limited = ["bash", "-c", 'ulimit -n 256; exec "$@"', "-", kit.binary()]
        r = run([*limited, *args], env=env, timeout=600)
        if r.code and not may_fail:
            raise Short(f"{phase} of day {day}: exit {r.code}: {r.err.strip()[-400:]}")
        self.peak[phase] = max(self.peak[phase], r.peak)
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
        """Pulls a day, or those from `first` on, and does with it what is done each day."""
        took = {
            "ingest": self.forewarn("ingest", day, "ingest", "--once", "--from", at(day if first is None else first), "--to", at(day + 1), "--select", "all",
                                    "--accounts", self.accounts, "--no-archive", *self.where, may_fail=True),
            "events": self.forewarn("events", day, "events", "import", self.events(day), "--state", self.state),
            "archive": self.forewarn("archive", day, "archive", *self.where),
            "mark": self.forewarn("mark", day, "mark", "--state", self.state, "--workload", f"w{day % 17}", f"deploy {day}"),
            "analyze": self.forewarn("analyze", day, "analyze", "--due", "--every", "24h", *self.where),
            "emit": self.forewarn("emit", day, "emit", "--state", self.state),
        }
        if self.maintained:
            took["maintain"] = self.forewarn("maintain", day, "maintain", *self.where)
        self.rounds.append(took)

    def weight(self):
        """Files by folder, bytes, and entries of the log."""
        files = collections.Counter(str(f.relative_to(self.place)).split("/")[1] for f in self.place.glob("*/**/*") if f.is_file())
        size = sum(f.stat().st_size for f in self.place.rglob("*") if f.is_file())
        log = kit.forewarn("log", "verify", "--state", self.state)
        return files, size, log.out.strip()[-100:]


@contextlib.contextmanager
def fleet(line, days):
    """Serves an account of two machines for each of those that answer."""
    with contextlib.ExitStack() as stack:
        end = world.Clock(at(days, 6), 1)
        backends = {}
        for n, account in enumerate(IDS):
            if account not in DENIED:
                kind = ["--world", "hash"] if n % 4 else ["--incident-rate", 6]
                args = ["--instances", EACH, "--days", days, "--start", START, "--seed", 500 + n, "--account", account, *kind]
                backends[account] = stack.enter_context(world.emulator(*args, env=end.env, log=line.work / "emulator.txt")).url
        yield stack.enter_context(Accounts(backends, DENIED, HUNG))


def total(took, but=()):
    return sum(v for k, v in took.items() if k not in but)


def week(rounds, but=("ingest",)):
    """The typical round of a week, without what the hung account makes pulling wait for."""
    return statistics.median(total(t, but) for t in rounds)


def year(line, days, maintained=True):
    place = line.fresh(f"year-{days}{'' if maintained else '-untended'}")
    with fleet(line, days + 1) as front:
        it = Year(place, front, maintained)
        it.round(6, first=0)
        quarters = {7 + (days - 7) * q // 4 for q in range(1, 5)}
        for day in range(7, days):
            it.round(day)
            if day + 1 in quarters:
                files, size, log = it.weight()
                line.note(f"day {day + 1}: round {total(it.rounds[-1]):.1f} s { {k: round(v, 2) for k, v in it.rounds[-1].items()} }; files {dict(files)}; {size / 2**20:.0f} MiB; peak MiB { {k: round(v / 2**20) for k, v in it.peak.items()} }; log: {log}")
    return it


def judged(line, it):
    first, last = week(it.rounds[1:8]), week(it.rounds[-7:])
    line.check("rounds", "a round of the last week beside one of the first", last <= SLOWER * first, f"{last:.2f} s and {first:.2f} s: {last / first:.2f}", f"<= {SLOWER}")


def prove(line):
    it = year(line, DAYS)
    judged(line, it)
    line.check("held", "rounds held", len(it.rounds) == DAYS - 6, len(it.rounds), DAYS - 6)
    refused = [a for a in DENIED if it.front.calls.get(a)]
    line.check("accounts", "accounts that answer were pulled, those denied and hung held nobody up", not refused and len(it.front.calls) >= ACCOUNTS - len(DENIED), len(it.front.calls))


def sabotage(line, broken):
    judged(line, year(line, 40, maintained=not broken))
