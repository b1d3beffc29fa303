"""Line 4: probabilities mean what they say on fleets nobody has seen, and learn another world's physics from 150 incidents."""

import polars as pl

from proofs.backtest import fleets

NUMBER = 4
TITLE = "calibration on unseen seeds, and fit on a fleet of other physics"
SABOTAGE = ("ece", "probabilities are doubled")
ECE, SLOPE, LESSONS = 0.02, (0.8, 1.25), 150
SCHOOL, EXAM = (41, 42), 43  # seeds of the other world


def calibrated(line, broken=False):
    work = line.fresh("calibration")
    reports, path = fleets.predictions(fleets.unseen(), work, "box")
    test = fleets.joined(fleets.unseen(), line.fresh("test"))
    if broken:
        pl.read_parquet(path).with_columns((pl.col("p24") * 2 + 0.03).clip(0, 1)).write_parquet(path)
    ece = fleets.score(test, path)["ece"]
    line.check("ece", "expected calibration error of p24 on three unseen fleets, by score.py", ece <= ECE, f"{ece:.4f}", f"<= {ECE}")
    return reports


def prove(line):
    reports = calibrated(line)
    slopes = [r["scorers"][0]["calibration"]["slope"] for r in reports]
    line.check("slope", "calibration slope on each of them", all(SLOPE[0] <= s <= SLOPE[1] for s in slopes), ", ".join(f"{s:.2f}" for s in slopes), f"{SLOPE[0]} to {SLOPE[1]}")
    bins = [b for r in reports for b in r["scorers"][0]["reliability"] if b["incidents"] >= 10]
    meant = [b for b in bins if b["happened"]["lo"] is not None]
    held = sum(b["happened"]["lo"] <= b["said"] <= b["happened"]["hi"] for b in meant)
    for b in bins:
        line.note(f"said {b['said']:.3f}, happened {b['happened']['value']:.3f} ({b['happened']['lo']} to {b['happened']['hi']}), {b['incidents']} incidents, {b['rows']} rows")
    line.check("reliability", "bins of ten or more incidents that have a clustered interval", bins and len(meant) == len(bins), f"{len(meant)} of {len(bins)}; {held} hold what was said", "all")
    other(line)


def other(line):
    """Learns from the first 150 incidents of a fleet of the other world, and is judged on another seed of it."""
    work = line.fresh("other")
    schools = [fleets.other(n) for n in SCHOOL]
    known = fleets.plain(schools[0] / "incidents.parquet").sort("ts")
    begin, _ = fleets.span()
    seen = known.filter(pl.col("ts") >= pl.lit(begin).str.to_datetime(time_zone="UTC").dt.replace_time_zone(None)).head(LESSONS)
    seen.with_columns(pl.col("ts").dt.replace_time_zone("UTC")).write_parquet(work / "lessons.parquet")
    line.note(fleets.fit(schools[:1], work / "fitted.toml", work / "lessons.parquet").out)
    r = fleets.backtest(fleets.other(EXAM), "--no-baselines", "--rules", work / "fitted.toml", "--against", "default")
    d = next(m["difference"] for m in r["difference"]["measures"] if m["measure"] == "brier")
    a, b = (s["measures"]["brier"]["value"] for s in r["scorers"])
    line.note("\n".join(r["difference"]["words"]))
    # The interval of (default - fitted) or its negative; it must lie on the side that says that fit is better.
    better = a < b and d["lo"] is not None and d["lo"] * d["hi"] > 0
    line.check("other", f"Brier on another seed of the other world after fit on {len(seen)} incidents, beside the defaults'", better, f"{a:.5f} and {b:.5f}, difference {d['lo']} to {d['hi']}", "better, the interval excluding 0")


def sabotage(line, broken):
    calibrated(line, broken)
