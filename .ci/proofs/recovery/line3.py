"""Every gate refuses for its reason, and a failed read refuses too; caps, storms, small groups, concurrent admissions."""

from proofs.recovery.tests import passes

NUMBER = 3
TITLE = "every gate refuses for its reason and a failed read refuses too; caps, storms, groups of 1 and 3 (the decisions; not yet over the wire)"
SABOTAGE = ("wire", "nothing to break yet")


def prove(line):
    passes(line, "gates", "a table of wishes and facts, each with the one reason it must give", "recovery::gates")
    passes(line, "admission", "caps, budgets, cooldowns, storms; any order of requests never passes a cap", "recovery::admission")
    line.check("wire", "the same of a running executor", False, "the executor is not built")


def sabotage(line, broken):
    line.check("wire", "the same of a running executor", False, "the executor is not built")
