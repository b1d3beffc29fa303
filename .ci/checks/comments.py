"""Finds doc comments that only repeat their item's name or type, outside `models` and `rules`, where every item is documented.

usage: comments.py [--delete]     prints the places and their count; with --delete the comments go
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Words that say nothing by themselves.
EMPTY = {*"a an the of its it is to in for this that with and by one each s".split()}
# A name's short form, and the words that say the same.
SAME = {
    "id": {"identifier"}, "ids": {"id"}, "arn": {"arn"}, "ms": {"milliseconds"}, "config": {"configuration"}, "len": {"length"},
    "dir": {"directory", "folder"}, "kind": {"what"}, "who": {"person"}, "at": {"when"}, "reason": {"why"}, "why": {"reason"},
    "source": {"why", "cause"}, "count": {"many", "how", "number"}, "ts": {"time", "when"}, "time": {"when"},
    "error": {"why", "failed"},
}  # fmt: skip


def stems(word):
    """Gives a word and what it is without its ending, so that `instances` is `instance`."""
    word = word.lower()
    return {word, word.removesuffix("s"), word.removesuffix("es"), word.removesuffix("'s")}


def words_of(code):
    """Gives the words of the identifiers in a line of code: `InstanceId` is `instance` and `id`."""
    found = set()
    for identifier in re.findall(r"[A-Za-z_][A-Za-z0-9_]*", code):
        for word in re.findall(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])", identifier):
            found |= stems(word)
            for same in SAME.get(word.lower(), ()):
                found |= stems(same)
    return found


def repeats(comment, code):
    """Says whether every word of a comment is in the name or the type."""
    if re.search(r"[`\[\d%]", comment):
        return False
    known = words_of(code)
    words = [w.lower() for w in re.findall(r"[A-Za-z]+(?:'[a-z]+)?", comment)]
    telling = [w for w in words if w not in EMPTY]
    return bool(words) and all(stems(w.removesuffix("'s")) & known for w in telling)


def item_after(lines, at):
    """Gives the line of the item that a comment stands on, attributes passed over, up to where its body begins."""
    depth = 0
    while at < len(lines):
        line = lines[at].strip()
        if depth > 0 or line.startswith("#["):
            depth += line.count("[") - line.count("]")
            at += 1
            continue
        return re.split(r"\{|=(?!>)", line)[0]
    return ""


def faults(text):
    """Yields the line number and the words of each comment of one line that only repeats its item."""
    lines = text.splitlines()
    for i, line in enumerate(lines):
        stripped = line.strip()
        alone = stripped.startswith("/// ") and not (i and lines[i - 1].strip().startswith("///"))
        if not alone or (i + 1 < len(lines) and lines[i + 1].strip().startswith("///")):
            continue
        if repeats(stripped[4:], item_after(lines, i + 1)):
            yield i, stripped


def main():
    count = 0
    for file in sorted((ROOT / "pipeline").rglob("*.rs")):
        text = file.read_text()
        # A derived command line reads its help from the doc comments.
        if re.search(r"derive\([^)]*\b(?:Args|Parser|Subcommand|ValueEnum|JsonSchema)\b", text):
            spared = spared_lines(text)
        else:
            spared = set()
        found = [(i, words) for i, words in faults(text) if i not in spared]
        count += len(found)
        if "--delete" in sys.argv:
            gone = {i for i, _ in found}
            kept = [line for i, line in enumerate(text.splitlines()) if i not in gone]
            if gone:
                file.write_text("\n".join(kept) + "\n")
        else:
            for i, words in found:
                print(f"{file.relative_to(ROOT)}:{i + 1}: {words}")
    print(f"{count} comments that only repeat their item")
    return bool(count)


def spared_lines(text):
    """Gives the lines of items whose comments are data: help texts of the command line, descriptions in JSON Schemas."""
    spared, lines = set(), text.splitlines()
    for i, line in enumerate(lines):
        if re.search(r"\b(?:Args|Parser|Subcommand|ValueEnum|JsonSchema)\b", line) and "derive" in "".join(lines[max(0, i - 3) : i + 1]):
            begin = i
            while begin and lines[begin - 1].strip().startswith(("///", "#[")):
                begin -= 1
            end, depth, opened = i, 0, False
            while end < len(lines):
                depth += lines[end].count("{") - lines[end].count("}")
                opened |= "{" in lines[end]
                if (opened and depth <= 0) or (not opened and lines[end].rstrip().endswith(";")):
                    break
                end += 1
            spared |= set(range(begin, end + 1))
    return spared


if __name__ == "__main__":
    sys.exit(main())
