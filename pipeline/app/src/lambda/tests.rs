use super::*;
use crate::run::Job;
use forewarn_history::Manifest;
use forewarn_predict::prediction_run::DueTurn;
use forewarn_predict::prediction_run::TurnError;
use forewarn_runtime::context::RuntimeContext;

#[test]
fn a_prediction_run_waits_until_no_other_process_has_the_turn() {
    let dir = tempfile::tempdir().unwrap();
    let history = dir.path().join("h").display().to_string();
    History::create(&history, &Manifest::default()).unwrap();
    let job = Job::sample(dir.path(), history, RuntimeContext::standalone());
    let other = DueTurn::take(&job.state.leases(), &job.state.place()).unwrap();
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
    let job = Job::sample(dir.path(), history, RuntimeContext::standalone());
    assert_eq!(Handler::parse("bootstrap.maintain"), Ok(Handler::Part(Part::Maintain)));
    let said = answer(&job, Part::Maintain, &Value::Null, &[]).unwrap();
    assert_eq!((&said["merged"], &said["pruned"]["history"]["files"]), (&json!(0), &json!(0)));
    assert_eq!(said["pruned"]["failed"], json!([]));
}

#[test]
fn no_handler_pulls_and_the_refusal_says_what_does() {
    let refused = Handler::parse("bootstrap.ingest").unwrap_err();
    assert!(refused.contains("forewarn ingest") && refused.contains("metric-stream"), "{refused}");
    assert!(Handler::parse("ingress").unwrap_err().contains("no handler is called \"ingress\""));
}
