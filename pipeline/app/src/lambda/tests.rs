use super::*;
use crate::run::Job;
use forewarn_deliver::SinkConfig;
use forewarn_history::Manifest;
use forewarn_ingest::stream::StreamSpec;
use forewarn_predict::prediction_run::DueTurn;
use forewarn_predict::prediction_run::TurnError;
use forewarn_rules::ruleset::RuleSet;
use forewarn_runtime::context::RuntimeContext;
use forewarn_runtime::schedule::Schedule;
use std::collections::BTreeMap;
use std::path::Path;

fn job(dir: &Path, history: String) -> Job {
    Job {
        history,
        state: dir.to_owned(),
        stream: StreamSpec::Embedded,
        ruleset: RuleSet::builtin(&|_| None).unwrap(),
        shadow: None,
        names: BTreeMap::new(),
        wanted: SinkConfig {
            file: dir.join("events.jsonl"),
            eventbridge: None,
            stdout: false,
            state: dir.to_owned(),
            stale_after_ms: 3_600_000,
        },
        rounds: Schedule { every: 3_600_000, offset: 0, most: 1 },
        plans: None,
        keep: crate::maintain::keep::Keep::default(),
        ctx: RuntimeContext::standalone(),
    }
}

#[test]
fn a_prediction_run_waits_until_no_other_process_has_the_turn() {
    let dir = tempfile::tempdir().unwrap();
    let history = dir.path().join("h").display().to_string();
    History::create(&history, &Manifest::default()).unwrap();
    let job = job(dir.path(), history);
    let other = DueTurn::take(dir.path()).unwrap();
    let refused = analyze(&job).unwrap_err();
    assert!(matches!(refused.downcast_ref::<TurnError>(), Some(TurnError::Lease(_))), "{refused}");
    drop(other);
    assert_eq!(analyze(&job).unwrap()["due"], 1);
}

#[test]
fn the_handler_maintain_says_what_it_did() {
    let dir = tempfile::tempdir().unwrap();
    let history = dir.path().join("h").display().to_string();
    History::create(&history, &Manifest::default()).unwrap();
    let job = job(dir.path(), history);
    let pull: Pull = Arc::new(|| Err("not here".into()));
    assert_eq!(Handler::parse("bootstrap.maintain"), Ok(Handler::Part(Part::Maintain)));
    let said = answer(&job, Part::Maintain, &Value::Null, &pull).unwrap();
    assert_eq!((&said["merged"], &said["pruned"]["history"]["files"]), (&json!(0), &json!(0)));
    assert_eq!(said["pruned"]["failed"], json!([]));
}
