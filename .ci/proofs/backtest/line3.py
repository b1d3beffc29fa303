"""Line 3: what looks like trouble and is none stays silent; every high on real series is listed."""

import datetime as dt
import json

import polars as pl

from proofs.backtest import fleets
from proofs.kit import forewarn, shared
from proofs.main.line5 import seed

NUMBER = 3
TITLE = "hard negatives by kind, and every high on real series"
SABOTAGE = ("silent", "every instance is taken for a healthy one")
INSTANCES, DAYS, LOUD = 500, 28, 0.02
CRITICAL = {"cpu": 95, "memory": 95, "disk": 90, "steal": 10, "iowait": 40, "queue": 30, "net_drop": 50}


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


def healed(line):
    """Faults that heal by themselves look like trouble for hours or days; instances that had nothing else are counted by what they had."""
    weeks, episodes = {}, {}
    _, path = fleets.predictions(fleets.unseen(), line.fresh("healed"), "box")
    found = highs(pl.read_parquet(path))
    for place in fleets.unseen():
        faults = fleets.plain(place / "instances.parquet").select("instance_id", "faults").filter(pl.col("faults") != "")
        for iid, text in faults.iter_rows():
            had = [f.split(":") for f in text.split(",")]
            if all(outcome == "healed" for _, outcome in had):
                for kind in {k for k, _ in had}:
                    weeks[kind] = weeks.get(kind, 0) + 1
                    episodes[kind] = episodes.get(kind, 0) + found.filter(pl.col("instance_id") == iid).height
    line.note("high episodes of instances whose faults all healed: " + ", ".join(f"{k} {episodes[k]} on {weeks[k]}" for k in sorted(weeks)))


def series():
    """Real series by group: name, table (ts, value), whether in percent, and the labelled times."""
    known = json.loads(shared("data", "cloudwatch", "labels.json").read_text())
    near = []
    for file in sorted(shared("data", "cloudwatch").glob("*.csv")):
        table = pl.read_csv(file, try_parse_dates=True).select(ts=pl.col("timestamp").cast(pl.Datetime("ms")), value=pl.col("value").cast(pl.Float64))
        windows = [tuple(pl.Series(w).str.to_datetime()) for w in known.get(file.name, [])]
        near.append((file.stem, table, "cpu_utilization" in file.stem, windows))
    yield "cloudwatch", near
    plain, labels = (fleets.plain(shared("data", "servers", f"{n}.parquet")) for n in ("metrics", "labels"))
    marked = {k[0]: g.filter(pl.col(labels.columns[-1]).cast(pl.Boolean))["ts"].to_list() for k, g in labels.group_by("instance_id")}
    yield "servers", [(f"{iid} {metric}", g.select("ts", "value"), False, [(t, t) for t in marked.get(iid, [])]) for (iid, metric), g in plain.group_by("instance_id", "metric", maintain_order=True)]


def real(line):
    """Maps each real series to signals in turn, the greatest value at 0.8 of the critical level unless it is a percentage of CPU already; prints every high episode."""
    looked, weeks, listed, labelled = 0, 0.0, 0, 0
    for group, members in series():
        for signal, critical in CRITICAL.items():
            work, tables = line.fresh(f"real-{group}-{signal}"), []
            for i, (_, table, percent, _) in enumerate(members):
                scale = 1.0 if percent and signal == "cpu" else 0.8 * critical / max(table["value"].max(), 1e-9)
                tables.append(table.select(instance_id=pl.lit(f"i-{i:017x}"), metric=pl.lit("real"), ts=pl.col("ts").dt.replace_time_zone("UTC"), value=pl.col("value") * scale))
            pl.concat(tables).write_parquet(work / "real.parquet")
            forewarn("import", "--history", work / "history", "--map", f"real={signal}", work / "real.parquet").ok()
            first, last = (f(t["ts"].min() if f is min else t["ts"].max() for t in tables) for f in (min, max))
            begin, end = (t.strftime("%Y-%m-%dT%H:00:00Z") for t in (first + dt.timedelta(days=1), last))
            forewarn("backtest", "--history", work / "history", "--from", begin, "--to", end, "--no-baselines", "--predictions", work / "out.parquet", "--format", "json", timeout=1800).ok()
            table = fleets.plain(work / "out.parquet")
            looked, weeks = looked + len(members), weeks + len(table) / 168
            for row in highs(table).iter_rows(named=True):
                name, _, _, windows = members[int(row["instance_id"][2:], 16)]
                seen = any(a - dt.timedelta(hours=24) <= row["as_of"] <= b for a, b in windows)
                listed, labelled = listed + 1, labelled + seen
                line.note(f"{name} as {signal}: high from {row['as_of']}, P(24 h) {row['p24']:.2f}, {row['failure_type']}" + (", a day or less before what people marked" if seen else ""))
    line.check("real", "real series mapped to signals in turn; high episodes, all listed above", looked > 0, f"{looked} mappings, {listed} high episodes in {weeks:.0f} instance-weeks, {labelled} of them near what people marked", "listed")


def prove(line):
    by_kind(line)
    healed(line)
    real(line)


def sabotage(line, broken):
    by_kind(line, faulty=broken)
