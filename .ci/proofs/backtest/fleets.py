"""Makes the fleets that quality is judged on: the product's own simulator, seeded by the commit, and another world's."""

import datetime as dt
import json
import sys

import polars as pl

from proofs import kit
from proofs.kit import forewarn, run, shared
from proofs.main import fleet
from proofs.main.line5 import seed

DAYS, INSTANCES = 35, 200
TRAINED = (9101, 9102, 9103, 9104)  # the four fleets that fit and the learned peer learn from
OTHERWORLD = kit.ROOT / ".ci" / "proofs" / "backtest" / "otherworld.py"


def span(days=DAYS):
    first = fleet.stamp(fleet.START)
    return fleet.iso(first + dt.timedelta(hours=169)), fleet.iso(first + dt.timedelta(days=days))


def own(number, instances=INSTANCES, days=DAYS, *more):
    """Simulates and imports a fleet of the product's simulator once."""
    def make(place):
        fleet.import_fleet(fleet.simulate(place, instances, days, number, "--start", fleet.START, *more), place / "history")
    return kit.cached("-".join(["quality", fleet.engine(), *map(str, (number, instances, days)), *(m.strip("-") for m in more)]), make)


def other(number, *more):
    """Makes and imports a fleet of the other world once."""
    def make(place):
        run([kit.PYTHON, OTHERWORLD, place, "--seed", number, "--instances", INSTANCES, "--days", DAYS, "--start", fleet.START[:10], *more], timeout=3600).ok()
        fleet.import_fleet(place, place / "history")
    return kit.cached(f"otherworld-{number}-{'-'.join(more) or 'faults'}", make)


def unseen():
    """Gives the three fleets seeded by the commit."""
    return [own(seed() + i) for i in range(3)]


def backtest(place, *more, days=DAYS):
    begin, end = span(days)
    return forewarn("backtest", "--history", place / "history", "--incidents", place / "incidents.parquet", "--from", begin, "--to", end, "--format", "json", *more, timeout=5400).json()


def fit(places, out, incidents=None, *more):
    """Learns from the places; `incidents` replaces the first one's."""
    begin, end = span()
    args = ["--history", places[0] / "history"]
    for p in places[1:]:
        args += ["--also", p / "history"]
    for i, p in enumerate(places):
        args += ["--incidents", incidents if incidents and i == 0 else p / "incidents.parquet"]
    return forewarn("fit", *args, "--from", begin, "--to", end, "--out", out, *more, timeout=5400).ok()


def plain(path):
    """Reads a table with its texts as text and its times without a zone, as the peers write and read them."""
    t = pl.read_parquet(path).with_columns(pl.col(pl.Categorical).cast(pl.String))
    return t.with_columns(pl.col(c).dt.replace_time_zone(None).cast(pl.Datetime("ms")) for c, d in t.schema.items() if isinstance(d, pl.Datetime))


def joined(places, out):
    """Puts fleets side by side as one, for a peer that scores one folder."""
    metrics = [plain(p / "metrics.parquet").select("instance_id", "metric", "ts", "value").unique(["instance_id", "metric", "ts"], keep="last").sort("instance_id", "metric", "ts") for p in places]
    padded(pl.concat(metrics)).write_parquet(out / "metrics.parquet")
    pl.concat([plain(p / "incidents.parquet").select("instance_id", "ts", "cause", "predictable") for p in places]).write_parquet(out / "incidents.parquet")
    return out


def padded(metrics):
    """Adds a sample at the very end to every series that ends sooner: the peer fails on a series that is silent for a day, and never looks at the end."""
    end = metrics["ts"].max()
    ended = metrics.group_by("instance_id", "metric").agg(pl.col("ts").max()).filter(pl.col("ts") < end)
    return pl.concat([metrics, ended.with_columns(ts=pl.lit(end, metrics.schema["ts"]), value=pl.lit(0.0)).select(metrics.columns)]).sort("instance_id", "metric", "ts")


def score(place, predictions):
    return json.loads(run([kit.PYTHON, shared("bench", "score.py"), place, predictions], timeout=1800).ok().out.splitlines()[-1])


def learned(train, test, out):
    """Trains the learned peer on folders and predicts another."""
    run([kit.PYTHON, shared("bench", "learned.py"), ",".join(map(str, train)), test, out], timeout=5400).ok()
    return score(test, out)


def predictions(places, work, name, *rules):
    """Backtests each place, and pools the predictions for score.py; gives the reports too."""
    reports, tables = [], []
    for i, p in enumerate(places):
        reports.append(backtest(p, "--no-baselines", *rules, "--predictions", work / f"{name}-{i}.parquet"))
        tables.append(plain(work / f"{name}-{i}.parquet").select("instance_id", "as_of", "p24", "high"))
    pl.concat(tables).write_parquet(work / f"{name}.parquet")
    return reports, work / f"{name}.parquet"


if __name__ == "__main__":
    sys.exit("a part of the proofs, not a program")
