"""The fleet and the peer of the speed line: what Polars' rolling sums alone cost on the same windows.

usage: rolling.py fleet N DAYS OUT.parquet      N instances x 8 series at 5 minutes
       rolling.py peer FLEET.parquet FIRST_DAY  for every series and hour from FIRST_DAY: sums over 24 h and 168 h (n, value, value², hour x value)
"""

import sys

import numpy as np
import polars as pl

T0, STEP_MS, PER_DAY = 1_782_864_000_000, 300_000, 288  # from 2026-07-01T00:00Z
METRICS = ["CPUCreditBalance", "StatusCheckFailed", "cpu_usage_iowait", "cpu_usage_steal", "disk_used_percent", "VolumeQueueLength", "mem_used_percent", "net_drop_in"]


def series(i, n):
    """Values (8, n) of one instance and the mask of samples that are present; one instance in seven is in trouble."""
    g = np.random.default_rng([20260728, i])
    h = np.arange(n) / 12
    daily = np.sin(2 * np.pi * h / 24 + g.uniform(0, 6.28))
    bad = g.random() < 0.15
    e = g.standard_normal((4, n))
    tooth = int(g.integers(300, 1200))
    values = np.stack([
        np.clip(144 + 100 * np.sin(2 * np.pi * h / 24 + g.uniform(0, 6)) - (0.2 * h if bad else 0), 0, 576),
        (g.random(n) < (2e-3 if bad else 1e-5)).astype(float),
        np.abs(6 + 3 * daily + 2 * e[0]) + (g.random(n) < 0.005) * 30,
        np.abs(1.5 + 0.8 * daily + 0.7 * e[1] + (0.02 * h if bad else 0)),
        np.clip(40 + 30 * g.random() + (0.05 if bad else 0.005) * h + 0.003 * np.cumsum(e[2]), 0, 100),
        g.poisson(1.5 + 1.2 * (daily + 1), n).astype(float),
        np.clip(35 + 45 * ((np.arange(n) + g.integers(0, tooth)) % tooth) / tooth + daily + 0.5 * e[3], 0, 100),
        g.poisson(0.3 if bad else 0.02, n).astype(float),
    ])
    return values, g.random((8, n)) >= 0.005


def fleet(n, days, out):
    points = days * PER_DAY
    ts = T0 + STEP_MS * np.arange(points)
    frames = []
    for i in range(n):
        values, there = series(i, points)
        for metric, v, k in zip(METRICS, values, there):
            frames.append(pl.DataFrame({"instance_id": f"i-{0x5eed_0000 + i:017x}", "metric": metric, "ts": ts[k], "value": v[k]}))
    table = pl.concat(frames).with_columns(pl.col("ts").cast(pl.Datetime("ms", "UTC")))
    table.write_parquet(out)
    print(f"{table.height} rows")


def peer(path, first_day):
    x, y = pl.col("x"), pl.col("value")
    table = pl.read_parquet(path).sort("instance_id", "metric", "ts").with_columns(x=(pl.col("ts").dt.epoch("ms") - T0) / 3.6e6)
    table = table.with_columns(one=pl.lit(1.0), yy=y * y, xy=x * y)
    sums = [
        pl.col(c).rolling_sum_by("ts", window_size=w, closed="left").over("instance_id", "metric").alias(f"{c}_{w}")
        for w in ("24h", "168h") for c in ("one", "value", "yy", "xy")
    ]
    hourly = (pl.col("ts").dt.minute() == 0) & (pl.col("ts").dt.epoch("ms") >= T0 + first_day * 86_400_000)
    print(f"{table.lazy().with_columns(sums).filter(hourly).collect().height} series-hours")


if __name__ == "__main__":
    if sys.argv[1] == "fleet":
        fleet(int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
    else:
        peer(sys.argv[2], int(sys.argv[3]))
