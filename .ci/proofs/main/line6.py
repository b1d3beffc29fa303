"""Line 6: speed and memory against DuckDB on the same files, by processor time, interleaved."""

import json
import re
import shlex

from proofs import judge, kit
from proofs.kit import Short, forewarn, run, shared

NUMBER = 6
TITLE = "speed and memory beside DuckDB, and import"
SABOTAGE = ("small", "DuckDB reads only one of the sixteen buckets")
LARGE, SMALL, RUNS = 1000, 200, 5
AS_OF = "2026-07-08T00:00:00Z"  # where gen.py's week ends
RATIO, PEAK, FLAT, IMPORT_RATE = 0.25, 250, 1.2, 2e6
# Two threads beside one, by wall time.
TWO_THREADS = 0.58


def input_fleet(n):
    """Makes gen.py's fleet once."""
    def make(place):
        r = run([kit.PYTHON, shared("bench", "gen.py"), n, place / "fleet.parquet"], timeout=3600).ok()
        (place / "said.txt").write_text(r.out)
    place = kit.cached(f"gen-{n}", make)
    rows = int(re.search(r"(\d+) rows", (place / "said.txt").read_text())[1])
    return place / "fleet.parquet", rows


def imported(line, n):
    """Imports the fleet, measured; gives the history and the import's figures."""
    source, rows = input_fleet(n)
    history = line.fresh(f"h{n}")
    r = forewarn("import", "--history", history, source, "--format", "json", timeout=3600)
    written = r.json().get("rows_written")
    if written != rows:
        raise Short(f"import of {n} instances wrote {written} rows of {rows}")
    size = sum(f.stat().st_size for f in history.rglob("*.parquet")) / 1e6
    line.note(f"import of {n} instances: {rows} rows, {r.cpu:.1f} CPU-s, {r.wall:.1f} s, {r.peak:.0f} MiB; history {size:.0f} MB")
    return history, rows, r


def command(history):
    return [kit.binary(), "analyze", "--history", history, "--as-of", AS_OF, "--all", "--format", "json"]


def versus(line, history, runs=RUNS, files="**/*.parquet"):
    """Runs DuckDB and analyze in turn with the project's yardstick; gives (cpu ratio, wall ratio, peak of analyze in MiB)."""
    glob = f"{history}/metrics/{files}"
    if not any(history.glob(f"metrics/{files}")):
        raise Short(f"no file matches {glob}")
    a = shlex.join([kit.PYTHON, str(shared("bench", "peers.py")), "duckdb", glob])
    r = run([kit.PYTHON, shared("bench", "versus.py"), "-n", runs, a, shlex.join(map(str, command(history)))], timeout=3600).ok()
    line.note(r.out)
    ratios = [float(x) for x in re.findall(r"B/A ([\d.]+)", r.out)]
    peak = re.search(r"peak .*B (\d+) MiB", r.out)
    if len(ratios) != 2 or not peak:
        raise Short(f"versus.py printed no ratios: {r.out!r}")
    return (*ratios, float(peak[1]))


def threads(line, command):
    """Runs a command on one and on two threads in turn; gives the ratio of wall times."""
    one, two = (shlex.join([*map(str, command), "--threads", n]) for n in "12")
    r = run([kit.PYTHON, shared("bench", "versus.py"), "-n", RUNS, one, two], timeout=3600).ok()
    line.note(r.out)
    return float(re.search(r"wall .*B/A ([\d.]+)", r.out)[1])


def answers_right(line, history, n):
    """The measured command must have done its work: one prediction for each instance, from all of its rows."""
    answer = run(command(history)).json()
    ids = {p["instance_id"] for p in answer["predictions"]}
    want = {i for (i,) in judge.db().execute(f"SELECT DISTINCT instance_id FROM {judge.metrics(history)}").fetchall()}
    unassessable = sum(p["confidence"] == "unassessable" for p in answer["predictions"])
    line.check("answers", "the measured command answers for every instance", ids == want and len(ids) == n and unassessable == 0,
               f"{len(ids)} of {n}, {unassessable} unassessable", "all")


def prove(line):
    large, rows, big = imported(line, LARGE)
    small, _, little = imported(line, SMALL)
    answers_right(line, large, LARGE)
    cpu, wall, peak = versus(line, large)
    line.note(f"wall ratio {wall:.2f}")
    line.check("cpu", f"processor time of analyze beside DuckDB's, {LARGE} instances, median of {RUNS}", cpu <= RATIO, f"{cpu:.2f}", f"<= {RATIO}")
    ratio = threads(line, command(large))
    line.check("threads", "wall time of two threads beside one", ratio <= TWO_THREADS, f"{ratio:.2f}", f"<= {TWO_THREADS}")
    line.check("peak", f"peak memory of analyze, {LARGE} instances", peak <= PEAK, f"{peak:.0f} MiB", f"<= {PEAK} MiB")
    few = run(command(small)).ok().peak
    line.check("flat", f"peak memory of analyze at {LARGE} beside {SMALL} instances", peak <= FLAT * few, f"{peak:.0f} / {few:.0f} = {peak / few:.2f}", f"<= {FLAT}")
    rate = rows / big.cpu
    line.check("import", "rows imported in a second of processor time", rate >= IMPORT_RATE, f"{rate / 1e6:.2f} M", f">= {IMPORT_RATE / 1e6:.0f} M")
    line.check("import-flat", f"peak memory of import at {LARGE} beside {SMALL} instances", big.peak <= FLAT * little.peak,
               f"{big.peak:.0f} / {little.peak:.0f} = {big.peak / little.peak:.2f}", f"<= {FLAT}")
    benches(line)


def benches(line):
    """Runs every kernel bench once; each must have something to run."""
    meta = json.loads(run(["cargo", "metadata", "--format-version", "1", "--no-deps", "--locked"]).ok().out)
    found = [(p["name"], t["name"]) for p in meta["packages"] for t in p["targets"] if "bench" in t["kind"]]
    ran = 0
    for package, bench in found:
        r = run(["cargo", "bench", "-p", package, "--no-default-features", "--bench", bench, "--", "--test"], env={"CARGO_TARGET_DIR": kit.TARGET}, timeout=3600)
        ran += r.code == 0
        if r.code:
            line.note(f"{package} {bench}: {r.err[-400:]}")
    line.check("benches", "kernel benches that run", found and ran == len(found), f"{ran} of {len(found)} {[b for _, b in found] or ''}", "all, at least 1")


def sabotage(line, broken):
    history, _, _ = imported(line, SMALL)
    cpu, _, _ = versus(line, history, 3, "*/bucket=00/*.parquet" if broken else "**/*.parquet")
    line.check("small", f"processor time of analyze beside DuckDB's, {SMALL} instances", cpu <= RATIO, f"{cpu:.2f}", f"<= {RATIO}")
