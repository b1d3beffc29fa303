//! Shows that simulated fleets are deterministic, physical, and honest about their failures.

use std::collections::BTreeSet;
use std::fs::{File, read};
use std::sync::OnceLock;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, TimestampMillisecondType};
use forewarn_lab::simulate::{
    Error, Fault, Kind, Options, Outcome, Sample, Series, Shape, SimInstance, instance, select, write,
};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

const HOUR: i64 = 3_600_000;

fn options() -> Options {
    Options { instances: 260, days: 28, seed: 11, ..Options::default() }
}

/// One fleet that the tests share; the fault rate makes every kind occur.
fn fleet() -> &'static [SimInstance] {
    static FLEET: OnceLock<Vec<SimInstance>> = OnceLock::new();
    FLEET.get_or_init(|| {
        let o = Options { fault_rate: 2.5, ..options() };
        (0..o.instances).map(|i| instance(&o, i).expect("the options are sound")).collect()
    })
}

fn series<'a>(it: &'a SimInstance, metric: &str) -> Option<&'a Series> {
    it.series.iter().find(|s| s.metric == metric)
}

fn before(s: &Series, ts: i64) -> &[Sample] {
    &s.samples[..s.samples.partition_point(|x| x.ts < ts)]
}

#[test]
fn same_seed_gives_the_same_bytes_and_another_seed_does_not() {
    let o = Options { instances: 5, days: 4, seed: 3, ..Options::default() };
    let dirs = [0, 1, 2].map(|_| tempfile::tempdir().unwrap());
    let reports = [
        write(&o, dirs[0].path(), |_| {}).unwrap(),
        write(&o, dirs[1].path(), |_| {}).unwrap(),
        write(&Options { seed: 4, ..o }, dirs[2].path(), |_| {}).unwrap(),
    ];
    assert_eq!(reports[0], reports[1]);
    for name in ["metrics", "incidents", "instances", "events", "changes"] {
        let [a, b, c] = [0, 1, 2].map(|k: usize| read(dirs[k].path().join(format!("{name}.parquet"))).unwrap());
        assert!(a == b, "{name}");
        assert!(name == "incidents" || name == "events" || a != c, "{name}");
    }
}

#[test]
fn an_instance_is_the_same_in_a_fleet_of_any_size() {
    let small = Options { instances: 3, days: 3, ..Options::default() };
    let large = Options { instances: 3000, ..small.clone() };
    for i in 0..3 {
        assert_eq!(instance(&small, i).unwrap(), instance(&large, i).unwrap());
    }
}

#[test]
fn every_shape_occurs_and_every_fault_kills_and_heals() {
    let shapes: BTreeSet<Shape> = fleet().iter().map(|it| it.shape).collect();
    assert_eq!(shapes, Shape::ALL.iter().copied().collect());
    let ends: BTreeSet<(Fault, &str)> =
        fleet().iter().flat_map(|it| &it.faults).map(|f| (f.kind, f.outcome.name())).collect();
    for fault in Fault::ALL {
        assert!(ends.contains(&(*fault, Outcome::Killed.name())), "{} never kills", fault.name());
        assert!(
            *fault == Fault::SuddenDeath || ends.contains(&(*fault, Outcome::Healed.name())),
            "{} never heals",
            fault.name()
        );
    }
}

#[test]
fn whatever_the_seed_incidents_are_as_frequent_and_a_tenth_cannot_be_foreseen() {
    for seed in [101, 202, 303] {
        let o = Options { seed, ..Options::default() };
        let all: Vec<_> = (0..o.instances).flat_map(|i| instance(&o, i).unwrap().incidents).collect();
        let months = o.instances as f64 * f64::from(o.days) / 30.0;
        let monthly = all.len() as f64 / months;
        assert!((0.28..0.42).contains(&monthly), "seed {seed}: {monthly} incidents an instance-month");
        let blind = all.iter().filter(|x| !x.predictable).count() as f64 / all.len() as f64;
        assert!((0.10..0.25).contains(&blind), "seed {seed}: {blind} of {}", all.len());
    }
}

#[test]
fn samples_and_incidents_lie_within_the_life_of_the_instance() {
    for it in fleet() {
        let end = it.terminated_at.unwrap_or(i64::MAX);
        for x in &it.incidents {
            assert!(x.ts >= it.launched_at && x.ts < end, "{}", it.id);
            let killed = it.faults.iter().any(|f| f.end == x.ts && f.outcome == Outcome::Killed);
            assert!(killed, "{}: an incident without its fault", it.id);
        }
        for s in &it.series {
            assert!(s.samples.iter().all(|x| x.ts > it.launched_at - 300_000 && x.ts < end), "{}", it.id);
            assert!(s.samples.windows(2).all(|w| w[0].ts <= w[1].ts), "{} {}", it.id, s.metric);
        }
    }
}

