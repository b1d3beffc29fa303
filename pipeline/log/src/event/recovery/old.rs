//! Brings events of recoveries up to date that version 0.1.0 described and no executor of it ever wrote.

use super::super::upcast::Upcast;
use serde_json::{Map, Value, json};

/// The steps from version 1 to version 2. A step stays for as long as a log may hold its version.
pub(in crate::event) const UPCASTS: &[Upcast] = &[
    step("forewarn.recovery.requested", |old| {
        let cause = match old["trigger"].as_str().unwrap_or_default() {
            "prediction" => json!({"kind": "predicted", "action": "notify"}),
            "check_failed" => json!({"kind": "check_failed", "check": "system"}),
            "spot" => json!({"kind": "spot_warned", "deadline_ms": 0}),
            "operator" => json!({"kind": "operator", "action": "notify_only"}),
            _ => json!({"kind": "scheduled"}),
        };
        let trigger = json!({
            "id": text(&old["cause"]), "instance_id": text(&old["instance_id"]), "cause": cause, "at_ms": 0, "evidence": "",
        });
        about(
            &old,
            "requested",
            json!({"trigger": trigger, "lineage": text(&old["instance_id"]), "rung": "application", "at_ms": 0}),
        )
    }),
    step("forewarn.recovery.planned", |old| {
        let plan = json!({"action": "notify_only", "steps": [], "forward_from": null});
        about(&old, "planned", json!({"plan": plan, "dry_run": old["dry_run"]}))
    }),
    step("forewarn.recovery.admitted", |old| about(&old, "admitted", json!({}))),
    step("forewarn.recovery.denied", |old| {
        about(&old, "denied", json!({"refusals": refusal(&old["gate"], &old["reason"])}))
    }),
    step("forewarn.recovery.deferred", |old| {
        let until_ms = forewarn_runtime::time::parse_instant(&text(&old["until"]), None).unwrap_or(0);
        about(&old, "deferred", json!({"refusals": refusal(&json!("gate"), &old["reason"]), "until_ms": until_ms}))
    }),
    step("forewarn.recovery.step_intended", |old| {
        let of = |key: &str| old[key].clone();
        let rest = json!({
            "step": 0, "attempt": of("attempt"), "token": of("token"), "before": old["before"].to_string(), "epoch": 0,
            "at_ms": 0, "settles_ms": 0,
        });
        about(&old, "step_intended", rest)
    }),
    step("forewarn.recovery.step_done", |old| about(&old, "step_done", json!({"result": old["result"].to_string()}))),
    step("forewarn.recovery.step_failed", |old| {
        let retry_ms = old["retry"].as_bool().unwrap_or(false).then_some(0);
        about(&old, "step_failed", json!({"reason": old["error"], "retry_ms": retry_ms}))
    }),
    step("forewarn.recovery.verified", |old| about(&old, "verified", json!({"hold_until_ms": 0}))),
    step("forewarn.recovery.escalated", |old| {
        let rungs = ["application", "restart", "replace", "region", "notify"];
        let to = old["to"].as_u64().and_then(|n| rungs.get(usize::try_from(n).ok()?)).unwrap_or(&"notify");
        about(&old, "escalated", json!({"to": to, "reason": old["reason"], "at_ms": 0}))
    }),
    step("forewarn.recovery.completed", |old| {
        let outcome = if old["outcome"] == "recovered" { "recovered" } else { "handed_over" };
        about(&old, "completed", json!({"outcome": outcome}))
    }),
    step("forewarn.recovery.stuck", |old| about(&old, "stuck", json!({"reason": old["reason"]}))),
];

const fn step(name: &'static str, up: fn(Value) -> Value) -> Upcast {
    Upcast { name, from: 1, up }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn refusal(what: &Value, why: &Value) -> Value {
    json!([{"gate": "unreadable", "what": what, "why": why}])
}

/// Says whom an event is about, its name, and the rest of it.
fn about(old: &Value, name: &str, rest: Value) -> Value {
    let mut all = Map::new();
    for key in ["recovery_id", "instance_id"] {
        all.insert(key.to_owned(), text(&old[key]).into());
    }
    all.insert("event".to_owned(), name.into());
    if let Value::Object(rest) = rest {
        all.extend(rest);
    }
    Value::Object(all)
}
