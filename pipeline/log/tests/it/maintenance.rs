//! Checking, rebuilding and pruning a file take one short transaction after another: others come in between, and a cut at any point is
//! made good.

use forewarn_log::{Cursors, EventLog, Expected, Filter, NewEvent, Projection, SqliteLog, Table};
use forewarn_runtime::clock::Clock;
use forewarn_runtime::context::RuntimeContext;
use forewarn_runtime::interrupt::Interrupt;
use forewarn_testkit::samples::silence;
use jiff::Timestamp;
use rusqlite::Connection;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::tempdir;

/// Most rows that one transaction may change.
const MOST: u64 = 2000;

type Moment = Box<dyn FnMut(usize) -> bool + Send>;

/// A clock by which no time passes. Whoever rests by it has something done meanwhile, which says whether the work goes on.
struct Between {
    rests: AtomicUsize,
    moment: Mutex<Moment>,
}

impl std::fmt::Debug for Between {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Between").finish_non_exhaustive()
    }
}

impl Clock for Between {
    fn now_ms(&self) -> i64 {
        0
    }

    fn pause(&self, _: u64, _: &Interrupt) -> bool {
        let n = self.rests.fetch_add(1, Ordering::Relaxed);
        (self.moment.lock().unwrap())(n)
    }
}

fn between(moment: impl FnMut(usize) -> bool + Send + 'static) -> (Arc<Between>, RuntimeContext) {
    let clock = Arc::new(Between { rests: AtomicUsize::new(0), moment: Mutex::new(Box::new(moment)) });
    (Arc::clone(&clock), RuntimeContext { clock, ..RuntimeContext::standalone() })
}

/// A clock by which rests take no time.
fn quick() -> RuntimeContext {
    between(|_| true).1
}

fn silences(from: usize, to: usize) -> Vec<NewEvent> {
    (from..to).map(|n| silence(&format!("i-{n:05}"))).collect()
}

fn filled(path: &Path, count: usize) -> SqliteLog {
    let log = SqliteLog::open(path).unwrap();
    log.append("a", Expected::Any, &silences(0, count)).unwrap();
    log
}

/// Whoever asks for the file now has it at once, or the test fails.
fn at_once(path: &Path) -> Connection {
    let db = Connection::open(path).unwrap();
    db.busy_timeout(Duration::ZERO).unwrap();
    db.execute_batch("BEGIN IMMEDIATE; COMMIT").unwrap();
    db
}

fn count(db: &Connection, what: &str) -> u64 {
    db.query_row(&format!("SELECT count(*) FROM {what}"), [], |row| row.get::<_, i64>(0)).unwrap() as u64
}

/// Opens a file once more.
fn again(path: &Path) -> SqliteLog {
    SqliteLog::open(path).unwrap()
}

fn march() -> Timestamp {
    "2026-03-01T00:00:00Z".parse().unwrap()
}

#[test]
fn appends_go_in_between_the_transactions_of_a_rebuild_and_no_row_is_lost() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("log.db");
    let log = filled(&path, 6000);
    Connection::open(&path).unwrap().execute_batch("DELETE FROM silences WHERE key > 'i-00100'").unwrap();
    let (other, inner) = (SqliteLog::open(&path).unwrap(), path.clone());
    let mut before = 101;
    let (clock, ctx) = between(move |n| {
        let db = at_once(&inner);
        let now = count(&db, "silences");
        assert!(now - before <= MOST, "{before} rows, then {now}");
        let added = 90_000 + n;
        other.append("b", Expected::Any, &silences(added, added + 1)).unwrap();
        before = count(&db, "silences");
        true
    });
    let report = again(&path).within(ctx).rebuild().unwrap();
    let rests = clock.rests.load(Ordering::Relaxed) as u64;
    assert!(rests > 6, "{rests} rests");
    assert_eq!((report.differences, report.identical), (5899, false));
    assert!(report.entries > 6000, "{} entries: some were appended meanwhile", report.entries);
    assert_eq!(log.table(Table::Silences).unwrap().len() as u64, 6000 + rests);
    let mut folded = Projection::default();
    for entry in log.list(&Filter::default()).unwrap() {
        folded.apply(&entry).unwrap();
    }
    let said: BTreeMap<_, _> = folded.table(Table::Silences).map(|(key, row)| (key.to_owned(), row.clone())).collect();
    assert!(log.table(Table::Silences).unwrap() == said);
    assert!(again(&path).within(quick()).rebuild().unwrap().identical);
}