#[test]
fn an_incident_shows_as_a_failed_check_or_as_silence() {
    for it in fleet() {
        for x in &it.incidents {
            for s in &it.series {
                let during = s.samples.iter().find(|p| p.ts == x.ts);
                match s.metric {
                    "StatusCheckFailed" => assert!(during.is_none_or(|p| p.value >= 1.0), "{}", it.id),
                    "mem_used_percent" => assert!(during.is_none(), "{}", it.id),
                    _ => {}
                }
            }
        }
    }
}

#[test]
fn sudden_death_leaves_no_trace_before_it() {
    let o = Options { faults: vec![Fault::SuddenDeath], fault_rate: 4.0, days: 14, ..options() };
    let free = Options { fault_free: true, ..o.clone() };
    let mut deaths = 0;
    for i in 0..60 {
        let (it, twin) = (instance(&o, i).unwrap(), instance(&free, i).unwrap());
        let Some(first) = it.incidents.first() else { continue };
        deaths += 1;
        assert!(!first.predictable && first.cause == "sudden-death");
        for (a, b) in it.series.iter().zip(&twin.series) {
            assert_eq!(before(a, first.ts), before(b, first.ts), "{} {}", it.id, a.metric);
        }
    }
    assert!(deaths >= 5, "{deaths}");
}

#[test]
fn a_predictable_incident_stands_in_the_data_two_hours_ahead() {
    let o = Options { fault_rate: 1.5, ..options() };
    let free = Options { fault_free: true, ..o.clone() };
    let mut seen = 0;
    for i in 0..120 {
        let it = instance(&o, i).unwrap();
        let Some(first) = it.incidents.first().filter(|x| x.predictable) else { continue };
        let twin = instance(&free, i).unwrap();
        let limit = first.ts - 2 * HOUR;
        let announced = it.events.iter().any(|e| e.kind == "scheduled" && e.ts <= limit);
        let differs = it.series.iter().any(|a| {
            let b = twin.series.iter().find(|b| b.metric == a.metric && b.device == a.device);
            b.is_some_and(|b| before(a, limit) != before(b, limit))
        });
        assert!(announced || differs, "{} {}", it.id, first.cause);
        seen += 1;
    }
    assert!(seen >= 20, "{seen}");
}

#[test]
fn a_fault_free_fleet_has_no_incident() {
    let o = Options { fault_free: true, days: 10, ..options() };
    for i in 0..60 {
        let it = instance(&o, i).unwrap();
        assert!(it.incidents.is_empty() && it.faults.is_empty(), "{}", it.id);
        assert!(it.events.iter().all(|e| e.kind == "state"), "{}", it.id);
    }
}

#[test]
fn values_stay_in_their_physical_range() {
    for it in fleet() {
        for s in &it.series {
            let top = match s.metric {
                "StatusCheckFailed" => 1.0,
                "CPUCreditBalance" => 4608.0,
                "VolumeQueueLength" => 2000.0,
                "net_drop_in" => 1e7,
                _ => 100.0,
            };
            assert!(s.samples.iter().all(|x| (0.0..=top).contains(&x.value)), "{} {}", it.id, s.metric);
            if let Some(x) = s.samples.iter().find(|x| x.ingested_at.is_some_and(|at| at < x.ts)) {
                panic!("{} {}: known before it happened, {x:?}", it.id, s.metric);
            }
        }
    }
}

#[test]
fn credits_in_the_data_are_what_was_earned_less_what_was_spent() {
    let (vcpus, earn) = (2.0, 24.0); // t3.medium, EC2 User Guide
    let o = Options { fault_free: true, gaps: false, days: 10, ..options() };
    let mut checked = 0;
    for it in (0..260).map(|i| instance(&o, i).unwrap()).filter(|it| it.instance_type == "t3.medium") {
        let (Some(credits), Some(cpu)) = (series(&it, "CPUCreditBalance"), series(&it, "CPUUtilization")) else {
            panic!("{} has no credits", it.id)
        };
        let (mut real, mut booked, mut spent) = (0.0, 0.0, 0.0);
        for (pair, used) in credits.samples.windows(2).zip(&cpu.samples[1..]) {
            let inside = pair.iter().all(|x| x.value > 1.0 && x.value < 575.0);
            if inside && pair[1].ts - pair[0].ts == 300_000 {
                let cost = 60.0 * vcpus * used.value / 100.0 / 12.0;
                real += pair[1].value - pair[0].value;
                booked += earn / 12.0 - cost;
                spent += cost;
                checked += 1;
            }
        }
        assert!((real - booked).abs() < 0.02 * spent + 2.0, "{}: {real} against {booked}", it.id);
    }
    assert!(checked > 1000, "{checked}");
}

