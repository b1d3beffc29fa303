"""Line 1: the demo from a fresh clone; a second run changes and announces nothing; `log rebuild` is identical."""

import contextlib
import re
import shutil
import sqlite3
import time

from proofs import judge, kit
from proofs.kit import Short, forewarn, run, tree_digest

NUMBER = 1
TITLE = "the demo, from a fresh clone, twice, and the log rebuilt"
SABOTAGE = ("rebuild", "one event in the log is changed before the rebuild")
MINUTES = 15
SPARK = re.compile("[▁▂▃▄▅▆▇█]{4,}")


def cold(line):
    """Builds and runs the first command in a clone that has nothing."""
    clone = line.fresh("cold") / "forewarn"
    run(["git", "clone", "-q", "--no-hardlinks", kit.ROOT, clone]).ok()
    command = kit.first_command()
    begun = time.time()
    r = run(command, env={"CARGO_TARGET_DIR": clone / "target"}, cwd=clone, timeout=3600)
    took = (time.time() - begun) / 60
    line.check("cold", f"`{' '.join(command)}` in a fresh clone, build included", r.code == 0 and took <= MINUTES, f"{took:.1f} min, exit {r.code}", f"<= {MINUTES} min")
    if r.code:
        line.note(r.err[-1500:])
    shutil.rmtree(clone.parent, ignore_errors=True)


def demo(place):
    """Runs the demo without a network where the system lets a process have none."""
    cut_off = run(["unshare", "--net", "true"]).code == 0
    command = [*(["unshare", "--net"] if cut_off else []), kit.binary(), "demo", "--dir", place]
    return run(command, cwd=place.parent), cut_off


def log_entries(state):
    r = forewarn("log", "list", "--state", state, "--format", "json").ok()
    return judge.listed(r.json(), "entries", "events")


def blocks(text, instances):
    """Cuts the printed table into one block of lines for each instance."""
    found, current = {}, None
    for row in text.splitlines():
        named = [i for i in instances if i in row]
        current = named[0] if named else current
        if current:
            found.setdefault(current, []).append(row)
    return {k: "\n".join(v) for k, v in found.items()}


def percent_shown(p, text):
    """Says whether a probability stands in the text as a percentage, however it was rounded."""
    shown = [float(x) for x in re.findall(r"(\d+(?:\.\d+)?)\s*%", text)]
    return any(abs(100 * p - s) <= 1.0 for s in shown)


def missing_in(block, p):
    """Lists what a person would miss in the block of one instance at risk."""
    flat = re.sub(r"\s+", " ", block).lower()
    wanted = {
        "level": p["confidence"] in flat,
        "P(24 h)": percent_shown(p["probability"]["24h"], block),
        "P(72 h)": percent_shown(p["probability"]["72h"], block),
        "window": p["window"]["text"].lower() in flat,
        "failure type": p["failure_type"] in flat or p["failure_type"].replace("_", " ") in flat,
        "leading factor": p["factors"][0]["text"].lower() in flat,
        "sparkline": bool(SPARK.search(block)),
    }
    return [k for k, there in wanted.items() if not there]


def latest(bus):
    """Gives the time of the newest announced prediction."""
    details = [r.get("detail") or r.get("data") or {} for r in judge.json_lines(bus)]
    times = [d["as_of"] for d in details if d.get("as_of")]
    if not times:
        raise Short(f"{bus} announces no prediction with an as_of")
    return max(times)


