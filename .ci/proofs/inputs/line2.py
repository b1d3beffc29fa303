"""Line 2: no look-ahead. What was known live stays what it was; between imports the later counts, however a kill cut them short."""

import datetime as dt
import random

from proofs import judge, kit
from proofs.kit import Short, forewarn
from proofs.main.fleet import iso

NUMBER = 2
TITLE = "no look-ahead: a correction of live rows counts from its import on, 1, 2, 1 leaves 2, and a kill changes no arrival"
SABOTAGE = ("unchanged", "the correction says that it was ingested in time")
MINUTE, DAYS = 60_000, 9
METRICS = {"mem_used_percent": 40.0, "disk_used_percent": 50.0, "CPUUtilization": 20.0}


def live(path, end, pick=None, shift=0.0, ingested=True):
    """Writes what came live up to `end`, each row within two minutes; or corrections of some of it, which say no time of their own."""
    dice, rows = random.Random(16), ["instance_id,metric,ts,value" + (",ingested_at" if ingested else "")]
    for i in range(4):
        for metric, level in METRICS.items():
            for k in range(DAYS * 288):
                ts = end - (DAYS * 288 - k) * 5 * MINUTE
                value, late = level + i + dice.random() + shift, ts + 5 * MINUTE + dice.randrange(120_000)
                if pick is None or pick(k):
                    rows.append(f"i-{i},{metric},{ts},{value:.6f}" + (f",{late}" if ingested else ""))
    path.write_text("\n".join(rows) + "\n")
    return path


def now_ms():
    return int(dt.datetime.now(dt.timezone.utc).timestamp() * 1000)


def stamp(ms):
    return iso(dt.datetime.fromtimestamp(ms // 1000, dt.timezone.utc))


def answers(history, times):
    return [forewarn("analyze", "--history", history, "--as-of", stamp(t), "--format", "json", "--all").ok().out for t in times]


def corrected(line, broken=False):
    """Corrects half of what came live, and looks at times before and after the correction."""
    place = line.fresh("corrected")
    history = place / "h"
    end = now_ms() // (5 * MINUTE) * 5 * MINUTE - 10 * MINUTE
    forewarn("import", "--history", history, live(place / "live.csv", end)).ok()
    before = [end - h * 60 * MINUTE for h in (0, 1, 7, 30, 100)]
    said = answers(history, before)
    patch = live(place / "patch.csv", end, lambda k: k % 2 == 0, 45.0, ingested=broken)
    report = forewarn("import", "--history", history, patch, "--format", "json").json()
    same = [a == b for a, b in zip(said, answers(history, before))]
    line.check("unchanged", "answers for times before the correction that are the same to the byte", all(same), f"{sum(same)} of {len(same)}", "all")
    if broken:
        return
    forewarn("history", "compact", "--history", history).ok()
    same = [a == b for a, b in zip(said, answers(history, before))]
    line.check("compacted", "... after compact", all(same), f"{sum(same)} of {len(same)}", "all")
    line.check("replaced", "rows that the import says it replaces", report["rows_replacing"] == report["rows_written"] > 0, f"{report['rows_replacing']:,} of {report['rows_written']:,}", "all")
    later = now_ms() + MINUTE
    seen = answers(history, [later])[0]
    fresh = place / "fresh"
    whole = live(place / "whole.csv", end, None, 0.0, ingested=False)
    text = whole.read_text().splitlines()
    fixed = {tuple(r.split(",")[:3]): r for r in patch.read_text().splitlines()[1:]}
    whole.write_text("\n".join([text[0], *(fixed.get(tuple(r.split(",")[:3]), r) for r in text[1:])]) + "\n")
    forewarn("import", "--history", fresh, whole).ok()
    line.check("counts", "the answer after it, beside a history that was right from the beginning", seen == answers(fresh, [later])[0] and seen != said[0], "the same" if seen else "", "the same, and another than before")


def one_two_one(line):
    place = line.fresh("one-two-one")
    history, files = place / "h", []
    for n in (1, 2):
        files.append(place / f"{n}.csv")
        files[-1].write_text("instance_id,metric,ts,value\n" + "".join(f"i-a,mem_used_percent,{1_767_225_600 + 300 * k},{n * 10 + k % 3}\n" for k in range(288 * 8)))
    for n in (1, 2, 1):
        forewarn("import", "--history", history, files[n - 1]).ok()
    mean = lambda h: answers(h, [1_767_225_600_000 + 8 * 86_400_000])[0]
    two = place / "two"
    forewarn("import", "--history", two, files[1]).ok()
    line.check("one-two-one", "the answer after importing 1, 2 and 1 again, beside that of 2 alone", mean(history) == mean(two), "the same" if mean(history) == mean(two) else "another", "the same")
    forewarn("history", "compact", "--history", history).ok()
    line.check("one-two-one-compacted", "... after compact", mean(history) == mean(two), "the same" if mean(history) == mean(two) else "another", "the same")


POINTS = ["import.spilled:1", "import.partition_written:1", "import.partition_written:5", "commit.staged", "commit.journal_written", "commit.file_placed:1", "commit.file_placed:4", "commit.manifest_written", "commit.recorded"]


def arrivals(history):
    files = f"{history}/metrics/**/*.parquet"
    return judge.db().execute(f"SELECT epoch_ms(min(imported_at)), epoch_ms(max(imported_at)), count(*) FROM read_parquet('{files}')").fetchone()


def killed(line):
    """Kills an import at each point, completes it later, and asks from when its rows count."""
    place, wrong = line.fresh("killed"), []
    rows = lambda n: "instance_id,metric,ts,value\n" + "".join(f"i-{i},mem_used_percent,{1_767_225_600 + 300 * k},{n}\n" for i in range(9) for k in range(288))
    file = place / "a.csv"
    file.write_text(rows(1))
    for point in POINTS:
        history = place / point.replace(":", "-")
        begun = now_ms()
        if forewarn("import", "--history", history, file, "--memory-limit", "64KiB", env={"FOREWARN_CRASH_AT": point}).code == 0:
            raise Short(f"{point} was never passed")
        died = now_ms()
        while now_ms() < died + 1500:
            pass
        forewarn("import", "--history", history, file, "--memory-limit", "64KiB").ok()
        first, last, n = arrivals(history)
        # Before its journal is written nothing of it is anywhere.
        noted = point.startswith("commit.") and point != "commit.staged"
        if first != last or n != 9 * 288 or not begun <= first <= (died if noted else now_ms()):
            wrong.append(f"{point}: from {first} to {last}, {n} rows")
    line.check("killed", "kills of an import after whose completion all rows count from one time, that of its journal", not wrong, f"{len(POINTS) - len(wrong)} of {len(POINTS)}{'; ' + '; '.join(wrong) if wrong else ''}", "all")


def prove(line):
    corrected(line)
    one_two_one(line)
    killed(line)


def sabotage(line, broken):
    corrected(line, broken)
