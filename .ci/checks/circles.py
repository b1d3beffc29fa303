"""Lists circles of files within a crate: files that use each other by `crate::…` or `super::…`, directly or over others.

A parent and what lies below it may know each other: a use from a file to one of its ancestors or descendants makes no circle. Tests are not read.

usage: circles.py [CRATE-FOLDER …]
"""

import pathlib
import re
import sys
import tomllib

ROOT = pathlib.Path(__file__).resolve().parents[2]
USE = re.compile(r"\buse\s+((?:crate|super|self)::[^;]+);")
PATH = re.compile(r"\b((?:crate|super)(?:::\w+)+)")
COMMENT = re.compile(r"//[^\n]*")
STRING = re.compile(r'"(?:\\.|[^"\\])*"')
TESTS = re.compile(r"^#\[cfg\((?:all\()?test\b[^\n]*\n(?:#\[[^\n]*\n)*(?:pub\S* )?mod \w+ \{.*", re.S | re.M)


def spread(tree):
    """Yields every path of a use tree: `a::{b, c::d}` is `a::b` and `a::c::d`."""
    tree = re.sub(r"\s+", " ", tree).strip()
    at = tree.find("{")
    if at < 0:
        yield tree.split(" as ")[0].strip()
        return
    head, depth, begin = tree[:at], 0, at + 1
    for i in range(at, len(tree)):
        depth += {"{": 1, "}": -1}.get(tree[i], 0)
        if (tree[i] == "," and depth == 1) or (tree[i] == "}" and depth == 0):
            if part := tree[begin:i].strip():
                yield from spread(head + part)
            begin = i + 1


def modules_of(source):
    """Gives the text of each module by its path, `()` for the crate itself."""
    found = {}
    for file in sorted(source.rglob("*.rs")):
        parts = file.relative_to(source).with_suffix("").parts
        if "tests" in parts or parts == ("main",):
            continue
        text = TESTS.sub("", STRING.sub('""', COMMENT.sub("", file.read_text())))
        found[() if parts == ("lib",) else parts] = text
    return found


def paths(text):
    for tree in USE.findall(text):
        yield from spread(tree)
    yield from PATH.findall(USE.sub("", text))


def reexports(modules):
    """Gives where a module's re-exported names come from: {(module, name): path}."""
    found = {}
    for module, text in modules.items():
        for tree in re.findall(r"\bpub(?:\([^)]*\))?\s+use\s+([^;]+);", text):
            for path in spread(tree):
                whole = absolute(module, path, modules)
                if whole:
                    found[(module, whole[-1])] = whole
    return found


def absolute(module, path, modules):
    parts = path.split("::")
    base = list(module)
    if parts[0] == "crate":
        base, parts = [], parts[1:]
    elif parts[0] in ("self", "super"):
        while parts and parts[0] in ("self", "super"):
            if parts.pop(0) == "super":
                base = base[:-1]
    elif (*module, parts[0]) not in modules:
        return None
    return (*base, *parts)


def home(whole, modules, moved, seen=()):
    """Gives the module that a path's item is written in, re-exports followed."""
    for end in range(len(whole), -1, -1):
        if whole[:end] in modules:
            there = whole[:end]
            break
    if len(whole) > len(there) and (there, whole[len(there)]) in moved and whole not in seen:
        further = moved[(there, whole[len(there)])] + whole[len(there) + 1 :]
        return home(further, modules, moved, (*seen, whole))
    return there


def related(a, b):
    return a[: len(b)] == b or b[: len(a)] == a


def edges_of(modules):
    moved = reexports(modules)
    edges = {m: set() for m in modules}
    for module, text in modules.items():
        for path in paths(text):
            whole = absolute(module, path, modules)
            if whole is None:
                continue
            there = home(whole, modules, moved)
            if not related(module, there):
                edges[module].add(there)
    return edges


def components(edges):
    """Tarjan's strongly connected components with more than one member."""
    index, low, stack, found = {}, {}, [], []

    def visit(v):
        index[v] = low[v] = len(index)
        stack.append(v)
        for w in sorted(edges[v]):
            if w not in index:
                visit(w)
                low[v] = min(low[v], low[w])
            elif w in stack:
                low[v] = min(low[v], index[w])
        if low[v] == index[v]:
            at = stack.index(v)
            if len(stack) - at > 1:
                found.append(sorted(stack[at:]))
            del stack[at:]

    for v in sorted(edges):
        if v not in index:
            visit(v)
    return found


def main():
    workspace = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["members"]
    sys.setrecursionlimit(10_000)
    count = 0
    for folder in sys.argv[1:] or workspace:
        edges = edges_of(modules_of(ROOT / folder / "src"))
        for group in components(edges):
            count += 1
            print(f"{folder}: a circle of {len(group)} files")
            for a in group:
                for b in sorted(edges[a] & set(group)):
                    print(f"    {'/'.join(a) or 'lib'} uses {'/'.join(b) or 'lib'}")
    print(f"{count} circles")
    return bool(count)


if __name__ == "__main__":
    sys.exit(main())
