//! A pruned log: a checkpoint in the place of what went, a chain that goes on, and the same tables.

use crate::person::{done, fleet, forewarn, import_rows, json};
use forewarn_domain::prediction::Level;
use forewarn_log::table::TABLES;
use forewarn_log::{Cursors, EventLog, Expected, NewEvent, Row, SqliteLog, Table};
use forewarn_predict::episode_events::{EpisodeError, EpisodeEvent, append_predictions};
use forewarn_testkit::samples::{every_event, new, prediction};
use jiff::Timestamp;
use rusqlite::Connection;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tempfile::tempdir;

/// The time of the `n`-th entry.
fn day(n: usize) -> Timestamp {
    format!("2026-01-{:02}T00:00:00Z", n + 1).parse().unwrap()
}

/// The time of the `n`-th pruning.
fn march(n: usize) -> Timestamp {
    format!("2026-03-{n:02}T00:00:00Z").parse().unwrap()
}

/// A log with one event of every type, a day apart, in a few streams.
fn log(dir: &Path) -> (SqliteLog, PathBuf, usize) {
    let path = dir.join("log.sqlite");
    let log = SqliteLog::open(&path).unwrap();
    let events = every_event();
    let n = events.len().min(30);
    for (i, event) in events.into_iter().take(n).enumerate() {
        let event = NewEvent { time: day(i), ..new(&format!("e-{i}"), "thing", event) };
        log.append(&format!("stream-{}", i % 4), Expected::Any, &[event]).unwrap();
    }
    (log, path, n)
}

fn tables(log: &SqliteLog) -> Vec<(Table, BTreeMap<String, Row>)> {
    TABLES.iter().map(|t| (*t, log.table(*t).unwrap())).collect()
}

#[test]
fn a_pruned_log_verifies_and_rebuilds_to_the_same_tables() {
    let dir = tempdir().unwrap();
    let (log, path, n) = log(dir.path());
    let before = (tables(&log), log.verify().unwrap());
    let last_hash = log.read_all(11, 1).unwrap()[0].previous_hash.clone();
    let report = log.prune(day(11), march(1)).unwrap();
    assert_eq!((report.entries, report.left, report.waits_for), (11, (n - 11 + 1) as u64, None));
    let checkpoint = report.checkpoint.unwrap();
    assert_eq!((checkpoint.position, &checkpoint.hash), (11, &last_hash));

    let first = log.read_all(0, 1).unwrap().remove(0);
    assert_eq!((first.position, &first.previous_hash), (12, &last_hash));
    let verified = log.verify().unwrap();
    assert_eq!((verified.fault, verified.entries), (None, report.left));
    assert_eq!((verified.streams, verified.checkpoint.as_ref()), (before.1.streams + 1, Some(&checkpoint)));
    assert_eq!(tables(&log), before.0);
    let rebuilt = log.rebuild().unwrap();
    assert!(rebuilt.identical, "{rebuilt:?}");
    assert_eq!(tables(&log), before.0);

    // Again: nothing is old enough, so nothing happens. Then more of it, all of it, and entries after it.
    assert_eq!(log.prune(day(11), march(2)).unwrap().entries, 0);
    assert_eq!(log.head().unwrap(), n as u64 + 1);
    let reopened = SqliteLog::open(&path).unwrap();
    assert_eq!(reopened.prune(day(20), march(3)).unwrap().entries, 9);
    assert_eq!(reopened.prune(day(28), march(4)).unwrap().entries, 8);
    for stream in ["stream-0", "stream-1"] {
        let length = reopened.length(stream).unwrap();
        let added = new(&format!("late-{stream}"), "thing", every_event().remove(8));
        let added = reopened.append(stream, Expected::Version(length), &[added]).unwrap();
        assert_eq!(added.entries[0].version, length + 1, "versions go on past what was pruned");
    }
    assert_eq!(reopened.verify().unwrap().fault, None);
    assert!(reopened.rebuild().unwrap().identical);
}

#[test]
fn what_a_reader_has_not_read_stays() {
    let dir = tempdir().unwrap();
    let (log, ..) = log(dir.path());
    log.advance("bus", 4).unwrap();
    log.advance("other", 9).unwrap();
    let report = log.prune(day(11), march(1)).unwrap();
    assert_eq!((report.entries, report.waits_for.as_deref()), (4, Some("bus")));
    log.advance("bus", 11).unwrap();
    let report = log.prune(day(11), march(1)).unwrap();
    assert_eq!((report.entries, report.waits_for.as_deref()), (5, Some("other")));
    assert_eq!(log.verify().unwrap().fault, None);
}

