"""What every proof needs: places, the binary, checks with a figure and a bar, and the sabotage run."""

import dataclasses
import hashlib
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
import traceback

from checks.unused_deps import of_tests

ROOT = pathlib.Path(__file__).resolve().parents[2]
TARGET = pathlib.Path(os.environ["CARGO_TARGET_DIR"]).resolve()
SHARED = pathlib.Path(os.environ.get("FOREWARN_SHARED", ROOT.parent / "shared")).resolve()
CACHE = TARGET / "proof-cache"
PYTHON = sys.executable
MEASURE = pathlib.Path(__file__).with_name("measure.py")
# Settings of whoever runs the proof must not decide how it ends.
CLEAN = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "FOREWARN_"))} | {"NO_COLOR": "1", "COLUMNS": "200", "TZ": "UTC"}


class Short(Exception):
    """A line can't go on; the message is what falls short."""


@dataclasses.dataclass
class Ran:
    """A finished command."""

    args: list
    code: int
    out: str
    err: str
    wall: float
    cpu: float
    peak: float

    def ok(self):
        if self.code != 0:
            raise Short(f"exit {self.code} of `{' '.join(map(str, self.args))}`: {self.err.strip()[-600:] or self.out.strip()[-300:]}")
        return self

    def json(self):
        self.ok()
        try:
            return json.loads(self.out)
        except ValueError as e:
            raise Short(f"`{' '.join(map(str, self.args))}` printed no JSON document ({e}): {self.out[:200]!r}") from e


def run(args, env=None, cwd=None, timeout=1800):
    """Runs a command without standard input, and measures it."""
    args = [str(a) for a in args]
    with tempfile.TemporaryDirectory(prefix="proof-run-") as d:
        d = pathlib.Path(d)
        out, err, result = d / "out", d / "err", d / "result"
        subprocess.run(
            [PYTHON, "-I", "-S", str(MEASURE), str(result), str(timeout), str(out), str(err), *args],
            env=CLEAN | {k: str(v) for k, v in (env or {}).items()}, cwd=cwd or ROOT, stdin=subprocess.DEVNULL, check=True,
        )
        m = json.loads(result.read_text())
        read = lambda f: f.read_text(errors="replace") if f.exists() else ""
        text = read(err) + (f"\n(stopped after {timeout} s)" if m["timed_out"] else "")
        return Ran(args, m["code"], read(out), text, m["wall"], m["cpu"], m["peak"])


# Where the binary that is proved is built: `release`, or `debug` where a proof is about what is done and not how quickly.
FOLDER = "release"


def first_command():
    """Gives the README's first command, as arguments."""
    return shlex.split(re.search(r"^cargo run .*$", (ROOT / "README.md").read_text(), re.M)[0])


def changed_since(commit):
    """Says whether code changed since a commit, which has to be in this clone. What only the tests of the rooms use is in no program that
    is proved, and `.ci/run` runs them; the tests of models and rules are part of proofs."""
    tests = [":!pipeline/*/tests/*", ":!pipeline/lab/testkit/src/*"]
    if run(["git", "diff", "--quiet", commit, "HEAD", "--", "*.rs", "*.toml", ":!*Cargo.toml", "Cargo.lock", *tests]).code:
        return True
    changed = run(["git", "diff", "--name-only", commit, "HEAD", "--", "*Cargo.toml"]).ok().out.split()
    return any(manifest(commit, path) != manifest("HEAD", path) for path in changed)


def manifest(commit, path):
    """Gives a Cargo.toml of a commit without what only tests use and the features of that; none where it is not there."""
    r = run(["git", "show", f"{commit}:{path}"])
    if r.code:
        return None
    told = tomllib.loads(r.out)
    for feature, asked in list(of_tests(told)):
        told["features"][feature].remove(asked)
    told.pop("dev-dependencies", None)
    return told


def binary():
    path = TARGET / FOLDER / "forewarn"
    if not path.exists():
        raise Short(f"{path} is missing: the build failed")
    return path


