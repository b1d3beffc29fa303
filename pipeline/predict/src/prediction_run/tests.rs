use super::*;
use forewarn_domain::prior::PriorSource;
use forewarn_history::import::{ImportOptions, import_files};
use forewarn_history::{EventRow, IncidentRow, InstanceRow, RemoteStore, Store};
use forewarn_log::{Event, EventLog, SqliteLog};
use forewarn_runtime::threads::Threads;
use forewarn_testkit::counting_store::CountingStore;
use std::path::Path;
use std::sync::Arc;

fn take(dir: &Path) -> Result<DueTurn, TurnError> {
    DueTurn::take(&Leases::Dir(dir.to_owned()), &dir.into())
}

const MIN: i64 = 60_000;
const HOUR: i64 = 60 * MIN;
/// 2026-02-15T00:00:00Z.
const T0: i64 = 1_771_113_600_000;

#[test]
fn one_process_has_the_turn_and_the_first_run_begins_where_it_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let mut turn = take(dir.path()).unwrap();
    assert!(matches!(take(dir.path()), Err(TurnError::Lease(_))));
    turn.begin_at(1_000).unwrap();
    assert_eq!(turn.progress.read().unwrap(), Some(999));
    assert_eq!(turn.begun, Some(999), "failures are looked for from there");
    drop(turn);
    let mut turn = take(dir.path()).unwrap();
    turn.begin_at(5_000).unwrap();
    assert_eq!(turn.progress.read().unwrap(), Some(999), "what has begun goes on");
}

/// Adds a check's samples of every minute; it fails in `failing` of the minutes.
fn checks(dir: &Path, id: &str, minutes: std::ops::Range<i64>, failing: std::ops::Range<i64>) -> History {
    let rows: Vec<String> = minutes
        .clone()
        .map(|m| format!("{id},StatusCheckFailed_System,{},{}", T0 + m * MIN, u8::from(failing.contains(&m))))
        .collect();
    let file = dir.join(format!("{id}-{}.csv", minutes.start));
    std::fs::write(&file, format!("instance_id,metric,ts,value\n{}\n", rows.join("\n"))).unwrap();
    let location = dir.join("h").display().to_string();
    let options = ImportOptions { period_s: Some(60), ..ImportOptions::at(T0 + 30 * 24 * HOUR) };
    import_files(&mut History::open_or_create(&location).unwrap(), &[file], &options, &mut |_| {}).unwrap();
    History::open(&location).unwrap()
}

fn log(dir: &Path) -> SqliteLog {
    SqliteLog::open(&forewarn_log::log_path(dir)).unwrap()
}

/// Concludes as a turn does after its rounds.
fn conclude(dir: &Path, history: &mut History, hour: i64) {
    let turn = take(dir).unwrap();
    turn.conclude(history, &log(dir), T0 + hour * HOUR);
    turn.progress.write(T0 + hour * HOUR).unwrap();
}

#[test]
fn what_an_outage_of_the_ingest_hid_is_found_when_its_samples_come() {
    let dir = tempfile::tempdir().unwrap();
    let mut history = checks(dir.path(), "i-a", 0..600, 0..0);
    for hour in [10, 40, 80, 100] {
        conclude(dir.path(), &mut history, hour);
    }
    assert_eq!(log(dir.path()).head().unwrap(), 0);
    // The hours of the outage come, with a failure in its second day, more than a day before the last conclusion.
    let mut history = checks(dir.path(), "i-a", 600..6060, 2000..2030);
    conclude(dir.path(), &mut history, 101);
    assert_eq!(log(dir.path()).head().unwrap(), 1);
    assert_eq!(history.incidents().unwrap().len(), 1);
    conclude(dir.path(), &mut history, 102);
    assert_eq!((log(dir.path()).head().unwrap(), history.incidents().unwrap().len()), (1, 1), "once");
    let sought = Progress::of(dir.path(), "incidents").read().unwrap().unwrap();
    assert_eq!(sought, T0 + 6059 * MIN, "it has come as far as the samples have");
}

