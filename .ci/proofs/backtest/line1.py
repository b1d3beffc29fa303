"""Line 1: a backtest is the same every time, says what analyze says, sees no future, and knows chance when it sees it."""

import datetime as dt
import importlib.util
import json
import random
import shutil

import polars as pl

from proofs import kit
from proofs.kit import forewarn, run, shared
from proofs.main import fleet
from proofs.main.line4 import garbage

NUMBER = 1
TITLE = "the same bytes, the same as analyze, blind to the future; two rule sets compared; chance has no skill"
SABOTAGE = ("analyze", "each row is compared with the analysis of an hour later")
INSTANCES, DAYS, SEED, RATE = 100, 28, 3101, 3
PAIRS = 100
NOISE, DROP = 0.1, 0.1  # share of incidents moved, and the most that average precision may lose by it
YARDSTICK = {
    "precision": "row_precision", "recall": "recall_predictable", "episode_precision": "episode_precision",
    "false_per_wk": "false_episodes_per_instance_week", "lead_h": "median_lead_hours", "brier": "brier", "brier_skill": "brier_skill", "ece": "ece", "ap": "average_precision",
}


def span(days):
    first = fleet.stamp(fleet.START)
    return fleet.iso(first + dt.timedelta(hours=169)), fleet.iso(first + dt.timedelta(days=days))


def made(seed, *more, instances=INSTANCES, days=DAYS):
    """Simulates and imports a fleet once; gives its folder."""
    def make(place):
        fleet.import_fleet(fleet.simulate(place, instances, days, seed, "--start", fleet.START, *more), place / "history")
    return kit.cached(f"backtest-{fleet.engine()}-{seed}-{instances}-{days}", make)


def backtest(place, *more, incidents=None, history=None, days=DAYS):
    begin, end = span(days)
    return forewarn("backtest", "--history", history or place / "history", "--incidents", incidents or place / "incidents.parquet",
                    "--from", begin, "--to", end, "--format", "json", *more, timeout=3600)


def rows(path):
    return pl.read_parquet(path).with_columns(pl.col("as_of").dt.replace_time_zone("UTC"))


def same(line, place, work):
    """Runs the backtest twice; gives the report."""
    a, b = (backtest(place, "--predictions", work / f"{n}.parquet").ok() for n in "ab")
    equal = a.out == b.out and (work / "a.parquet").read_bytes() == (work / "b.parquet").read_bytes()
    line.check("bytes", "two runs give the same report and the same predictions, byte for byte", equal and len(a.out) > 1000, "identical" if equal else "differ", "identical")
    return a.json()


