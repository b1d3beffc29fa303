//! Whoever alters the file is found out, and the first bad entry is named.

use forewarn_log::conformance::sample;
use forewarn_log::{Cursors, EventLog, Expected, LogError, SqliteLog};
use rusqlite::Connection;
use tempfile::tempdir;

const UNLOCK: &str = "DROP TRIGGER events_are_never_changed; DROP TRIGGER events_are_never_deleted;";

/// Makes a log of six entries, alters it with SQL, and gives the first fault: where, and what.
fn fault_after(sql: &str) -> Option<(u64, String)> {
    let dir = tempdir().unwrap();
    let path = dir.path().join("log.db");
    let log = SqliteLog::open(&path).unwrap();
    for n in 1..=6 {
        let stream = if n % 2 == 0 { "even" } else { "odd" };
        log.append(stream, Expected::Any, &[sample(&n.to_string())]).unwrap();
    }
    log.advance("bus", 6).unwrap();
    Connection::open(&path).unwrap().execute_batch(&format!("{UNLOCK}{sql}")).unwrap();
    log.verify().unwrap().fault.map(|f| (f.position, f.what))
}

fn assert_fault(sql: &str, position: u64, says: &str) {
    let (at, what) = fault_after(sql).unwrap_or_else(|| panic!("nobody noticed {sql}"));
    assert!(at == position && what.contains(says), "{sql}: entry {at}: {what}");
}

#[test]
fn an_untouched_log_is_whole() {
    assert_eq!(fault_after(""), None);
}

#[test]
fn alterations_are_named() {
    let edit = "UPDATE events SET envelope = replace(envelope, 'sample 4', 'sample X') WHERE position = 4";
    assert_fault(edit, 4, "it was altered");
    assert_fault("UPDATE events SET stream = 'other' WHERE position = 6", 6, "version in stream");
    assert_fault("UPDATE events SET stream = 'other', version = 1 WHERE position = 6", 6, "it was altered");
    assert_fault("UPDATE events SET subject = 'other' WHERE position = 3", 3, "columns");
    assert_fault("UPDATE events SET time_ms = 5 WHERE position = 3", 3, "columns");
    assert_fault("UPDATE events SET envelope = 'x' WHERE position = 2", 2, "not one");
    assert_fault("UPDATE events SET hash = 'x' WHERE position = 2", 2, "it was altered");
    assert_fault("UPDATE events SET previous_hash = 'x' WHERE position = 2", 2, "not chained");
}

#[test]
fn missing_entries_are_named() {
    assert_fault("DELETE FROM events WHERE position = 1", 2, "an entry is missing");
    assert_fault("DELETE FROM events WHERE position = 3", 4, "an entry is missing");
    assert_fault("DELETE FROM events WHERE position >= 5", 5, "the end of the log is missing");
    let moved_up = "DELETE FROM events WHERE position = 5;
                    UPDATE events SET position = 5 WHERE position = 6";
    assert_fault(moved_up, 5, "not chained");
}

#[test]
fn an_entry_with_a_recomputed_hash_breaks_the_next_one() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("log.db");
    let log = SqliteLog::open(&path).unwrap();
    log.append("a", Expected::Any, &[sample("1"), sample("2"), sample("3")]).unwrap();
    let mut second = log.read_all(1, 1).unwrap().remove(0);
    second.envelope.subject = "other".to_owned();
    let hash = forewarn_log::chain::link(&second.previous_hash, 2, "a", 2, &second.envelope).unwrap();
    let db = Connection::open(&path).unwrap();
    db.execute_batch(UNLOCK).unwrap();
    let text = forewarn_log::chain::canonical_text(&second.envelope).unwrap();
    db.execute("UPDATE events SET envelope = ?1, hash = ?2, subject = 'other' WHERE position = 2", [text, hash])
        .unwrap();
    let fault = log.verify().unwrap().fault.unwrap();
    assert!(fault.position == 3 && fault.what.contains("not chained"), "{fault:?}");
}

#[test]
fn the_file_itself_refuses_changes() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("log.db");
    let log = SqliteLog::open(&path).unwrap();
    log.append("a", Expected::Any, &[sample("1")]).unwrap();
    let db = Connection::open(&path).unwrap();
    for sql in ["DELETE FROM events", "UPDATE events SET subject = 'x'"] {
        let error = db.execute_batch(sql).unwrap_err().to_string();
        assert!(error.contains("never"), "{error}");
    }
}

#[test]
fn a_damaged_entry_stops_readers_and_the_rebuild_with_its_position() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("log.db");
    let log = SqliteLog::open(&path).unwrap();
    log.append("a", Expected::Any, &[sample("1"), sample("2")]).unwrap();
    let sql = format!("{UNLOCK}UPDATE events SET envelope = '{{' WHERE position = 2");
    Connection::open(&path).unwrap().execute_batch(&sql).unwrap();
    assert_eq!(log.read_all(0, 1).unwrap().len(), 1);
    let error = log.read_all(0, 2).unwrap_err();
    assert!(matches!(error, LogError::Corrupt { position: 2, .. }), "{error}");
    let error = log.rebuild().unwrap_err();
    assert!(matches!(error, LogError::Corrupt { position: 2, .. }), "{error}");
}
