"""Ten thousand seeded worlds, with executors that are killed, paused and overtaken."""

import re
import time

from proofs.recovery.tests import passes

NUMBER = 5
TITLE = "seeded simulation: 10,000 worlds, invariants after every event, a seed gives its log byte for byte"
SABOTAGE = ("worlds", "an executor that was paused does not look at its lease before it calls")
SEEDS = 10_000


def worlds(line, seeds, broken=""):
    begun = time.time()
    r = passes(line, "worlds", f"{seeds:,} worlds in which nothing happens that must never", "simulation::in_no_world", {"FOREWARN_SEEDS": str(seeds), "FOREWARN_BROKEN": broken})
    return r, time.time() - begun


def prove(line):
    r, seconds = worlds(line, SEEDS)
    told = re.search(r"(\d+) worlds, (\d+) events, (\{[^}]*\}[^}]*\}[^}]*\})?", r.out)
    if told:
        line.note(f"{told[0][:400]}; {int(told[2]) / seconds:,.0f} events a second, building included")
    passes(line, "same", "a seed gives the same log, byte for byte", "simulation::a_seed")
    passes(line, "found", "what is broken on purpose is found", "simulation::what_is_broken")
    passes(line, "course", "whatever one recovery is asked, its log can be read again and its fences hold", "course")


def sabotage(line, broken):
    worlds(line, 300, "lease" if broken else "")
