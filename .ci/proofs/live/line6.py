"""The budget, a throttle storm, a skewed clock, and a fleet that changes."""

from proofs import judge, kit
from proofs.kit import forewarn, run
from proofs.live import world

NUMBER = 6
TITLE = "the budget stops before it is passed; a throttle storm, clock skew, instances that come and go, metrics that change"
SABOTAGE = ("budget", "the budget is ten times what the pull is checked against")
START = "2026-03-02T00:00:00Z"
# Tests of the workspace on an injected clock or a fake of the API, by what they show.
TESTS = {
    "storm": "a_storm_of_ten_minutes_leaves_no_gap",
    "skew": "a_fast_clock_moves_no_watermark_past_awss_time",
    "changes": "what_appears_disappears_or_changes_its_dimensions_is_followed",
    "volumes": "a_volume_of_nobody_leaves_a_backfill_unfinished_until_somebody_names_its_instance",
    "old": "a_range_older_than_what_is_listed_says_so",
}


def budget(line, allowed, checked):
    place = line.fresh("budget")
    args = ["--world", "hash", "--instances", 40, "--days", 3, "--start", START, "--seed", 47]
    clock = world.just_after(START, 3)
    with world.emulator(*args, env=clock.env, log=place / "emulator.txt") as server:
        end = world.rfc(world.ms(START) + 3 * 86_400_000)
        ran = forewarn("ingest", "--once", "--from", START, "--to", end, "--select", "all", "--budget", allowed, "--history", place / "history", "--state", place / "state", env=world.aws(server) | clock.env)
        seen = world.stats(server)
        line.note((ran.err.strip() or ran.out.strip())[-500:])
        line.check("budget", f"metrics billed under a budget of {checked}", 0 < seen["queries"] <= checked, seen["queries"], f"<= {checked}")
        line.check("says", "it says that the budget stopped it, and does not end with 0", ran.code == 1 and "budget" in (ran.err + ran.out), ran.code, "1")
        rest = forewarn("ingest", "--once", "--from", START, "--to", end, "--select", "all", "--budget", 100_000, "--history", place / "history", "--state", place / "state", env=world.aws(server) | clock.env)
        line.check("rest", "with a larger budget the rest is pulled", rest.code == 0 and judge.rows(place / "history") > 0, rest.code, "0")
    truth = place / "truth.parquet"
    forewarn("simulate", "--truth", truth, *args).ok()
    forewarn("history", "compact", "--history", place / "history").ok()
    world.check_truth(line, "whole", place / "history", truth)


def prove(line):
    budget(line, 200, 200)
    for key, name in TESTS.items():
        r = run(["cargo", "test", "--workspace", "--locked", "-q", "--", name], env={"CARGO_TARGET_DIR": kit.TARGET}, timeout=3000)
        line.check(key, f"test {name}", r.code == 0 and "1 passed" in r.out, "passes" if r.code == 0 and "1 passed" in r.out else (r.out + r.err)[-300:], "passes")


def sabotage(line, broken):
    budget(line, 2000 if broken else 200, 200)
