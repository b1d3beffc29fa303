"""Line 6: bad or odd input of backtest and fit gets a clear word; what has no meaning is not printed as a number."""

import datetime as dt
import re

import polars as pl

from proofs.kit import forewarn, tree_digest
from proofs.main import fleet

NUMBER = 6
TITLE = "bad input, each with a clear word, and never a silent zero"
SABOTAGE = ("strangers", "the incidents are of this fleet after all")
INSTANCES, DAYS, SEED = 10, 16, 61
FROM, TO = "2026-03-09T00:00:00Z", "2026-03-17T00:00:00Z"


class World:
    """A small fleet, and commands over it."""

    def __init__(self, line):
        self.place = line.fresh("fleet")
        made = fleet.simulate(self.place / "simulated", INSTANCES, DAYS, SEED, "--start", fleet.START, "--incident-rate", 10)
        self.history = self.place / "history"
        fleet.import_fleet(made, self.history)
        self.known = pl.read_parquet(made / "incidents.parquet").with_columns(pl.col(pl.Categorical).cast(pl.String))
        self.before = tree_digest(self.history, ignore=("_lock",))

    def incidents(self, name, rows):
        """Writes (instance, time) as CSV."""
        path = self.place / name
        path.write_text("instance_id,ts\n" + "".join(f"{i},{t}\n" for i, t in rows))
        return path

    def rows(self, write=fleet.iso, shift=dt.timedelta(0)):
        return [(i, write(t + shift)) for i, t in self.known.select("instance_id", "ts").iter_rows()]

    def run(self, command, incidents, begin=FROM, end=TO, *more):
        out = ("--out", self.place / "new.toml") if command == "fit" else ("--no-baselines",)
        given = () if incidents is None else ("--incidents", incidents)
        return forewarn(command, "--history", self.history, *given, "--from", begin, "--to", end, *out, *more)

    def untouched(self):
        return tree_digest(self.history, ignore=("_lock",)) == self.before and not list(self.place.glob("*.partial"))


def judged(line, world, key, what, r, code, *patterns):
    """Checks the exit code and that every pattern is said: on stderr for a refusal, on stdout otherwise."""
    text = r.err if code else r.out
    lacking = [p for p in patterns if not re.search(p, text, re.S | re.I)]
    good = r.code == code and not lacking and "panicked" not in r.err and world.untouched() and (code == 0 or not r.out.strip())
    line.check(key, what, good, f"exit {r.code}, {f'not said: {lacking}' if lacking else 'said'}", f"exit {code}, said")
    if not good:
        line.note((r.err or r.out)[-900:])


def strangers(line, world, broken):
    rows = world.rows() if broken else [(f"i-{n:017x}", FROM) for n in range(5)]
    r = world.run("backtest", world.incidents("strangers.csv", rows))
    judged(line, world, "strangers", "incidents of instances that the history does not know", r, 2, r"none of the 5 incidents", r"same fleet")


