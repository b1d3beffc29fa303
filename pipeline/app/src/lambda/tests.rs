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

#[test]
fn a_prediction_run_waits_until_no_other_process_has_the_turn() {
    let dir = tempfile::tempdir().unwrap();
    let history = dir.path().join("h").display().to_string();
    History::create(&history, &Manifest::default()).unwrap();
    let job = Job {
        history,
        state: dir.path().to_owned(),
        stream: StreamSpec::Embedded,
        ruleset: RuleSet::builtin(&|_| None).unwrap(),
        shadow: None,
        names: BTreeMap::new(),
        wanted: SinkConfig { file: dir.path().join("events.jsonl"), eventbridge: None, stdout: false },
        rounds: Schedule { every: 3_600_000, offset: 0, most: 1 },
        plans: None,
        ctx: RuntimeContext::standalone(),
    };
    let other = DueTurn::take(dir.path()).unwrap();
    let refused = analyze(&job).unwrap_err();
    assert!(matches!(refused.downcast_ref::<TurnError>(), Some(TurnError::Lease(_))), "{refused}");
    drop(other);
    assert_eq!(analyze(&job).unwrap()["due"], 1);
}