#[test]
fn an_altered_checkpoint_is_noticed_and_only_what_it_covers_may_go() {
    for (sql, says) in [
        ("UPDATE checkpoint SET position = 10", "an entry is missing"),
        ("UPDATE checkpoint SET hash = 'x'", "not chained"),
        ("UPDATE checkpoint_streams SET version = version + 1 WHERE stream = 'stream-0'", "version in stream"),
        ("DELETE FROM checkpoint_rows WHERE name = 'incidents'", "the checkpoint is not the one that the log names"),
        ("UPDATE checkpoint_rows SET row = replace(row, 'oom_kill', 'panic')", "the checkpoint is not the one"),
        ("DELETE FROM checkpoint", "an entry is missing"),
    ] {
        let dir = tempdir().unwrap();
        let (log, path, _) = log(dir.path());
        log.prune(day(11), march(1)).unwrap();
        let db = Connection::open(&path).unwrap();
        assert!(db.execute_batch("DELETE FROM events WHERE position = 12").unwrap_err().to_string().contains("never"));
        assert!(db.execute(sql, []).unwrap() > 0, "{sql} changed nothing");
        let fault = log.verify().unwrap().fault.unwrap_or_else(|| panic!("nobody noticed {sql}"));
        assert!(fault.what.contains(says), "{sql}: {fault:?}");
    }
}

#[test]
fn a_file_of_the_first_version_is_brought_up_to_date() {
    let dir = tempdir().unwrap();
    let (log, path, n) = log(dir.path());
    let before = tables(&log);
    drop(log);
    let first = "DROP TABLE checkpoint; DROP TABLE checkpoint_streams; DROP TABLE checkpoint_rows;
                 DROP TRIGGER events_are_never_deleted;
                 CREATE TRIGGER events_are_never_deleted BEFORE DELETE ON events
                   BEGIN SELECT RAISE(ABORT, 'entries of the event log are never deleted'); END;
                 PRAGMA user_version = 1;";
    Connection::open(&path).unwrap().execute_batch(first).unwrap();
    let log = SqliteLog::open(&path).unwrap();
    assert_eq!((log.head().unwrap(), tables(&log)), (n as u64, before));
    assert_eq!(log.prune(day(5), march(1)).unwrap().entries, 5);
    assert_eq!(log.verify().unwrap().fault, None);
}

#[test]
fn an_episode_is_cleared_after_its_beginning_was_pruned_and_nothing_else_is() {
    let dir = tempdir().unwrap();
    let log = SqliteLog::open(&dir.path().join("log.sqlite")).unwrap();
    let at = |as_of: &str, level| prediction("i-1", "ep-1", as_of, level);
    let made = at("2026-01-01T00:00:00Z", Level::High);
    append_predictions(&log, &made, &[EpisodeEvent::Opened]).unwrap();
    assert_eq!(log.prune(day(5), march(1)).unwrap().entries, 1);
    assert!(log.read("episode/ep-1", 1, 10).unwrap().is_empty());
    let cleared = at("2026-01-09T00:00:00Z", Level::None);
    let what = [EpisodeEvent::Cleared { previous: Level::High }];
    assert_eq!(append_predictions(&log, &cleared, &what).unwrap(), what);
    assert_eq!(log.read("episode/ep-1", 1, 10).unwrap()[0].version, 2);
    let never = prediction("i-2", "ep-2", "2026-01-09T00:00:00Z", Level::None);
    assert!(matches!(append_predictions(&log, &never, &what), Err(EpisodeError::NeverOpened(_))));
    assert_eq!(log.verify().unwrap().fault, None);
}

#[test]
fn an_episode_goes_on_after_its_beginning_was_pruned() {
    let dir = tempdir().unwrap();
    import_rows(dir.path(), "h", &fleet());
    let emit = |as_of: &str| {
        let args =
            ["analyze", "--history", "h", "--state", "s", "--emit", "--format", "json", "--all", "--as-of", as_of];
        json(dir.path(), &args)
    };
    emit("2026-02-08T23:05:00Z");
    let log = |args: &[&str]| json(dir.path(), &[&["log"], args, &["--state", "s", "--format", "json"]].concat());
    let pruned = log(&["prune", "--older-than", "2026-02-09T00:00:00Z"]);
    assert!(pruned["entries"].as_u64().unwrap() > 0 && pruned["left"] == 1, "{pruned}");
    let later = emit("2026-02-09T00:05:00Z");
    let fills = crate::person::prediction(&later, "i-fills").unwrap();
    assert_eq!((&fills["status"], &fills["sequence"]), (&"ongoing".into(), &2.into()), "{fills:#}");
    assert_eq!(log(&["verify"])["fault"], serde_json::Value::Null);
    assert_eq!(log(&["rebuild"])["identical"], true);
    let said = done(dir.path(), &["log", "prune", "--state", "s", "--older-than", "2026-02-01T00:00:00Z"]);
    assert!(said.contains("0 entries before 2026-02-01T00:00:00Z pruned"), "{said}");
    assert_eq!(forewarn(dir.path(), &["log", "prune", "--state", "s", "--older-than", "soon"]).code, 2);
}
