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
    "storm": "a_throttle_storm_of_ten_minutes_recovers_by_itself_without_a_gap",
    "skew": "a_skewed_clock_is_said_and_no_window_ends_after_the_services_own_time",
    "gone": "an_instance_that_disappears_is_pulled_to_its_end",
    "new": "an_instance_that_appears_is_pulled_from_its_beginning",
    "dimensions": "a_metric_that_changes_dimensions_is_found_again",
}


def budget(line, allowed, checked):
    place = line.fresh("budget")
    args = ["--world", "hash", "--instances", 40, "--days", 3, "--start", START, "--seed", 47]
    with world.emulator(*args, log=place / "emulator.txt") as server:
        end = world.rfc(world.ms(START) + 3 * 86_400_000)
        ran = forewarn("ingest", "--once", "--from", START, "--to", end, "--select", "metrics", "--budget", allowed, "--history", place / "history", "--state", place / "state", env=world.aws(server))
        seen = world.stats(server)
        line.note((ran.err.strip() or ran.out.strip())[-500:])
        line.check("budget", f"metrics billed under a budget of {checked}", 0 < seen["queries"] <= checked, seen["queries"], f"<= {checked}")
        line.check("says", "it says that the budget stopped it, and does not end with 0", ran.code == 1 and "budget" in (ran.err + ran.out), ran.code, "1")
        rest = forewarn("ingest", "--once", "--from", START, "--to", end, "--select", "metrics", "--budget", 100_000, "--history", place / "history", "--state", place / "state", env=world.aws(server))
        line.check("rest", "with a larger budget the rest is pulled", rest.code == 0 and judge.rows(place / "history") > 0, rest.code, "0")
    truth = place / "truth.parquet"
    forewarn("simulate", "--truth", truth, *args).ok()
    forewarn("history", "compact", "--history", place / "history").ok()
    world.check_truth(line, "whole", place / "history", truth)


def prove(line):
    budget(line, 200, 200)
    for key, name in TESTS.items():
        r = run(["cargo", "test", "-p", "forewarn", "--locked", "-q", "--", name], env={"CARGO_TARGET_DIR": kit.TARGET}, timeout=3000)
        line.check(key, f"test {name}", r.code == 0 and "1 passed" in r.out, "passes" if r.code == 0 and "1 passed" in r.out else (r.out + r.err)[-300:], "passes")


def sabotage(line, broken):
    budget(line, 2000 if broken else 200, 200)
