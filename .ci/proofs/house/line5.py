"""The checks of every change pass within their time, and the program installs as the README says."""

import json
import re

from proofs import kit
from proofs.kit import run

NUMBER = 5
TITLE = ".ci/run is green and cold within an hour; cargo install works"
SABOTAGE = ("install", "the README names a folder without a package")
COLD_SECONDS = 3600


def install(line, folder):
    place = line.fresh("install")
    r = run(["cargo", "install", "--path", folder, "--locked", "--debug", "--offline", "-q", "--root", place], env={"CARGO_TARGET_DIR": kit.TARGET}, timeout=3600)
    there = (place / "bin/forewarn").exists()
    line.check("install", f"cargo install --path {folder}", r.code == 0 and there, "bin/forewarn" if there else r.err.strip()[-200:], "installs `forewarn`")


def prove(line):
    folder = re.search(r"cargo install --path (\S+)", (kit.ROOT / "README.md").read_text())
    install(line, folder[1] if folder else "nowhere")
    told, cold = ci_report("ci-report.json"), ci_report("ci-report-cold.json")
    head = run(["git", "rev-parse", "--short", "HEAD"]).ok().out.strip()
    green = told.get("failed") == "" and told.get("whole") and told.get("commit") == head and not told.get("skipped")
    line.check("ci", f".ci/run at {told.get('commit', 'no commit')}", green, told.get("failed") or f"{told.get('counted', 'not run')}; skipped: {told.get('skipped') or 'nothing'}", f"nothing failed or skipped, at {head}")
    line.note(f"cold: {cold.get('stages', 'no report; run .ci/run into an empty target folder')}")
    whole = cold.get("failed") == "" and cold.get("whole") and not kit.changed_since(cold["commit"])
    line.check("cold", f"seconds of .ci/run into an empty target folder, at {cold.get('commit', 'no commit')}", whole and cold["seconds"] <= COLD_SECONDS, cold.get("seconds", "not run"), f"<= {COLD_SECONDS}, on this code")


def ci_report(name):
    path = kit.TARGET / name
    return json.loads(path.read_text()) if path.exists() else {}


def sabotage(line, broken):
    install(line, "infra" if broken else "pipeline/app")
