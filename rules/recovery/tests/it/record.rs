//! Rows of recoveries that are there already are read, and written as they were.

use forewarn_domain::time::UnixMs;
use forewarn_recovery::state::{Attempt, Intent, Phase, Recovery};
use serde_json::{Value, json};

/// A row as version 2 of the table wrote it, with what differs.
fn row(differs: Value) -> Value {
    let mut row = json!({
        "phase": "running", "trigger": null, "triggers": ["t-1"], "lineage": "i-1", "subject": "i-1", "successor": null,
        "rung": "restart", "plan": null, "plans": 1, "approved": false, "approved_action": null, "unapproved": false,
        "holder": {"name": "a", "epoch": 3, "until_ms": 300_000}, "epoch": 3, "cursor": 2, "attempt": 1, "began_ms": null,
        "rung_began_ms": 10, "snapshot_since_ms": 20, "retry_ms": i64::MIN, "intent": null, "done": [0, 1], "undo": [],
        "notes": {"stop": {"before": "{}", "result": null}}, "reason": null,
    });
    let Value::Object(differs) = differs else { panic!("{differs} is no object") };
    for (key, value) in differs {
        row[key] = value;
    }
    row
}

fn read(differs: Value) -> Recovery {
    let row = row(differs);
    let state: Recovery = serde_json::from_value(row.clone()).unwrap();
    assert_eq!(serde_json::to_string(&state).unwrap(), row.to_string(), "written as it was");
    state
}

#[test]
fn a_row_is_read_and_written_as_it_was() {
    let intent = json!({"step": 2, "attempt": 1, "token": "f", "before": "", "epoch": 3, "settles_ms": 360_000});
    let called = read(json!({"began_ms": 30, "intent": intent}));
    let Phase::Running(work) = &called.phase else { panic!("{called:?}") };
    assert_eq!((work.progress.cursor, &work.done[..], called.epoch()), (2, &[0, 1][..], 3));
    let expected = Intent {
        step: 2,
        attempt: 1,
        token: "f".to_owned(),
        before: String::new(),
        epoch: 3,
        settles_ms: UnixMs(360_000),
    };
    assert_eq!(work.progress.attempt, Attempt::Called { began_ms: UnixMs(30), intent: expected });

    let waits = read(json!({"attempt": 2, "retry_ms": 90_000, "began_ms": 30}));
    let ready = Attempt::Ready { number: 2, began_ms: Some(UnixMs(30)), not_before_ms: Some(UnixMs(90_000)) };
    assert_eq!(waits.progress().unwrap().attempt, ready);

    let failed = read(json!({"attempt": u32::MAX, "reason": "no capacity"}));
    assert!(failed.has_given_up());

    let step = json!({"kind": "start", "timeout_ms": 1, "attempts": 1, "retry_ms": 1, "optional": true});
    let nothing = json!({"rung_began_ms": null, "snapshot_since_ms": null, "done": []});
    let undoing = [("phase", json!("undoing")), ("undo", json!([step]))].into_iter().fold(nothing, with);
    assert_eq!(read(undoing).steps().len(), 1);

    let idle = json!({"rung_began_ms": null, "snapshot_since_ms": null, "done": [], "cursor": 0});
    let deferred = [("phase", json!({"deferred": {"until_ms": 5}})), ("unapproved", json!(true))];
    assert!(read(deferred.into_iter().fold(idle.clone(), with)).waits_for_person());
    let approved = [("phase", json!("requested")), ("approved", json!(true)), ("approved_action", json!("replace"))];
    assert!(read(approved.into_iter().fold(idle, with)).approval.is_some());
}

fn with(mut to: Value, (key, value): (&str, Value)) -> Value {
    to[key] = value;
    to
}

/// What a closed recovery once had in hand is nothing any more, and a key that was not there yet has its default.
#[test]
fn a_row_without_some_keys_is_read() {
    let state: Recovery =
        serde_json::from_value(json!({"phase": {"closed": {"outcome": "recovered"}}, "cursor": 7})).unwrap();
    assert!(!state.is_open() && state.progress().is_none());
    assert_eq!(serde_json::from_value::<Recovery>(json!({})).unwrap(), Recovery::default());
}
