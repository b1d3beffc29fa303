"""What a critical reading of operation found: each row names what shows that it is mended, and all of it passes."""

import re
import tomllib

from proofs import kit
from proofs.kit import run

NUMBER = 1
TITLE = "the review's table: each row names its test, and all pass"
SABOTAGE = ("rows", "a row loses its entry")
TABLE = "pipeline/app/tests/it/operation.toml"


def table():
    return tomllib.loads((kit.ROOT / TABLE).read_text())


def unshown(told):
    """Gives the ids without an entry, or with one that is open."""
    rows = told["rows"]
    return [i for i in told["ids"] if not rows.get(i) or any(e.startswith("open") for e in rows[i])]


def rows(line, told):
    bad = unshown(told)
    line.check("rows", "rows of the review that name what shows them", not bad, f"{len(told['ids']) - len(bad)} of {len(told['ids'])}{'; open: ' + ' '.join(bad) if bad else ''}", "all")


def prove(line):
    told = table()
    rows(line, told)
    names = sorted({e.split(":")[0].removeprefix("test ") for entries in told["rows"].values() for e in entries if e.startswith("test ")})
    r = run(["cargo", "test", "--workspace", "--locked", "--no-fail-fast", "--", *names], env={"CARGO_TARGET_DIR": kit.TARGET}, timeout=3000)
    passed = {path.split("::")[-1] for path in re.findall(r"^test (\S+) \.\.\. ok$", r.out, re.M)}
    missed = [n for n in names if n not in passed]
    line.check("tests", "tests of the rows that pass", names and not missed, f"{len(names) - len(missed)} of {len(names)}{'; not: ' + ', '.join(missed) if missed else ''}", "all")
    guard = run(["cargo", "test", "--workspace", "--locked", "--test", "it", "checklist::"], env={"CARGO_TARGET_DIR": kit.TARGET}, timeout=3000)
    line.check("guard", "a test fails on a row without an entry", "a_row_without_a_true_entry_is_noticed ... ok" in guard.out and guard.code == 0, "passes" if guard.code == 0 else guard.out[-200:])


def sabotage(line, broken):
    told = table()
    # The untouched table as it will be when every row is shown.
    told["rows"] = {i: [e for e in entries if not e.startswith("open")] or ["test some"] for i, entries in told["rows"].items()}
    if broken:
        told["rows"]["H1"] = []
    rows(line, told)
