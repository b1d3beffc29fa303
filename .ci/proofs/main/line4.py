"""Line 4: nothing later or not yet available matters; order, copies and resolution don't either; shapes get a person's answer."""

import datetime as dt
import re

import numpy as np
import polars as pl

from proofs import kit
from proofs.kit import forewarn, run
from proofs.main import fleet

NUMBER = 4
TITLE = "no look-ahead, and answers that don't depend on order, copies or resolution"
SABOTAGE = ("future", "the garbage begins two hours before as_of instead of after it")
INSTANCES, DAYS, SEED = 40, 10, 41
AS_OF = "2026-03-09T06:00:00Z"
# Properties that tests prove, by what their names hold.
TESTED = {
    "evidence": ("more evidence never lowers a probability, and p24 <= p72 <= p168", ["ordered_bounded_and_monotone"]),
    "row": ("a predicate sees only its row", ["alone|own_row"]),
    "passage": ("first passage against scipy.stats.invgauss", ["invgauss|scipy"]),
    "series": ("a constant, an empty and a one-sample series, all-NaN, step, ramp, sawtooth",
               ["constant", "empty", "one_sample", "nan|not_finite", "step_is", "ramp", "sawtooth"]),
    "copies": ("shuffled and duplicated samples, 60 s and 300 s", ["duplicates_and_order", "sixty_and_three_hundred"]),
}


def base(line):
    place = line.fresh("fleet")
    made = fleet.simulate(place / "simulated", INSTANCES, DAYS, SEED, "--start", fleet.START, "--step", 300)
    fleet.import_fleet(made, place / "history")
    return made, place


def garbage(metrics, place, first, ingested=None):
    """Writes wild values for every series from `first` on, at odd seconds; with `ingested`, as versions that arrived then."""
    series = metrics.select(pl.exclude("ts", "value", "ingested_at")).unique(maintain_order=True)
    times = pl.DataFrame({"ts": [first + dt.timedelta(minutes=5 * i) for i in range(36)]})
    n = len(series) * len(times)
    wild = series.join(times, how="cross").with_columns(pl.Series("value", np.random.default_rng(4).choice([0.0, 99.9, 1e4, 1e6], n)))
    if ingested:
        wild = wild.with_columns(pl.lit(ingested).alias("ingested_at").cast(pl.Datetime("ms", "UTC")))
    wild.with_columns(pl.col("ts").cast(pl.Datetime("ms", "UTC"))).write_parquet(place)
    return place


def outputs(history, work):
    """Gives the bytes of the JSON answer and the feature table's values."""
    table = work / "features.parquet"
    r = fleet.analyze(history, AS_OF, "--features", table)
    return r.out, pl.read_parquet(table)


def corrupted(line, made, place, broken):
    """Corrupts the future in two ways and compares every byte."""
    clean, features = outputs(place / "history", place)
    as_of = fleet.stamp(AS_OF)
    first = as_of - dt.timedelta(hours=2) if broken else as_of
    wild = garbage(fleet.samples(made), place / "wild.parquet", first)
    forewarn("import", "--history", place / "history", wild, "--format", "json").ok()
    out, table = outputs(place / "history", place)
    line.check("future", "bytes of the answer changed by garbage after as_of", out == clean and table.equals(features),
               f"{sum(a != b for a, b in zip(out, clean)) + abs(len(out) - len(clean))} of {len(clean)}", "0")
    return clean, features


def prove(line):
    made, place = base(line)
    clean, features = corrupted(line, made, place, broken=False)
    as_of = fleet.stamp(AS_OF)
    late = garbage(fleet.samples(made), place / "late.parquet", as_of - dt.timedelta(hours=3), ingested=as_of + dt.timedelta(seconds=1))
    forewarn("import", "--history", place / "history", late, "--format", "json").ok()
    out, table = outputs(place / "history", place)
    line.check("late", "the answer is the same with versions of the last 3 hours that arrived a second after as_of", out == clean and table.equals(features),
               "identical" if out == clean else "differs", "identical")
    arrived = garbage(fleet.samples(made), place / "arrived.parquet", as_of - dt.timedelta(hours=3), ingested=as_of - dt.timedelta(seconds=1))
    forewarn("import", "--history", place / "history", arrived, "--format", "json").ok()
    changed = outputs(place / "history", place)[0] != clean
    line.check("early", "the same versions, arrived a second before as_of, do change it", changed, "differs" if changed else "identical", "differs")

    rows = fleet.samples(made)
    mixed = pl.concat([rows, rows.sample(fraction=0.2, seed=1)]).sample(fraction=1.0, shuffle=True, seed=2)
    mixed.write_parquet(place / "mixed.parquet")
    fleet.import_fleet(made, place / "shuffled", metrics=place / "mixed.parquet")
    out, table = outputs(place / "shuffled", place)
    line.check("order", "the answer is the same from shuffled rows, a fifth of them twice", out == clean and table.equals(features), "identical" if out == clean else "differs", "identical")
    resolution(line)
    shapes(line)
    tested(line)


