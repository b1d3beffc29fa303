//! What a run writes and announces, once, whatever came before it.

use super::*;
use crate::evidence::SampleCounts;
use forewarn_deliver::{JsonLinesBus, outbox, pump};
use forewarn_domain::signal::SIGNALS;
use forewarn_log::table::Table;
use forewarn_log::{EventLog, SqliteLog};
use forewarn_log::{Filter, log_path};
use forewarn_rules::feature::{WIDTH, column_index};
use forewarn_rules::predict::Identity;
use forewarn_rules::table::FeatureTable;
use std::collections::BTreeMap;
use std::path::Path;

const HOUR: i64 = 3_600_000;
const NOON: i64 = 1_771_156_800_000;

/// What is found of one instance, whose status check has flapped and then failed for four hours, or which is well.
fn analysis(ruleset: &RuleSet, as_of: i64, failing: bool) -> Analysis {
    let mut row = vec![f64::NAN; WIDTH];
    for (name, value) in [
        ("instance_age_days", 30.0),
        ("instance_coverage", 1.0),
        ("instance_silence_hours", 0.1),
        ("instance_signals", 6.0),
        ("cpu_n", 2016.0),
        ("memory_n", 2016.0),
        ("memory_silence_hours", 0.1),
        ("status_critical_periods", if failing { 48.0 } else { 0.0 }),
        ("status_lift_6h", if failing { 0.7 } else { 0.0 }),
        ("status_bursts_24h", if failing { 8.0 } else { 0.0 }),
        ("status_x24", if failing { 1.0 } else { 0.0 }),
    ] {
        row[column_index(name).unwrap()] = value;
    }
    let mut table = FeatureTable::new();
    table.push("i-a", as_of, &row, &vec![None; SIGNALS.len()]);
    Analysis {
        as_of,
        identities: vec![Identity::default()],
        sparks: vec![BTreeMap::new()],
        assessed: ruleset.assess(&table).unwrap(),
        table,
        samples: SampleCounts::default(),
    }
}

/// Emits as a process of its own does, and gives the entries of the log and the bus after it.
fn run(dir: &Path, ruleset: &RuleSet, analysis: &Analysis) -> (Emitted, u64, String) {
    let log = SqliteLog::open(&log_path(dir)).unwrap();
    let bus = dir.join("events.jsonl");
    let mut emitted = write(&log, &round(Some(&log), analysis, ruleset).unwrap()).unwrap();
    let mut file = JsonLinesBus::open(&bus).unwrap();
    emitted.announced = pump(&log, outbox::FILE, &mut file, &Filter::default()).unwrap().sent;
    (emitted, log.head().unwrap(), std::fs::read_to_string(bus).unwrap())
}

#[test]
fn emitting_again_writes_nothing() {
    let (dir, ruleset) = (tempfile::tempdir().unwrap(), RuleSet::builtin(&|_| None).unwrap());
    let failing = analysis(&ruleset, NOON, true);
    let first = run(dir.path(), &ruleset, &failing);
    assert_eq!(first.0, Emitted { opened: 1, announced: 1, ..Emitted::default() });
    assert_eq!(first.2.lines().count(), 1);
    assert_eq!(run(dir.path(), &ruleset, &failing), (Emitted::default(), first.1, first.2));
}

#[test]
fn an_episode_goes_on_across_runs_until_it_is_cleared_once() {
    let (dir, ruleset) = (tempfile::tempdir().unwrap(), RuleSet::builtin(&|_| None).unwrap());
    run(dir.path(), &ruleset, &analysis(&ruleset, NOON, true));
    let mut cleared = Vec::new();
    for hour in 1..=48 {
        let (emitted, ..) = run(dir.path(), &ruleset, &analysis(&ruleset, NOON + hour * HOUR, false));
        assert_eq!(emitted.opened, 0);
        if emitted.cleared > 0 {
            cleared.push(hour as f64);
        }
    }
    assert_eq!(cleared.len(), 1, "{cleared:?}");
    assert!(cleared[0] >= ruleset.levels().clear_after, "{cleared:?}");
    let log = SqliteLog::open(&log_path(dir.path())).unwrap();
    assert!(log.rebuild().unwrap().identical);
    let lines = std::fs::read_to_string(dir.path().join("events.jsonl")).unwrap().lines().count();
    assert_eq!(lines, 2, "one announcement for its beginning, one for its end");
}

/// Instances of one workload, of which the first so many fail.
fn workload(ruleset: &RuleSet, as_of: i64, failing: usize) -> Analysis {
    let mut all = analysis(ruleset, as_of, true);
    all.table = FeatureTable::new();
    for i in 0..5 {
        let one = analysis(ruleset, as_of, i < failing).table;
        let row: Vec<f64> = one.values.iter().map(|c| c[0]).collect();
        all.table.push(&format!("i-{i}"), as_of, &row, &vec![None; SIGNALS.len()]);
    }
    all.identities = vec![Identity { workload: Some("web".to_owned()), ..Identity::default() }; 5];
    all.sparks = vec![BTreeMap::new(); 5];
    all.assessed = ruleset.assess(&all.table).unwrap();
    all
}

