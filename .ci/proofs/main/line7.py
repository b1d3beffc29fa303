"""Line 7: bad input is refused in words with exit code 2 and an untouched history; fifty kills lose nothing."""

import datetime as dt
import re

import polars as pl

from proofs import judge, kit
from proofs.kit import Short, forewarn, shared, tree_digest
from proofs.main import kills

NUMBER = 7
TITLE = "bad input, and kill -9 in mid-work"
SABOTAGE = ("import-kills", "the rerun after each kill is left out")
GOOD = "instance_id,metric,ts,value\n"
ROW = "i-0123456789abcdef0,CPUUtilization,{},{}\n"
T = "2026-02-01T00:05:00Z"
RULE = """
[[rule]]
id = "proof_rule"
group = "proof"
signal = "disk"
failure_type = "disk_full"
when = "{when}"
evidence = {evidence}
action = "notify"
why = "only here to be refused"
"""
# What stands in the predicate, or a weight, and what the error must speak of.
RULES = {
    "unknown column": ("disk_nwo > 90", 1.0, r"disk_nwo.*disk_now"),
    "unknown function": ("frobnicate(disk_now) > 90", 1.0, r"frobnicate"),
    "aggregate": ("disk_now > AVG(disk_now)", 1.0, r"avg|aggregate"),
    "window": ("ROW_NUMBER() OVER (ORDER BY disk_now) > 1", 1.0, r"window|row_number"),
    "subquery": ("disk_now > (SELECT 1)", 1.0, r"subquery"),
    "statement": ("disk_now > 90; DROP TABLE self", 1.0, r"statement|drop|;"),
    "negative weight": ("disk_now > 90", -1.0, r"negative"),
}


def csv(place, name, text):
    path = place / name
    path.write_text(text)
    return path


def inputs(place):
    """Makes the bad inputs: {what: (arguments after the history, what the error must speak of)}."""
    place.mkdir()
    good = pl.DataFrame({"instance_id": ["i-0123456789abcdef0"] * 500, "metric": ["CPUUtilization"] * 500,
                         "ts": [dt.datetime(2026, 2, 1, tzinfo=dt.timezone.utc) + dt.timedelta(minutes=5 * i) for i in range(500)], "value": [float(i % 7) for i in range(500)]})
    whole, cut, empty, text, folder = (place / n for n in ("whole.parquet", "cut.parquet", "empty.parquet", "text.parquet", "folder"))
    good.write_parquet(whole)
    cut.write_bytes(whole.read_bytes()[:-200])
    empty.write_bytes(b"")
    good.with_columns(pl.lit("high").alias("value")).write_parquet(text)
    folder.mkdir()
    infinite = csv(place, "infinite.csv", GOOD + ROW.format(T, 1) + ROW.format("2026-02-01T00:10:00Z", "inf"))
    return {
        "missing column": ((csv(place, "column.csv", "instance_id,metric,ts\ni-0123456789abcdef0,CPUUtilization," + T + "\n"),), r"value"),
        "mistyped column": ((text,), r"value"),
        "value that is no number": ((csv(place, "number.csv", GOOD + ROW.format(T, 1) + ROW.format(T, "high")),), r"(line |:)3"),
        "unparsable time": ((csv(place, "time.csv", GOOD + ROW.format("yesterday", 1)),), r"yesterday"),
        "future time": ((csv(place, "future.csv", GOOD + ROW.format("2999-01-01T00:00:00Z", 1)),), r"2999|future"),
        "infinite value": ((infinite,), r"inf|finite"),
        "truncated Parquet": ((cut,), r"parquet"),
        "zero-length Parquet": ((empty,), r"parquet|empty"),
        "directory for a file": ((folder,), r"director|folder"),
        "missing file": ((place / "nowhere.csv",), r"no such file|not found|does not exist|nowhere"),
        "ragged rows": ((csv(place, "ragged.csv", GOOD + ROW.format(T, 1) + "i-0123456789abcdef0,CPUUtilization\n"),), r"(line |:)3"),
        "good file beside a bad one": ((whole, infinite), r"infinite\.csv"),
    }


