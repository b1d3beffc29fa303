"""Killed between every two events and after every call whose reply is lost, for every action, by kill -9 of a real process."""

import collections
import concurrent.futures
import os
import signal

from proofs.kit import Short
from proofs.live.world import proxy
from proofs.recovery.bed import Bed, Executors
from proofs.recovery import cases

NUMBER = 1
TITLE = "killed between every two events and after every lost reply: one instance, one snapshot set, one owner of the address, the log whole"
BY_ACTION = cases.BY_ACTION | cases.ALONE
SABOTAGE = ("snapshots", "what the lost call made is robbed of the tag by which its successor finds it")
# More events than any action has.
MOST = 150
# Kills of one action that are under way at once, and actions: most of their time is waiting for leases. They begin together, and with more
# of them the world, one Python process, answers the first calls later than the program waits at fifteen times the speed.
AT_ONCE, ACTIONS_AT_ONCE = 8, 2
POINTS = ("respond.appended", "respond.noted", "respond.called")


def run(bed, line, action, name, crash, rules=None, between=None):
    """One recovery whose executor dies at one point and whose successor ends it. Gives what is wrong, where it died, and whether it did."""
    with bed.turn:
        case = BY_ACTION[action](bed)
    place = line.fresh(name)
    server = None
    through = bed.url
    if rules:
        server, _ = proxy(bed.url, rules, place)
        through = server.url
    try:
        executors = Executors(bed, place, through=through, policy=case.policy)
        if case.prepare:
            case.prepare(executors)
        recovery = executors.trigger(case.instance, case.action)
        if case.approve:
            executors.forewarn("recoveries", "approve", recovery, "--by", "proof").ok()
        first = executors.work(env={"FOREWARN_CRASH_AT": crash, "FOREWARN_CRASH_SIGNAL": "KILL"}, name="proof")
        died = first.code in (-signal.SIGKILL, 128 + signal.SIGKILL)
        if not died:
            first.ok()
        events = executors.events(recovery)
        where = f"{crash.split(':')[0]} {events[-1]['event']}"
        if died:
            if between:
                between(recovery)
            executors.work(name="proof", timeout=200).ok()
        row = executors.row(recovery)
        wanted = {"closed": {"outcome": "handed_over" if action == "notify_only" else "recovered"}}
        wrong = [] if row["state"]["phase"] == wanted else [f"it ended as {row['state']['phase']}: {row['state'].get('reason')}"]
        wrong += case.expect(recovery)
        if not executors.chain():
            wrong.append("the log's chain is broken")
        return wrong, where, died
    finally:
        if server:
            server.stop()


def mutations(bed, line, action):
    """The calls that an action makes and that change something, in order, from a run that nothing disturbs."""
    bed.ask("reset_calls", {})
    case = BY_ACTION[action](bed)
    executors = Executors(bed, line.fresh(f"{action}-clean"), policy=case.policy)
    if case.prepare:
        case.prepare(executors)
    bed.ask("reset_calls", {})
    recovery = executors.trigger(case.instance, case.action)
    if case.approve:
        executors.forewarn("recoveries", "approve", recovery, "--by", "proof").ok()
    executors.work().ok()
    return list(dict.fromkeys(c["action"] for c in bed.calls()))


def world():
    """A world that has seen many instances answers slowly, and calls of AWS have less than a second here: each batch has its own."""
    return Bed("--seed", "11", "--lag-ms", "30:250", "--hide-ms", "0:200", is_quick=True)


def everything(line, action):
    """Every kill of one action; gives the kills by where, and what was wrong."""
    kills, wrongs = collections.Counter(), []

    def note(bed, name, crash, rules=None):
        try:
            wrong, where, died = run(bed, line, action, name, crash, rules)
        except Short as e:
            wrong, where, died = [str(e)], crash, True
        if wrong:
            wrongs.append(f"{name} ({where}): {'; '.join(wrong)[:400]}")
        if died:
            kills[where if not rules else f"lost reply of {rules[0]['operation']}"] += 1
        return died

    def batch(of):
        with world() as bed, concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            return list(pool.map(lambda each: note(bed, *each), of))

    with world() as bed:
        made = mutations(bed, line, action)
    # A launch is tried dry when it is asked for, before the plan and before admission: the fourth is the one that counts.
    rule = lambda operation: [{"operation": operation, "nth": 4 if operation == "RunInstances" else 1, "action": "lose_reply"}]
    batch([(f"{action}-lost-{operation}", "respond.unanswered:1", rule(operation)) for operation in made])
    for point in POINTS:
        for begin in range(1, MOST, AT_ONCE):
            # One that came to its end alive has passed every place there is.
            if not all(batch([(f"{action}-{point.split('.')[1]}-{n}", f"{point}:{n}") for n in range(begin, begin + AT_ONCE)])):
                break
    return kills, wrongs


def told(line, name, kills, wrongs):
    for wrong in wrongs[:5]:
        line.note(wrong)
    line.note(f"{name}: " + ", ".join(f"{where} {n}" for where, n in sorted(kills.items())))
    total = sum(kills.values())
    line.check(name, "killed, each time at another place, and ended by its successor", total > 0 and not wrongs, f"{total} kills, {len(wrongs)} with something wrong", "none wrong")


def prove(line):
    only = os.environ.get("FOREWARN_PROOF_ACTIONS")
    names = [n for n in BY_ACTION if not only or n in only.split(",")]
    with concurrent.futures.ThreadPoolExecutor(ACTIONS_AT_ONCE) as pool:
        ran = {pool.submit(everything, line, name): name for name in names}
        for future in concurrent.futures.as_completed(ran):
            told(line, ran[future], *future.result())


def sabotage(line, broken):
    with Bed("--seed", "11") as bed:

        def rob(recovery):
            found = bed.ec2.describe_snapshots(OwnerIds=["self"], Filters=[{"Name": "tag:forewarn:recovery", "Values": [recovery]}])["Snapshots"]
            bed.ec2.delete_tags(Resources=[s["SnapshotId"] for s in found], Tags=[{"Key": "forewarn:step"}])

        lose = [{"operation": "CreateSnapshots", "nth": 1, "action": "lose_reply"}]
        wrong, where, died = run(bed, line, "safe_restart", "sabotage", "respond.unanswered:1", lose, rob if broken else None)
        line.check("snapshots", f"killed at {where}", died and not wrong, "; ".join(wrong) or "one snapshot set", "one snapshot set")