def resolution(line):
    """The same fleet at 60 s, and averaged (counts summed, checks at their maximum) to 300 s; the newest version of each point."""
    place = line.fresh("minutes")
    made = fleet.simulate(place / "simulated", INSTANCES, DAYS, SEED + 1, "--start", fleet.START, "--step", 60)
    fine = fleet.samples(made)
    keys = [c for c in fine.columns if c not in ("ts", "value", "period_s", "ingested_at")]
    if "ingested_at" in fine.columns:
        fine = fine.sort("ingested_at", nulls_last=False, maintain_order=True)
    fine = fine.unique([*keys, "ts"], keep="last", maintain_order=True).select(*keys, "ts", "value")
    count, check = pl.col("metric").str.contains("net_drop|allowance_exceeded|log_matches"), pl.col("metric").str.contains("StatusCheck")
    value = pl.col("value")
    # A count keeps its rate where minutes are missing.
    how = pl.when(count.first()).then(value.mean() * 5).when(check.first()).then(value.max()).otherwise(value.mean())
    fine.group_by(*keys, pl.col("ts").dt.truncate("5m"), maintain_order=True).agg(how.alias("value")).write_parquet(place / "coarse.parquet")
    fine.write_parquet(place / "fine.parquet")
    fleet.import_fleet(made, place / "h60", "--period", 60, metrics=place / "fine.parquet")
    fleet.import_fleet(made, place / "h300", "--period", 300, metrics=place / "coarse.parquet")
    a, b = fleet.levels(place / "h60", AS_OF), fleet.levels(place / "h300", AS_OF)
    differ = [i for i in a.keys() | b.keys() if a.get(i) != b.get(i)]
    line.check("period", "instances whose level differs between 60 s and 300 s", len(a) == INSTANCES and len(set(a.values())) >= 2 and not differ,
               f"{len(differ)} of {len(a)} {[(a.get(i), b.get(i)) for i in differ[:3]] or ''}; {len(set(a.values()))} levels occur", "0, of at least 2 levels")


def shapes(line):
    place = line.fresh("shapes")
    judged = fleet.shapes(place / "shapes.parquet", AS_OF)
    forewarn("import", "--history", place / "history", "--period", 300, "--on-error", "skip", place / "shapes.parquet").ok()
    found = {p["instance_id"]: p for p in fleet.analyze(place / "history", AS_OF).json()["predictions"]}
    wrong = []
    for instance, (name, judge, said) in judged.items():
        p = found.get(instance)
        if not judge(p):
            wrong.append(name)
            got = f"{p['confidence']} {p['probability']} {p['failure_type']}" if p else "absent"
            line.note(f"{name}: {got}; expected {said}")
    line.check("shapes", "known shapes that get the answer a person would give", not wrong, f"{len(judged) - len(wrong)} of {len(judged)}", "all")


def tested(line):
    """Runs the tests of models and rules and looks for those that prove each property."""
    r = run(["cargo", "test", "-p", "forewarn-models", "-p", "forewarn-domain", "-p", "forewarn-rules", "--locked"], env={"CARGO_TARGET_DIR": kit.TARGET}, timeout=3600)
    results = re.findall(r"^test (\S+)(?: - should panic)? \.\.\. (\w+)", r.out, re.M)
    line.check("tests", "tests of models and rules", r.code == 0 and results, f"{sum(s == 'ok' for _, s in results)} of {len(results)} pass", "all")
    for key, (what, patterns) in TESTED.items():
        named = {p: [(n, s) for n, s in results if re.search(p, n)] for p in patterns}
        lacking = [p for p, found in named.items() if not found or any(s != "ok" for _, s in found)]
        line.check(key, f"tests for: {what}", not lacking, f"{sum(map(len, named.values()))}{f', none for {lacking}' if lacking else ''}", "all pass")


def sabotage(line, broken):
    made, place = base(line)
    corrupted(line, made, place, broken)
