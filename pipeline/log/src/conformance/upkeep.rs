//! What pruning and snapshots must leave.

use super::super::checkpoint::Prefix;
use super::super::envelope::NewEvent;
use super::super::event::Event;
use super::super::event::change::{ChangeKind, ChangeMarked};
use super::super::maintain::{Maintain, Snapshots};
use super::super::port::{Cursors, EventLog, Expected};
use super::{ids, samples};
use jiff::Timestamp;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("a time")
}

/// A change that was marked at a time, which makes a row.
fn change(n: i64) -> NewEvent {
    let marked = ChangeMarked {
        change_id: format!("change-{n}"),
        instance_id: None,
        workload: Some("web".to_owned()),
        kind: ChangeKind::Config,
        text: format!("setting {n}"),
        at: at(n).to_string(),
        until: None,
        by: None,
        marked_at: None,
    };
    NewEvent::new(format!("c-{n}"), "web", at(n), Event::ChangeMarked(marked))
}

/// Eight changes, a second apart, in two streams.
fn filled(log: &impl EventLog) {
    for n in 1..=8 {
        log.append(if n % 2 == 0 { "even" } else { "odd" }, Expected::Any, &[change(n)]).expect("append");
    }
}

/// Folds what is left onto the newest prefix that is kept.
fn folded(log: &(impl EventLog + Snapshots)) -> Prefix {
    let mut prefix = log.newest().expect("the newest prefix");
    loop {
        let page = log.read_all(prefix.walk.position, 3).expect("read all");
        if page.is_empty() {
            return prefix;
        }
        for entry in &page {
            prefix.check_and_take(entry).expect("the chain goes on from the prefix");
        }
    }
}

/// Checks that the log is whole, and that its tables are those of the changes.
fn assert_whole(log: &(impl Maintain + Snapshots), changes: i64) {
    let report = log.verify().expect("verify");
    assert_eq!(report.fault, None);
    assert_eq!(report.entries + report.checkpoint.map_or(0, |c| c.position), log.head().expect("head"));
    assert_eq!(folded(log).projection.rows.len() as i64, changes);
    assert!(log.rebuild().expect("rebuild").identical);
}

pub(super) fn a_pruned_log_goes_on(log: &(impl Maintain + Snapshots)) {
    assert_eq!(log.prune(at(9), at(9)).expect("an empty log").entries, 0);
    filled(log);
    let before = log.read_all(5, 1).expect("read all").remove(0).previous_hash;
    let report = log.prune(at(6), at(100)).expect("prune");
    assert_eq!((report.entries, report.left, report.waits_for), (5, 4, None), "the one that says so is the ninth");
    let checkpoint = report.checkpoint.expect("a checkpoint");
    assert_eq!((checkpoint.position, checkpoint.hash), (5, before));
    assert_eq!(ids(&log.read_all(0, 3).expect("read all")), ["c-6", "c-7", "c-8"]);
    assert_eq!(ids(&log.read_all(6, 2).expect("read all")), ["c-7", "c-8"]);
    assert_eq!(ids(&log.read("odd", 1, 9).expect("read")), ["c-7"]);
    assert_eq!(log.read("odd", 1, 9).expect("read")[0].version, 4);
    assert_eq!(["odd", "even", "log"].map(|s| log.length(s).expect("length")), [4, 4, 1]);
    assert_whole(log, 8);

    assert_eq!(log.prune(at(6), at(101)).expect("again").entries, 0);
    assert_eq!(log.prune(at(99), at(101)).expect("prune").entries, 3);
    assert!(log.read("odd", 1, 9).expect("read").is_empty());
    assert!(log.read("even", 4, 9).expect("read").is_empty());
    let added = log.append("odd", Expected::Version(4), &[change(11)]).expect("versions go on");
    assert_eq!((added.entries[0].version, added.entries[0].position), (5, 11));
    assert_eq!(ids(&log.read("odd", 1, 9).expect("read")), ["c-11"]);
    assert_whole(log, 9);
    let again = log.append("even", Expected::Version(4), &samples(&["1"])).expect("append");
    assert_eq!(again.written, 1);
    assert_whole(log, 9);
}

pub(super) fn readers_hold_back_a_pruning(log: &(impl Cursors + Maintain + Snapshots)) {
    filled(log);
    log.advance("slow", 0).expect("advance");
    log.advance("fast", 8).expect("advance");
    let report = log.prune(at(7), at(100)).expect("prune");
    assert_eq!((report.entries, report.waits_for.as_deref()), (0, Some("slow")), "one that stands at 0 counts");
    log.advance("slow", 3).expect("advance");
    let report = log.prune(at(7), at(100)).expect("prune");
    assert_eq!((report.entries, report.waits_for.as_deref()), (3, Some("slow")));
    log.advance("slow", 7).expect("advance");
    let report = log.prune(at(7), at(101)).expect("prune");
    assert_eq!((report.entries, report.waits_for), (3, None));
    assert_whole(log, 8);
}

pub(super) fn snapshots_shorten_the_way_and_change_nothing(log: &(impl Maintain + Snapshots)) {
    assert_eq!(log.newest().expect("the newest prefix").walk.position, 0);
    filled(log);
    let whole = folded(log);
    log.keep(&whole).expect("keep");
    log.keep(&whole).expect("twice");
    log.append("odd", Expected::Any, &[change(9)]).expect("append");
    let newest = log.newest().expect("the newest prefix");
    assert!([0, 8].contains(&newest.walk.position), "whoever keeps the tables elsewhere need not keep them twice");
    assert_whole(log, 9);
    // A pruning passes snapshots by; one taken after it serves again.
    assert_eq!(log.prune(at(9), at(100)).expect("prune").entries, 8);
    assert!([8, 9].contains(&log.newest().expect("the newest prefix").walk.position), "or what a rebuild kept");
    log.keep(&folded(log)).expect("keep");
    assert_whole(log, 9);
    assert_eq!(folded(log).projection.rows.len(), 9);
}
