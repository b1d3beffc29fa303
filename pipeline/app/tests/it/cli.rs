//! The command line as a person uses it.

use crate::person::{AFTER, done, fleet, forewarn, import_rows, json, prediction, simulated};
use forewarn_testkit::snapshot;

mod keeping;
mod operators;
mod refusals;
mod thresholds;

fn validator(name: &str) -> jsonschema::Validator {
    let path = forewarn_testkit::root().join("pipeline/schemas").join(name);
    jsonschema::validator_for(&serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()).unwrap()
}

#[test]
fn a_second_demo_changes_nothing_and_announces_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    let first = done(root, &["demo"]);
    let parts = [
        "P(24 h)",
        " % to ",
        "P(72 h)",
        "7 days",
        "base rate: ",
        "at its ends",
        "history (Parquet)",
        "why: ",
        " rules explain i-",
    ];
    for part in parts {
        assert!(first.contains(part), "no {part} in\n{first}");
    }
    let bus = root.join("forewarn-demo/state/events.jsonl");
    let announced = std::fs::read(&bus).unwrap();
    let lines = String::from_utf8(announced.clone()).unwrap().lines().count();
    assert!(lines > 0 && first.contains(&format!("{lines} announcements")), "{lines} lines\n{first}");
    let history = snapshot(&root.join("forewarn-demo/history"));
    let log = done(root, &["log", "list", "--state", "forewarn-demo/state", "--format", "json"]);

    let second = done(root, &["demo"]);
    assert!(second.contains("nothing new to announce"), "{second}");
    assert_eq!(std::fs::read(&bus).unwrap(), announced);
    assert_eq!(snapshot(&root.join("forewarn-demo/history")), history);
    assert_eq!(done(root, &["log", "list", "--state", "forewarn-demo/state", "--format", "json"]), log);

    let rebuilt = json(root, &["log", "rebuild", "--state", "forewarn-demo/state", "--format", "json"]);
    assert_eq!(rebuilt["identical"], true, "{rebuilt}");
    assert!(rebuilt["rows"]["episodes"].as_u64().unwrap() > 0);
    let verified = json(root, &["log", "verify", "--state", "forewarn-demo/state", "--format", "json"]);
    assert_eq!((&verified["fault"], &verified["entries"]), (&serde_json::Value::Null, &rebuilt["entries"]));
    assert!(done(root, &["history", "verify", "--history", "forewarn-demo/history"]).contains(" rows, 0 faults"));
}

#[test]
fn an_analysis_fits_its_schema_and_its_explanations_add_up() {
    let dir = tempfile::tempdir().unwrap();
    simulated(dir.path(), "40", "12");
    let ask = ["analyze", "--history", "h", "--as-of", "latest", "--format", "json"];
    let some = json(dir.path(), &ask);
    let all = json(dir.path(), &[&ask[..], &["--all"]].concat());
    let (document, one) = (validator("analyze.json"), validator("prediction.json"));
    for analysis in [&some, &all] {
        assert!(document.is_valid(analysis), "{analysis:#}");
        assert!(analysis["predictions"].as_array().unwrap().iter().all(|p| one.is_valid(p)));
    }
    let listed = some["predictions"].as_array().unwrap();
    assert!(!listed.is_empty() && listed.iter().all(|p| p["confidence"] != "none"));
    assert!(all["predictions"].as_array().unwrap().len() > listed.len());
    let said = |p: &serde_json::Value| (p["confidence"].clone(), p["probability"].clone());
    done(dir.path(), &[&ask[..], &["--emit", "--state", "s"]].concat());
    let stated = json(dir.path(), &[&ask[..], &["--prior", "0.02"]].concat());
    assert_eq!(stated["predictions"][0]["prior"]["source"], "stated");
    for p in all["predictions"].as_array().unwrap() {
        let (id, as_of) = (p["instance_id"].as_str().unwrap(), p["as_of"].as_str().unwrap());
        let explain = |more: &[&str]| {
            let args = ["rules", "explain", id, "--history", "h", "--as-of", as_of, "--format", "json"];
            json(dir.path(), &[&args[..], more].concat())
        };
        let why = explain(&[]);
        assert_eq!(said(&why), said(p), "{id}");
        // What was written down is explained by what it started from, whoever it is that is looked at.
        assert_eq!(said(&explain(&["--state", "s"])), said(p), "{id}");
        if let Some(p) = stated["predictions"].as_array().unwrap().iter().find(|p| p["instance_id"] == id) {
            assert_eq!(said(&explain(&["--prior", "0.02"])), said(p), "{id}");
        }
        let mut survival = 1.0;
        for (hazard, horizon) in why["hazards"].as_array().unwrap().iter().zip(["24h", "72h", "168h"]) {
            let terms = hazard["terms"].as_array().unwrap();
            let sum: f64 = terms.iter().map(|t| t["log_odds"].as_f64().unwrap()).sum();
            let (log_odds, h) = (hazard["log_odds"].as_f64().unwrap(), hazard["hazard"].as_f64().unwrap());
            assert!((sum - log_odds).abs() < 1e-9, "{id}: {sum} against {log_odds}");
            assert!((1.0 / (1.0 + (-log_odds).exp()) - h).abs() < 1e-9, "{id}: {hazard}");
            survival *= 1.0 - h;
            if let Some(probability) = p["probability"][horizon].as_f64() {
                assert!((1.0 - survival - probability).abs() < 1e-9, "{id} {horizon}");
            }
        }
    }
}