#[test]
fn a_conclusion_that_fails_is_made_again_from_the_same_time_on() {
    let dir = tempfile::tempdir().unwrap();
    let mut history = checks(dir.path(), "i-a", 0..6000, 2000..2030);
    let mut other = History::open(&history.location()).unwrap();
    Progress::of(dir.path(), "analyze").write(T0 + 34 * HOUR).unwrap();
    let writer = other.writer().unwrap();
    conclude(dir.path(), &mut history, 90);
    drop(writer);
    assert_eq!(history.incidents().unwrap().len(), 0, "another process was writing");
    conclude(dir.path(), &mut history, 100);
    assert_eq!(history.incidents().unwrap().len(), 1);
}

#[test]
fn a_region_that_fell_silent_is_waited_for_but_not_for_ever() {
    let heard = |ends: &[(&str, i64)]| -> BTreeMap<(String, String), i64> {
        ends.iter().map(|(region, at)| (("1".to_owned(), (*region).to_owned()), T0 + at * HOUR)).collect()
    };
    let through = |ends: &[(&str, i64)], now: i64| (incidents::through(&heard(ends), T0 + now * HOUR) - T0) / HOUR;
    assert_eq!(through(&[("eu", 50), ("us", 20)], 50), 20);
    assert_eq!(through(&[("eu", 200), ("us", 20)], 200), 200, "after a week");
    assert_eq!(through(&[], 200), 200 - 7 * 24);
    assert_eq!(through(&[("eu", 50)], 40), 40, "samples of the future move nothing on");
}

#[test]
fn a_turn_reads_each_file_of_the_small_tables_once_and_none_of_days_that_it_does_not_need() {
    let dir = tempfile::tempdir().unwrap();
    let objects = Arc::new(CountingStore::default());
    let store = Store::Remote(RemoteStore::new(objects.clone(), "h", "s3://bucket/h").unwrap());
    let mut history = History::open_or_create_in(store).unwrap();
    let rows: Vec<String> = (0..72 * 12).map(|k| format!("i-a,CPUUtilization,{},1", T0 + k * 5 * MIN)).collect();
    let file = dir.path().join("cpu.csv");
    std::fs::write(&file, format!("instance_id,metric,ts,value\n{}\n", rows.join("\n"))).unwrap();
    import_files(&mut history, &[file], &ImportOptions::at(T0 + 90 * HOUR), &mut |_| {}).unwrap();
    let mut writer = history.writer().unwrap();
    for day in [-200, -60, -1, 0, 1, 2] {
        let ts = T0 + day * 24 * HOUR;
        let event =
            EventRow { instance_id: "i-a".to_owned(), ts, kind: "maintenance".to_owned(), ..EventRow::default() };
        writer.put_events(&[event]).unwrap();
        writer.put_incidents(&[IncidentRow { instance_id: "i-a".to_owned(), ts, ..IncidentRow::default() }]).unwrap();
    }
    writer.put_instances(&[InstanceRow { instance_id: "i-a".to_owned(), ..InstanceRow::default() }]).unwrap();
    drop(writer);
    let (log, ruleset, map) = (log(dir.path()), RuleSet::builtin(&|_| None).unwrap(), SignalMap::default());
    let metrics = forewarn_runtime::metrics::unregistered();
    let now = T0 + 72 * HOUR;
    let mut turn = take(dir.path()).unwrap();
    turn.begin_at(now - 2 * HOUR).unwrap();
    objects.forget();
    let run = prediction_run(&history, &ruleset, &map, &metrics);
    let schedule = Schedule { every: HOUR, offset: 0, most: 5 };
    assert_eq!(run.catch_up(schedule, &turn, &log, now, &Interrupt::default()).unwrap().due, 3);
    turn.conclude(&mut history, &log, now);
    assert!(turn.sought.read().unwrap().is_some(), "it came to its end");
    let gets = objects.gets();
    let of = |table: &str| {
        let its = gets.iter().filter(|(path, _)| path.starts_with(&format!("h/{table}/")));
        its.map(|(_, n)| *n).collect::<Vec<_>>()
    };
    // Of events all but what was said too long ago; of incidents those that what is found now may be.
    assert_eq!((of("events"), of("incidents").len(), of("instances")), (vec![1; 5], 4, vec![1]), "{gets:?}");
    assert!(of("incidents").iter().all(|n| *n == 1), "{gets:?}");
}

