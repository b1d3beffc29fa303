"""Line 5: on fleets nobody tuned for, high means high, little is missed, and healthy fleets stay quiet."""

import datetime as dt
import json
import os
import re
import shutil
import subprocess

import polars as pl

from proofs import kit
from proofs.kit import Short, forewarn, run, shared
from proofs.main import fleet

NUMBER = 5
TITLE = "precision and recall on a fleet seeded by the commit, and silence on a healthy one"
SABOTAGE = ("precision", "predictions are handed to the neighbour instance")
INSTANCES, DAYS = 200, 35
QUIET_INSTANCES, QUIET_DAYS = 500, 28
PRECISION, RECALL, FALSE_PER_WEEK = 0.6, 0.8, 0.005
HARD = (0.08, 0.20)  # average precision of static thresholds: neither trivial nor hopeless


def seed():
    """Derives the seed from the commit, so that nobody can have tuned for it."""
    said = os.environ.get("PROOF_SEED")
    if said:
        return int(said)
    r = subprocess.run(["git", "rev-parse", "HEAD"], cwd=kit.ROOT, capture_output=True, text=True)
    if r.returncode:
        raise Short(f"no commit to derive the seed from: {r.stderr.strip()}")
    return int(r.stdout.strip()[:8], 16) % (1 << 31)


def backtested(place, instances, days, number, *more):
    """Simulates, imports and backtests a fleet hourly; gives the folder with predictions.parquet."""
    made = fleet.simulate(place, instances, days, number, "--step", 300, "--start", fleet.START, *more)
    history = place / "history"
    fleet.import_fleet(made, history)
    first = fleet.stamp(fleet.START)
    begin, end = (fleet.iso(first + dt.timedelta(hours=h)) for h in (169, days * 24))
    r = forewarn("backtest", "--history", history, "--incidents", place / "incidents.parquet", "--from", begin, "--to", end,
                 "--step", "1h", "--predictions", place / "predictions.parquet", timeout=5400).ok()
    shutil.rmtree(history)
    (place / "cost.txt").write_text(f"backtest: {r.cpu:.0f} CPU-s, {r.wall:.0f} s, {r.peak:.0f} MiB\n{r.out[-1500:]}")


def main_fleet(number):
    return kit.cached(f"quality-{fleet.engine()}-{number}", lambda d: backtested(d, INSTANCES, DAYS, number))


def for_scoring(predictions, path):
    """Writes what score.py reads; an unassessable row counts as probability 0, so hiding behind it costs recall."""
    p = pl.read_parquet(predictions)
    out = p.select("instance_id", "as_of", pl.col("p24").fill_nan(None).fill_null(0.0), high=pl.col("confidence") == "high")
    out.write_parquet(path)
    return p


def score(dataset, predictions):
    r = run([kit.PYTHON, shared("bench", "score.py"), dataset, predictions]).ok()
    return json.loads(r.out.splitlines()[-1])


def ours(line, place, broken):
    work = line.fresh("score")
    raw = for_scoring(place / "predictions.parquet", work / "ours.parquet")
    if broken:
        p = pl.read_parquet(work / "ours.parquet")
        ids = sorted(p["instance_id"].unique())
        p.with_columns(pl.col("instance_id").replace_strict(dict(zip(ids, ids[1:] + ids[:1])))).write_parquet(work / "ours.parquet")
    s = score(place, work / "ours.parquet")
    line.note(json.dumps(s))
    line.note(f"{len(raw)} rows: " + ", ".join(f"{k} {n}" for k, n in sorted(raw["confidence"].cast(pl.String).value_counts().iter_rows())))
    line.check("precision", "share of high rows followed by an incident within 24 h", s["precision"] >= PRECISION, f"{s['precision']:.3f}", f">= {PRECISION}")
    line.check("recall", "share of predictable incidents with a high row 1 to 24 h ahead", s["recall"] >= RECALL, f"{s['recall']:.3f} of {s['incidents']}", f">= {RECALL}")
    return s