#[test]
fn every_form_of_the_answer_has_the_same_predictions() {
    let dir = tempfile::tempdir().unwrap();
    import_rows(dir.path(), "h", &fleet());
    let ask = |format: &str, rest: &[&str]| {
        let args = ["analyze", "--history", "h", "--as-of", AFTER, "--all", "--format", format];
        done(dir.path(), &[&args[..], rest].concat())
    };
    let document: serde_json::Value = serde_json::from_str(&ask("json", &[])).unwrap();
    let csv = ask("csv", &[]);
    assert_eq!(csv.lines().count(), 4);
    for (line, p) in csv.lines().skip(1).zip(document["predictions"].as_array().unwrap()) {
        let cells: Vec<&str> = line.split(',').collect();
        assert_eq!((cells[0], cells[2]), (p["prediction_id"].as_str().unwrap(), p["instance_id"].as_str().unwrap()));
        assert_eq!(cells[8].parse::<f64>().ok(), p["probability"]["24h"].as_f64());
    }
    assert_eq!(ask("parquet", &["--out", "p.parquet"]), "");
    assert!(std::fs::read(dir.path().join("p.parquet")).unwrap().starts_with(b"PAR1"));
    let table = ask("table", &[]);
    assert!(table.contains("i-fills") && table.contains("disk full"), "{table}");
}

#[test]
fn exit_codes_say_how_it_ended() {
    let dir = tempfile::tempdir().unwrap();
    import_rows(dir.path(), "h", &fleet());
    let analyze = ["analyze", "--history", "h", "--as-of"];
    let code = |args: &[&str]| forewarn(dir.path(), args).code;
    assert_eq!(code(&[&analyze[..], &[AFTER]].concat()), 0);
    assert_eq!(code(&[&analyze[..], &[AFTER, "--exit-code"]].concat()), 3, "a disk that fills within hours is high");
    assert_eq!(code(&[&analyze[..], &["2026-02-04T00:00:00Z", "--exit-code"]].concat()), 0, "nothing was wrong then");
    assert_eq!(code(&["--help"]), 0);
    assert_eq!(code(&["analyse"]), 2);
    assert_eq!(code(&["analyze", "--history", "nowhere"]), 2);
    done(dir.path(), &[&analyze[..], &[AFTER, "--emit", "--state", "s"]].concat());
    std::fs::write(dir.path().join("s/log.sqlite"), b"no database").unwrap();
    let broken = forewarn(dir.path(), &["log", "verify", "--state", "s"]);
    assert_eq!(broken.code, 1, "{}", broken.err);
}

