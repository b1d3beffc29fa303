"""Line 7: how often a fleet fails is estimated from what came before, and probabilities hold where a tenth or a fiftieth of the faults happen."""

import datetime as dt

import polars as pl

from proofs.backtest import fleets
from proofs.kit import forewarn
from proofs.main import fleet
from proofs.main.line5 import seed

NUMBER = 7
TITLE = "base rates: the estimate after ten days, its interval, and calibration where few things fail"
SABOTAGE = ("tenth", "the rate is stated as that of the usual fleets")
STATED = ("--prior", 0.3)
RATIO, SLOPE, COVERED, SMALL = (0.7, 1.4), (0.8, 1.25), 0.85, 40
SMALL_INSTANCES, SMALL_DAYS, SMALL_RATE = 60, 11, 0.3


def thin(share):
    """Gives three fleets of each world in which a share of the usual faults happen."""
    own = [fleets.own(seed() + 20 + i, fleets.INSTANCES, fleets.DAYS, "--incident-rate", str(share)) for i in range(3)]
    return own, [fleets.other(seed() % 1000 + 200 + i, "--faults", str(share)) for i in range(3)]


def expected_over_observed(reports):
    """Divides the incidents that were expected in all rows by those that followed."""
    bins = [b for r in reports for b in r["scorers"][0]["reliability"]]
    return sum(b["said"] * b["rows"] for b in bins) / sum(b["happened"]["value"] * b["rows"] for b in bins)


def slope(places, work, name, *more):
    """Gives the slope of a logistic regression of what happened on the log-odds that were said, over the rows of several fleets."""
    _, path = fleets.predictions(places, work, name, *more)
    joined = pl.concat([fleets.plain(p / "incidents.parquet").select("instance_id", "ts") for p in places])
    table = pl.read_parquet(path).filter(pl.col("p24").is_not_nan()).sort("as_of")
    joined = joined.sort("ts").with_columns(next=pl.col("ts"))
    table = table.join_asof(joined, left_on="as_of", right_on="ts", by="instance_id", strategy="forward")
    table = table.with_columns(y=(pl.col("next") - pl.col("as_of") <= pl.duration(hours=24)).fill_null(False))
    return newton((table["p24"].clip(1e-9, 1 - 1e-9) / (1 - table["p24"].clip(1e-9, 1 - 1e-9))).log().to_numpy(), table["y"].to_numpy().astype(float))


def newton(x, y):
    """Fits y ~ a + b x by Newton's method and gives b."""
    import numpy as np
    at, design = np.zeros(2), np.column_stack([np.ones_like(x), x])
    at[0] = np.log(y.mean() / (1 - y.mean())) - x.mean()
    at[1] = 1.0
    for _ in range(50):
        p = 1 / (1 + np.exp(-design @ at))
        step = np.linalg.solve((design * (p * (1 - p))[:, None]).T @ design, design.T @ (y - p))
        at += step
        if abs(step).max() < 1e-8:
            break
    return float(at[1])


def few(line, name, share, *more):
    """Judges the probabilities of fleets in which a share of the usual faults happen."""
    work = line.fresh(name)
    places = sum(thin(share), [])
    reports = [fleets.backtest(p, "--no-baselines", *more) for p in places]
    incidents = sum(r["scorers"][0]["counts"]["incidents"] for r in reports)
    ratio = expected_over_observed(reports)
    line.check(name, f"expected over observed on six fleets with {share} of the faults, {incidents} incidents", RATIO[0] <= ratio <= RATIO[1], f"{ratio:.2f}", f"{RATIO[0]} to {RATIO[1]}")
    if not more:
        stated = [fleets.backtest(p, "--no-baselines", *STATED) for p in places]
        line.note(f"with 0.3 a month stated: expected over observed {expected_over_observed(stated):.2f}; false episodes {sum(r['scorers'][0]['counts']['false_episodes'] for r in stated)}, estimated {sum(r['scorers'][0]['counts']['false_episodes'] for r in reports)}")
        found = slope(places, work, "estimated")
        line.check(f"{name}-slope", "calibration slope, all six together", SLOPE[0] <= found <= SLOPE[1], f"{found:.2f}", f"{SLOPE[0]} to {SLOPE[1]}")