/// A run with neither shadow nor plans, on one thread.
fn prediction_run<'a>(
    history: &'a History,
    ruleset: &'a RuleSet,
    map: &'a SignalMap,
    metrics: &'a Metrics,
) -> PredictionRun<'a> {
    let threads = Threads::ONE;
    PredictionRun { history, ruleset, shadow: None, map, stated_prior: None, plans: None, metrics, threads }
}

fn incidents_at(hours: &[i64]) -> Vec<IncidentRow> {
    let row = |h: &i64| IncidentRow { instance_id: "i-a".to_owned(), ts: T0 + h * HOUR, ..IncidentRow::default() };
    hours.iter().map(row).collect()
}

#[test]
fn a_round_that_is_made_again_starts_from_the_prior_that_was_written_down() {
    let dir = tempfile::tempdir().unwrap();
    let mut history = checks(dir.path(), "i-a", 0..6000, 0..0);
    let (log, ruleset, map) = (log(dir.path()), RuleSet::builtin(&|_| None).unwrap(), SignalMap::default());
    let metrics = forewarn_runtime::metrics::unregistered();
    let as_of = T0 + 98 * HOUR;
    let round = |history: &History, as_of: i64| {
        let run = prediction_run(history, &ruleset, &map, &metrics);
        let prepared = run.prepare(Some(&log), as_of, |_, _| {}).unwrap();
        run.write(&log, &prepared, &mut RunReport::default()).unwrap();
        prepared.round.taken[0].prediction.clone()
    };
    let first = round(&history, as_of);
    let prior = first.prior.clone().unwrap();
    assert_eq!(prior.source, PriorSource::Evidence, "nobody knows of any incident");
    let entries = log.read(&format!("prior/{}", ruleset.name()), 1, 10).unwrap();
    assert_eq!(entries.len(), 1);
    let Event::PriorEstimated(estimated) = entries[0].event().unwrap() else { panic!("{entries:?}") };
    assert_eq!((estimated.prior, estimated.ruleset), (*prior, ruleset.reference()));
    // That somebody tells of incidents later changes nothing of the round, and is known in the next.
    history.writer().unwrap().put_incidents(&incidents_at(&[10, 30, 60])).unwrap();
    assert_eq!(round(&history, as_of), first);
    let next = round(&history, as_of + HOUR).prior.unwrap();
    assert_eq!((next.source, next.incidents), (PriorSource::Incidents, 2), "from the day after the first one");
    assert!((next.instance_months - 75.0 / 720.0).abs() < 1e-6, "{next:?}");
    assert_eq!(round(&history, as_of), first, "not only the newest round is known");
    assert_eq!(log.length(&format!("prior/{}", ruleset.name())).unwrap(), 2, "each once");
}

#[test]
fn what_is_known_at_a_time_is_the_same_alone_and_in_a_batch() {
    let dir = tempfile::tempdir().unwrap();
    let mut history = checks(dir.path(), "i-a", 0..29 * 24 * 60, 0..0);
    let incidents = incidents_at(&[24, 24 * 20, 24 * 20 + 3, 24 * 25, 24 * 28]);
    history.writer().unwrap().put_incidents(&incidents).unwrap();
    let ruleset = RuleSet::builtin(&|_| None).unwrap();
    let day = |d: i64| T0 + d * 24 * HOUR + HOUR;
    let batch = KnownIncidents::of(&history, &incidents, day(1), day(29)).unwrap();
    let counted = |known: &KnownIncidents, d: i64| match known.prior(None, &ruleset, day(d)).unwrap() {
        PriorFrom::Record(record) => Some(record.counted(day(d))),
        PriorFrom::Given(_) | PriorFrom::Evidence => None,
    };
    for d in 1..30 {
        let alone = counted(&KnownIncidents::read(&history, day(d)).unwrap(), d);
        assert_eq!(counted(&batch, d), alone, "day {d}");
    }
    assert_eq!(counted(&batch, 1), None, "the first is no knowledge yet, and what comes later is not known");
    let (none, quiet) = counted(&batch, 18).unwrap();
    assert!(none == 0 && (quiet - 16.0 / 30.0).abs() < 0.01, "it is known that nothing failed since: {quiet}");
    assert_eq!(counted(&batch, 27).unwrap().0, 3);
    // The first one lies before the time that the last round looks back over, and tells it since when incidents are known all the same.
    assert_eq!(counted(&batch, 29).unwrap().0, 4);
}
