//! Builds a log of so many entries in a SQLite file, and measures how long others wait while it is rebuilt, checked and pruned.
//!
//! `cargo run --release -p forewarn-testkit --no-default-features --example log_upkeep -- 10000000 [DIR]` prints a line for each, with the
//! longest time that one append and one read took meanwhile, in milliseconds, and ends with 1 where one took more than a second.
#![allow(clippy::print_stdout, reason = "an example speaks to its reader")]
#![allow(clippy::unwrap_used, reason = "an example that cannot go on fails")]

use forewarn_log::event::change::{ChangeKind, ChangeMarked};
use forewarn_log::{Envelope, Event, EventLog, Expected, NewEvent, SqliteLog, chain};
use forewarn_testkit::samples::silence;
use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, params};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Instances, each with a stream and a row.
const FLEET: u64 = 20_000;
/// Of so many entries one makes a row and a stream that stay for good.
const LASTING: u64 = 50;
/// Entries of one transaction while the log is built.
const BATCH: u64 = 200_000;
/// How long an append or a read may take.
const BOUND: Duration = Duration::from_secs(1);

fn main() {
    let mut args = std::env::args().skip(1);
    let entries: u64 = args.next().map_or(100_000, |n| n.parse().unwrap());
    let kept = tempfile::tempdir().unwrap();
    let dir = args.next().map_or_else(|| kept.path().to_owned(), Into::into);
    let path = dir.join("log.sqlite");
    let begun = Instant::now();
    build(&path, entries);
    let bytes = std::fs::metadata(&path).unwrap().len();
    println!("built {entries} entries, {} MB, in {} s", bytes / 1_000_000, begun.elapsed().as_secs());
    let log = SqliteLog::open(&path).unwrap();
    let mut longest = Duration::ZERO;
    longest = longest.max(measured(&path, "rebuild of empty tables", || {
        let report = log.rebuild().unwrap();
        format!("{} differences", report.differences)
    }));
    longest = longest.max(measured(&path, "rebuild of right tables", || {
        let report = log.rebuild().unwrap();
        assert!(report.identical, "{:?}", report.first_difference);
        format!("{} entries", report.entries)
    }));
    longest = longest.max(measured(&path, "verify", || {
        let report = log.verify().unwrap();
        assert_eq!(report.fault, None);
        format!("{} entries, {} streams", report.entries, report.streams)
    }));
    longest = longest.max(measured(&path, "prune", || {
        let report = log.prune(time(entries / 10 + 1), time(2 * entries)).unwrap();
        assert_eq!(report.entries, entries / 10);
        format!("{} entries, {} left", report.entries, report.left)
    }));
    println!("longest wait of all: {} ms", longest.as_millis());
    if longest > BOUND {
        drop(kept);
        std::process::exit(1);
    }
}

/// The time of the `n`-th entry.
fn time(n: u64) -> Timestamp {
    let start: Timestamp = "2025-01-01T00:00:00Z".parse().unwrap();
    start + SignedDuration::from_secs(n as i64 * 3)
}

/// Writes entries as appends would, many in one transaction and without their tables.
fn build(path: &Path, entries: u64) {
    drop(SqliteLog::open(path).unwrap());
    let db = Connection::open(path).unwrap();
    db.execute_batch("PRAGMA synchronous = OFF; PRAGMA cache_size = -4000000;").unwrap();
    let often = silence("i-x").seal().unwrap();
    let change = ChangeMarked {
        change_id: "x".to_owned(),
        instance_id: None,
        workload: None,
        kind: ChangeKind::Other,
        text: "what was done".to_owned(),
        at: time(0).to_string(),
        until: None,
        by: None,
        marked_at: None,
    };
    let lasting = NewEvent::new("x", "web", time(0), Event::ChangeMarked(change)).seal().unwrap();
    let (mut versions, mut previous) = (BTreeMap::<String, u64>::new(), chain::GENESIS.to_owned());
    let mut position = 0;
    while position < entries {
        db.execute_batch("BEGIN").unwrap();
        let mut statement = db.prepare("INSERT INTO events VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)").unwrap();
        for _ in 0..BATCH.min(entries - position) {
            position += 1;
            let (stream, envelope) = nth(position, &often, &lasting);
            let version = versions.entry(stream.clone()).or_default();
            *version += 1;
            let hash = chain::link(&previous, position, &stream, *version, &envelope).unwrap();
            let text = chain::canonical_text(&envelope).unwrap();
            statement
                .execute(params![
                    position as i64,
                    stream,
                    *version as i64,
                    envelope.id,
                    envelope.type_,
                    envelope.subject,
                    time(position).as_millisecond(),
                    text,
                    previous,
                    hash
                ])
                .unwrap();
            previous = hash;
        }
        drop(statement);
        db.execute_batch("COMMIT").unwrap();
    }
    db.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    drop(db);
    // What was not synced while it was built would be waited for by the first that syncs.
    std::fs::File::open(path).unwrap().sync_all().unwrap();
}

/// Makes the `n`-th entry: mostly the same of another instance, sometimes something new.
fn nth(n: u64, often: &Envelope, lasting: &Envelope) -> (String, Envelope) {
    // Ids are hashes, so that they lie all over their index.
    let id = forewarn_domain::id::sha256_hex(&n.to_be_bytes());
    let time = time(n).to_string();
    if n.is_multiple_of(LASTING) {
        let mut envelope = Envelope { id, time, ..lasting.clone() };
        envelope.data["change_id"] = format!("change-{n}").into();
        return (format!("change/{n}"), envelope);
    }
    let instance = format!("i-{:017x}", n % FLEET);
    let mut envelope = Envelope { id, time, subject: instance.clone(), ..often.clone() };
    envelope.data["target"] = instance.clone().into();
    (format!("instance/{instance}"), envelope)
}

/// Does the work while others append and read, prints how long they waited at most, and gives the longer of the two.
fn measured(path: &Path, what: &str, work: impl FnOnce() -> String) -> Duration {
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let others = scope.spawn(|| {
            let log = SqliteLog::open(path).unwrap();
            let (mut append, mut read, mut count) = (Duration::ZERO, Duration::ZERO, 0u64);
            while !done.load(Ordering::Relaxed) || count == 0 {
                count += 1;
                let event = NewEvent { id: format!("{what} {count}"), ..silence("i-other") };
                let begun = Instant::now();
                log.append("instance/i-other", Expected::Any, &[event]).unwrap();
                append = append.max(begun.elapsed());
                let begun = Instant::now();
                assert!(!log.read_all(log.head().unwrap() - 1, 100).unwrap().is_empty());
                read = read.max(begun.elapsed());
                std::thread::sleep(Duration::from_millis(2));
            }
            (append, read, count)
        });
        let begun = Instant::now();
        // The others end with the work, however it ends.
        let said = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
        let took = begun.elapsed();
        done.store(true, Ordering::Relaxed);
        let said = said.unwrap_or_else(|cause| std::panic::resume_unwind(cause));
        let (append, read, count) = others.join().unwrap();
        println!(
            "{what}: {said}, {} s; meanwhile {count} appends, longest {} ms, longest read {} ms",
            took.as_secs(),
            append.as_millis(),
            read.as_millis()
        );
        append.max(read)
    })
}