#[test]
fn gaps_are_made_only_where_they_are_asked_for() {
    let clean = Options { gaps: false, days: 6, fault_free: true, shapes: vec![Shape::Steady], ..options() };
    let dirty = Options { gaps: true, days: 28, ..clean.clone() };
    let of = |o: &Options| -> Vec<Series> {
        (0..12).flat_map(|i| instance(o, i).unwrap().series).filter(|s| s.metric == "CPUUtilization").collect()
    };
    for s in of(&clean) {
        assert_eq!(s.samples.len(), 6 * 288);
        assert!(s.samples.iter().all(|x| x.ingested_at.is_none()));
    }
    let (mut missing, mut doubled, mut revised, mut late) = (0, 0, 0, 0);
    for s in of(&dirty) {
        for w in s.samples.windows(2) {
            missing += usize::from(w[1].ts - w[0].ts > 300_000);
            doubled += usize::from(w[0] == w[1]);
            revised +=
                usize::from(w[0].ts == w[1].ts && w[0].value < w[1].value && w[0].ingested_at < w[1].ingested_at);
        }
        late += s.samples.iter().filter(|x| x.ingested_at.is_some_and(|at| at > x.ts + HOUR / 2)).count();
    }
    assert!(missing > 0 && doubled > 0 && revised > 0 && late > 0, "{missing} {doubled} {revised} {late}");
}

#[test]
fn minutes_and_five_minutes_tell_of_the_same_machine() {
    let five = Options { fault_free: true, gaps: false, days: 7, ..options() };
    let one = Options { step_s: 60, ..five.clone() };
    for i in 0..6 {
        let (a, b) = (instance(&five, i).unwrap(), instance(&one, i).unwrap());
        for metric in ["mem_used_percent", "disk_used_percent"] {
            let mean = |it: &SimInstance| {
                let s = &series(it, metric).unwrap().samples;
                s.iter().map(|x| x.value).sum::<f64>() / s.len() as f64
            };
            assert!((mean(&a) - mean(&b)).abs() < 3.0, "{} {metric}: {} {}", a.id, mean(&a), mean(&b));
        }
        assert_eq!((a.shape, a.instance_type, &a.changes), (b.shape, b.instance_type, &b.changes));
    }
}

#[test]
fn the_metrics_table_is_sorted_and_complete() {
    let o = Options { instances: 12, days: 3, ..Options::default() };
    let dir = tempfile::tempdir().unwrap();
    let mut calls = Vec::new();
    let report = write(&o, dir.path(), |n| calls.push(n)).unwrap();
    assert_eq!(calls, (1..=12).collect::<Vec<_>>());
    let file = File::open(dir.path().join("metrics.parquet")).unwrap();
    let mut rows = 0;
    let mut last = (String::new(), String::new(), i64::MIN);
    for batch in ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap() {
        let batch = batch.unwrap();
        let text = |name: &str, row: usize| {
            let d = batch.column_by_name(name).unwrap().as_dictionary::<Int32Type>();
            d.values().as_string::<i32>().value(d.keys().value(row) as usize).to_owned()
        };
        let ts = batch.column_by_name("ts").unwrap().as_primitive::<TimestampMillisecondType>();
        for row in 0..batch.num_rows() {
            let key = (text("instance_id", row), text("metric", row), ts.value(row));
            assert!(last <= key, "{last:?} before {key:?}");
            last = key;
        }
        rows += batch.num_rows();
    }
    assert_eq!(rows, report.rows);
    assert!(rows > 12 * 3 * 288 * 6);
}

#[test]
fn filters_keep_to_the_kinds_that_are_named() {
    let names = |n: &[&str]| n.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
    let shapes = select::<Shape>(&names(&["diurnal", "backups"]), &[]).unwrap();
    let faults = select::<Fault>(&[], &names(&["memory-leak", "sudden-death"])).unwrap();
    assert_eq!(shapes, [Shape::Diurnal, Shape::Backups]);
    assert_eq!(faults.len(), Fault::ALL.len() - 2);
    let o = Options { shapes, faults, fault_rate: 5.0, days: 10, ..options() };
    let fleet: Vec<SimInstance> = (0..80).map(|i| instance(&o, i).unwrap()).collect();
    assert!(fleet.iter().flat_map(|it| &it.habits).all(|h| o.shapes.contains(h)));
    assert!(fleet.iter().flat_map(|it| &it.faults).all(|f| o.faults.contains(&f.kind)));
    assert!(fleet.iter().any(|it| !it.faults.is_empty()));
    assert!(matches!(select::<Shape>(&names(&["square"]), &[]), Err(Error::UnknownKind { .. })));
    let all: Vec<String> = Fault::ALL.iter().map(|f| f.name().to_owned()).collect();
    assert!(matches!(select::<Fault>(&[], &all), Err(Error::NothingLeft { .. })));
}

#[test]
fn settings_that_make_no_fleet_are_refused() {
    for bad in [
        Options { instances: 0, ..options() },
        Options { days: 0, ..options() },
        Options { step_s: 30, ..options() },
        Options { fault_rate: f64::NAN, ..options() },
        Options { fault_rate: -1.0, ..options() },
        Options { shapes: Vec::new(), ..options() },
        Options { start_ms: -1, ..options() },
    ] {
        assert!(matches!(instance(&bad, 0), Err(Error::Setting { .. })), "{bad:?}");
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    assert!(matches!(write(&options(), file.path(), |_| {}), Err(Error::Io { .. })));
}
