"""Finds dependencies in a member's Cargo.toml whose name never stands in the member's sources, and those that only its tests use.

A dependency that is there for its features alone is named in `FOR_FEATURES`. A package with a program has no feature that asks for one of
what only its tests use: `cargo install` leaves these out, and then refuses the feature.
"""

import pathlib
import re
import sys
import tomllib

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOR_FEATURES = {}


def tables(manifest):
    """Yields the kind of each table of dependencies and its names, those of `[target.…]` included."""
    for kind in ("dependencies", "dev-dependencies", "build-dependencies"):
        yield kind, list(manifest.get(kind, {}))
    for target in manifest.get("target", {}).values():
        yield from tables(target)


def text_of(folder, parts):
    """Gives the code below some parts of a member, comments left out."""
    found = []
    for part in parts:
        path = folder / part
        files = sorted(path.rglob("*.rs")) if path.is_dir() else [path] if path.exists() else []
        found += [re.sub(r"^\s*//(?![/!]).*$", "", f.read_text(), flags=re.M) for f in files]
    return "\n".join(found)


def used(name, text):
    return re.search(rf"\b{name.replace('-', '_')}(?:::|;|\s*!|\b\s+as\b)|\b{name.replace('-', '_')}\)", text)


def of_tests(manifest):
    """Yields each feature with what it asks of a dependency that only tests have."""
    own = {name for kind, names in tables(manifest) if kind != "dev-dependencies" for name in names}
    only_tests = {name for kind, names in tables(manifest) if kind == "dev-dependencies" for name in names} - own
    for name, asked in manifest.get("features", {}).items():
        yield from ((name, on) for on in asked if on.split("/")[0] in only_tests)


def main():
    faults, count = [], 0
    workspace = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]
    known = set()
    for member in workspace["members"]:
        folder = ROOT / member
        manifest = tomllib.loads((folder / "Cargo.toml").read_text())
        code, every = text_of(folder, ["src"]), text_of(folder, ["src", "tests", "benches", "examples"])
        for kind, names in tables(manifest):
            known |= set(names)
            for name in names:
                count += 1
                where = {"dependencies": code, "dev-dependencies": every}.get(kind) or text_of(folder, ["build.rs"])
                if name not in FOR_FEATURES.get(member, ()) and not used(name, where):
                    faults.append(f"{member}: {name} of [{kind}] is not used")
        if (folder / "src/main.rs").exists():
            faults += [f"{member}: the feature {name} asks for {on}, which `cargo install` refuses" for name, on in of_tests(manifest)]
    faults += [f"Cargo.toml: {name} is no member's dependency" for name in sorted(set(workspace["dependencies"]) - known)]
    for fault in faults:
        print(fault)
    print(f"{count} dependencies, {len(faults)} faults")
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
