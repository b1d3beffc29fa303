"""Line 3: what looks like trouble and is none stays silent; every high on real series is listed."""

import polars as pl

from proofs.backtest import fleets
from proofs.kit import forewarn, shared
from proofs.main.line5 import seed

NUMBER = 3
TITLE = "hard negatives by kind, and every high on real series"
SABOTAGE = ("silent", "every instance is taken for a healthy one")
INSTANCES, DAYS, LOUD = 500, 28, 0.02
SIGNALS = ("cpu", "memory", "disk", "steal", "iowait", "queue", "net_drop")


def highs(table):
    """Counts high episodes (gaps up to six hours are one) by instance."""
    high = table.filter(pl.col("high")).sort("instance_id", "as_of")
    new = (pl.col("instance_id") != pl.col("instance_id").shift()) | (pl.col("as_of").diff() > pl.duration(hours=6))
    return high.filter(new.fill_null(True))


def by_kind(line, faulty=False):
    work = line.fresh("kinds")
    place = fleets.own(seed() + 11, INSTANCES, DAYS, *([] if faulty else ["--fault-free"]))
    fleets.backtest(place, "--no-baselines", "--predictions", work / "out.parquet", days=DAYS)
    table = pl.read_parquet(work / "out.parquet")
    found = highs(table)
    kinds = fleets.plain(place / "instances.parquet")
    kinds = kinds.select("instance_id", kind=pl.col("shape") if "shape" in kinds.columns else pl.col("workload").str.replace(r"-\d+$", ""))
    weeks = table.join(kinds, on="instance_id").group_by("kind").agg(weeks=pl.len() / 168)
    loud = weeks.join(found.join(kinds, on="instance_id").group_by("kind").len("episodes"), on="kind", how="left").fill_null(0).sort("episodes", descending=True)
    for kind, w, n in loud.iter_rows():
        line.note(f"{kind}: {n} high episodes in {w:.0f} instance-weeks")
    total = len(found) / (len(table) / 168)
    line.check("silent", f"false high episodes an instance-week over all kinds, {INSTANCES} fault-free instances", total <= LOUD, f"{total:.4f}", f"<= {LOUD}")


def real(line):
    """Maps each real series to signals in turn; every high episode is printed."""
    listed = looked = 0
    for file in sorted(shared("data", "cloudwatch").glob("*.csv")):
        for signal in SIGNALS:
            work = line.fresh(f"real-{file.stem}-{signal}")
            h = work / "history"
            forewarn("import", "--history", h, "--instance", "i-0123456789abcdef0", "--metric", "real", "--map", f"real={signal}", file).ok()
            days = sorted(p.name[5:] for p in (h / "metrics").glob("date=*"))
            begin, end = f"{days[1]}T00:00:00Z", f"{days[-1]}T23:00:00Z"
            forewarn("backtest", "--history", h, "--from", begin, "--to", end, "--no-baselines", "--predictions", work / "out.parquet", "--format", "json").ok()
            table = pl.read_parquet(work / "out.parquet")
            looked += 1
            for row in highs(table).iter_rows(named=True):
                listed += 1
                line.note(f"{file.stem} as {signal}: high from {row['as_of']}, P(24 h) {row['p24']:.2f}, {row['failure_type']}")
    line.check("real", "real series mapped to signals in turn, and high episodes listed above", looked > 0, f"{looked} mappings, {listed} high episodes", "listed")


def prove(line):
    by_kind(line)
    real(line)


def sabotage(line, broken):
    by_kind(line, faulty=broken)
