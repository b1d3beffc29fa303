"""Runs one proof by name: python -m proofs NAME [--only 2,7] [--sabotage] [--warm]."""

import argparse
import importlib
import pathlib
import sys

from proofs import kit
from proofs.kit import Proof


def names():
    here = pathlib.Path(__file__).parent
    return sorted(p.name for p in here.iterdir() if (p / "__init__.py").exists())


def main():
    parser = argparse.ArgumentParser(prog=".ci/prove", description="Proves one issue, line by line.")
    parser.add_argument("name", nargs="?", help="one of: " + ", ".join(names()))
    parser.add_argument("--only", default="", help="line numbers, such as 2,7")
    parser.add_argument("--sabotage", action="store_true", help="break one thing for each line; each must then fall short")
    parser.add_argument("--warm", action="store_true", help="leave the cold build out (the summary then says so)")
    args = parser.parse_args()
    if args.name not in names():
        print(f"proofs: {', '.join(names())}" if args.name is None else f"no proof is called {args.name!r}; there are: {', '.join(names())}")
        return 2
    only = {int(n) for n in args.only.split(",") if n}
    package = importlib.import_module(f"proofs.{args.name}")
    kit.FOLDER = getattr(package, "FOLDER", "release")
    proof = Proof(args.name, sabotage=args.sabotage, warm=args.warm, features=getattr(package, "CARGO", ("--no-default-features",)))
    return proof.run(package.LINES, only)


sys.exit(main())