def ten_days(line):
    """Holds the rate after ten days against that of all 35, where at least twenty incidents are expected in them."""
    begin = fleet.stamp(fleet.START)
    at = [fleet.iso(begin + dt.timedelta(hours=h)) for h in (169, 241)]
    worst = []
    for place in fleets.unseen() + [fleets.other(n) for n in (61, 62)]:
        known = fleets.plain(place / "incidents.parquet")
        held = known.height / (fleets.INSTANCES * fleets.DAYS / 30)
        if known.height * 10 / fleets.DAYS < 20:
            line.note(f"{place.name}: fewer than twenty incidents are expected in ten days")
            continue
        report = forewarn("backtest", "--history", place / "history", "--incidents", place / "incidents.parquet", "--from", at[0], "--to", at[1], "--step", "24h", "--no-baselines", "--format", "json", timeout=1800).json()
        found = report["prior"]["last"]["incidents_per_instance_month"]
        worst.append(max(found / held, held / found))
    line.check("ten-days", f"estimate after ten days beside the rate of all {fleets.DAYS}, worst of {len(worst)} fleets", worst and max(worst) <= 2, f"a factor of {max(worst, default=0):.2f}", "<= 2")


def intervals(line):
    """Counts how often the 90 % interval of a small fleet holds the rate of all of them together."""
    begin = fleet.stamp(fleet.START)
    at = [fleet.iso(begin + dt.timedelta(hours=h)) for h in (169, 241)]
    priors, incidents, counted = [], 0, 0
    for i in range(SMALL):
        place = fleets.own(seed() + 1000 + i, SMALL_INSTANCES, SMALL_DAYS, "--incident-rate", str(SMALL_RATE))
        report = forewarn("backtest", "--history", place / "history", "--incidents", place / "incidents.parquet", "--from", at[0], "--to", at[1], "--step", "24h", "--no-baselines", "--format", "json", timeout=600).json()
        priors.append(report["prior"]["last"])
        incidents += fleets.plain(place / "incidents.parquet").height
        counted += priors[-1]["incidents"]
    held = incidents / (SMALL * SMALL_INSTANCES * SMALL_DAYS / 30)
    covered = sum(p["low"] <= held <= p["high"] for p in priors) / SMALL
    line.note(f"{incidents} incidents in {SMALL} fleets of {SMALL_INSTANCES} instances and {SMALL_DAYS} days: {held:.3f} a month; {counted} counted")
    line.check("interval", f"90 % intervals of {SMALL} small fleets that hold the rate of all", covered >= COVERED, f"{covered:.3f}", f">= {COVERED}")


def look_ahead(line):
    """Changes what comes after a time, and looks at the rate until then."""
    place, work = fleets.unseen()[0], line.fresh("ahead")
    begin = fleet.stamp(fleet.START)
    at = [fleet.iso(begin + dt.timedelta(hours=h)) for h in (169, 337)]
    known = pl.read_parquet(place / "incidents.parquet")
    last = begin + dt.timedelta(hours=336)
    ahead = known.filter(pl.col("ts") <= last)
    many = pl.concat([ahead, *[known.filter(pl.col("ts") > last).with_columns(pl.col("ts") + pl.duration(minutes=7 * k)) for k in range(5)]])
    many.write_parquet(work / "many.parquet")
    ahead.write_parquet(work / "none.parquet")
    def prior(incidents):
        return forewarn("backtest", "--history", place / "history", "--incidents", incidents, "--from", at[0], "--to", at[1], "--step", "24h", "--no-baselines", "--format", "json", timeout=1800).json()["prior"]
    found = [prior(p) for p in (place / "incidents.parquet", work / "many.parquet", work / "none.parquet")]
    line.check("ahead", f"rates until a time when {known.height - ahead.height} later incidents are made five times as many, or taken away", found[0] == found[1] == found[2], "the same" if found[0] == found[1] == found[2] else "others", "the same")


def prove(line):
    look_ahead(line)
    ten_days(line)
    intervals(line)
    few(line, "tenth", 0.1)
    few(line, "fiftieth", 0.02)


def sabotage(line, broken):
    few(line, "tenth", 0.1, *(STATED if broken else ()))
