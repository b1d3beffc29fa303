"""A simulated quarter, spoken of as if live: the scorecard says of itself what a backtest says afterwards, and the pilot says what is true."""

import collections
import json

import duckdb

from proofs.kit import Short, forewarn
from proofs.live import world

NUMBER = 9
TITLE = "a simulated quarter: the live scorecard against the backtest, and the pilot's verdict against the truth"
SABOTAGE = ("same", "the scorecard is told of one incident fewer")
START, DAYS, INSTANCES = "2026-01-01T00:00:00Z", 91, 40
DAY = 86_400_000


def quarter(line, instances, days):
    """Simulates a fleet and imports it, with what else is known."""
    place = line.fresh(f"fleet-{instances}-{days}")
    forewarn("simulate", "--out", place / "raw", "--instances", instances, "--days", days, "--seed", 91, "--start", START).ok()
    raw = place / "raw"
    forewarn("import", "--history", place / "history", raw / "metrics.parquet", "--instances", raw / "instances.parquet", "--events", raw / "events.parquet").ok()
    return place


def flatten(value, path=""):
    """Gives {path: number} of every number in a document."""
    if isinstance(value, dict):
        return {k: v for key, x in value.items() for k, v in flatten(x, f"{path}/{key}").items()}
    if isinstance(value, list):
        return {k: v for i, x in enumerate(value) for k, v in flatten(x, f"{path}/{i}").items()}
    return {path: value} if isinstance(value, (int, float)) and not isinstance(value, bool) else {}


def live(line, place, days, broken=False):
    start = world.ms(START)
    # Seven days are needed before anything can be said.
    begin, end = world.rfc(start + 8 * DAY), world.rfc(start + days * DAY)
    where = ["--history", place / "history", "--state", place / "state"]
    held = forewarn("analyze", "--due", "--every", "3h", "--offset", "0s", "--from", begin, "--to", end, "--most", 100_000, *where, "--format", "json", timeout=3000).json()
    line.note(f"held as if live: {json.dumps(held)[:300]}")
    incidents = place / "raw" / "incidents.parquet"
    fewer = incidents
    if broken:
        fewer = place / "fewer.parquet"
        db = duckdb.connect()
        # One that was predictable and lies within what is scored.
        db.execute(f"COPY (SELECT * FROM read_parquet('{incidents}') ORDER BY ts DESC OFFSET 3) TO '{fewer}' (FORMAT parquet)")
    card = forewarn("scorecard", *where, "--incidents", fewer, "--from", begin, "--to", end, "--format", "json", timeout=1200).json()
    test = forewarn("backtest", "--history", place / "history", "--incidents", incidents, "--from", begin, "--to", end, "--step", "3h", "--no-baselines", "--format", "json", timeout=2400).json()
    return card, test


def compare(line, card, test):
    a, b = flatten(card), flatten(test)
    shared = sorted(set(a) & set(b))
    differ = [k for k in shared if abs(a[k] - b[k]) > 1e-12]
    line.check("same", "figures of the live scorecard equal to the backtest's", len(shared) >= 40 and not differ, f"{len(shared) - len(differ)} of {len(shared)}{' differ: ' + ', '.join(f'{k} {a[k]} {b[k]}' for k in differ[:4]) if differ else ''}", "all")
    return a


def prove(line):
    place = quarter(line, INSTANCES, DAYS)
    card, test = live(line, place, DAYS)
    a = compare(line, card, test)
    line.note(json.dumps({k: v for k, v in a.items() if "precision" in k or "recall" in k or "censored" in k})[:900])
    pilot(line, place)


def pilot(line, place):
    start = world.ms(START)
    first, last = (world.rfc(start + 8 * DAY), world.rfc(start + DAYS * DAY))
    db = duckdb.connect()
    db.execute("SET TimeZone='UTC'")
    truth, told = place / "raw" / "incidents.parquet", place / "times.parquet"
    # The pilot learns when instances failed, as an operator would know it: neither the cause nor whether it could be foreseen.
    db.execute(f"COPY (SELECT instance_id, ts FROM read_parquet('{truth}')) TO '{told}' (FORMAT parquet)")
    said = forewarn("pilot", "--history", place / "history", "--incidents", told, "--from", first, "--to", last, "--step", "3h", "--format", "json", timeout=2400).json()
    truth = db.execute(f"SELECT instance_id, epoch_ms(ts), predictable FROM read_parquet('{truth}') WHERE ts >= '{first}' AND ts < '{last}'").fetchall()
    verdicts = {(v["instance_id"], world.ms(v["ts"])): v["verdict"] for v in said["incidents"]}
    if not verdicts:
        raise Short("the pilot speaks of no incident")
    found = [(verdicts[t[0], t[1]], t[2]) for t in truth if (t[0], t[1]) in verdicts]
    line.check("pilot.all", "incidents of the truth file that the pilot speaks of", len(found) == len(truth), f"{len(found)} of {len(truth)}", "all")
    agree = [v for v, predictable in found if (v == "not_foreseeable") == (not predictable)]
    counts = dict(collections.Counter(v for v, _ in found))
    line.check("pilot.agrees", "told the times alone, it calls unforeseeable what the truth calls so, and nothing else", len(agree) == len(truth), f"{len(agree)} of {len(truth)} agree; {counts}", "all")


def sabotage(line, broken):
    place = quarter(line, 16, 28)
    compare(line, *live(line, place, 28, broken))


__all__ = ["NUMBER", "SABOTAGE", "TITLE", "prove", "sabotage"]