#[test]
fn an_episode_is_announced_once_and_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    import_rows(dir.path(), "h", &fleet());
    let emit = |as_of: &str| {
        let args = ["analyze", "--history", "h", "--state", "s", "--emit", "--format", "json", "--as-of", as_of];
        json(dir.path(), &args)
    };
    let bus = || std::fs::read_to_string(dir.path().join("s/events.jsonl")).unwrap();
    let first = emit("2026-02-08T23:05:00Z");
    let lines = bus().lines().count();
    assert_eq!(lines, first["predictions"].as_array().unwrap().len());
    let again = emit("2026-02-08T23:05:00Z");
    assert_eq!((again, bus().lines().count()), (first.clone(), lines));
    let later = emit(AFTER);
    let (a, b) = (prediction(&first, "i-fills").unwrap(), prediction(&later, "i-fills").unwrap());
    assert_eq!((&a["episode_id"], &a["status"]), (&b["episode_id"], &"new".into()));
    assert_eq!((&b["sequence"], &b["status"]), (&2.into(), &"ongoing".into()), "{b:#}");
}

#[test]
fn a_change_that_is_declared_late_changes_nothing_that_was_predicted_before() {
    let dir = tempfile::tempdir().unwrap();
    import_rows(dir.path(), "h", &fleet());
    let predicted = || {
        let args = ["analyze", "--history", "h", "--state", "s", "--emit", "--format", "json", "--as-of"];
        let found = json(dir.path(), &[&args[..], &["2026-02-08T23:05:00Z"]].concat());
        prediction(&found, "i-fills").unwrap().clone()
    };
    let before = predicted();
    done(dir.path(), &["mark", "--state", "s", "--instance", "i-fills", "--at", "2026-02-08T17:30:00Z", "too late"]);
    assert_eq!(predicted(), before);
}

#[test]
fn after_a_declared_change_trends_wait_and_say_so() {
    let dir = tempfile::tempdir().unwrap();
    import_rows(dir.path(), "h", &fleet());
    let at = "2026-02-08T17:30:00Z";
    let mark = ["mark", "--state", "s", "--instance", "i-fills", "--at", at, "--known-at", at, "log  rotation"];
    done(dir.path(), &mark);
    let emit = |as_of: &str| {
        let args = ["analyze", "--history", "h", "--state", "s", "--emit", "--format", "json", "--as-of", as_of];
        let found = json(dir.path(), &args);
        prediction(&found, "i-fills").unwrap().clone()
    };
    let announced = || std::fs::read_to_string(dir.path().join("s/events.jsonl")).unwrap().contains("i-fills");
    let waiting = emit("2026-02-08T23:05:00Z");
    assert_eq!((&waiting["status"], &waiting["confidence"]), (&"pending".into(), &"high".into()), "{waiting:#}");
    assert_eq!(waiting["held_until"], "2026-02-08T23:30:00Z");
    assert!(waiting["notes"][0].as_str().unwrap().contains("(deployment: log rotation)"), "{waiting:#}");
    assert!(!announced());
    let why = done(
        dir.path(),
        &["rules", "explain", "i-fills", "--history", "h", "--state", "s", "--as-of", "2026-02-08T23:05:00Z"],
    );
    assert!(
        why.contains("(deployment: log rotation); trends alone are not announced before 2026-02-08T23:30"),
        "{why}"
    );
    let after = emit(AFTER);
    assert_eq!((&after["status"], &after["sequence"]), (&"new".into(), &1.into()), "{after:#}");
    assert!(announced() && after.get("held_until").is_none());
}

#[test]
fn a_mapped_metric_feeds_its_signal_and_an_unknown_one_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let rows: Vec<_> =
        fleet().into_iter().filter(|r| r.1 == "disk_used_percent").map(|r| (r.0, "vol", r.2, r.3)).collect();
    crate::person::write_rows(&dir.path().join("a.csv"), &rows);
    let said = done(dir.path(), &["import", "--history", "h", "a.csv"]);
    assert!(said.contains("vol  6,912 rows"), "{said}");
    let ask = ["analyze", "--history", "h", "--as-of", AFTER, "--format", "json", "--all"];
    let without = json(dir.path(), &ask);
    assert_eq!(prediction(&without, "i-fills").unwrap()["confidence"], "unassessable");
    let with = json(dir.path(), &[&ask[..], &["--map", "vol=disk"]].concat());
    let found = prediction(&with, "i-fills").unwrap();
    assert_eq!((&found["confidence"], &found["failure_type"]), (&"high".into(), &"disk_full".into()), "{found:#}");
}
