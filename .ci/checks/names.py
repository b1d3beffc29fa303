"""Finds names that the vocabulary has replaced and that still name an item, a field, a variant or a file; exits 1 if any is left.

usage: names.py [ROOT]
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
# The table of renames: what was, and what it is now.
TABLE = """
| `Hands` | split by purpose: `FactReader`, `DryRunner`, `StepDriver` |
| `Eyes` | `FactCollector` |
| `Errand` / `Reply` | `StepRequest` / `StepOutcome` |
| `Matter` / `Desk` | `AssessmentRequest` / `PreviewBatch` |
| `Shop`, `Floor`, `bell` | `WorkerPool`, `PoolState`, `wakeup` |
| `Agenda` / `When` | `DueQueue` / `NextWakeup` |
| `Wish` / `Ask`, `Slot` | `ActionRequest` / `AdmissionRequest`, `InFlight` |
| `Wrong` / `Illegal` | `CommandRejected` / `IllegalTransition` |
| `together()` | `combine_verdicts()` |
| `Outlook`, `Stance`, `Grounds` | `RecoveryPreview`, `PreviewDecision`, `PreviewInputs` |
| `rehearse` / `Trial` | `dry_run` / `DryRunResult` |
| `shortage` | `capacity_check` |
| `FailOverDark`, `in_the_dark` | `FailOverUnreachable`, `home_unreachable` |
| `Trouble.certain` | `CallError.definitely_not_applied` |
| `freeze` / `thaw` | `encode_precondition` / `decode_precondition` |
| `stood`, `came_of`, `noted` | `precondition_of`, `result_of`, `decoded_note` |
| `sight.rs`, `Machine` | `ec2_reads.rs`, `InstanceView` |
| `facts::Kept` | `RetainedInstance` |
| `cli/kept.rs`, `KeptArg` | `storage.rs`, `StorageArgs` |
| `Surroundings`, `around`, `means()` | `RuntimeContext`, `ctx`, `system_context()` |
| `Vitals`, `unwatched()` | `Metrics`, `unregistered()` |
| `Pile` / `Piece` / `Stretch` | `RangeBuffer` / `SeriesChunk` / `ShardBatch` |
| `said.rs`, `SaidRow`, `KeptRound` | `predictions.rs`, `PredictionRow`, `PredictionFile` |
| `words.rs` | `text.rs` |
| `backtest/stand.rs`, `Stand` | `scorer_stats.rs`, `ScorerStats` |
| `Strangers`, `NobodySpoke` | `NoMatchingInstances`, `NoPredictionsInRange` |
| `Rounds::hold`, `Held` | `PredictionRun::execute`, `RunReport` |
| `Taken`, `take_up` | `EpisodeUpdate`, `apply_predictions` |
| `Outlet`, `Wanted` (emit) | `Sink`, `SinkConfig` |
| `told()`, `untold` | `with_routing_fields()`, `unannounced` |
| `Grown`, `Over`, `Made` (Rust only) | `Updated`, `Cleared`, `Opened` |
| `Folded` | `ProjectedLog` |
| `Track`, `Gather`, `alone` | `Series`, `SeriesCollector`, `is_unique_sorted` |
| `is_pressed`, `climbs`, `has_to_last` | `must_skip_optional`, `counts_for_escalation`, `needs_stability_hold` |
| `respond_hands_a`, `respond_hands_b` | by what they test |
"""
# Where a name means something else and stays: the file or folder it may stand in.
ELSEWHERE = {}


def old_names():
    """Yields the kind of each replaced name (item, member, call, file), the name, and what to write instead."""
    for row in TABLE.strip().splitlines():
        left, right = (cell.strip() for cell in row.strip("|").rstrip().rstrip("|").split(" | ")[:2])
        for name in re.findall(r"`([^`]+)`", left):
            if name.endswith(".rs"):
                yield "file", name, right
            elif name.endswith("()"):
                yield "item", name[:-2].split("::")[-1], right
            elif re.fullmatch(r"[A-Za-z]+(?:\.|::)[a-z_A-Z]+", name):
                owner, member = re.split(r"\.|::", name)
                # `facts::Kept` is an item of a file, `Trouble.certain` a field of a type, `Rounds::hold` its method.
                yield ("in", f"{owner}/{member}", right)
            else:
                yield "item", name, right


def declares(name, text):
    """Yields the places where a text names an item, a field or a variant so."""
    n = re.escape(name)
    item = rf"\b(?:struct|enum|trait|type|fn|mod|const|static|union)\s+{n}\b"
    field = rf"^\s*(?:pub(?:\([^)]*\))?\s+)?{n}:\s*[^:].*,\s*$" if name[0].islower() else r"(?!)"
    variant = rf"^\s*{n}(?:\s*[({{].*|\([^)]*\))?,?\s*$" if name[0].isupper() else r"(?!)"
    for found in re.finditer(rf"{item}|{field}|{variant}", text, re.M):
        yield text.count("\n", 0, found.start() + len(found[0]) - len(found[0].lstrip())) + 1, found[0].strip()


def main():
    root = pathlib.Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else ROOT
    files = [f for folder in ("models", "rules", "pipeline") for f in sorted((root / folder).rglob("*.rs"))]
    texts = {f: re.sub(r"//[^\n]*", "", f.read_text()) for f in files}
    left = []
    for kind, name, now in old_names():
        for file, text in texts.items():
            place = file.relative_to(root)
            if kind == "file":
                if f"/{place}".endswith(f"/{name}"):
                    left.append(f"{place}: the file; now {now}")
                continue
            searched = name
            if kind == "in":
                owner, searched = name.split("/")
                if owner[0].islower() and owner not in file.parts and owner != file.stem:
                    continue
                if owner[0].isupper() and not re.search(rf"\b(?:struct|enum|impl(?:<[^>]*>)?)\s+{owner}\b", text):
                    continue
            for line, said in declares(searched, text):
                if place.as_posix() not in ELSEWHERE.get(searched, ()):
                    left.append(f"{place}:{line}: {said}; now {now}")
        if kind == "item" and name[0].islower():
            for file in files:
                if file.stem == name:
                    left.append(f"{file.relative_to(root)}: the file; now {now}")
    for place in left:
        print(place)
    print(f"{len(left)} names that the vocabulary has replaced")
    return bool(left)


if __name__ == "__main__":
    sys.exit(main())