def refused(line, key, what, r, history, before, pattern, names=""):
    """Checks one refusal: exit code 2, an error that speaks of the cause, a history that is byte for byte what it was."""
    same = tree_digest(history, ignore=("_lock",)) == before
    said = bool(re.search(pattern, r.err, re.S | re.I)) and names in r.err and not re.search(r"panicked|RUST_BACKTRACE", r.err)
    ok = r.code == 2 and said and same and not r.out.strip().startswith("{")
    figure = f"exit {r.code}, {'said' if said else 'not said'}, history {'untouched' if same else 'CHANGED'}"
    line.check(key, what, ok, figure, "exit 2, said, untouched")
    line.note((r.err.strip().splitlines() or ["(nothing on stderr)"])[-1][:240] if ok else r.err.strip()[-700:])


def slug(what):
    return what.lower().replace(" ", "-")


def bad_inputs(line):
    place = line.fresh("bad")
    history = place / "history"
    forewarn("import", "--history", history, "--instance", "i-0123456789abcdef0", "--metric", "CPUUtilization",
             shared("data", "cloudwatch", "ec2_cpu_utilization_5f5533.csv")).ok()
    before = tree_digest(history, ignore=("_lock",))
    for what, (files, pattern) in inputs(place / "files").items():
        r = forewarn("import", "--history", history, *files)
        refused(line, slug(what), f"import: {what}", r, history, before, pattern, files[-1].name)
    r = forewarn("analyze", "--history", history, "--as-of", "2001-01-01T00:00:00Z", "--format", "json")
    refused(line, "as-of", "analyze: an as_of without data", r, history, before, r"2001-01-01")
    r = forewarn("analyze", "--history", history, "--as-of", "soon", "--format", "json")
    refused(line, "as-of-text", "analyze: an as_of that is no time", r, history, before, r"soon")
    r = forewarn("analyze", "--history", place / "nothing", "--as-of", T)
    refused(line, "no-history", "analyze: no history there", r, history, before, r"nothing")
    whole = place / "files" / "whole.parquet"
    for key, where in (("unwritable", "/proc/forewarn"), ("under-a-file", whole / "history")):
        r = forewarn("import", "--history", where, whole)
        refused(line, key, f"import: a history that can't be written ({key})", r, history, before, re.escape(str(where)))
    skipped = forewarn("import", "--history", place / "skipping", "--on-error", "skip", "--format", "json", place / "files" / "number.csv").json()
    counts = [skipped.get(k) for k in ("rows_written", "rows_skipped")]
    line.check("skip", "rows written and skipped with --on-error skip", counts == [1, 1], counts, "[1, 1]")
    rule_sets(line, place, history, before)


def rule_sets(line, place, history, before):
    base = (kit.ROOT / "rules" / "rulesets" / "default.toml").read_text()
    fine = csv(place, "fine.toml", base + RULE.format(when="disk_now > 90", evidence=1.0))
    r = forewarn("rules", "check", fine)
    line.check("rule-fine", "the rule set that the bad ones are made from is accepted", r.code == 0, f"exit {r.code} {r.err.strip()[-200:]}", "exit 0")
    for what, (when, evidence, pattern) in RULES.items():
        file = csv(place, f"{slug(what)}.toml", base + RULE.format(when=when, evidence=evidence))
        at = rf"{re.escape(file.name)}:\d+.*proof_rule.*({pattern})"
        refused(line, f"rule-{slug(what)}", f"rules check: {what}", forewarn("rules", "check", file), history, before, at)
    file = place / "unknown-column.toml"
    r = forewarn("analyze", "--history", history, "--as-of", "2014-02-28T00:00:00Z", "--rules", file)
    refused(line, "rule-analyze", "analyze: the same bad rule set", r, history, before, r"proof_rule", file.name)


def prove(line):
    bad_inputs(line)
    kills.importing(line, rerun=True)
    kills.compacting(line)
    kills.points(line)


def sabotage(line, broken):
    kills.importing(line, rerun=not broken, count=3)
