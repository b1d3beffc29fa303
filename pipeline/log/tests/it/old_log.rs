//! A log written by version 0.1.0 keeps replaying: entries, hashes, and tables.

use forewarn_log::conformance::check_chain;
use forewarn_log::table::{TABLES, Table};
use forewarn_log::{EventLog, Expected, NewEvent, Projection, Recorded, SqliteLog};
use forewarn_testkit::schemas::assert_valid;
use serde_json::{Map, Value};
use std::fs;
use std::path::Path;
use tempfile::tempdir;

/// Tables that version 0.1.0 did not have yet.
const LATER: [Table; 3] = [Table::WorkloadEpisodes, Table::Recoveries, Table::HealthEvents];
/// The first entry of a type that has another version today: from there on, what is written again is not what it was.
const RECOVERIES: usize = 14;

fn fixture(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)).unwrap()
}

fn entries() -> Vec<Recorded> {
    fixture("log-v1.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn tables(projection: &Projection) -> Value {
    let mut all = Map::new();
    for table in TABLES {
        let rows = projection.table(table).map(|(key, row)| (key.to_owned(), serde_json::to_value(row).unwrap()));
        let rows: Map<String, Value> = rows.collect();
        // An old fixture doesn't know a table that came later.
        if !LATER.contains(&table) {
            all.insert(table.name().to_owned(), Value::Object(rows));
        }
    }
    Value::Object(all)
}

#[test]
fn the_old_log_replays_to_the_same_tables() {
    let entries = entries();
    check_chain(&entries);
    let mut projection = Projection::default();
    for entry in &entries {
        projection.apply(entry).unwrap();
        // Recoveries are at their second version, and only the newest has a schema.
        let is_of_today = !entry.envelope.type_.starts_with("forewarn.recovery.");
        if is_of_today && !projection.unknown.contains_key(&entry.envelope.type_) {
            assert_valid(entry);
        }
    }
    let expected: Value = serde_json::from_str(&fixture("log-v1.tables.json")).unwrap();
    assert_eq!(tables(&projection), expected);
    // What version 0.1.0 called a recovery no executor wrote: it is read, and nothing is ever done for it.
    let (id, row) = projection.table(Table::Recoveries).next().unwrap();
    let row = serde_json::to_value(row).unwrap();
    assert_eq!((id, row["instance_id"].as_str()), ("r-1", Some("i-0123456789abcdef0")));
    assert!(row["illegal"].is_string(), "{row}");
    assert_eq!(projection.unknown.into_iter().collect::<Vec<_>>(), [("forewarn.weather.changed.v3".to_owned(), 1)]);
}

#[test]
fn the_old_log_written_again_has_the_same_hashes() {
    let dir = tempdir().unwrap();
    let log = SqliteLog::open(&dir.path().join("log.db")).unwrap();
    let old = entries();
    assert!(old[RECOVERIES].envelope.type_.starts_with("forewarn.recovery."));
    let old = &old[..RECOVERIES];
    for entry in old {
        let e = &entry.envelope;
        let event = NewEvent {
            id: e.id.clone(),
            source: e.source.clone(),
            subject: e.subject.clone(),
            time: e.time.parse().unwrap(),
            event: e.event().unwrap(),
        };
        log.append(&entry.stream, Expected::Version(entry.version - 1), &[event]).unwrap();
    }
    assert_eq!(log.read_all(0, usize::MAX).unwrap(), old);
    let report = log.verify().unwrap();
    assert_eq!(report.fault, None);
    let rebuilt = log.rebuild().unwrap();
    assert!(rebuilt.identical, "{rebuilt:?}");
}