def forewarn(*args, env=None, cwd=None, timeout=1800):
    """Runs the binary."""
    return run([binary(), *args], env=env, cwd=cwd, timeout=timeout)


def shared(*parts):
    """Finds a file of the project's shared folder."""
    path = SHARED.joinpath(*parts)
    if not path.exists():
        raise Short(f"{path} is missing (set FOREWARN_SHARED to the folder that holds bench/ and data/)")
    return path


def tree_digest(*places, ignore=()):
    """Gives {relative path: SHA-256} of every file below the places."""
    found = {}
    for place in map(pathlib.Path, places):
        for f in [place] if place.is_file() else sorted(place.rglob("*")):
            if f.is_file() and not any(str(f).endswith(i) for i in ignore):
                found[f"{place.name}/{f.relative_to(place)}"] = hashlib.sha256(f.read_bytes()).hexdigest()
    return found


def cached(key, make):
    """Makes a folder once for a key: `make(folder)`; it appears whole or not at all."""
    place = CACHE / key
    if not place.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        fresh = pathlib.Path(tempfile.mkdtemp(prefix=f".{key}-", dir=CACHE))
        try:
            make(fresh)
            fresh.rename(place)
        except BaseException:
            shutil.rmtree(fresh, ignore_errors=True)
            raise
    return place


class Line:
    """One line of an issue's list while it is checked."""

    def __init__(self, number, work, sink, label=""):
        self.number, self.work, self.sink, self.label = number, work, sink, label
        self.results, self.figures = {}, {}

    def note(self, text):
        for part in str(text).rstrip().splitlines():
            self.sink(f"       {part}")

    def check(self, key, what, holds, figure, bar=""):
        """Records one figure against its bar."""
        self.results[key], self.figures[key] = bool(holds), str(figure)
        verdict = "holds" if holds else "falls short"
        self.sink(f"line {self.number}.{key}{self.label} {what}: {figure} {f'({bar}) ' if bar else ''}{verdict}")
        return bool(holds)

    def fresh(self, name):
        """Makes an empty folder for this line."""
        place = self.work / f"line{self.number}" / name
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        return place


