"""Kills import and compact in mid-work, says where each kill landed, runs them again, and compares with an uninterrupted history."""

import collections
import os
import random
import shutil
import subprocess
import time

import polars as pl

from proofs import judge, kit
from proofs.kit import Short, forewarn
from proofs.main import fleet

INSTANCES, DAYS, SEED = 60, 12, 71
AS_OF = "2026-03-11T00:00:00Z"
EACH = 25  # kills of each command, fifty in all
TRIES = 8  # for each kill that must land in mid-work
# Named points of the commit protocols, with the passing at which the process dies.
IMPORT_POINTS = ("commit.staged", "commit.journal_written", "commit.file_placed", "commit.file_placed:7", "commit.manifest_written", "commit.recorded")
COMPACT_POINTS = ("compact.staged", "compact.staged:3", "compact.noted", "compact.placed", "compact.deleted", "compact.deleted:2")


class Scene:
    """A history before the command, the command, and the history as it is after it ran undisturbed."""

    def __init__(self, line, name, before, args, distinct):
        self.line, self.name, self.before, self.args, self.distinct = line, name, before, args, distinct
        self.place = before.parent
        self.done = self.place / f"{name}-undisturbed"
        shutil.copytree(before, self.done)
        self.begins, self.seconds = self.watched()
        self.want = judge.fingerprint(self.done, distinct)
        self.answer = fleet.analyze(self.done, AS_OF).out
        self.old, self.new = parquet(before), parquet(self.done)

    def command(self, history):
        return [self.args[0], *self.args[1], "--history", history, *self.args[2]]

    def start(self, history):
        return subprocess.Popen([kit.binary(), *map(str, self.command(history))], env=kit.CLEAN, stdin=subprocess.DEVNULL,
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def watched(self):
        """Runs the command undisturbed; gives the seconds until its first trace on disk, and until its end."""
        begun, p, first = time.perf_counter(), self.start(self.done), None
        while p.poll() is None:
            if first is None and trace(self.done):
                first = time.perf_counter() - begun
            time.sleep(0.0005)
        if p.returncode:
            raise Short(f"{self.name} exits {p.returncode} undisturbed")
        return first or 0.0, time.perf_counter() - begun

    def copy(self):
        place = self.place / f"{self.name}-killed"
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(self.before, place)
        return place

    def judge(self, history, rerun):
        """Lists what is wrong after a kill: reading as it was left, then running again, then comparing."""
        wrong = []
        if forewarn("analyze", "--history", history, "--as-of", AS_OF, "--format", "json").code != 0:
            wrong.append("not readable by analyze")
        try:
            judge.rows(history)
        except Exception as e:  # noqa: BLE001 - whatever DuckDB says, it could not read
            wrong.append(f"not readable by DuckDB: {e}")
        if rerun:
            r = forewarn(*self.command(history))
            wrong += [f"the rerun exits {r.code}: {r.err.strip()[-200:]}"] if r.code else []
        got = judge.fingerprint(history, self.distinct)
        if got != self.want:
            wrong.append(f"{got[0]} rows, undisturbed {self.want[0]}" if got[0] != self.want[0] else "rows differ from the undisturbed")
        if fleet.analyze(history, AS_OF).out != self.answer:
            wrong.append("analyze answers differently")
        if rerun and forewarn("history", "verify", "--history", history).code != 0:
            wrong.append("verify finds a fault")
        left = [d for d in ("_staging", "_journal") if rerun and any(f.is_file() for f in (history / d).rglob("*"))]
        return wrong + [f"{d} is not cleared" for d in left]


def trace(history):
    """Says whether a command has begun to write."""
    try:
        return any(e.is_file() for d in history.glob("_staging/*") for e in os.scandir(d))
    except FileNotFoundError:  # it was there and is gone already
        return True


def parquet(history):
    return {str(f.relative_to(history)) for f in history.glob("metrics/**/*.parquet")}


def landed(scene, history):
    """Reads the state on disk after a kill: (where, is it mid-work)."""
    here = parquet(history)
    placed, wanted = len(here - scene.old), len(scene.new - scene.old)
    staged = sum(f.is_file() for f in (history / "_staging").rglob("*"))
    journal = any((history / "_journal").glob("*.json"))
    notes = len(list((history / "_compact").glob("*.json")))
    gone = len(scene.old - scene.new - here)
    if scene.name == "import":
        if journal and placed < wanted:
            return (f"journalled, {placed} of {wanted} files in place" if placed else "journalled, none in place"), True
        if journal:
            return "all files in place, journal still there", True
        if placed == wanted:
            return "finished", False
        return (f"staging, {staged} files" if staged else "before the first staged file"), bool(staged)
    if here == scene.new and not notes and not staged:
        return "finished", False
    step = "noted" if notes else "staging" if staged else "between two partitions" if placed else "before the first"
    return f"{step}, {placed} of {wanted} merged, {gone} old files gone", bool(staged or notes or placed)


def kill_once(scene, rng, aimed):
    """Starts the command and kills it: at a random time from its first trace on disk, or, when aimed, as soon as the commit shows."""
    history = scene.copy()
    sign = history / ("_journal" if scene.name == "import" else "_compact")
    p = scene.start(history)
    begun, limit = time.perf_counter(), 5 * scene.seconds + 5
    shown = lambda: any(sign.glob("*.json")) if aimed else trace(history)
    while p.poll() is None and time.perf_counter() - begun < limit and not shown():
        pass
    time.sleep(rng.uniform(0, 0.01 if aimed else scene.seconds - scene.begins))
    at = time.perf_counter() - begun
    p.kill()
    killed = p.wait() == -9
    where, mid = landed(scene, history)
    return history, killed and mid, f"{at:.3f} s of {scene.seconds:.2f}: {where}"


def series_of_kills(scene, rerun, count):
    rng = random.Random(SEED)
    bad, places, n, tries = [], collections.Counter(), 0, 0
    while n < count:
        tries += 1
        if tries > count * TRIES:
            raise Short(f"only {n} of {count} kills of {scene.name} landed in mid-work in {tries} tries")
        history, mid, said = kill_once(scene, rng, aimed=n % 3 == 2)
        if not mid:
            continue
        n += 1
        wrong = scene.judge(history, rerun)
        places[said.split(": ", 1)[1].split(",")[0]] += 1
        scene.line.note(f"kill {n:2} of {scene.name} at {said}{' -> ' + '; '.join(wrong) if wrong else ''}")
        bad += [n] if wrong else []
    scene.line.note(f"landed: {', '.join(f'{k} {v}' for k, v in sorted(places.items()))}; {tries - n} more kills came too early or too late and don't count")
    scene.line.check(f"{scene.name}-kills", f"kills of {scene.name} in mid-work after which the history is readable and a rerun completes it exactly",
                     not bad, f"{n - len(bad)} of {n}", "all")
    scene.line.check(f"{scene.name}-places", f"different places where the kills of {scene.name} landed", len(places) >= 2, len(places), ">= 2")


def crash_points(scene, names):
    """Arms each named point of the commit protocol in turn; the process must die there, and a rerun must complete."""
    bad, died = [], 0
    for name in names:
        history = scene.copy()
        r = forewarn(*scene.command(history), env={"FOREWARN_CRASH_AT": name})
        if r.code >= 0:
            scene.line.note(f"{name}: the process did not die there (exit {r.code})")
            bad.append(name)
            continue
        died += 1
        where, _ = landed(scene, history)
        wrong = scene.judge(history, rerun=True)
        scene.line.note(f"{name}: {where}{' -> ' + '; '.join(wrong) if wrong else ''}")
        bad += [name] if wrong else []
    scene.line.check(f"{scene.name}-points", f"named points of {scene.name} at which dying loses nothing", not bad, f"{len(names) - len(bad)} of {len(names)}", "all")


def import_scene(line):
    """A history that has half of the instances; the other half is being imported."""
    place = line.fresh("import")
    made = fleet.simulate(place / "fleet", INSTANCES, DAYS, SEED, "--start", fleet.START)
    rows = fleet.samples(made)
    ids = sorted(rows["instance_id"].unique())
    first = pl.col("instance_id").is_in(ids[: len(ids) // 3])
    rows.filter(first).write_parquet(place / "first.parquet")
    rows.filter(~first).write_parquet(place / "second.parquet")
    forewarn("import", "--history", place / "history", place / "first.parquet").ok()
    return Scene(line, "import", place / "history", ("import", (), (place / "second.parquet",)), distinct=False)


def compact_scene(line):
    """A history imported in five pieces, with overlaps, so that every day and bucket has several files."""
    place = line.fresh("compact")
    made = fleet.simulate(place / "fleet", INSTANCES, DAYS, SEED, "--start", fleet.START)
    rows = fleet.samples(made)
    for i in range(5):
        rows.gather_every(4, i % 4).slice(i, None).write_parquet(place / f"piece{i}.parquet")
        forewarn("import", "--history", place / "history", place / f"piece{i}.parquet").ok()
    return Scene(line, "compact", place / "history", ("history", ("compact",), ()), distinct=True)


def importing(line, rerun, count=None):
    series_of_kills(import_scene(line), rerun, count or EACH)


def compacting(line):
    scene = compact_scene(line)
    line.check("compacts", "files before and after compacting", len(scene.new) < len(scene.old), f"{len(scene.old)} to {len(scene.new)}", "fewer")
    before, after = judge.known(scene.before), judge.known(scene.done)
    line.check("keeps", "compacting keeps every value that is known, and since when", before == after, f"{before[0]} and {after[0]}", "the same")
    series_of_kills(scene, True, EACH)


def points(line):
    crash_points(import_scene(line), IMPORT_POINTS)
    crash_points(compact_scene(line), COMPACT_POINTS)
