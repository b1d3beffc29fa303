"""Judges histories, predictions and explanations with programs that are not ours, from the documented format alone."""

import json
import math

import duckdb

from proofs.kit import Short

# The documented columns of H/metrics, in order, as DuckDB names their types.
COLUMNS = {
    "account": "VARCHAR", "region": "VARCHAR", "instance_id": "VARCHAR", "namespace": "VARCHAR", "metric": "VARCHAR",
    "stat": "VARCHAR", "device": "VARCHAR", "period_s": "INTEGER", "ts": "TIMESTAMP WITH TIME ZONE", "value": "DOUBLE",
    "ingested_at": "TIMESTAMP WITH TIME ZONE", "imported_at": "TIMESTAMP WITH TIME ZONE",
}
# What a sample says; when it was imported differs from run to run.
SAID = [c for c in COLUMNS if c != "imported_at"]
# The fields of a prediction that consumers rely on.
FIELDS = (
    "prediction_id episode_id sequence instance_id account region workload as_of confidence status probability window "
    "failure_type recommended_action factors counterfactual ruleset links"
).split()
FACTOR_FIELDS = "signal device rule evidence now slope_per_day eta_hours text".split()
HORIZONS = ("24h", "72h", "168h")


def db():
    c = duckdb.connect()
    c.execute("SET threads=2; SET TimeZone='UTC'")
    return c


def metrics(history):
    """Names a history's metric files for DuckDB."""
    return f"read_parquet('{history}/metrics/**/*.parquet', hive_partitioning=false)"


def rows(history):
    if not any(history.glob("metrics/**/*.parquet")):
        return 0
    return db().execute(f"SELECT count(*) FROM {metrics(history)}").fetchone()[0]


def fingerprint(history, distinct=False):
    """Gives (rows, order-free hash) over the documented columns; with `distinct`, of the distinct rows."""
    if not any(history.glob("metrics/**/*.parquet")):
        return 0, 0
    names = ", ".join(SAID)
    source = f"(SELECT {'DISTINCT' if distinct else ''} {names} FROM {metrics(history)})"
    return db().execute(f"SELECT count(*), coalesce(sum(hash({names})::HUGEINT), 0) FROM {source}").fetchone()


def known(history):
    """Gives (rows, order-free hash) of the values that are known of each series and time, each with when it was first known.

    A version that repeats a known value says nothing new, and compacting drops it.
    """
    key = [c for c in SAID if c != "ingested_at"]
    names = ", ".join(key)
    source = f"(SELECT {names}, min(ingested_at) AS ingested_at FROM {metrics(history)} GROUP BY ALL)"
    return db().execute(f"SELECT count(*), coalesce(sum(hash({names}, ingested_at)::HUGEINT), 0) FROM {source}").fetchone()


def listed(document, *keys):
    """Finds the list in a JSON document: under one of the keys, or the document itself."""
    if isinstance(document, list):
        return document
    for k in keys:
        if isinstance(document.get(k), list):
            return document[k]
    raise Short(f"no list {' or '.join(keys)} in the JSON document, which has {sorted(document)}")


def json_lines(path):
    """Reads a JSON Lines file."""
    if not path.exists():
        raise Short(f"{path} is missing")
    return [json.loads(line) for line in path.read_text().splitlines() if line.strip()]


def prediction_faults(p):
    """Lists what is wrong with one prediction; nothing when it keeps the contract."""
    bad = [f"field {f} is missing" for f in FIELDS if f not in p]
    if bad:
        return bad
    ps = [p["probability"].get(h) for h in HORIZONS]
    if p["confidence"] == "unassessable":
        bad += ["unassessable with a probability"] if any(x is not None for x in ps) else []
        return bad + ([] if p.get("unassessable") else ["unassessable without its reason"])
    if any(not isinstance(x, (int, float)) or not 0 <= x <= 1 for x in ps):
        return [*bad, f"probabilities {ps}"]
    bad += [] if ps[0] <= ps[1] <= ps[2] else [f"probabilities not monotone: {ps}"]
    if p["confidence"] != "none":
        bad += [f"{k} is null at level {p['confidence']}" for k in ("window", "failure_type", "recommended_action") if not p[k]]
        bad += [] if p["factors"] else [f"no factor at level {p['confidence']}"]
    for f in p["factors"]:
        bad += [f"factor without {k}" for k in FACTOR_FIELDS if k not in f]
        bad += [] if f.get("evidence", -1) >= 0 else ["negative evidence"]
    return bad


def sigmoid(x):
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))


def hazards(explained):
    """Gives the three hazards of an explanation: [{horizon, terms: [{kind, rule, log_odds, ...}], log_odds, hazard}]."""
    found = listed(explained, "hazards")
    if len(found) != 3:
        raise Short(f"an explanation has {len(found)} hazards, not 3")
    return found


def explanation_gap(explained, probability):
    """Gives the largest gaps (sum of terms to log-odds, log-odds to the prediction's probabilities)."""
    hs = hazards(explained)
    sums = max(abs(sum(t["log_odds"] for t in h["terms"]) - h["log_odds"]) for h in hs)
    alive, reached = 1.0, 0.0
    for h, horizon in zip(hs, HORIZONS):
        alive *= 1 - sigmoid(h["log_odds"])
        reached = max(reached, abs((1 - alive) - probability[horizon]))
    return sums, reached
