"""Memory does not grow with the amount, and the way from replies to sorted Parquet is quick."""

from proofs import judge
from proofs.kit import forewarn
from proofs.live import world

NUMBER = 5
TITLE = "memory at 2 M and 20 M samples; samples a second of processor time from GetMetricData replies to sorted Parquet"
SABOTAGE = ("memory", "the smaller run is of a tenth of the fleet: what is kept for each series then tells")
START = "2026-03-02T00:00:00Z"
# 9 series x 288 points a day, a few missing: 2.0 M samples in 0.7 days of 1,120 instances, 20.2 M in seven.
FLEET, SMALL, LARGE = 1120, 0.7, 7
DAY = 86_400_000


def pull(line, instances, days):
    place = line.fresh(f"{instances}-{days}")
    args = ["--world", "hash", "--instances", instances, "--days", max(1, int(days)), "--start", START, "--seed", 43]
    clock = world.just_after(START, max(1, int(days)))
    with world.emulator(*args, env=clock.env, log=line.work / "emulator.txt") as server:
        end = world.rfc(world.ms(START) + int(days * DAY))
        ran = forewarn("ingest", "--once", "--from", START, "--to", end, "--select", "all", "--history", place / "history", "--state", place / "state", env=world.aws(server) | clock.env)
        ran.ok()
    rows = judge.rows(place / "history")
    line.note(f"{instances} instances, {days} days, {rows:,} samples: peak {ran.peak:.0f} MiB, {ran.cpu:.1f} s of processor time, {ran.wall:.1f} s")
    return rows, ran


def memory(line, instances=FLEET):
    small, a = pull(line, instances, SMALL)
    large, b = pull(line, FLEET, LARGE)
    line.check("memory", f"one fleet: peak at {large:,} samples over the peak at {small:,}", b.peak <= 1.10 * a.peak and large >= 19_500_000, f"{b.peak:.0f} / {a.peak:.0f} MiB = {b.peak / a.peak:.3f}", "<= 1.10")
    return large, b


def prove(line):
    rows, ran = memory(line)
    # What is kept for each series grows with the fleet; the line speaks of samples, so this is shown and not judged.
    fewer, other = pull(line, FLEET // 10, LARGE)
    line.note(f"a tenth of the fleet, over the same range: {ran.peak:.0f} / {other.peak:.0f} MiB = {ran.peak / other.peak:.3f} at {rows:,} and {fewer:,} samples")
    rate = rows / ran.cpu
    line.check("rate", "samples a second of processor time, the whole process from replies to sorted Parquet", rate >= 2_000_000, f"{rate:,.0f}", ">= 2,000,000")


def sabotage(line, broken):
    memory(line, FLEET // 10 if broken else FLEET)
