use super::super::api::MetricName;
use super::super::discover::Found;
use super::super::ledger::Progress;
use super::super::window::Window;
use super::*;
use crate::stream::{Record, SampleBatch, SeriesBlock};

const NOW: i64 = 1_771_113_600_000;

fn state() -> (tempfile::TempDir, State) {
    let dir = tempfile::tempdir().unwrap();
    let state = State::open(dir.path()).unwrap();
    (dir, state)
}

fn found(size: &str) -> Found {
    Found {
        instance_id: "i-0000000a".to_owned(),
        metric: MetricName::sample(
            "CWAgent",
            "mem_used_percent",
            &[("InstanceId", "i-0000000a"), ("InstanceType", size)],
        ),
        stat: "Average",
        device: None,
        period_s: 300,
    }
}

fn progress(series: i64, done_until: i64) -> Progress {
    Progress { series, done_until, last_ts: Some(done_until - 300_000), tail: vec![7; 16] }
}

#[test]
fn a_second_process_is_kept_out_and_a_foreign_file_is_left_alone() {
    let (dir, state) = state();
    assert!(matches!(
        State::open(dir.path()),
        Err(StateError::Lease(forewarn_runtime::lease::LeaseError::AlreadyHeld { .. }))
    ));
    drop(state);
    State::open(dir.path()).unwrap();
    let other = tempfile::tempdir().unwrap();
    let c = rusqlite::Connection::open(other.path().join(FILE)).unwrap();
    c.execute_batch("CREATE TABLE theirs(x)").unwrap();
    assert!(matches!(State::open(other.path()), Err(StateError::Foreign(..))));
}

#[test]
fn watermarks_outlive_the_process_and_never_go_back() {
    let (dir, state) = state();
    let place = state.place("own", "eu-central-1").unwrap().id;
    assert_eq!(state.list(place, &[found("t3.small")], NOW, NOW, "s", false).unwrap(), 1);
    assert_eq!(state.list(place, &[found("t3.small")], NOW, NOW + 1, "s", false).unwrap(), 0);
    let id = state.series(place, &Target::Live, 0).unwrap()[0].id;
    state.commit(&Target::Live, &[progress(id, NOW + 600_000)]).unwrap();
    state.commit(&Target::Live, &[progress(id, NOW + 300_000)]).unwrap();
    drop(state);
    let state = State::open(dir.path()).unwrap();
    let series = state.series(place, &Target::Live, 0).unwrap();
    assert_eq!(series[0].done_until, Some(NOW + 600_000));
    assert_eq!((series[0].last_ts, series[0].tail.len(), series[0].listed_at), (Some(NOW + 300_000), 16, NOW + 1));
    // The same thing under other dimensions begins where this one fell silent.
    state.list(place, &[found("t3.large")], NOW + 3_600_000, NOW + 7_200_000, "s", false).unwrap();
    let begins: Vec<i64> = state.series(place, &Target::Live, NOW + 2).unwrap().iter().map(|s| s.begins).collect();
    assert_eq!(begins, [NOW + 300_000]);
}

#[test]
fn a_backfill_goes_on_where_it_ended_and_following_goes_on_after_it() {
    let (_dir, state) = state();
    let place = state.place("own", "eu-central-1").unwrap().id;
    state.list(place, &[found("t3.small")], NOW, NOW, "s", true).unwrap();
    let id = state.series(place, &Target::Live, 0).unwrap()[0].id;
    let week = Target::range(Window { from: NOW - 7 * 86_400_000, to: NOW }, NOW);
    let old = Target::range(Window { from: NOW - 40 * 86_400_000, to: NOW - 30 * 86_400_000 }, NOW);
    state.commit(&old, &[progress(id, NOW - 30 * 86_400_000)]).unwrap();
    assert_eq!(state.series(place, &Target::Live, 0).unwrap()[0].done_until, None, "long ago: following begins anew");
    state.commit(&week, &[progress(id, NOW - 86_400_000)]).unwrap();
    assert_eq!(state.series(place, &week, 0).unwrap()[0].done_until, Some(NOW - 86_400_000));
    assert_eq!(state.series(place, &Target::Live, 0).unwrap()[0].done_until, Some(NOW - 86_400_000));
    state.forget(&week, place).unwrap();
    assert_eq!(state.series(place, &week, 0).unwrap()[0].done_until, None);
}

#[test]
fn what_was_about_to_be_put_is_given_back_with_its_watermarks() {
    let (dir, state) = state();
    let place = state.place("own", "eu-central-1").unwrap().id;
    state.list(place, &[found("t3.small")], NOW, NOW, "s", false).unwrap();
    let id = state.series(place, &Target::Live, 0).unwrap()[0].id;
    let block = SeriesBlock {
        namespace: "CWAgent".to_owned(),
        metric: "m".to_owned(),
        stat: "Average".to_owned(),
        period_s: 300,
        ts: vec![NOW],
        values: vec![0.25],
        ..SeriesBlock::default()
    };
    let record = Record::Samples(SampleBatch {
        account: "a".to_owned(),
        region: "r".to_owned(),
        instance_id: "i-0000000a".to_owned(),
        ingested_at: Some(NOW + 17),
        series: vec![block],
    });
    state.park(std::slice::from_ref(&record), &[progress(id, NOW + 300_000)]).unwrap();
    drop(state);
    let state = State::open(dir.path()).unwrap();
    let parked = state.parked().unwrap().unwrap();
    assert_eq!(parked.records, [record]);
    assert_eq!(state.series(place, &Target::Live, 0).unwrap()[0].done_until, None);
    state.unpark(parked.id, &parked.progress).unwrap();
    assert!(state.parked().unwrap().is_none());
    assert_eq!(state.series(place, &Target::Live, 0).unwrap()[0].done_until, Some(NOW + 300_000));
}

#[test]
fn metrics_are_counted_before_they_are_asked_for_and_by_month() {
    let (dir, state) = state();
    let place = state.place("own", "eu-central-1").unwrap().id;
    assert_eq!(state.spend(place, 600, Some(1000), NOW).unwrap(), Ok(Some(400)));
    assert_eq!(state.spend(place, 600, Some(1000), NOW).unwrap().unwrap_err().left, 400);
    drop(state);
    let state = State::open(dir.path()).unwrap();
    assert_eq!(state.billed(place, NOW).unwrap(), 600);
    assert_eq!(state.spend(place, 400, Some(1000), NOW).unwrap(), Ok(Some(0)));
    assert_eq!(state.spend(place, 600, Some(1000), NOW + 31 * 86_400_000).unwrap(), Ok(Some(400)));
    let other = state.place("own", "us-east-1").unwrap().id;
    assert_eq!(state.billed(other, NOW).unwrap(), 0);
}
