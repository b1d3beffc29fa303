"""Checks what we build on, from `cargo metadata` alone: licences, sources, and which member may reach AWS.

The same rules stand in deny.toml for cargo-deny, which says more but has to be built first.
"""

import json
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
PLATFORM = "x86_64-unknown-linux-gnu"
REGISTRY = "registry+https://github.com/rust-lang/crates.io-index"


def satisfied(expression, allowed):
    """Says whether an SPDX expression can be met with allowed licences; AND binds more tightly than OR, as SPDX has it."""
    tokens = re.findall(r"\(|\)|[^\s()]+", expression.replace("/", " OR "))

    def either():
        ok = both()
        while tokens and tokens[0] == "OR":
            tokens.pop(0)
            ok = both() or ok
        return ok

    def both():
        ok = one()
        while tokens and tokens[0] == "AND":
            tokens.pop(0)
            ok = one() and ok
        return ok

    def one():
        t = tokens.pop(0)
        if t == "(":
            ok = either()
            tokens.pop(0)
            return ok
        if tokens and tokens[0] == "WITH":
            tokens.pop(0)
            t += " WITH " + tokens.pop(0)
        return t in allowed

    return either()


def below_pipeline(package):
    return pathlib.Path(package["manifest_path"]).resolve().is_relative_to(ROOT / "pipeline")


def main():
    listed = re.search(r"^allow = \[(.*?)\]", (ROOT / "deny.toml").read_text(), re.S | re.M)
    allowed = set(re.findall(r'"([^"]+)"', listed[1]))
    command = ["cargo", "metadata", "--format-version", "1", "--locked", "--all-features", "--filter-platform", PLATFORM]
    meta = json.loads(subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout)
    members = set(meta["workspace_members"])
    faults = []
    for p in meta["packages"]:
        if p["id"] in members:
            if any(d["name"].startswith("aws-") for d in p["dependencies"]) and not below_pipeline(p):
                faults.append(f"{p['name']} depends on AWS; only the members below pipeline may")
            continue
        if p["source"] != REGISTRY:
            faults.append(f"{p['name']} {p['version']} comes from {p['source']}, not from crates.io")
        if not p["license"]:
            faults.append(f"{p['name']} {p['version']} states no licence")
        elif not satisfied(p["license"], allowed):
            faults.append(f"{p['name']} {p['version']} is under {p['license']}, which deny.toml does not allow")
    for f in faults:
        print(f)
    print(f"{len(meta['packages'])} packages, {len(faults)} faults")
    return bool(faults)


sys.exit(main())
