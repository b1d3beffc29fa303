"""Each action end to end in the test world, its final state read back by the AWS CLI; each failure mode injected ends in its response."""

import concurrent.futures
import json
import os

from proofs.recovery.bed import Bed, Executors
from proofs.recovery.cases import BY_ACTION
from proofs.recovery.failures import MODES
from proofs.kit import Short

NUMBER = 4
TITLE = "each action end to end in the test world, read back by the AWS CLI; each failure mode injected ends in its stated response"
SABOTAGE = ("replace", "the Elastic IP is moved away behind the executor's back while it works")
AT_ONCE = 5


def healed(bed, line, action, spoil=None):
    """Carries one action out; gives what is wrong with the end."""
    with bed.turn:
        case = BY_ACTION[action](bed)
    executors = Executors(bed, line.fresh(action), policy=case.policy)
    if case.prepare:
        case.prepare(executors)
    recovery = executors.trigger(case.instance, case.action)
    if case.approve:
        executors.forewarn("recoveries", "approve", recovery, "--by", "proof").ok()
    executors.work().ok()
    row = executors.row(recovery)
    phase = row["state"]["phase"]
    outcome = phase.get("closed", {}).get("outcome") if isinstance(phase, dict) else phase
    wanted = "handed_over" if action == "notify_only" else "recovered"
    wrong = [] if outcome == wanted else [f"it ended as {json.dumps(phase)}: {row['state'].get('reason')}"]
    if spoil:
        spoil(case)
    wrong += case.expect(recovery)
    if not executors.chain():
        wrong.append("the log's chain is broken")
    return wrong, len(executors.events(recovery))


def each(line, key, what, names, do):
    """Does several at once, and records each that fell short; of none there is nothing to say."""
    if not names:
        return
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        ran = {name: pool.submit(do, name) for name in names}
    bad = {}
    events = 0
    for name, future in ran.items():
        try:
            wrong, n = future.result()
            events += n
        except Short as e:
            wrong = [str(e)]
        if wrong:
            bad[name] = wrong
            line.note(f"{name}: {'; '.join(wrong)[:600]}")
    line.check(key, what, not bad, f"{len(names) - len(bad)} of {len(names)}, {events:,} events", "all")


def prove(line):
    only = os.environ.get("FOREWARN_PROOF_ACTIONS", "").split(",")
    names = [n for n in BY_ACTION if only == [""] or n in only]
    modes = {m.__name__: m for m in MODES if only == [""] or m.__name__ in only}
    with Bed("--seed", "7", "--lag-ms", "50:400", "--hide-ms", "0:300") as bed:
        each(line, "actions", "actions end in their state, read back by the AWS CLI", names, lambda a: healed(bed, line, a))
        each(line, "modes", "failure modes end in their response", modes, lambda m: modes[m](bed, line))


def sabotage(line, broken):
    with Bed("--seed", "7") as bed:
        other = bed.launch("other")
        steal = lambda case: bed.ec2.associate_address(AllocationId=bed.ec2.describe_addresses()["Addresses"][0]["AllocationId"], InstanceId=other, AllowReassociation=True)
        wrong, _ = healed(bed, line, "replace", steal if broken else None)
        line.check("replace", "a replacement ends in its state", not wrong, "; ".join(wrong) or "as it must be", "as it must be")
