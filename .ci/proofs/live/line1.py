"""Backfill and follow a fleet of which a third ends meanwhile, through every fault the emulator has; the history is then the truth."""

import json
import time

from proofs import kit
from proofs.kit import Short, forewarn
from proofs.live import world

NUMBER = 1
TITLE = "1,000 instances x 9 series x 7 days, backfilled and followed through throttles, 5xx, resets, PartialData and late points"
SABOTAGE = ("truth", "the emulator keeps ten points of the truth to itself")
START, DAYS, SPEED = "2026-03-02T00:00:00Z", 7, 900
DAY = 86_400_000
# Points come up to this late; ingest looks back further than that.
TAIL = "4h"


def whole(line, instances, days, back, key="truth", broken=False):
    """Backfills `back` days, follows the rest, compacts, and compares."""
    place = line.fresh("follow")
    history, state, truth, log = place / "history", place / "state", place / "truth.parquet", place / "log.txt"
    world_args = ["--world", "hash", "--instances", instances, "--days", days, "--start", START, "--seed", 41, "--terminated", 0.33]
    start = world.ms(START)
    clock = world.Clock(world.rfc(start + back * DAY), SPEED)
    faults = ["--throttle", 0.05, "--errors", 0.01, "--resets", 0.005, "--partial", 0.02, "--internal", 0.002, "--lose-replies", 0.005, "--late", "0.01:3h"]
    forewarn("simulate", "--truth", truth, *world_args, "--late", "0.01:3h").ok()
    with world.emulator(*world_args, *faults, env=clock.env, log=place / "emulator.txt") as server:
        env = world.aws(server) | clock.env
        begun = time.time()
        common = ["--history", history, "--state", state, "--select", "all", "--tail", TAIL, "--ids", world.volumes_of(truth, place)]
        first = forewarn("ingest", "--once", "--from", START, "--to", world.rfc(start + back * DAY), *common, "--format", "json", env=env, timeout=1500).json()
        line.note(f"backfill of {back} days: {time.time() - begun:.0f} s; { {k: first[k] for k in ('data_calls', 'list_calls', 'billed_metrics', 'retries', 'throttles', 'partials', 'failed_queries', 'samples', 'repeated', 'lag_ms') if k in first} }")
        listen = f"127.0.0.1:{world.free_port()}"
        follow = world.background("run", "--only", "ingest,archive", "--metrics-listen", listen, *common, env=env, log=log)
        try:
            # What is late by the emulator's longest comes within the tail of a later pull.
            clock.wait_until(start + days * DAY + 6 * 3_600_000, limit=1200)
            if follow.poll() is not None:
                raise Short(f"run ended by itself with {follow.returncode}: {log.read_text()[-400:]}")
            line.note(f"follow, by its own metrics: {world.metrics(listen, 'lag', 'billed', 'retr', 'throttle', 'samples')}")
        finally:
            code = world.end(follow) if follow.poll() is None else follow.returncode
        forewarn("archive", "--history", history, "--state", state, env=env).ok()
        seen = world.stats(server)
    line.check(f"{key}.ends", "`run` ends gracefully on SIGTERM", code == 0, code, "0")
    raw = judge_rows(history)
    forewarn("history", "compact", "--history", history).ok()
    if broken:
        spoil(truth)
    world.check_truth(line, key, history, truth, least=instances * 9 * days * 150)
    kept = judge_rows(history)
    line.note(f"emulator: {json.dumps(seen)[:900]}")
    line.check(f"{key}.repeats", "raw rows that repeat one pulled before", raw > 0, f"{(raw - kept) / raw:.2%} of {raw:,}", "printed")
    line.note(f"the last words of run: {log.read_text()[-700:]}")
    hit = [k for k in ("throttles", "errors", "resets", "partials") if seen.get(k, 0) > 0]
    line.check(f"{key}.faults", "faults that took place", len(hit) == 4, {k: seen.get(k) for k in ("throttles", "errors", "resets", "partials", "internal_errors", "lost")}, "each kind")
    return history


def judge_rows(history):
    from proofs import judge

    return judge.rows(history)


def spoil(truth):
    """Takes ten points out of the truth, as if they had been made up."""
    from proofs import judge

    db = judge.db()
    kept = truth.with_suffix(".kept")
    db.execute(f"COPY (SELECT * FROM read_parquet('{truth}') OFFSET 10) TO '{kept}' (FORMAT parquet)")
    kept.rename(truth)


def prove(line):
    whole(line, 1000, DAYS, DAYS - 1)


def sabotage(line, broken):
    whole(line, 30, 2, 1, broken=broken)


__all__ = ["NUMBER", "SABOTAGE", "TITLE", "kit", "prove", "sabotage"]
