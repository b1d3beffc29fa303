//! Says in code what every [`EventLog`] must do; each adapter, ours or another's, runs [`run`].

mod upkeep;

use super::chain;
use super::envelope::{InvalidEvent, NewEvent};
use super::event::Event;
use super::event::policy::PolicyChanged;
use super::maintain::{Maintain, Snapshots};
use super::port::{AppendError, Batch, Cursors, EventLog, Expected, Recorded};
use jiff::Timestamp;
use std::thread;

/// Makes a small valid event, for tests of logs.
pub fn sample(id: &str) -> NewEvent {
    let payload = PolicyChanged {
        policy: "modes".to_owned(),
        sha256: forewarn_domain::id::sha256_hex(id.as_bytes()),
        summary: format!("sample {id}"),
        by: None,
    };
    NewEvent::new(id, "modes", Timestamp::UNIX_EPOCH, Event::PolicyChanged(payload))
}

fn samples(ids: &[&str]) -> Vec<NewEvent> {
    ids.iter().map(|id| sample(id)).collect()
}

/// Runs every check; `make` gives a fresh, empty log each time.
///
/// # Panics
/// When the log does not do what the port demands.
pub fn run<L: EventLog + Cursors + Maintain + Snapshots + Sync>(make: impl Fn() -> L) {
    appends_and_reads(&make());
    empty_append_does_nothing(&make());
    several_streams_at_once(&make());
    expected_versions(&make());
    first_write_wins(&make());
    a_repeated_append_succeeds_whatever_it_expected(&make());
    all_or_none(&make());
    bad_input_leaves_nothing(&make());
    pages(&make());
    cursors_only_move_forward(&make());
    a_cursor_at_the_beginning_is_there(&make());
    upkeep::a_pruned_log_goes_on(&make());
    upkeep::readers_hold_back_a_pruning(&make());
    upkeep::snapshots_shorten_the_way_and_change_nothing(&make());
    let shared = make();
    concurrent(&[&shared, &shared, &shared, &shared]);
    let contended = make();
    one_of_many_wins(&[&contended, &contended, &contended, &contended]);
}

fn ids(entries: &[Recorded]) -> Vec<&str> {
    entries.iter().map(|e| e.envelope.id.as_str()).collect()
}

/// Checks positions, versions and hashes of entries that begin the log.
///
/// # Panics
/// When they are not as the port demands.
pub fn check_chain(entries: &[Recorded]) {
    let mut previous = chain::GENESIS.to_owned();
    let mut versions = std::collections::BTreeMap::new();
    for (i, e) in entries.iter().enumerate() {
        assert_eq!(e.position, i as u64 + 1, "positions have no gaps");
        let version = versions.entry(e.stream.clone()).or_insert(0u64);
        *version += 1;
        assert_eq!(e.version, *version, "versions of stream {} have no gaps", e.stream);
        assert_eq!(e.previous_hash, previous, "entry {} is chained to the one before", e.position);
        let hash = chain::link(&previous, e.position, &e.stream, e.version, &e.envelope).expect("an entry hashes");
        assert_eq!(e.hash, hash, "hash of entry {}", e.position);
        previous = hash;
    }
}

fn appends_and_reads(log: &impl EventLog) {
    assert_eq!(log.head().expect("head"), 0);
    assert!(log.read_all(0, 10).expect("read all").is_empty());
    assert!(log.read("a", 1, 10).expect("read").is_empty());
    let first = log.append("a", Expected::NoStream, &samples(&["1", "2"])).expect("append");
    assert_eq!((first.written, ids(&first.entries)), (2, vec!["1", "2"]));
    log.append("b", Expected::Any, &samples(&["3"])).expect("append");
    log.append("a", Expected::Version(2), &samples(&["4"])).expect("append");
    let all = log.read_all(0, 10).expect("read all");
    assert_eq!(ids(&all), ["1", "2", "3", "4"]);
    assert_eq!(all[..2], first.entries[..], "what append returns is what is read");
    assert_eq!(["a", "b", "c"].map(|s| log.length(s).expect("length")), [3, 1, 0]);
    assert_eq!(ids(&log.read("a", 1, 10).expect("read")), ["1", "2", "4"]);
    assert_eq!(ids(&log.read("b", 1, 10).expect("read")), ["3"]);
    assert_eq!(log.head().expect("head"), 4);
    assert_eq!(all[0].event().expect("event"), sample("1").event);
    check_chain(&all);
}

