"""Line 5: a replay costs little beside Polars' rolling sums over the same windows, in little memory, linear in the range."""

import datetime as dt
import re

from proofs import kit
from proofs.backtest import rolling
from proofs.kit import forewarn, run

NUMBER = 5
TITLE = "speed of a replay beside Polars' rolling sums; memory; linear in the range"
SABOTAGE = ("cpu", "the peer sums up a tenth of the fleet")
INSTANCES, DAYS, RUNS = 100, 28, 3
RATIO, TWO_THREADS, PEAK, LINEAR = 2.4, 0.58, 500, 1.3
BENCH = kit.ROOT / ".ci" / "proofs" / "backtest" / "rolling.py"


def history(days, instances=INSTANCES):
    def make(place):
        run([kit.PYTHON, BENCH, "fleet", instances, days, place / "fleet.parquet"], timeout=1800).ok()
        forewarn("import", "--history", place / "history", place / "fleet.parquet", timeout=1800).ok()
    return kit.cached(f"rolling-{instances}-{days}", make)


def day(n):
    return (dt.datetime.fromtimestamp(rolling.T0 / 1000, dt.timezone.utc) + dt.timedelta(days=n)).strftime("%Y-%m-%dT%H:%M:%SZ")


def replay(place, work, days):
    r = forewarn("backtest", "--history", place / "history", "--from", day(7), "--to", day(days), "--no-baselines", "--predictions", work / "out.parquet", "--format", "json", timeout=3600)
    rows = r.json()["rows"]
    if rows != INSTANCES * 24 * (days - 7):
        raise kit.Short(f"the replay gave {rows} rows where {INSTANCES} instances and {days - 7} days have {INSTANCES * 24 * (days - 7)}")
    return r


def ratio(line, peer_instances=INSTANCES):
    place, work = history(DAYS), line.fresh("work")
    small = history(DAYS, peer_instances)
    pairs = []
    for _ in range(RUNS):
        peer = run([kit.PYTHON, BENCH, "peer", small / "fleet.parquet", 7]).ok()
        pairs.append((replay(place, work, DAYS), peer))
    pairs.sort(key=lambda p: p[0].cpu / p[1].cpu)
    ours, peer = pairs[RUNS // 2]
    steps = int(re.search(r"(\d+) series-hours", peer.out)[1])
    line.check("cpu", f"processor time of {steps} evaluations beside Polars' rolling sums, median of {RUNS}", ours.cpu <= RATIO * peer.cpu,
               f"{ours.cpu:.1f} / {peer.cpu:.1f} = {ours.cpu / peer.cpu:.2f}", f"<= {RATIO}")
    return ours


def threads(line):
    """Replays on one and on two threads in turn."""
    place, work = history(DAYS), line.fresh("threads")
    args = ["--history", place / "history", "--from", day(7), "--to", day(DAYS), "--no-baselines", "--format", "json"]
    pairs = []
    for _ in range(RUNS):
        one, two = (forewarn("backtest", *args, "--threads", n, "--predictions", work / f"{n}.parquet", timeout=3600).ok() for n in "12")
        pairs.append(two.wall / one.wall)
        same = one.out == two.out and (work / "1.parquet").read_bytes() == (work / "2.parquet").read_bytes()
        line.check("same", "what two threads and one give", same, "the same bytes" if same else "other bytes", "the same bytes")
    ratio = sorted(pairs)[RUNS // 2]
    line.check("threads", f"wall time of two threads beside one, median of {RUNS}", ratio <= TWO_THREADS, f"{ratio:.2f}", f"<= {TWO_THREADS}")


def prove(line):
    ours = ratio(line)
    threads(line)
    line.check("peak", "peak memory", ours.peak <= PEAK, f"{ours.peak:.0f} MiB", f"<= {PEAK} MiB")
    work = line.fresh("linear")
    costs = {d: replay(history(d), work, d).cpu / (d - 7) for d in (14, 28, 56)}
    line.note("CPU-s a replayed day: " + ", ".join(f"{d} days {c:.3f}" for d, c in costs.items()))
    worst = max(costs.values()) / min(costs.values())
    line.check("linear", "dearest replayed day beside the cheapest, at 14, 28 and 56 days", worst <= LINEAR, f"{worst:.2f}", f"<= {LINEAR}")


def sabotage(line, broken):
    ratio(line, INSTANCES // 10 if broken else INSTANCES)