#[test]
fn a_workload_in_trouble_is_announced_once_in_place_of_its_members() {
    let (dir, ruleset) = (tempfile::tempdir().unwrap(), RuleSet::builtin(&|_| None).unwrap());
    let said = |bus: &str| -> Vec<String> {
        let line = |l: &str| serde_json::from_str::<serde_json::Value>(l).unwrap();
        let word = |v: serde_json::Value| v["detail-type"].as_str().unwrap().to_owned();
        bus.lines().map(|l| word(line(l))).collect()
    };
    let first = workload(&ruleset, NOON, 3);
    let (emitted, head, bus) = run(dir.path(), &ruleset, &first);
    assert_eq!(emitted, Emitted { opened: 3, workloads: 1, announced: 1, ..Emitted::default() });
    assert_eq!(said(&bus), ["Workload Failure Predicted"]);
    let line: serde_json::Value = serde_json::from_str(bus.trim()).unwrap();
    assert_eq!(line["resources"], serde_json::json!(["i-0", "i-1", "i-2"]));
    assert_eq!(run(dir.path(), &ruleset, &first), (Emitted::default(), head, bus));
    let (emitted, ..) = run(dir.path(), &ruleset, &workload(&ruleset, NOON + HOUR, 4));
    assert_eq!(emitted, Emitted { opened: 1, workloads: 1, announced: 1, ..Emitted::default() });
    let mut last = String::new();
    for hour in 2..=48 {
        last = run(dir.path(), &ruleset, &workload(&ruleset, NOON + hour * HOUR, 0)).2;
    }
    assert_eq!(
        said(&last),
        ["Workload Failure Predicted", "Workload Prediction Updated", "Workload Prediction Cleared"]
    );
    let log = SqliteLog::open(&log_path(dir.path())).unwrap();
    assert!(workloads(&log).unwrap().is_empty() && states(&log).unwrap().values().all(|s| s.open.is_none()));
    assert!(log.rebuild().unwrap().identical);
}

#[test]
fn a_run_that_stopped_halfway_is_taken_up_without_saying_anything_twice() {
    let (dir, ruleset) = (tempfile::tempdir().unwrap(), RuleSet::builtin(&|_| None).unwrap());
    let failing = analysis(&ruleset, NOON, true);
    let log = SqliteLog::open(&log_path(dir.path())).unwrap();
    let taken = round(Some(&log), &failing, &ruleset).unwrap().taken.remove(0);
    append_predictions(&log, &taken.prediction, &[EpisodeEvent::Opened]).unwrap();
    assert!(log.table(Table::EpisodeStates).unwrap().is_empty());
    let (emitted, _, bus) = run(dir.path(), &ruleset, &failing);
    assert_eq!(emitted, Emitted { announced: 1, ..Emitted::default() });
    assert_eq!(bus.lines().count(), 1);
    assert!(states(&log).unwrap()["i-a"].open.is_some());
}

/// Writes down that somebody silenced or unsilenced something.
fn act(dir: &Path, action: forewarn_log::event::operator::OperatorAction, target: &str, until: Option<i64>) {
    let log = SqliteLog::open(&log_path(dir)).unwrap();
    let event = Event::OperatorActed(forewarn_log::event::operator::OperatorActed {
        action,
        target: target.to_owned(),
        until: until.map(forewarn_runtime::time::format_ms),
        reason: None,
        verdict: None,
        by: None,
    });
    let id = format!("{action:?} {target} {until:?}");
    log.append("operator/x", Expected::Any, &[NewEvent::new(id, target, jiff::Timestamp::UNIX_EPOCH, event)]).unwrap();
}

#[test]
fn a_silenced_episode_is_announced_once_when_the_silence_ends_and_it_is_still_high() {
    use forewarn_log::event::operator::OperatorAction;
    for lifted in [false, true] {
        let (dir, ruleset) = (tempfile::tempdir().unwrap(), RuleSet::builtin(&|_| None).unwrap());
        act(dir.path(), OperatorAction::Silence, "i-a", Some(NOON + 4 * HOUR));
        let at = |hour: i64| {
            let mut urgent = analysis(&ruleset, NOON + hour * HOUR, true);
            urgent.assessed.level[0] = forewarn_domain::prediction::Level::High;
            run(dir.path(), &ruleset, &urgent)
        };
        let (first, _, bus) = at(0);
        assert_eq!((first.opened, first.announced, bus.as_str()), (1, 0, ""), "in the log, on no bus");
        assert_eq!(at(2).0.announced, 0);
        if lifted {
            act(dir.path(), OperatorAction::Unsilence, "i-a", None);
        } else {
            assert_eq!(at(3).0.released, 0);
        }
        let (after, entries, bus) = at(4);
        assert_eq!((after.released, after.announced), (1, 1));
        assert!(bus.contains("Instance Failure Predicted") && bus.contains("after_silence"), "{bus}");
        assert_eq!(at(4), (Emitted::default(), entries, bus), "a rerun says nothing");
        assert_eq!(at(5).0.announced, 0);
        assert!(SqliteLog::open(&log_path(dir.path())).unwrap().rebuild().unwrap().identical);
    }
}

#[test]
fn what_nobody_was_told_of_ends_in_silence() {
    use forewarn_log::event::operator::OperatorAction;
    let (dir, ruleset) = (tempfile::tempdir().unwrap(), RuleSet::builtin(&|_| None).unwrap());
    act(dir.path(), OperatorAction::Silence, "all", Some(NOON + HOUR));
    run(dir.path(), &ruleset, &analysis(&ruleset, NOON, true));
    let rounds = (1..=48).map(|hour| run(dir.path(), &ruleset, &analysis(&ruleset, NOON + hour * HOUR, false)).0);
    let (cleared, announced) = rounds.fold((0, 0), |(c, a), e| (c + e.cleared, a + e.announced));
    assert_eq!((cleared, announced), (1, 0));
}

#[test]
fn what_two_runs_did_adds_up_in_every_count() {
    let one = Emitted { opened: 1, updated: 2, cleared: 3, workloads: 4, released: 5, announced: 6 };
    let mut both = one;
    both.add(one);
    assert_eq!(both, Emitted { opened: 2, updated: 4, cleared: 6, workloads: 8, released: 10, announced: 12 });
}
