//! The committed schemas are what the types say, and everything written fits them.

use forewarn::schema;
use forewarn_deliver::Announcement;
use forewarn_log::event::KINDS;
use forewarn_log::{EventLog, Expected, MemoryLog};
use forewarn_testkit::samples::{every_event, new};
use forewarn_testkit::schemas::assert_valid;
use jsonschema::Validator;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::{fs, io};

fn committed() -> PathBuf {
    forewarn_testkit::root().join("pipeline/schemas")
}

fn validator(name: &str) -> Validator {
    jsonschema::validator_for(&schema::documents()[name]).unwrap_or_else(|e| panic!("{name} is no schema: {e}"))
}

#[test]
fn committed_schemas_are_up_to_date() {
    let drift = schema::check(&committed()).unwrap();
    assert!(drift.is_empty(), "run `forewarn schema --out pipeline/schemas` and commit: {drift:?}");
}

#[test]
fn drift_is_noticed_and_written_away() -> io::Result<()> {
    let dir = tempfile::tempdir()?;
    let dir = dir.path().join("new");
    let written = schema::write(&dir).unwrap();
    assert_eq!((written.changed, written.files.len()), (KINDS.len() + 7, KINDS.len() + 7));
    assert_eq!(schema::check(&dir).unwrap(), []);
    fs::write(dir.join("prediction.json"), "{}")?;
    fs::write(dir.join("old.json"), "{}")?;
    fs::remove_file(dir.join("envelope.json"))?;
    let drift: Vec<_> = schema::check(&dir).unwrap().into_iter().map(|d| (d.file, d.what)).collect();
    let drift: Vec<_> = drift.iter().map(|(f, w)| (f.as_str(), *w)).collect();
    assert_eq!(drift, [("envelope.json", "missing"), ("old.json", "not generated"), ("prediction.json", "differs")]);
    assert_eq!(schema::write(&dir).unwrap().changed, 2);
    Ok(())
}

#[test]
fn every_event_fits_its_schema_and_a_maimed_one_does_not() {
    let log = MemoryLog::new();
    for (n, event) in every_event().into_iter().enumerate() {
        log.append("all", Expected::Any, &[new(&n.to_string(), "thing", event)]).unwrap();
    }
    for entry in log.read_all(0, 100).unwrap() {
        assert_valid(&entry);
        let fields = entry.envelope.data.as_object().unwrap();
        let name = format!("{}.json", entry.envelope.type_);
        let validator = validator(&name);
        let mut required = 0;
        for (field, value) in fields {
            let mut without = fields.clone();
            without.shift_remove(field);
            required += usize::from(!validator.is_valid(&Value::Object(without)));
            let mut wrong = fields.clone();
            wrong.insert(field.clone(), serde_json::json!([[]]));
            assert!(!validator.is_valid(&Value::Object(wrong)), "{name}: {field} {value}");
        }
        assert!(required > 0, "{name} demands nothing");
    }
}

#[test]
fn announcements_and_the_analysis_fit_their_schemas() {
    let log = MemoryLog::new();
    for (n, event) in every_event().into_iter().enumerate() {
        log.append("all", Expected::Any, &[new(&n.to_string(), "thing", event)]).unwrap();
    }
    let validator_of_line = validator("announcement.json");
    let announced: Vec<Announcement> =
        log.read_all(0, 100).unwrap().iter().filter_map(|e| Announcement::of(e).unwrap()).collect();
    assert_eq!(announced.len(), 16);
    for line in announced {
        assert!(validator_of_line.is_valid(&serde_json::to_value(&line).unwrap()));
        assert!(validator(&format!("{}.json", line.event_type)).is_valid(&line.detail));
        assert!(validator("detail.json").is_valid(&line.detail));
        assert_eq!(
            (line.detail["event_id"].as_str(), line.detail["event_type"].as_str()),
            (Some(line.id.as_str()), Some(line.event_type.as_str()))
        );
    }
    let p = forewarn_testkit::samples::prediction(
        "i-1",
        "e",
        forewarn_testkit::samples::TIME,
        forewarn_domain::prediction::Level::Low,
    );
    let document =
        schema::AnalyzeDocument { as_of: p.as_of.clone(), ruleset: p.ruleset.clone(), predictions: vec![p.clone()] };
    assert!(validator("prediction.json").is_valid(&serde_json::to_value(&p).unwrap()));
    let mut document = serde_json::to_value(&document).unwrap();
    assert!(validator("analyze.json").is_valid(&document));
    document["predictions"][0]["confidence"] = "certain".into();
    assert!(!validator("analyze.json").is_valid(&document));
}

#[test]
fn every_reference_of_the_asyncapi_document_leads_somewhere() {
    let files = schema::documents();
    let document = &files["asyncapi.json"];
    assert_eq!(document["asyncapi"], "3.0.0");
    let mut seen = BTreeMap::new();
    visit(document, &mut |reference| {
        let found = match reference.strip_prefix('#') {
            Some(pointer) => document.pointer(pointer).is_some(),
            None => reference.strip_prefix("./").is_some_and(|file| files.contains_key(file)),
        };
        assert!(found, "{reference} leads nowhere");
        *seen.entry(reference.to_owned()).or_insert(0) += 1;
    });
    for kind in KINDS.iter() {
        assert!(seen.contains_key(&format!("./{}.json", kind.full())), "{} is described", kind.full());
    }
}

fn visit(value: &Value, each: &mut impl FnMut(&str)) {
    match value {
        Value::Object(map) => {
            for (key, inner) in map {
                match inner.as_str().filter(|_| key == "$ref") {
                    Some(reference) => each(reference),
                    None => visit(inner, each),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|v| visit(v, each)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