def prove(line):
    place = line.fresh("demo") / "forewarn-demo"
    first, cut_off = demo(place)
    line.check("demo", "the demo ends well" + (" with no network at all" if cut_off else " (this system can't cut the network off)"),
               first.code == 0 and first.out.strip(), f"exit {first.code}, {len(first.out.splitlines())} lines, {first.wall:.1f} s", "exit 0")
    first.ok()
    line.note(first.out[:3500])
    history, state = place / "history", place / "state"
    bus = state / "events.jsonl"
    as_of = latest(bus)
    said = forewarn("analyze", "--history", history, "--state", state, "--as-of", as_of, "--format", "json").json()
    risky = {p["instance_id"]: p for p in said["predictions"] if p["confidence"] in ("low", "medium", "high")}
    shown = blocks(first.out, risky)
    gaps = {i: missing_in(shown.get(i, ""), p) for i, p in risky.items()}
    wrong = {i: g for i, g in gaps.items() if g}
    line.check("shown", "instances at risk shown with level, P(24 h), P(72 h), window, failure type, factor and sparkline",
               risky and not wrong, f"{len(risky) - len(wrong)} of {len(risky)}", "all, at least 1")
    for i, g in list(wrong.items())[:5]:
        line.note(f"{i} lacks {', '.join(g)}")
    named = [p for p in (history, bus) if str(p) in first.out or str(p.relative_to(place.parent)) in first.out]
    line.check("files", "the output says where the files are", len(named) == 2, f"{len(named)} of 2 named", "history and bus")

    before, entries = tree_digest(history, place / "simulated", bus), log_entries(state)
    second, _ = demo(place)
    after, again = tree_digest(history, place / "simulated", bus), log_entries(state)
    changed = sorted(k for k in before.keys() | after.keys() if before.get(k) != after.get(k))
    line.check("again", "files of history, simulation and bus changed by a second run", second.code == 0 and not changed,
               f"{len(changed)} of {len(before)}{': ' + changed[0] if changed else ''}", "0")
    line.check("log", "entries the second run added to the log", entries and len(again) == len(entries), f"{len(again) - len(entries)} to {len(entries)}", "0")
    ids = [r.get("id") for r in judge.json_lines(bus)]
    line.check("once", "announcements made twice", ids and len(set(ids)) == len(ids), f"{len(ids) - len(set(ids))} of {len(ids)}", "0")
    rebuilt(line, state, tamper=False)


def tables(file):
    """Dumps every table of a SQLite file: {name: sorted rows}."""
    with contextlib.closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as c:
        names = [n for (n,) in c.execute("SELECT name FROM sqlite_master WHERE type='table' AND name NOT LIKE 'sqlite_%'")]
        return {n: sorted(map(repr, c.execute(f'SELECT * FROM "{n}"'))) for n in names}


def state_file(state):
    found = [f for f in sorted(state.rglob("*")) if f.is_file() and f.read_bytes()[:15] == b"SQLite format 3"]
    if len(found) != 1:
        raise Short(f"{state} holds {len(found)} SQLite files, expected 1")
    return found[0]


def rebuilt(line, state, tamper):
    """Empties the tables of current state, lets `log rebuild` make them again, and compares them row by row."""
    file = state_file(state)
    report = forewarn("log", "rebuild", "--state", state, "--format", "json").json()
    names = sorted(report.get("rows") or {})
    if not names:
        raise Short(f"log rebuild names no table in `rows`; it says {sorted(report)}")
    before = tables(file)
    unknown = [n for n in names if n not in before]
    if unknown:
        raise Short(f"log rebuild names tables that are not there: {unknown}")
    with contextlib.closing(sqlite3.connect(file)) as c, c:
        for n in names:
            c.execute(f'DELETE FROM "{n}"')
        if tamper:
            change_an_event(c, names)
    # This run says that the tables differed from the log, for they were empty; the next finds nothing to mend.
    forewarn("log", "rebuild", "--state", state, "--format", "json")
    after = tables(file)
    r = forewarn("log", "rebuild", "--state", state, "--format", "json")
    same = [n for n in names if before[n] == after.get(n)]
    total = sum(len(before[n]) for n in names)
    line.check("rebuild", "tables of current state made again from the log, row for row; again, with nothing to mend",
               r.code == 0 and total > 0 and len(same) == len(names), f"{len(same)} of {len(names)} identical, {total} rows, then exit {r.code}", "all, exit 0")


def change_an_event(c, projections):
    """Changes the level in the text of the last prediction made at level high."""
    for (n,) in c.execute("SELECT name FROM sqlite_master WHERE type='table'").fetchall():
        if n in projections:
            continue
        c.execute("DROP TRIGGER IF EXISTS events_are_never_changed")
        for (_, column, *_) in c.execute(f'PRAGMA table_info("{n}")').fetchall():
            hit = c.execute(f"""SELECT rowid FROM "{n}" WHERE CAST("{column}" AS TEXT) LIKE '%"confidence":"high"%prediction.made%' ORDER BY rowid DESC LIMIT 1""").fetchone()
            if hit:
                c.execute(f"""UPDATE "{n}" SET "{column}" = replace(CAST("{column}" AS TEXT), '"confidence":"high"', '"confidence":"low"') WHERE rowid = ?""", hit)
                return
    raise Short("no prediction at level high is in the log, so none can be changed")


def sabotage(line, broken):
    place = line.fresh("demo") / "forewarn-demo"
    demo(place)[0].ok()
    rebuilt(line, place / "state", tamper=broken)