class Proof:
    """Runs the lines and sums up."""

    def __init__(self, name, sabotage, warm, features=("--no-default-features",)):
        self.name, self.sabotage, self.warm, self.features = name, sabotage, warm, features
        self.work = TARGET / "proof" / name
        self.short, self.held = [], 0

    def say(self, text):
        print(text, flush=True)

    def build(self, features):
        begun = time.time()
        # The tests' own build: its features and artifacts are those of `cargo test`, so nothing is built twice.
        args = ["cargo", "build", "--release", *features, "-p", "forewarn"] if FOLDER == "release" else ["cargo", "test", "--workspace", "--no-run"]
        r = run([*args, "--locked"], env={"CARGO_TARGET_DIR": TARGET}, timeout=3600)
        self.say(f"built the {FOLDER} binary in {time.time() - begun:.0f} s")
        if r.code:
            self.say(r.err[-3000:])
        return r.code == 0

    def guarded(self, line, work):
        """Runs part of a line; whatever stops it is a check that falls short."""
        try:
            work()
        except Short as e:
            line.check("stopped", "could not go on", False, e)
        except Exception as e:  # noqa: BLE001 - a surprise in the proof itself must not read as success
            line.check("stopped", "the proof broke", False, f"{type(e).__name__}: {e}")
            line.note(traceback.format_exc())

    def run(self, modules, only):
        begun = time.time()
        commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout.strip()
        dirty = bool(subprocess.run(["git", "status", "--porcelain"], cwd=ROOT, capture_output=True, text=True).stdout)
        narrowed = set(filter(None, os.environ.get("FOREWARN_PROOF_ACTIONS", "").split(",")))
        self.say(f"prove {self.name}{' --sabotage' if self.sabotage else ''} at {commit or 'no commit'}{' with uncommitted changes' if dirty else ''}")
        todo = [m for m in modules if not only or m.NUMBER in only]
        if self.warm or self.sabotage or all(not hasattr(m, "cold") for m in todo):
            cold = []
        else:
            cold = [m for m in todo if hasattr(m, "cold")]
        lines = {m.NUMBER: Line(m.NUMBER, self.work, self.say) for m in todo}
        for m in cold:
            self.guarded(lines[m.NUMBER], lambda m=m: m.cold(lines[m.NUMBER]))
        if not self.build(self.features):
            self.say(f"prove {self.name}: 0 hold, 1 falls short: the binary doesn't build")
            return 1
        for m in todo:
            t = time.time()
            self.say(f"-- line {m.NUMBER}: {m.TITLE}")
            if self.sabotage:
                self.sabotaged(m)
            else:
                self.guarded(lines[m.NUMBER], lambda m=m: m.prove(lines[m.NUMBER]))
                self.tally(lines[m.NUMBER])
            if not (self.sabotage or dirty or self.warm and hasattr(m, "cold")):
                self.report(commit, lines[m.NUMBER], narrowed)
            self.say(f"   ({time.time() - t:.0f} s)")
        left_out = "; the cold build was left out (--warm)" if self.warm and not self.sabotage and any(hasattr(m, "cold") for m in todo) else ""
        left_out += f"; only lines {', '.join(str(m.NUMBER) for m in todo)}" if only else ""
        word = "sabotages are noticed" if self.sabotage else "hold"
        miss = ("goes unnoticed" if self.sabotage else "falls short") if len(self.short) == 1 else ("go unnoticed" if self.sabotage else "fall short")
        self.say(f"prove {self.name}: {self.held} {word}, {len(self.short)} {miss}{': ' + ', '.join(self.short) if self.short else ''}{left_out} ({time.time() - begun:.0f} s)")
        return 1 if self.short or not self.held else 0

    def report(self, commit, line, narrowed):
        """Leaves a line's figures beside what it made, with the commit, for whoever asks later. Other lines' stay; of a line that ran
        for a part of its cases, only the figures of these cases are taken, and only beside others of the same code."""
        path = self.work / "report.json"
        told = json.loads(path.read_text()) if path.exists() else {}
        known = told.get(str(line.number), {})
        if narrowed and (not known or changed_since(known["commit"])):
            return
        taken = {k: holds for k, holds in line.results.items() if not narrowed or k in narrowed}
        figures = (known["figures"] if narrowed else {}) | {k: line.figures[k] for k in taken}
        short = [k for k in known["short"] if k not in taken] if narrowed else []
        short += [k for k, holds in taken.items() if not holds]
        commit = known["commit"] if narrowed else commit
        told[str(line.number)] = {"commit": commit, "seed": os.environ.get("PROOF_SEED"), "short": short, "figures": figures}
        self.work.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(told, indent=1))

    def tally(self, line):
        if not line.results:
            line.check("none", "no figure was taken", False, "-")
        for key, holds in line.results.items():
            if holds:
                self.held += 1
            else:
                self.short.append(f"{line.number}.{key}")

    def sabotaged(self, m):
        """Runs a line's sabotage twice, untouched and broken: the named check must hold first and then fall short."""
        key, what = m.SABOTAGE
        runs = []
        for broken, label in ((False, " [untouched]"), (True, " [broken]")):
            if broken:
                self.say(f"   broken on purpose: {what}")
            line = Line(m.NUMBER, self.work, self.say, label)
            self.guarded(line, lambda line=line, broken=broken: m.sabotage(line, broken))
            runs.append(line.results.get(key))
        noticed = runs == [True, False]
        self.say(f"line {m.NUMBER}.{key} sabotage: untouched {runs[0]}, broken {runs[1]}: {'noticed' if noticed else 'NOT SHOWN'}")
        if noticed:
            self.held += 1
        else:
            self.short.append(f"{m.NUMBER}.{key}")