#[test]
fn appends_go_in_between_the_transactions_of_a_pruning() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("log.db");
    let log = filled(&path, 6000);
    let (other, inner) = (SqliteLog::open(&path).unwrap(), path.clone());
    let mut before = 6000;
    let (clock, ctx) = between(move |n| {
        let db = at_once(&inner);
        let now = count(&db, "events");
        assert!(before <= now + MOST, "{before} entries, then {now}");
        let event = NewEvent { time: march(), ..silence(&format!("i-late-{n}")) };
        other.append("b", Expected::Any, &[event]).unwrap();
        before = count(&db, "events");
        true
    });
    let report = again(&path).within(ctx).prune(march(), march()).unwrap();
    assert_eq!(report.entries, 6000);
    assert!(clock.rests.load(Ordering::Relaxed) > 20, "rows are staged, and entries deleted, in parts");
    assert_eq!(count(&at_once(&path), "events"), log.head().unwrap() - 6000);
    assert_eq!((log.verify().unwrap().fault, again(&path).within(quick()).rebuild().unwrap().identical), (None, true));
}

#[test]
fn a_pruning_cut_at_any_point_leaves_a_log_that_verifies_and_the_next_one_ends_it() {
    let mut cuts = 0;
    loop {
        let dir = tempdir().unwrap();
        let path = dir.path().join("log.db");
        let log = filled(&path, 130);
        // One pruning before, so that there is a checkpoint to replace.
        log.append("b", Expected::Any, &silences(200, 201)).unwrap();
        log.advance("bus", 60).unwrap();
        assert_eq!(again(&path).within(quick()).prune(march(), march()).unwrap().entries, 60);
        log.advance("bus", 131).unwrap();
        let (_, ctx) = between(move |n| n < cuts);
        let cut = again(&path).within(ctx.clone()).prune(march(), march());
        let log = SqliteLog::open(&path).unwrap();
        let verified = log.verify().unwrap();
        assert_eq!(verified.fault, None, "cut {cuts}");
        assert!(again(&path).within(quick()).rebuild().unwrap().identical, "cut {cuts}");
        assert_eq!(log.table(Table::Silences).unwrap().len(), 131, "cut {cuts}");
        let first = log.read_all(0, 1).unwrap().remove(0).position;
        assert!(first > 60 && first <= 132, "cut {cuts}: {first}");
        again(&path).within(quick()).prune(march(), march()).unwrap();
        assert_eq!(log.read_all(0, 1).unwrap()[0].position, 132, "cut {cuts}: what was pruned stays gone");
        let db = at_once(&path);
        assert_eq!(
            count(&db, "sqlite_schema WHERE name LIKE '%\\_old' ESCAPE '\\' OR name LIKE '%\\_next' ESCAPE '\\'"),
            0
        );
        assert_eq!(log.verify().unwrap().fault, None, "cut {cuts}");
        if cut.is_ok() {
            break;
        }
        cuts += 1;
    }
    assert!(cuts > 8, "{cuts} cuts");
}

#[test]
fn a_check_is_in_nobodys_way_and_begins_again_where_the_log_is_pruned_under_it() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("log.db");
    let (other, inner) = (filled(&path, 3500), path.clone());
    let (clock, ctx) = between(move |n| {
        let late = NewEvent { time: march(), ..silence(&format!("i-late-{n}")) };
        other.append("b", Expected::Any, &[late]).unwrap();
        // A reader that stays would keep the write-ahead log from being emptied.
        let db = at_once(&inner);
        let busy: i64 = db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0)).unwrap();
        assert_eq!(busy, 0, "at rest {n}");
        if n == 2 {
            assert_eq!(again(&inner).within(quick()).prune(march(), march()).unwrap().entries, 3500);
        }
        true
    });
    let report = again(&path).within(ctx).verify().unwrap();
    assert_eq!(report.fault, None);
    assert_eq!(report.checkpoint.map(|c| c.position), Some(3500));
    assert!(report.entries < 20, "{} entries after the checkpoint", report.entries);
    assert!(clock.rests.load(Ordering::Relaxed) > 3);
}

#[test]
fn one_rebuild_or_pruning_at_a_time() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("log.db");
    let (other, inner) = (filled(&path, 60), path.clone());
    let (_, ctx) = between(move |_| {
        let refused = again(&inner).within(quick()).prune(march(), march()).unwrap_err().to_string();
        assert!(refused.contains("is locked"), "{refused}");
        assert!(again(&inner).within(quick()).rebuild().is_err());
        assert_eq!(other.verify().unwrap().fault, None);
        true
    });
    assert_eq!(again(&path).within(ctx).prune(march(), march()).unwrap().entries, 60);
}
