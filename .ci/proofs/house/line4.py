"""Plain words, comments that say something, and nothing new that can be forgotten."""

import re

from proofs import kit
from proofs.house.source import tests
from proofs.kit import run

NUMBER = 4
TITLE = "no left-hand name of the vocabulary, no comment that repeats its item, and a forgotten part of something new is caught"
SABOTAGE = ("names", "a type is called Hands again")


def names(line, root):
    r = run(["python3", kit.ROOT / ".ci/checks/names.py", root])
    line.check("names", "names of the vocabulary's left side", r.code == 0, (r.out.strip().splitlines() or ["-"])[-1], "none")


def prove(line):
    names(line, kit.ROOT)
    r = run(["python3", kit.ROOT / ".ci/checks/comments.py"])
    line.check("comments", "comments whose words are all in their item's name or type", r.code == 0, (r.out.strip().splitlines() or ["-"])[-1], "none")
    text = (kit.ROOT / "CONTRIBUTING.md").read_text().lower()
    missing = [w for w in ("a new action", "a new bus", "a new signal", "a new notice channel", "a new command") if w not in text]
    paths = re.findall(r"`((?:rules|pipeline)/[\w./-]+\.\w+)`", text)
    gone = [p for p in paths if not (kit.ROOT / p).exists()]
    line.check("contributing", f"CONTRIBUTING.md names the files for each new thing ({len(paths)} files)", not missing and not gone and len(paths) >= 10, missing + gone or "all, and they exist", "all")
    r = tests("forewarn", "house::forgotten")
    line.check("forgotten", "a forgotten part of an action, bus, signal or command is caught", r.code == 0 and re.search(r"ok\. [1-9]\d* passed", r.out), (re.findall(r"test result: \w+\. [1-9]\d* passed", r.out) or ["no such test"])[0])


def sabotage(line, broken):
    place = line.fresh("tree")
    (place / "rules/domain/src").mkdir(parents=True)
    (place / "rules/domain/src/lib.rs").write_text("/// Reads.\npub struct Hands;\n" if broken else "/// Reads.\npub struct FactReader;\n")
    names(line, place)