def complete(line, place):
    """Looks for hours without a row although samples of the hour before had arrived, so that no hard hour was left out."""
    p = pl.read_parquet(place / "predictions.parquet", columns=["instance_id", "as_of", "p24", "p72", "p168"])
    p = p.with_columns(pl.col("instance_id").cast(pl.String), pl.col("as_of").dt.replace_time_zone(None).cast(pl.Datetime("ms")))
    ts = pl.col("ts").dt.replace_time_zone(None).cast(pl.Datetime("ms"))
    seen = pl.scan_parquet(place / "metrics.parquet").select(pl.col("instance_id").cast(pl.String), as_of=ts.dt.truncate("1h") + pl.duration(hours=1), ts=ts)
    seen = seen.filter(pl.col("ts") < pl.col("as_of") - pl.duration(minutes=30)).select("instance_id", "as_of").unique().collect()
    seen = seen.filter(pl.col("as_of").is_between(p["as_of"].min(), p["as_of"].max()))
    missing, twice = len(seen.join(p, on=["instance_id", "as_of"], how="anti")), len(p) - p.select("instance_id", "as_of").n_unique()
    hours = p["as_of"].n_unique()
    line.check("rows", "hours with samples but without a backtest row, or with two", len(seen) > 0 and missing == twice == 0 and hours >= DAYS * 24 - 171,
               f"{missing} and {twice} of {len(seen)}, {hours} hours", f"0 and 0, >= {DAYS * 24 - 171} hours")
    order = p.filter(pl.col("p24").is_not_null() & ((pl.col("p24") > pl.col("p72") + 1e-12) | (pl.col("p72") > pl.col("p168") + 1e-12)))
    line.check("monotone", "backtest rows where p24 <= p72 <= p168 fails", len(order) == 0, len(order), "0")


def prove(line):
    number = seed()
    line.note(f"seed {number}")
    place = main_fleet(number)
    line.note((place / "cost.txt").read_text())
    inc = pl.read_parquet(place / "incidents.parquet")
    line.note(f"{len(inc)} incidents: " + ", ".join(f"{k} {n}" for k, n in sorted(inc["cause"].cast(pl.String).value_counts().iter_rows())))
    s = ours(line, place, broken=False)
    complete(line, place)
    unpredictable = float((~inc["predictable"]).mean()) if len(inc) else 0.0
    line.check("unpredictable", "share of incidents that nothing announces", unpredictable >= 0.1, f"{unpredictable:.2f} of {len(inc)}", ">= 0.10")
    work = line.fresh("peers")
    run([kit.PYTHON, shared("bench", "baselines.py"), place, work], timeout=3600).ok()
    peers = {f.stem: score(place, f) for f in sorted(work.glob("*.parquet"))}
    for name, p in peers.items():
        line.note(f"{name:10} precision {p['precision']:.3f} recall {p['recall']:.3f} ap {p['ap']:.3f} false/week {p['false_per_wk']:.3f}")
    line.note(f"{'forewarn':10} precision {s['precision']:.3f} recall {s['recall']:.3f} ap {s['ap']:.3f} false/week {s['false_per_wk']:.3f}")
    ap = peers["threshold"]["ap"]
    line.check("hard", "average precision of static thresholds on this fleet", HARD[0] <= ap <= HARD[1], f"{ap:.3f}", f"{HARD[0]} to {HARD[1]}")
    line.check("better", "average precision beside the best of them", s["ap"] > max(p["ap"] for p in peers.values()), f"{s['ap']:.3f}", "above all")
    quiet(line, number)
    provenance(line)


def quiet(line, number):
    """Counts high episodes, a gap of more than 6 hours ending one, on instances that never fail."""
    place = kit.cached(f"quiet-{fleet.engine()}-{number}", lambda d: backtested(d, QUIET_INSTANCES, QUIET_DAYS, number + 1, "--fault-free"))
    inc = pl.read_parquet(place / "incidents.parquet")
    p = pl.read_parquet(place / "predictions.parquet").sort("instance_id", "as_of")
    weeks = len(p) / 168
    high = p.filter(pl.col("confidence") == "high").with_columns(gap=pl.col("as_of").diff().over("instance_id"))
    episodes = high.filter(pl.col("gap").is_null() | (pl.col("gap") > pl.duration(hours=6))).height
    assessed = float((p["confidence"] != "unassessable").mean())
    line.check("quiet", "false high episodes an instance-week on a fleet without faults", len(inc) == 0 and weeks > 0 and episodes / weeks <= FALSE_PER_WEEK,
               f"{episodes / weeks:.4f} ({episodes} in {weeks:.0f} instance-weeks, {len(inc)} incidents)", f"<= {FALSE_PER_WEEK}")
    line.check("assessed", "share of these rows that were assessed", assessed >= 0.9, f"{assessed:.3f}", ">= 0.9")


def provenance(line):
    """The default rule set must say where its weights come from."""
    text = (kit.ROOT / "rules" / "rulesets" / "default.toml").read_text()
    found = re.search(r"^\[provenance\]\n(.*?)(?=^\[|\Z)", text, re.S | re.M)
    line.check("weights", "the default rule set says how its weights were obtained", bool(found and found[1].strip()), "said" if found else "no [provenance]", "said")
    line.note(found[1] if found else "")


def sabotage(line, broken):
    ours(line, main_fleet(seed()), broken)