def analyzed(line, place, predictions, pairs, later=dt.timedelta(0)):
    """Compares rows with what analyze says, half of them drawn among rows at risk."""
    rng = random.Random(SEED)
    table = rows(predictions).select("instance_id", "as_of", "p24", "p72", "p168", "confidence", "failure_type")
    risky = table.filter(pl.col("confidence").is_in(["low", "medium", "high"]))
    drawn = [t.row(rng.randrange(len(t)), named=True) for t in (table, risky) for _ in range(pairs // 2)]
    wrong, assessed = [], 0
    for row in drawn:
        at = fleet.iso(row["as_of"] + later)
        said = {p["instance_id"]: p for p in fleet.analyze(place / "history", at).json()["predictions"]}.get(row["instance_id"])
        if said is None:  # nothing of it in the seven days before: analyze leaves it out
            good = row["confidence"] == "unassessable"
        else:
            good = said["confidence"] == row["confidence"]
            if row["confidence"] != "unassessable":
                assessed += 1
                good = good and [said["probability"][h] for h in ("24h", "72h", "168h")] == [row["p24"], row["p72"], row["p168"]]
            if row["confidence"] in ("low", "medium", "high"):
                good = good and said["failure_type"] == row["failure_type"]
        wrong += [] if good else [(row["instance_id"], at)]
    line.check("analyze", "random (instance, T) whose row is not what `analyze --as-of T` says", not wrong and assessed >= pairs // 2,
               f"{len(wrong)} of {len(drawn)}, {assessed} of them assessed{f', such as {wrong[:2]}' if wrong else ''}", "0")


def future(line, place, work):
    """Corrupts what comes after a time, and what came in after it; rows up to that time must not change."""
    first = fleet.stamp(fleet.START)
    at = first + dt.timedelta(days=DAYS - 8)
    shutil.rmtree(work / "history", ignore_errors=True)
    shutil.copytree(place / "history", work / "history")
    wild = garbage(fleet.samples(place), work / "wild.parquet", at)
    late = garbage(fleet.samples(place), work / "late.parquet", at - dt.timedelta(hours=3), ingested=at + dt.timedelta(seconds=1))
    for file in (wild, late):
        forewarn("import", "--history", work / "history", file, "--format", "json").ok()
    backtest(place, "--no-baselines", "--predictions", work / "corrupt.parquet", history=work / "history").ok()
    clean, corrupt = rows(work / "a.parquet"), rows(work / "corrupt.parquet")
    before = [t.filter(pl.col("as_of") <= at) for t in (clean, corrupt)]
    after = [t.filter(pl.col("as_of") > at) for t in (clean, corrupt)]
    changed = 0 if before[0].equals(before[1]) else "some"
    line.check("future", "rows changed by garbage that lies, or came in, after them", changed == 0 and len(before[0]) > 1000, f"{changed} of {len(before[0])}", "0")
    line.check("seen", "the same garbage changes rows after it", not after[0].equals(after[1]), "differ" if not after[0].equals(after[1]) else "identical", "differ")


def yardstick(line, place, report, predictions):
    """Holds the report against score.py, its rounding taken out."""
    spec = importlib.util.spec_from_file_location("score", shared("bench", "score.py"))
    score = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(score)
    score.round = lambda x, n=0: x
    p = rows(predictions).with_columns(pl.col("as_of").dt.replace_time_zone(None).cast(pl.Datetime("ms")))
    theirs = score.evaluate(pl.read_parquet(place / "incidents.parquet"), p.select("instance_id", "as_of", "p24", "high"))
    gaps = {k: abs(float(theirs[k]) - report[ours]) for k, ours in YARDSTICK.items()}
    worst = max(gaps, key=gaps.get)
    line.check("yardstick", "largest gap to score.py over its nine measures", gaps[worst] <= 1e-6, f"{gaps[worst]:.1e} ({worst})", "<= 1e-6")
    line.note(json.dumps({k: round(float(v), 5) for k, v in theirs.items()}))


def baselines(line, place, report):
    """Holds the baselines against baselines.py, which sees samples the moment they are taken; ours wait until they are available."""
    out = line.fresh("baselines")
    run([kit.PYTHON, shared("bench", "baselines.py"), place, out]).ok()
    for name, theirs in (("static threshold", "threshold"), ("predict_linear 6 h", "linear"), ("source's scorer", "seed")):
        s = json.loads(run([kit.PYTHON, shared("bench", "score.py"), place, out / f"{theirs}.parquet"]).ok().out.splitlines()[-1])
        ours = next(x for x in report["scorers"] if x["name"] == name)["measures"]["average_precision"]["value"]
        line.check(f"baseline-{theirs}", f"average precision of {name} beside that of baselines.py", abs(ours - s["ap"]) <= 0.05, f"{ours:.3f} and {s['ap']:.3f}", "within 0.05")


def chance(line, place, work, report):
    known = pl.read_parquet(place / "incidents.parquet").sort("instance_id", "ts")
    ids = known["instance_id"].to_list()
    half = len(ids) // 2
    known.with_columns(pl.Series("instance_id", ids[half:] + ids[:half])).write_parquet(work / "permuted.parquet")
    skill = backtest(place, "--no-baselines", incidents=work / "permuted.parquet").json()["brier_skill"]
    line.check("permuted", "Brier skill when everyone gets the incidents of somebody else", report["brier_skill"] > 0 >= skill, f"{skill:.3f}, real {report['brier_skill']:.3f}", "<= 0, real > 0")
    calm = made(SEED + 1, "--fault-free", instances=40, days=21)
    r = backtest(calm, "--no-baselines", days=21).json()
    meant = {k: r[k] for k in ("row_precision", "recall_all", "average_precision", "brier_skill") if r[k] is not None}
    line.check("fault-free", "skill, precision and recall on a fleet without incidents", not meant and r["positives"] == 0, meant or "no meaning", "no meaning")
    line.note(f"{r['scorers'][0]['counts']['episodes']} episodes there, {r['false_episodes_per_instance_week']:.4f} an instance-week")


def noisy(known, place, seed):
    """Moves a tenth of the incidents to random instances and times."""
    rng = random.Random(seed)
    ids = pl.read_parquet(place / "instances.parquet")["instance_id"].to_list()
    first = fleet.stamp(fleet.START)
    n = round(NOISE * len(known))
    lost = set(rng.sample(range(len(known)), n))
    kept = known.filter(~pl.Series([i in lost for i in range(len(known))]))
    drawn = [{"instance_id": rng.choice(ids), "ts": first + dt.timedelta(hours=rng.uniform(192, DAYS * 24)), "cause": "noise", "predictable": True} for _ in range(n)]
    added = pl.DataFrame(drawn).with_columns(pl.col("ts").cast(known.schema["ts"]))
    return pl.concat([kept.select(added.columns), added]), n


def compared(line, place, work):
    """Fits on one fleet, with its labels as they are and with noise, and holds both against each other on another."""
    school = made(SEED + 2, "--incident-rate", RATE)
    begin, end = span(DAYS)
    known = pl.read_parquet(school / "incidents.parquet").with_columns(pl.col(pl.Categorical).cast(pl.String))
    wrong, moved = noisy(known, school, SEED)
    wrong.write_parquet(work / "noisy.parquet")
    for name, incidents in (("clean", school / "incidents.parquet"), ("noisy", work / "noisy.parquet")):
        r = forewarn("fit", "--history", school / "history", "--incidents", incidents, "--from", begin, "--to", end, "--out", work / f"{name}.toml", timeout=3600).ok()
        line.note(r.out)
    r = backtest(place, "--no-baselines", "--rules", work / "clean.toml", "--against", work / "noisy.toml").json()
    clean, rough = (s["measures"]["average_precision"]["value"] for s in r["scorers"])
    line.check("noise", f"average precision lost when {moved} of {len(known)} labels learned from are wrong", clean - rough <= DROP, f"{clean - rough:+.3f} ({clean:.3f} to {rough:.3f})", f"<= {DROP}")
    meant = [d for d in r["difference"]["measures"] if d["difference"]["value"] is not None]
    bounded = [d for d in meant if d["difference"]["lo"] is not None and d["difference"]["lo"] <= d["difference"]["hi"]]
    line.check("against", "measures of two rule sets compared with an interval", len(bounded) == len(meant) >= 10, f"{len(bounded)} of {len(meant)}", "all")
    line.note("\n".join(r["difference"]["words"]))
    r = backtest(place, "--no-baselines", "--against", "default").json()
    told = [d["measure"] for d in r["difference"]["measures"] if d["verdict"] != "no difference can be told" or d["difference"]["value"]]
    line.check("itself", "measures in which a rule set differs from itself", not told, told or 0, "0")


def prove(line):
    place = made(SEED, "--incident-rate", RATE)
    work = line.fresh("work")
    report = same(line, place, work)
    line.note(f"{report['rows']} rows, {report['positives']} followed by an incident, {report['intervals']['clusters']} clusters")
    analyzed(line, place, work / "a.parquet", PAIRS)
    future(line, place, work)
    yardstick(line, place, report, work / "a.parquet")
    baselines(line, place, report)
    chance(line, place, work, report)
    compared(line, place, work)


def sabotage(line, broken):
    place = made(SEED, "--incident-rate", RATE)
    work = line.fresh("sabotage")
    backtest(place, "--no-baselines", "--predictions", work / "a.parquet").ok()
    analyzed(line, place, work / "a.parquet", 20, dt.timedelta(hours=1) if broken else dt.timedelta(0))