fn empty_append_does_nothing(log: &impl EventLog) {
    let appended = log.append("a", Expected::Version(7), &[]).expect("nothing to write is nothing to refuse");
    assert_eq!((appended.written, appended.entries.len()), (0, 0));
    assert_eq!(log.head().expect("head"), 0);
}

fn several_streams_at_once(log: &impl EventLog) {
    let batch =
        |stream: &str, expected, of: &[&str]| Batch { stream: stream.to_owned(), expected, events: samples(of) };
    let batches = [
        batch("a", Expected::NoStream, &["1", "2"]),
        batch("b", Expected::Any, &["3", "1"]),
        batch("a", Expected::Version(2), &["4"]),
    ];
    let appended = log.append_each(&batches).expect("append");
    assert_eq!(
        appended.iter().map(|a| (a.written, ids(&a.entries))).collect::<Vec<_>>(),
        [(2, vec!["1", "2"]), (1, vec!["3", "1"]), (1, vec!["4"])]
    );
    let again = log.append_each(&batches).expect("an answer may have been lost");
    assert!(again.iter().all(|a| a.written == 0));
    let error = log.append_each(&[batch("c", Expected::Version(1), &["5"])]).expect_err("a conflict");
    assert!(matches!(error, AppendError::Conflict { actual: 0, .. }), "{error}");
    assert_eq!(ids(&log.read("a", 1, 9).expect("read")), ["1", "2", "4"]);
    check_chain(&log.read_all(0, 9).expect("read all"));
}

fn expected_versions(log: &impl EventLog) {
    let refused = |expected, actual_should_be: u64| {
        let before = log.head().expect("head");
        let error = log.append("a", expected, &samples(&["refused"])).expect_err("a conflict");
        let AppendError::Conflict { stream, expected: said, actual } = error else { panic!("not a conflict: {error}") };
        assert_eq!((stream.as_str(), said, actual), ("a", expected, actual_should_be));
        assert_eq!(log.head().expect("head"), before, "a conflict writes nothing");
    };
    refused(Expected::Version(1), 0);
    log.append("a", Expected::Version(0), &samples(&["1"])).expect("version 0 is no stream");
    refused(Expected::NoStream, 1);
    refused(Expected::Version(0), 1);
    refused(Expected::Version(2), 1);
    log.append("a", Expected::Version(1), &samples(&["2"])).expect("append");
}

fn first_write_wins(log: &impl EventLog) {
    let first = log.append("a", Expected::Any, &samples(&["1"])).expect("append");
    let other = NewEvent { subject: "something else".to_owned(), ..sample("1") };
    let again = log.append("b", Expected::Any, &[other]).expect("a known id is no error");
    assert_eq!((again.written, &again.entries), (0, &first.entries), "the entry recorded first is returned");
    let mixed = log.append("a", Expected::Any, &samples(&["2", "1", "2", "3"])).expect("append");
    assert_eq!((mixed.written, ids(&mixed.entries)), (2, vec!["2", "1", "2", "3"]));
    assert_eq!(ids(&log.read_all(0, 10).expect("read all")), ["1", "2", "3"]);
    assert!(log.read("b", 1, 10).expect("read").is_empty());
}

fn a_repeated_append_succeeds_whatever_it_expected(log: &impl EventLog) {
    let first = log.append("a", Expected::NoStream, &samples(&["1", "2"])).expect("append");
    let again = log.append("a", Expected::NoStream, &samples(&["1", "2"])).expect("an answer may have been lost");
    assert_eq!((again.written, again.entries), (0, first.entries));
    let error = log.append("a", Expected::NoStream, &samples(&["1", "3"])).expect_err("one of them is new");
    assert!(matches!(error, AppendError::Conflict { actual: 2, .. }), "{error}");
}

fn all_or_none(log: &impl EventLog) {
    let mut bad = sample("2");
    bad.id = String::new();
    let error = log.append("a", Expected::Any, &[sample("1"), bad]).expect_err("an event without an id");
    assert!(matches!(error, AppendError::Invalid(InvalidEvent::Name { field: "id", .. })), "{error}");
    assert_eq!(log.head().expect("head"), 0);
}