def prove(line):
    world = World(line)
    strangers(line, world, broken=False)
    rows = world.rows()
    good = world.incidents("good.csv", rows)
    judge = lambda key, what, r, code, *patterns: judged(line, world, key, what, r, code, *patterns)
    note = lambda text: r"note: [^\n]*" + text

    judge("good", "the same with good input", world.run("backtest", good), 0, r"row precision +\d", r"95 % intervals")
    mixed = world.incidents("mixed.csv", [*rows, ("i-nobody", "2026-03-12T00:00:00Z")])
    judge("some", "one incident of an unknown instance among known ones", world.run("backtest", mixed), 0, note(rf"no sample [^\n]*: 1 of {len(rows) + 1} incidents"))
    far = world.incidents("far.csv", [*rows, (rows[0][0], "2030-01-01T00:00:00Z"), (rows[0][0], "2001-01-01T00:00:00Z")])
    judge("range", "incidents out of range", world.run("backtest", far), 0, note(r"outside the range: \d+ of \d+ incidents \(\d+ before [^\n]*, \d+ past"))
    gone = world.incidents("gone.csv", [(i, "2030-01-01T00:00:00Z") for i, _ in rows[:3]])
    judge("all-out", "nothing but incidents out of range", world.run("backtest", gone), 0, r"no meaning \(no incidents\)", note(r"no incident could have been warned of"))
    a, b = (world.run("backtest", world.incidents(n, r), FROM, TO, "--format", "json") for n, r in (("forth.csv", rows), ("back.csv", rows[::-1])))
    line.check("unsorted", "unsorted incidents give the report of sorted ones", a.code == b.code == 0 and a.out == b.out, "identical" if a.out == b.out else "differs", "identical")
    local = world.incidents("local.csv", world.rows(lambda t: t.strftime("%Y-%m-%d %H:%M:%S")))
    judge("local", "incidents in local time, no zone said", world.run("backtest", local), 0, note(r"no zone: taken as UTC"))
    berlin = world.incidents("berlin.csv", world.rows(lambda t: t.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3], dt.timedelta(hours=1)))
    c = world.run("backtest", berlin, FROM, TO, "--format", "json", "--tz", "Europe/Berlin")
    exact = world.run("backtest", world.incidents("exact.csv", world.rows(lambda t: t.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z")), FROM, TO, "--format", "json")
    same = c.code == 0 and c.json()["scorers"] == exact.json()["scorers"]
    line.check("tz", "the same in a zone that is said with --tz", same, "identical" if same else f"exit {c.code}, differs", "identical")
    naive = world.place / "naive.parquet"
    world.known.with_columns(pl.col("ts").dt.replace_time_zone(None)).write_parquet(naive)
    judge("naive", "Parquet timestamps without a zone", world.run("backtest", naive), 0, note(r"no zone: taken as UTC"))
    judge("no-time", "a time that is none", world.run("backtest", world.incidents("soon.csv", [(rows[0][0], "soon")])), 2, r"row 1", r"soon")
    empty = world.incidents("empty.csv", [])
    judge("empty", "no incident at all", world.run("backtest", empty), 0, r"no meaning \(no incidents\)", note(r"nothing failed"))
    judge("none", "no file of incidents", world.run("backtest", None), 0, note(r"nothing can be scored"))
    numbers = world.run("backtest", empty, FROM, TO, "--format", "json").json()
    meant = [k for k in ("row_precision", "episode_precision", "recall_all", "recall_predictable", "f1", "average_precision", "brier_skill", "median_lead_hours") if numbers[k] is not None]
    line.check("meaning", "measures that are numbers although nothing failed", not meant, meant or 0, "0")

    judge("no-data", "a range without data", world.run("backtest", good, "2027-01-01T00:00:00Z", "2027-01-08T00:00:00Z"), 2, r"no samples from 2027-01-01", r"the history holds 2026-03-01")
    judge("backwards", "a range that ends before it begins", world.run("backtest", good, TO, FROM), 2, r"--from must lie before --to")
    judge("early", "a range in the first seven days of the data", world.run("backtest", good, "2026-03-03T00:00:00Z"), 0, note(r"first seven days of the data"))
    judge("past", "a range past the end of the data", world.run("backtest", good, FROM, "2026-03-20T00:00:00Z"), 0, note(r"the data end at 2026-03-17"))
    judge("divide", "a step that does not divide the range", world.run("backtest", good, FROM, TO, "--step", "5h"), 0, note(r"does not divide the range: the last look is at"))
    judge("hour", "a step that does not divide an hour", world.run("backtest", good, "2026-03-16T00:00:00Z", TO, "--step", "7m"), 0, note(r"neither divides an hour"))
    judge("step", "a step of nothing", world.run("backtest", good, FROM, TO, "--step", "0h"), 2, r"not a span of time")
    mute = world.place / "mute.toml"
    text = forewarn("rules", "list", "--text").ok().out
    params = " + ".join(f":{p}" for p in re.findall(r"^(status_check_failure_count|trend_significant) =", text, re.M))
    never = f'when = "disk_now > 1000.0 + {params}"' if params else 'when = "disk_now > 1000.0"'
    mute.write_text(re.sub(r'^when = (""".*?"""|"[^\n]*")', never, text, flags=re.M | re.S))
    judge("mute", "a rule set that never fires", world.run("backtest", good, FROM, TO, "--rules", mute), 0, note(r"fired in any row"), r"never fired: ")

    few = world.incidents("few.csv", [*rows[:3], ("i-nobody", FROM)])
    judge("fit-few", "fit: too few incidents", world.run("fit", few), 2, r"fit needs at least \d+", r"1 of 4 incidents")
    judge("fit-no-data", "fit: a range without data", world.run("fit", good, "2027-01-01T00:00:00Z", "2027-01-08T00:00:00Z"), 2, r"no samples of", r"the history holds 2026-03-01")
    line.check("fit-nothing", "rule sets that these left behind", not (world.place / "new.toml").exists(), int((world.place / "new.toml").exists()), "0")


def sabotage(line, broken):
    strangers(line, World(line), broken)
