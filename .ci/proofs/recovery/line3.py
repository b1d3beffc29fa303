"""Every gate refuses for its reason, and a failed read refuses too; caps, storms, small groups, concurrent admissions; and the same of instances on the wire."""

import json

from proofs.recovery.bed import Bed, Executors
from proofs.recovery.tests import passes

NUMBER = 3
TITLE = "every gate refuses for its reason and a failed read refuses too; caps, storm mode, groups of 1 and 3; on the wire: what an instance is, is respected"
SABOTAGE = ("storm", "nothing is impaired")


def against(executors, instance, action="safe_restart"):
    """The gates that refuse."""
    shown = executors.forewarn("respond", "trigger", instance, "--action", action, "--dry-run").json()
    return sorted(r["refusal"]["gate"] for r in shown["against"]), shown["plan"]["action"]


def tagged(key, value="x"):
    return {"tags": [{"Key": key, "Value": value}]}


def on_the_wire(bed, line):
    executors = Executors(bed, line.fresh("wire"), policy={"may_lose_public_ip": False})
    allowed = Executors(bed, line.fresh("allowed"))
    group = bed.group("three", size=3)
    table = [
        ("public_ip", bed.launch("public"), "safe_restart", executors, ["public_ip"]),
        ("nothing", bed.launch("plain"), "safe_restart", allowed, []),
        ("instance_store", bed.launch("store", InstanceType="m5d.large"), "safe_restart", allowed, ["instance_store"]),
        ("spot", bed.launch("once", InstanceMarketOptions={"MarketType": "spot", "SpotOptions": {"SpotInstanceType": "one-time"}}), "safe_restart", allowed, ["one_time_spot"]),
        ("eks", bed.launch("eks", **tagged("kubernetes.io/cluster/blue", "owned")), "safe_restart", allowed, ["owned"]),
        ("ecs", bed.launch("ecs", **tagged("AmazonECSManaged")), "safe_restart", allowed, ["owned"]),
        ("karpenter", bed.launch("karpenter", **tagged("karpenter.sh/nodepool")), "safe_restart", allowed, ["owned"]),
    ]
    stop_protected = bed.launch("protected")
    bed.ec2.modify_instance_attribute(InstanceId=stop_protected, DisableApiStop={"Value": True})
    table.append(("protection", stop_protected, "safe_restart", allowed, ["protected"]))
    off = bed.launch("off")
    bed.ec2.create_tags(Resources=[off], Tags=[{"Key": "AutoRecovery", "Value": "no"}])
    table.append(("not_enrolled", off, "safe_restart", allowed, ["not_enrolled"]))
    for key, instance, action, by, wanted in table:
        found, _ = against(by, instance, action)
        line.check(f"wire_{key}", f"{action}: gates that refuse", found == wanted, found or "none", wanted or "none")
    _, action = against(allowed, group[0], "replace")
    line.check("wire_group", "a replacement asked for a member of a group", action == "replace_in_group", action, "replace_in_group")


def storm(bed, line, impaired):
    """Half of the fleet impaired: nothing new begins."""
    fleet = [bed.launch(f"fleet-{n}") for n in range(8)]
    if impaired:
        bed.script(*[{"kind": "status", "instance": i, "checks": {"instance": "impaired"}} for i in fleet[:4]])
    executors = Executors(bed, line.fresh("storm"), caps={"storm_share": 0.3, "storm_least": 3})
    bed.ask("reset_calls", {})
    recovery = executors.trigger(fleet[0], "safe_restart")
    executors.work(until="idle" if impaired else "done").ok()
    events = executors.events(recovery)
    refused = [e for e in events if e["event"] == "deferred"]
    stops = [c for c in bed.calls() if c["action"] == "StopInstances"]
    return "storm" in json.dumps(refused) and not stops, f"{[e['event'] for e in events][-2:]}, {len(stops)} stops"


def prove(line):
    passes(line, "gates", "a table of wishes and facts, each with the one reason it must give", "gates")
    passes(line, "admission", "caps, budgets, cooldowns, storms; any order of requests never passes a cap", "admission")
    with Bed("--seed", "13") as bed:
        on_the_wire(bed, line)
    with Bed("--seed", "13") as bed:
        line.check("storm", "half of the fleet impaired: one that asks is put off, and nothing is stopped", *storm(bed, line, True), "put off for the storm")


def sabotage(line, broken):
    with Bed("--seed", "13") as bed:
        line.check("storm", "half of the fleet impaired: one that asks is put off", *storm(bed, line, not broken), "put off for the storm")
