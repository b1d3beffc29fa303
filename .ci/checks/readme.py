"""Checks that every command in the documents exists: each `forewarn …` in a fenced block, and each flag that it uses.

usage: readme.py BINARY [FILE…]
"""

import pathlib
import re
import shlex
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
FENCE = re.compile(r"^```(?:sh|console)\n(.*?)^```", re.S | re.M)
WORD = re.compile(r"[a-z][a-z-]*")


def commands(text):
    """Yields the words after `forewarn` of each command in the fenced blocks."""
    for block in FENCE.findall(text):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line.removeprefix("$ "), comments=True)
            if words[:1] == ["forewarn"]:
                yield words[1:]
            elif words[:2] == ["cargo", "run"] and "--" in words:
                yield words[words.index("--") + 1 :]


def help_of(binary, words):
    r = subprocess.run([binary, *words, "--help"], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    return r.stdout if r.returncode == 0 else None


def main():
    binary, files = sys.argv[1], [pathlib.Path(f) for f in sys.argv[2:]] or [ROOT / "README.md"]
    checked, faults = 0, []
    for file in files:
        for words in commands(file.read_text()):
            checked += 1
            path, said = [], help_of(binary, [])
            for w in words:
                deeper = help_of(binary, [*path, w]) if WORD.fullmatch(w) and re.search(rf"^\s+{re.escape(w)}\b", said or "", re.M) else None
                if deeper is None:
                    break
                path, said = [*path, w], deeper
            shown = f"{file.name}: forewarn {' '.join(words)}"
            if len(path) < len(words) and not words[len(path)].startswith("-") and (not path or "\nCommands:" in (said or "")):
                faults.append(f"{shown}: there is no command {' '.join(words[: len(path) + 1])}")
            for flag in (w.split("=")[0] for w in words if w.startswith("--")):
                if not re.search(rf"(?<![\w-]){re.escape(flag)}(?![\w-])", said or ""):
                    faults.append(f"{shown}: no flag {flag}")
    for f in faults:
        print(f)
    print(f"{checked} commands in {', '.join(f.name for f in files)}, {len(faults)} faults")
    return bool(faults) or not checked


sys.exit(main())
