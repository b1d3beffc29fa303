"""Memory does not grow with the amount, and the way from replies to sorted Parquet is quick."""

from proofs import judge
from proofs.kit import forewarn
from proofs.live import world

NUMBER = 5
TITLE = "memory at 2 M and 20 M samples; samples a second of processor time from GetMetricData replies to sorted Parquet"
SABOTAGE = ("memory", "the smaller run is a twentieth of what it is said to be")
START = "2026-03-02T00:00:00Z"
# 9 series x 2,016 points: 18,144 samples an instance in seven days, a few missing.
SMALL, LARGE, DAYS = 112, 1120, 7


def pull(line, name, instances):
    place = line.fresh(name)
    args = ["--world", "hash", "--instances", instances, "--days", DAYS, "--start", START, "--seed", 43]
    clock = world.just_after(START, DAYS)
    with world.emulator(*args, env=clock.env, log=line.work / "emulator.txt") as server:
        end = world.rfc(world.ms(START) + DAYS * 86_400_000)
        ran = forewarn("ingest", "--once", "--from", START, "--to", end, "--select", "all", "--history", place / "history", "--state", place / "state", env=world.aws(server) | clock.env)
        ran.ok()
    rows = judge.rows(place / "history")
    line.note(f"{rows:,} samples: peak {ran.peak:.0f} MiB, {ran.cpu:.1f} s of processor time, {ran.wall:.1f} s")
    return rows, ran


def memory(line, instances=SMALL):
    small, a = pull(line, "small", instances)
    large, b = pull(line, "large", LARGE)
    line.check("memory", f"peak at {large:,} samples over the peak at {small:,}", b.peak <= 1.10 * a.peak and large >= 19_500_000, f"{b.peak:.0f} / {a.peak:.0f} MiB = {b.peak / a.peak:.3f}", "<= 1.10")
    return large, b


def prove(line):
    rows, ran = memory(line)
    rate = rows / ran.cpu
    line.check("rate", "samples a second of processor time, the whole process from replies to sorted Parquet", rate >= 450_000, f"{rate:,.0f}", ">= 450,000")


def sabotage(line, broken):
    memory(line, SMALL // 20 if broken else SMALL)
