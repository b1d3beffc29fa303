//! Every adapter passes the conformance suite; SQLite keeps its promises across processes too.

use forewarn_log::conformance::{self, sample};
use forewarn_log::sqlite::{APPLICATION_ID, SCHEMA_VERSION};
use forewarn_log::{AppendError, Batch, Cursors, EventLog, Expected, LogError, MemoryLog, SqliteLog};
use rusqlite::Connection;
use std::cell::Cell;
use std::fs;
use tempfile::tempdir;

#[test]
fn memory_conforms() {
    conformance::run(MemoryLog::new);
}

#[test]
fn sqlite_conforms() {
    let dir = tempdir().unwrap();
    let made = Cell::new(0);
    conformance::run(|| {
        made.set(made.get() + 1);
        SqliteLog::open(&dir.path().join(format!("{}.db", made.get()))).unwrap()
    });
}

#[test]
fn sqlite_handles_of_one_file_do_not_get_into_each_others_way() {
    let dir = tempdir().unwrap();
    let handles: Vec<SqliteLog> = (0..4).map(|_| SqliteLog::open(&dir.path().join("log.db")).unwrap()).collect();
    conformance::concurrent(&handles.iter().collect::<Vec<_>>());
    assert_eq!(handles[3].verify().unwrap().fault, None);
    let raced: Vec<SqliteLog> = (0..4).map(|_| SqliteLog::open(&dir.path().join("race.db")).unwrap()).collect();
    conformance::one_of_many_wins(&raced.iter().collect::<Vec<_>>());
}

#[test]
fn a_new_sqlite_file_may_be_opened_by_many_at_once() {
    for _ in 0..10 {
        let dir = tempdir().unwrap();
        let path = dir.path().join("log.db");
        std::thread::scope(|scope| {
            for n in 0..16 {
                let path = &path;
                scope.spawn(move || {
                    let log = SqliteLog::open(path).unwrap();
                    log.append("a", Expected::Any, &[sample(&n.to_string())]).unwrap();
                });
            }
        });
        assert_eq!(SqliteLog::open(&path).unwrap().head().unwrap(), 16);
    }
}

#[test]
fn what_was_appended_is_there_after_reopening() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("log.db");
    let first = {
        let log = SqliteLog::open(&path).unwrap();
        log.advance("bus", 2).unwrap();
        log.append("a", Expected::NoStream, &[sample("1"), sample("2")]).unwrap()
    };
    let log = SqliteLog::open(&path).unwrap();
    assert_eq!(log.read_all(0, 10).unwrap(), first.entries);
    assert_eq!(log.cursor("bus").unwrap(), 2);
    let again = log.append("a", Expected::NoStream, &[sample("1"), sample("2")]).unwrap();
    assert_eq!((again.written, again.entries), (0, first.entries));
    log.append("a", Expected::Version(2), &[sample("3")]).unwrap();
    conformance::check_chain(&log.read_all(0, 10).unwrap());
    assert_eq!(log.verify().unwrap().fault, None);
}

#[test]
fn several_appends_are_one_transaction_and_a_moved_cursor_leaves_the_next_append_durable() {
    let dir = tempdir().unwrap();
    let log = SqliteLog::open(&dir.path().join("log.db")).unwrap();
    let batch =
        |stream: &str, expected, id: &str| Batch { stream: stream.to_owned(), expected, events: vec![sample(id)] };
    let error = log.append_each(&[batch("a", Expected::Any, "1"), batch("b", Expected::Version(1), "2")]).unwrap_err();
    assert!(matches!(error, AppendError::Conflict { .. }), "{error}");
    assert_eq!(log.head().unwrap(), 0, "the first went with the second");
    log.advance("bus", 0).unwrap();
    log.append_each(&[batch("a", Expected::Any, "1"), batch("b", Expected::Any, "2")]).unwrap();
    assert_eq!((log.head().unwrap(), log.verify().unwrap().fault), (2, None));
}

#[test]
fn an_append_that_dies_before_its_commit_leaves_nothing() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("log.db");
    let log = SqliteLog::open(&path).unwrap();
    log.append("a", Expected::Any, &[sample("1")]).unwrap();
    // The table of current state refuses its row, after the entry was written.
    let silence = forewarn_testkit::samples::silence("i-1");
    Connection::open(&path).unwrap().execute_batch("ALTER TABLE silences RENAME TO away").unwrap();
    let error = log.append("a", Expected::Any, &[sample("2"), silence.clone()]).unwrap_err();
    assert!(error.to_string().contains("current state"), "{error}");
    assert_eq!(log.head().unwrap(), 1, "neither the entry nor the one before it in the batch");
    Connection::open(&path).unwrap().execute_batch("ALTER TABLE away RENAME TO silences").unwrap();
    log.append("a", Expected::Version(1), &[sample("2"), silence]).unwrap();
    assert_eq!(log.verify().unwrap().fault, None);
}

#[test]
fn files_of_others_are_left_alone() {
    let dir = tempdir().unwrap();
    let refused = |name: &str| {
        let before = fs::read(dir.path().join(name)).unwrap();
        let error = SqliteLog::open(&dir.path().join(name)).unwrap_err();
        assert!(matches!(error, LogError::Foreign { .. }), "{error:?}");
        assert_eq!(fs::read(dir.path().join(name)).unwrap(), before, "{name} is as it was");
        error.to_string()
    };
    fs::write(dir.path().join("text"), "instance_id,metric,ts,value\n".repeat(100)).unwrap();
    assert!(refused("text").contains("not a SQLite file"));
    Connection::open(dir.path().join("other")).unwrap().execute_batch("PRAGMA user_version = 3").unwrap();
    assert!(refused("other").contains("another program"));
    let sql = format!("PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {}", SCHEMA_VERSION + 1);
    Connection::open(dir.path().join("newer")).unwrap().execute_batch(&sql).unwrap();
    assert!(refused("newer").contains("upgrade forewarn"));
    Connection::open(dir.path().join("tables")).unwrap().execute_batch("CREATE TABLE mine(x)").unwrap();
    assert!(refused("tables").contains("another program"));
    let error = SqliteLog::open(dir.path()).unwrap_err();
    assert!(matches!(error, LogError::Unavailable { .. }), "a directory: {error:?}");
}
