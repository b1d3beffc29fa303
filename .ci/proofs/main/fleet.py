"""Makes the fleets that the lines run on: simulated ones, and one of series whose answer a person knows."""

import datetime as dt
import hashlib

import numpy as np
import polars as pl

from proofs import kit
from proofs.kit import forewarn

START = "2026-03-01T00:00:00Z"
# Metrics that make an instance assessable, at a healthy constant.
CALM = {"CPUUtilization": 20.0, "mem_used_percent": 40.0, "disk_used_percent": 40.0, "StatusCheckFailed": 0.0}


def engine():
    """Identifies the binary, so that what another binary made is never reused."""
    return hashlib.sha256(kit.binary().read_bytes()).hexdigest()[:12]


def simulate(place, instances, days, seed, *more):
    forewarn("simulate", "--out", place, "--instances", instances, "--days", days, "--seed", seed, *more, timeout=3600).ok()
    return place


def samples(fleet):
    """Reads a simulated fleet's samples, text as text however it is encoded."""
    return pl.read_parquet(fleet / "metrics.parquet").with_columns(pl.col(pl.Categorical).cast(pl.String))


def import_fleet(fleet, history, *more, metrics=None):
    """Imports a simulated fleet with its instances and events; gives the finished command."""
    also = [x for flag in ("instances", "events") if (fleet / f"{flag}.parquet").exists() for x in (f"--{flag}", fleet / f"{flag}.parquet")]
    return forewarn("import", "--history", history, *also, *more, metrics or fleet / "metrics.parquet", "--format", "json", timeout=3600).ok()


def analyze(history, as_of, *more, env=None):
    """Gives all predictions at a time as the finished command; its output is one JSON document."""
    return forewarn("analyze", "--history", history, "--as-of", as_of, "--format", "json", "--all", *more, env=env).ok()


def levels(history, as_of, *more):
    return {p["instance_id"]: p["confidence"] for p in analyze(history, as_of, *more).json()["predictions"]}


def stamp(text):
    return dt.datetime.fromisoformat(text.replace("Z", "+00:00"))


def iso(t):
    return t.astimezone(dt.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def shapes(path, as_of, days=8):
    """Writes one instance for each known shape, at 5 minutes up to as_of; gives {instance: (shape, judge(prediction or None), said)}."""
    n = days * 288
    step, first = dt.timedelta(minutes=5), stamp(as_of) - dt.timedelta(days=days)
    times = [first + i * step for i in range(n)]
    hours = (np.arange(n) - n) / 12  # to as_of
    quiet = lambda p: p is not None and p["confidence"] == "none"
    calm = lambda p: p is not None and p["confidence"] in ("none", "low")
    unknown = lambda p: p is not None and p["confidence"] == "unassessable"
    full = lambda level: lambda p: p is not None and (p["confidence"], p["failure_type"]) == (level, "disk_full")
    tooth = 50 + 30 * ((np.arange(n) % 288) / 288)
    cases = {
        "constant": ({"mem_used_percent": np.full(n, 60.0)}, quiet, "none"),
        "steady-90": ({"mem_used_percent": np.full(n, 90.0)}, calm, "none or low: high but steady is healthy"),
        "step": ({"mem_used_percent": np.where(hours < -36, 30.0, 60.0)}, calm, "none or low: a step is no trend"),
        "ramp": ({"disk_used_percent": 100 + (hours - 12) * 0.35}, full("high"), "high, disk_full: full in 12 hours"),
        "far-ramp": ({"disk_used_percent": 100 + (hours - 40) * 0.35}, full("medium"), "medium, disk_full: past 90 % in 11 hours, full in 40"),
        "sawtooth": ({"disk_used_percent": tooth}, calm, "none or low: it turns back every night"),
        "one-sample": (None, unknown, "unassessable"),
        "silent": (None, unknown, "unassessable: nothing for six days"),
        "all-nan": (None, lambda p: p is None or unknown(p), "unassessable or absent, never healthy"),
    }
    frames, judged = [], {}
    for i, (name, (change, judge, said)) in enumerate(cases.items()):
        instance = f"i-{0xfee1_0000 + i:017x}"
        judged[instance] = (name, judge, said)
        for metric, level in CALM.items():
            v, keep = (change or {}).get(metric, np.full(n, level)), np.ones(n, bool)
            if name == "one-sample":
                keep = np.arange(n) == n - 12
            elif name == "silent":
                keep = hours < -144
            elif name == "all-nan":
                v = np.full(n, np.nan)
            frames.append(pl.DataFrame({"instance_id": instance, "metric": metric, "ts": [t for t, k in zip(times, keep) if k], "value": v[keep]}))
    pl.concat(frames).with_columns(pl.col("ts").cast(pl.Datetime("ms", "UTC"))).write_parquet(path)
    return judged