fn bad_input_leaves_nothing(log: &impl EventLog) {
    for stream in ["", "a\nb", &"x".repeat(513)] {
        let error = log.append(stream, Expected::Any, &samples(&["1"])).expect_err("a bad stream name");
        assert!(matches!(error, AppendError::Stream(_)), "{error}");
    }
    let newer = Event::Unknown { type_: "forewarn.policy.changed.v99".to_owned(), data: serde_json::Value::Null };
    let error = log.append("a", Expected::Any, &[NewEvent { event: newer, ..sample("1") }]).expect_err("a newer type");
    assert!(matches!(error, AppendError::Invalid(InvalidEvent::Data { .. })), "{error}");
    assert_eq!(log.head().expect("head"), 0);
}

fn pages(log: &impl EventLog) {
    let names: Vec<String> = (1..=10).map(|n| n.to_string()).collect();
    for name in &names {
        log.append("a", Expected::Any, &[sample(name)]).expect("append");
    }
    assert_eq!(ids(&log.read_all(3, 4).expect("read all")), ["4", "5", "6", "7"]);
    assert_eq!(ids(&log.read("a", 9, 100).expect("read")), ["9", "10"]);
    assert_eq!(ids(&log.read("a", 0, 1).expect("read")), ["1"], "version 0 is before the first");
    assert!(log.read_all(10, 4).expect("read all").is_empty());
    assert!(log.read_all(u64::MAX, usize::MAX).expect("read all").is_empty());
    assert!(log.read_all(0, 0).expect("read all").is_empty());
}

fn cursors_only_move_forward(log: &impl Cursors) {
    assert_eq!(log.cursor("bus").expect("cursor"), 0);
    log.advance("bus", 5).expect("advance");
    log.advance("bus", 3).expect("advance");
    assert_eq!(log.cursor("bus").expect("cursor"), 5);
    assert_eq!(log.cursor("other").expect("cursor"), 0);
}

/// A reader of a log that is empty stands at 0, and is there all the same.
fn a_cursor_at_the_beginning_is_there(log: &impl Cursors) {
    assert!(!log.has_cursor("bus").expect("has cursor"));
    log.advance("bus", 0).expect("advance");
    assert_eq!((log.has_cursor("bus").expect("has cursor"), log.cursor("bus").expect("cursor")), (true, 0));
    assert!(!log.has_cursor("other").expect("has cursor"));
}

/// Lets each handle to one empty log append from its own thread while a reader follows all of them.
///
/// # Panics
/// When a position is skipped, repeated or missing, or the chain is broken.
pub fn concurrent<L: EventLog + Sync>(handles: &[&L]) {
    const EACH: usize = 25;
    let total = handles.len() * EACH;
    let seen = thread::scope(|scope| {
        for (w, log) in handles.iter().enumerate() {
            scope.spawn(move || {
                for n in 0..EACH {
                    // Half of them contend for one stream.
                    let stream = if n % 2 == 0 { "shared".to_owned() } else { format!("own/{w}") };
                    log.append(&stream, Expected::Any, &[sample(&format!("{w}-{n}"))]).expect("append");
                }
            });
        }
        let reader = handles[0];
        let follow = scope.spawn(move || {
            let mut seen: Vec<Recorded> = Vec::new();
            while seen.len() < total {
                let after = seen.last().map_or(0, |e| e.position);
                seen.extend(reader.read_all(after, 7).expect("read all"));
                thread::yield_now();
            }
            seen
        });
        follow.join().expect("the reader follows")
    });
    check_chain(&seen);
    assert_eq!(handles[0].head().expect("head"), total as u64);
    let mut distinct = ids(&seen);
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(distinct.len(), total, "every event is there once");
}

/// Lets every handle append with the same expected version: exactly one may succeed each round.
///
/// # Panics
/// When none or several succeed.
pub fn one_of_many_wins<L: EventLog + Sync>(handles: &[&L]) {
    for round in 0..10u64 {
        let results: Vec<_> = thread::scope(|scope| {
            let race = |(w, log): (usize, &&L)| {
                let event = sample(&format!("round {round} writer {w}"));
                log.append("race", Expected::Version(round), &[event])
            };
            let started: Vec<_> = handles.iter().enumerate().map(|h| scope.spawn(move || race(h))).collect();
            started.into_iter().map(|t| t.join().expect("a writer ends")).collect()
        });
        let won = results.iter().filter(|r| r.is_ok()).count();
        assert_eq!(won, 1, "exactly one writer wins round {round}");
        for lost in results.into_iter().filter_map(Result::err) {
            assert!(matches!(lost, AppendError::Conflict { .. }), "{lost}");
        }
    }
}
