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
    let run = PredictionRun {
        history: &history,
        ruleset: &ruleset,
        shadow: None,
        map: &map,
        stated_prior: None,
        plans: None,
        metrics: &metrics,
        threads: Threads::ONE,
    };
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

#[test]
fn a_round_that_is_made_again_starts_from_the_prior_that_was_written_down() {
    let dir = tempfile::tempdir().unwrap();
    let mut history = checks(dir.path(), "i-a", 0..6000, 0..0);
    let (log, ruleset, map) = (log(dir.path()), RuleSet::builtin(&|_| None).unwrap(), SignalMap::default());
    let metrics = forewarn_runtime::metrics::unregistered();
    let as_of = T0 + 99 * HOUR;
    let round = |history: &History| {
        let run = PredictionRun {
            history,
            ruleset: &ruleset,
            shadow: None,
            map: &map,
            stated_prior: None,
            plans: None,
            metrics: &metrics,
            threads: Threads::ONE,
        };
        let prepared = run.prepare(Some(&log), as_of, |_, _| {}).unwrap();
        (prepared.round.taken[0].prediction.clone(), run.write(&log, &prepared, &mut RunReport::default()).unwrap()).0
    };
    let first = round(&history);
    let prior = first.prior.clone().unwrap();
    assert_eq!(prior.source, PriorSource::Evidence, "nobody knows of any incident");
    let entries = log.read(&format!("prior/{}", ruleset.name()), 1, 10).unwrap();
    assert_eq!(entries.len(), 1);
    let Event::PriorEstimated(estimated) = entries[0].event().unwrap() else { panic!("{entries:?}") };
    assert_eq!((estimated.prior, estimated.ruleset), (*prior, ruleset.reference()));
    // That somebody tells of incidents later changes nothing of the round, and is known in the next.
    let told = [10, 30, 60].map(|h| IncidentRow {
        instance_id: "i-a".to_owned(),
        ts: T0 + h * HOUR,
        ..IncidentRow::default()
    });
    history.writer().unwrap().put_incidents(&told).unwrap();
    assert_eq!(round(&history), first);
    let later =
        KnownIncidents::read(&history, as_of + HOUR).unwrap().prior(Some(&log), &ruleset, as_of + HOUR).unwrap();
    let PriorFrom::Record(record) = later else { panic!("{later:?}") };
    let (incidents, months) = record.counted(as_of + HOUR);
    assert!(incidents == 2 && (months - 90.0 / 720.0).abs() < 1e-6, "after the first one: {incidents} {months}");
    let unknown = KnownIncidents::read(&history, T0 + 5 * HOUR).unwrap().prior(None, &ruleset, T0 + 5 * HOUR).unwrap();
    assert!(matches!(unknown, PriorFrom::Evidence), "what comes later is not known: {unknown:?}");
}
