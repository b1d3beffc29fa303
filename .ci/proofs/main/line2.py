"""Line 2: real input is imported to the row, read by other programs, analysed, and explained."""

import datetime as dt

import pyarrow.dataset as ds
import pyarrow.parquet as pq

from proofs import judge
from proofs.kit import Short, forewarn, shared
from proofs.main.fleet import iso, stamp

NUMBER = 2
TITLE = "real input: exact counts, readable by others, signals by --map, one explanation read"
SABOTAGE = ("duckdb", "one row is taken out of one file of the history")
INSTANCE, CSV, CSV_ROWS, SERVER_ROWS = "i-0123456789abcdef0", "ec2_cpu_utilization_5f5533.csv", 4_032, 738_720
AS_OF = "2026-02-15T00:00:00Z"
MAPPED = ("cpu", "memory", "iowait")
# The servers' values are scaled to 0..1, so the levels are too.
SCALED = {
    "CPU_UTILIZATION_WARNING": 0.85, "CPU_UTILIZATION_CRITICAL": 0.95, "MEMORY_SATURATION_WARNING": 0.85,
    "MEMORY_SATURATION_CRITICAL": 0.95, "IOWAIT_WARNING": 0.85, "IOWAIT_CRITICAL": 0.95,
}


def import_both(line):
    """Imports the real series and the real servers; gives the history and the servers' report."""
    history = line.fresh("history")
    reports = []
    for what, want, args in (
        ("csv", CSV_ROWS, ("--instance", INSTANCE, "--metric", "CPUUtilization", shared("data", "cloudwatch", CSV))),
        ("servers", SERVER_ROWS, (shared("data", "servers", "metrics.parquet"),)),
    ):
        report = forewarn("import", "--history", history, *args, "--format", "json").json()
        got = [report.get(k) for k in ("rows_read", "rows_written", "rows_skipped")]
        line.check(what, f"rows read, written and skipped by the import of {args[-1].name}", got == [want, want, 0], " ".join(map(str, got)), f"{want} {want} 0")
        reports.append(report)
    return history, reports[1]


def others_read(line, history):
    """Reads the history with DuckDB and pyarrow, knowing only what is documented."""
    want = CSV_ROWS + SERVER_ROWS
    described = judge.db().execute(f"DESCRIBE SELECT * FROM {judge.metrics(history)}").fetchall()
    types = {name: kind for name, kind, *_ in described}
    line.check("duckdb", "rows that DuckDB reads, in the documented columns", judge.rows(history) == want and types == judge.COLUMNS,
               f"{judge.rows(history)} rows, {sum(types.get(k) == v for k, v in judge.COLUMNS.items())} of {len(judge.COLUMNS)} columns", want)
    files = sorted(history.glob("metrics/date=*/bucket=*/*.parquet"))
    table = ds.dataset([str(f) for f in files], format="parquet").to_table() if files else None
    got = table.num_rows if table else 0
    line.check("pyarrow", "rows that pyarrow reads, in the documented columns", got == want and table.column_names == list(judge.COLUMNS), got, want)
    return files


def prove(line):
    history, report = import_both(line)
    others_read(line, history)
    v = forewarn("history", "verify", "--history", history)
    line.check("verify", "`history verify` finds no fault", v.code == 0, f"exit {v.code} {v.err.strip()[-200:]}", "exit 0")
    stats = forewarn("history", "stats", "--history", history)
    line.check("stats", "`history stats` answers", stats.code == 0 and stats.out.strip(), f"exit {stats.code}, {len(stats.out.splitlines())} lines", "exit 0")

    names = {f"metric_{i:02}" for i in range(19)}
    unused = {u if isinstance(u, str) else u.get("metric") for u in report.get("unused_metrics", [])}
    kept = {m for (m,) in judge.db().execute(f"SELECT DISTINCT metric FROM {judge.metrics(history)}").fetchall()}
    line.check("unused", "metrics that no signal uses, named and kept", names <= unused and names <= kept,
               f"{len(names & unused)} named, {len(names & kept)} kept", "19 and 19")
    answer = forewarn("analyze", "--history", history, "--as-of", AS_OF, "--format", "json").json()
    ids = {p["instance_id"] for p in answer.get("predictions", [])}
    whole = set(answer) == {"as_of", "ruleset", "predictions"} and stamp(answer["as_of"]) == stamp(AS_OF)
    line.check("analyze", f"`analyze --as-of {AS_OF} --format json` answers {{as_of, ruleset, predictions}}", whole,
               f"{', '.join(sorted(answer))}; {len(ids)} listed", "as_of, predictions, ruleset")
    faults = [f for p in answer["predictions"] for f in judge.prediction_faults(p)]
    line.check("fields", "faults in the predictions' fields", not faults, f"{len(faults)} {faults[:2] or ''}", "0")
    mapped(line)


def busiest():
    """Finds, with DuckDB, the metrics with the worst six hours on a server: [(metric, instance, end of these hours)]."""
    path = shared("data", "servers", "metrics.parquet")
    got = judge.db().execute(f"""
        SELECT metric, arg_max(instance_id, m), max_by(epoch_ms(h + INTERVAL 6 HOUR), m), max(m) top FROM (
          SELECT metric, instance_id, time_bucket(INTERVAL 6 HOUR, ts) h, median(value) m FROM '{path}'
          WHERE ts >= TIMESTAMPTZ '2026-01-13 00:00:00+00' GROUP BY ALL)
        GROUP BY metric ORDER BY top DESC, metric LIMIT {len(MAPPED)}""").fetchall()
    return [(metric, instance, iso(dt.datetime.fromtimestamp(end / 1000, dt.timezone.utc))) for metric, instance, end, _ in got]


def mapped(line):
    """Maps three unnamed metrics to signals; at each one's worst time something must fire, and one explanation is printed."""
    worst = busiest()
    history = line.fresh("mapped")
    maps = [x for (metric, *_), signal in zip(worst, MAPPED) for x in ("--map", f"{metric}={signal}")]
    forewarn("import", "--history", history, *maps, shared("data", "servers", "metrics.parquet")).ok()
    line.note(" ".join(maps))
    fired, explained = 0, None
    for (metric, instance, end), signal in zip(worst, MAPPED):
        answer = forewarn("analyze", "--history", history, "--as-of", end, "--format", "json", "--all", env=SCALED).json()
        mine = [p for p in answer["predictions"] if p["instance_id"] == instance]
        factors = [f for p in mine for f in p["factors"] if f["signal"] == signal and f["evidence"] > 0]
        fired += bool(factors)
        line.note(f"{metric} as {signal}, {instance} at {end}: {mine[0]['confidence'] if mine else 'not listed'}; {factors[0]['text'] if factors else 'no factor'}")
        if factors and not explained:
            explained = (instance, end)
    line.check("map", "mapped signals that fire at their worst time on a real server", fired > 0, f"{fired} of {len(worst)}", ">= 1")
    if not explained:
        raise Short("nothing fired, so there is nothing to explain")
    r = forewarn("rules", "explain", explained[0], "--as-of", explained[1], "--history", history, env=SCALED)
    words = r.out.lower()
    line.check("explain", "an explanation in words, naming the instance and its hazards", r.code == 0 and explained[0] in r.out and "hazard" in words,
               f"exit {r.code}, {len(r.out.split())} words", "exit 0")
    line.note(r.out[:3000])


def sabotage(line, broken):
    history, _ = import_both(line)
    if broken:
        file = sorted(history.glob("metrics/**/*.parquet"))[0]
        table = pq.read_table(file)
        pq.write_table(table.slice(1), file)
    others_read(line, history)
