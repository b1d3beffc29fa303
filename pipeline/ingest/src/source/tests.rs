//! Rounds against CloudWatch in memory.

use super::api::{ApiError, Instance, MetricName};
use super::fake::{Fake, SharedStream, World};
use super::ingest::pull;
use super::job::{Job, Mode};
use super::limit::{Pace, Quota};
use super::metric_scope::MetricScope;
use super::place::Place;
use super::report::Report;
use super::select::Selection;
use super::state::State;
use super::watch::{PlaceEvent, PlaceKey, PlaceWatch};
use super::window::Window;
use crate::stream::Record;
use forewarn_runtime::clock::{Clock, ManualClock};
use forewarn_runtime::interrupt::Interrupt;
use forewarn_runtime::metrics::{Metrics, Part, Place as PlaceLabel};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

mod gaps;
mod places;

const T: i64 = 1_771_113_600_000;
const STEP: i64 = 300_000;
const HOUR: i64 = 3_600_000;
const FOLLOW: Mode = Mode::Follow { tail_ms: 2 * HOUR, lookback_ms: 4 * HOUR };

/// Value bits and `ingested_at` of every version, by instance and time.
type Versions = BTreeMap<(String, i64), Vec<(u64, Option<i64>)>>;

struct Fixture {
    dir: tempfile::TempDir,
    clock: Arc<ManualClock>,
    world: Arc<Mutex<World>>,
    kept: SharedStream,
    budget: Option<u64>,
    volumes: BTreeMap<String, String>,
    places: Vec<Place>,
    metrics: Metrics,
    deadline_ms: Option<i64>,
    watch: Option<Arc<Heard>>,
}

/// Remembers what it heard of places, by label.
#[derive(Debug, Default)]
struct Heard(Mutex<Vec<(String, PlaceEvent)>>);

impl PlaceWatch for Heard {
    fn heard(&self, place: &PlaceKey, event: PlaceEvent, _: i64) {
        self.0.lock().unwrap().push((place.label.clone(), event));
    }
}

fn id(i: usize) -> String {
    format!("i-{i:08x}")
}

fn cpu(i: usize) -> MetricName {
    MetricName::sample("AWS/EC2", "CPUUtilization", &[("InstanceId", &id(i))])
}

/// Points from one time to another, visible `delay` after their period.
fn points(from: i64, to: i64, delay: i64) -> Vec<(i64, f64, i64)> {
    (0..(to - from) / STEP).map(|k| (from + k * STEP, (k % 97) as f64 + 0.5, from + (k + 1) * STEP + delay)).collect()
}

impl Fixture {
    fn new(instances: usize) -> Self {
        let clock = Arc::new(ManualClock::at(T));
        let world = World {
            instances: (0..instances)
                .map(|i| Instance { id: id(i), account: Some("123456789012".to_owned()), ..Instance::default() })
                .collect(),
            ..World::default()
        };
        let world = Arc::new(Mutex::new(world));
        let mut stand = Self {
            dir: tempfile::tempdir().unwrap(),
            clock,
            world,
            kept: SharedStream::default(),
            budget: None,
            volumes: BTreeMap::new(),
            places: Vec::new(),
            metrics: Metrics::default(),
            deadline_ms: Some(45 * 60_000),
            watch: None,
        };
        stand.places.push(stand.place("own", &stand.world));
        stand
    }

    fn place(&self, label: &str, world: &Arc<Mutex<World>>) -> Place {
        let fake = Fake { world: Arc::clone(world), clock: Arc::clone(&self.clock) };
        let apis = (Box::new(fake.clone()) as _, Box::new(fake) as _);
        Place::new(label, None, "eu-central-1", apis, Pace::new(Quota::default(), T))
    }

    fn round(&mut self, mode: Mode) -> Report {
        self.try_round(mode).unwrap()
    }

    fn try_round(&mut self, mode: Mode) -> Result<Report, super::ingest::PullError> {
        let state = State::open(self.dir.path()).unwrap();
        let (stop, metrics) = (Interrupt::default(), self.metrics.clone());
        let job = Job {
            mode,
            selection: Selection::default(),
            ids: BTreeSet::new(),
            volumes: self.volumes.clone(),
            wanted: MetricScope::default(),
            discovery_age_ms: HOUR,
            tail_ms: 2 * HOUR,
            budget: self.budget,
            workers: 3,
            patience_ms: 20 * 60_000,
            deadline_ms: self.deadline_ms,
            watch: self.watch.as_deref().map(|w| w as _),
            seed: 7,
            clock: self.clock.as_ref(),
            stop: &stop,
            metrics: &metrics,
        };
        pull(&job, &self.places, &state, &mut self.kept)
    }

    fn to(&self, ms: i64) {
        self.clock.advance(ms - self.clock.now_ms());
    }

    /// What was put: every version of every point, by instance.
    fn put(&self) -> Versions {
        let mut out: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for record in &self.kept.records {
            let Record::Samples(b) = record else { continue };
            for s in &b.series {
                for (t, v) in s.ts.iter().zip(&s.values) {
                    out.entry((b.instance_id.clone(), *t)).or_default().push((v.to_bits(), b.ingested_at));
                }
            }
        }
        out
    }

    /// Asserts that exactly these points of instance 0 were put, each once.
    fn assert_put(&self, expected: &[(i64, f64, i64)]) {
        let put = self.put();
        let found: Vec<(i64, Vec<u64>)> =
            put.iter().filter(|(k, _)| k.0 == id(0)).map(|(k, v)| (k.1, v.iter().map(|p| p.0).collect())).collect();
        let wanted: Vec<(i64, Vec<u64>)> = expected.iter().map(|p| (p.0, vec![p.1.to_bits()])).collect();
        let differ = found.iter().zip(&wanted).find(|(a, b)| a != b);
        assert!(found == wanted, "{} found, {} wanted; first difference {differ:?}", found.len(), wanted.len());
    }
}

#[test]
fn a_backfill_through_every_trouble_is_whole() {
    let mut stand = Fixture::new(5);
    let all = points(T - 48 * HOUR, T - STEP, 0);
    {
        let mut world = stand.world.lock().unwrap();
        for i in 0..7 {
            // Two that EC2 no longer knows: the dead are among those that ListMetrics names.
            world.series.insert(cpu(i), all.clone());
        }
        world.page = 100;
        world.fail_at = 5;
        world.errors = vec![
            ApiError::Throttled("x".to_owned()),
            ApiError::Passing("reset".to_owned()),
            ApiError::Token,
            ApiError::Passing("500".to_owned()),
        ];
    }
    // The token's error can only come where there is one.
    stand.world.lock().unwrap().errors.remove(2);
    let report = stand.round(Mode::Once { range: Window { from: T - 48 * HOUR, to: T } });
    assert!(report.complete, "{report:?}");
    assert_eq!(report.places[0].instances, 7);
    assert_eq!(report.places[0].account, "123456789012");
    assert!(report.tally.partials > 0 && report.tally.failed_queries > 0 && report.tally.throttles == 1, "{report:?}");
    stand.assert_put(&all);
    assert_eq!(stand.put().len(), 7 * all.len());
    assert!(stand.put().values().all(|v| v.len() == 1 && v[0].1.is_none()));
    assert_eq!(stand.kept.records.iter().filter(|r| matches!(r, Record::Instance(_))).count(), 5);
}

#[test]
fn following_finds_late_points_and_sends_nothing_twice() {
    let mut stand = Fixture::new(1);
    let mut all = points(T - 3 * HOUR, T + 6 * HOUR, 0);
    for p in all.iter_mut().skip(40).step_by(7) {
        p.2 += HOUR;
    }
    stand.world.lock().unwrap().series.insert(cpu(0), all.clone());
    let mut repeated = 0;
    for hour in 0..9 {
        stand.to(T + hour * HOUR + STEP);
        let report = stand.round(FOLLOW);
        assert!(report.complete, "{report:?}");
        repeated += report.tally.repeated;
    }
    stand.assert_put(&all);
    assert!(repeated > 0);
    assert!(stand.put().values().all(|v| v[0].1.is_some()));
}

#[test]
fn a_storm_of_ten_minutes_leaves_no_gap() {
    let mut stand = Fixture::new(1);
    let all = points(T - 3 * HOUR, T + HOUR, 0);
    stand.world.lock().unwrap().series.insert(cpu(0), all.clone());
    stand.to(T + STEP);
    stand.round(FOLLOW);
    stand.to(T + HOUR + STEP);
    stand.world.lock().unwrap().storm = Some((T + HOUR, T + HOUR + STEP + 600_000));
    let report = stand.round(FOLLOW);
    assert!(report.complete && report.tally.throttles > 5, "{report:?}");
    assert!(report.ended_at >= T + HOUR + STEP + 600_000);
    stand.assert_put(&all);
}

#[test]
fn the_budget_stops_before_it_is_passed_and_the_next_month_makes_up_for_it() {
    let mut stand = Fixture::new(3);
    let all = points(T - 3 * HOUR, T + 20 * 24 * HOUR, 0);
    for i in 0..3 {
        stand.world.lock().unwrap().series.insert(cpu(i), all.clone());
    }
    stand.budget = Some(4);
    stand.to(T + STEP);
    assert!(stand.round(FOLLOW).complete);
    stand.to(T + HOUR + STEP);
    let report = stand.round(FOLLOW);
    let spent = report.places[0].spent.as_ref().unwrap();
    assert_eq!((spent.used, spent.left, spent.needs), (3, 1, 3));
    assert!(!report.complete && report.places[0].error.as_ref().unwrap().contains("1 are left"), "{report:?}");
    assert_eq!((stand.world.lock().unwrap().asked, report.places[0].series_left), (3, 3));
    // March: what is missing since the middle of February is asked for.
    stand.to(T + 14 * 24 * HOUR + STEP);
    let report = stand.round(FOLLOW);
    assert!(report.complete, "{report:?}");
    let until = T + 14 * 24 * HOUR;
    stand.assert_put(&all.iter().copied().filter(|p| p.0 < until).collect::<Vec<_>>());
}

#[test]
fn a_stream_that_fails_loses_nothing_and_what_was_about_to_be_put_keeps_its_moment() {
    let mut stand = Fixture::new(1);
    let all = points(T - 3 * HOUR, T, 0);
    stand.world.lock().unwrap().series.insert(cpu(0), all.clone());
    stand.to(T + STEP);
    // The first put is of the instance.
    stand.kept.fail_at = Some(2);
    assert!(stand.try_round(FOLLOW).is_err());
    stand.kept.fail_at = None;
    stand.to(T + STEP + 60_000);
    let report = stand.round(FOLLOW);
    assert_eq!(report.resumed, 1);
    stand.assert_put(&all);
    assert!(stand.put().values().all(|v| v[0].1.is_some_and(|at| at < T + STEP + 60_000)));
}

#[test]
fn one_broken_account_stops_no_other() {
    let mut stand = Fixture::new(1);
    let all = points(T - 3 * HOUR, T, 0);
    stand.world.lock().unwrap().series.insert(cpu(0), all.clone());
    let broken = Arc::new(Mutex::new(World { denied: true, ..World::default() }));
    let place = stand.place("arn:aws:iam::210987654321:role/read", &broken);
    stand.places.insert(0, place);
    stand.to(T + STEP);
    let report = stand.round(FOLLOW);
    assert!(!report.complete && report.places[1].complete);
    assert!(report.places[0].error.as_ref().unwrap().contains("is not allowed"), "{report:?}");
    stand.assert_put(&all);
}

#[test]
fn a_place_that_fails_for_hours_stays_in_the_lag_and_is_told_to_fail() {
    let mut stand = Fixture::new(1);
    stand.world.lock().unwrap().series.insert(cpu(0), points(T - 3 * HOUR, T + 24 * HOUR, 0));
    let other = Arc::new(Mutex::new(World {
        instances: vec![Instance { id: id(9), ..Instance::default() }],
        ..World::default()
    }));
    other.lock().unwrap().series.insert(cpu(9), points(T - 3 * HOUR, T + 24 * HOUR, 0));
    let place = stand.place("arn:aws:iam::210987654321:role/read", &other);
    stand.places.push(Place { account: Some("210987654321".to_owned()), ..place });
    let label = |account: &str| PlaceLabel { account: account.to_owned(), region: "eu-central-1".to_owned() };
    let (own, broken) = (label("123456789012"), label("210987654321"));
    stand.to(T + STEP);
    assert!(stand.round(FOLLOW).complete);
    let metrics = stand.metrics.clone();
    let known = metrics.places.through.get(&broken).unwrap();
    other.lock().unwrap().denied = true;
    for hour in 1..=9 {
        stand.to(T + hour * HOUR + STEP);
        let report = stand.round(FOLLOW);
        assert!(!report.complete && report.places[0].complete);
        assert!(report.lag_ms().unwrap() >= hour * HOUR, "hour {hour}: {:?}", report.lag_ms());
    }
    let last_success = |part| metrics.last_success.get(&Part { part }).map(|g| g.get());
    assert_eq!((metrics.places.is_failed(&own), metrics.places.is_failed(&broken)), (false, true));
    assert_eq!(metrics.places.through.get(&broken), Some(known), "nothing moved it on");
    assert!(metrics.places.through.get(&own).unwrap() >= T + 9 * HOUR - STEP);
    assert_eq!(metrics.through.get(&Part { part: "ingest" }), Some(known), "the part is as far behind");
    let pulled = last_success("ingest");
    assert!(pulled.unwrap() >= (T + 9 * HOUR + STEP) as f64 / 1000.0, "one account was pulled");
    stand.world.lock().unwrap().denied = true;
    stand.to(T + 10 * HOUR + STEP);
    stand.round(FOLLOW);
    assert_eq!(last_success("ingest"), pulled, "nothing was pulled anywhere");
}

#[test]
fn a_place_that_was_never_pulled_grows_old_from_its_first_round_and_fails_before_patience_ends() {
    let mut stand = Fixture::new(1);
    // Throttled for longer than anybody waits.
    stand.world.lock().unwrap().storm = Some((T, T + HOUR));
    stand.to(T + STEP);
    assert!(!stand.round(FOLLOW).complete);
    let unknown = PlaceLabel { account: "unknown".to_owned(), region: "eu-central-1".to_owned() };
    assert!(stand.metrics.places.is_failed(&unknown));
    assert_eq!(stand.metrics.places.through.get(&unknown), Some(T + STEP));
    stand.world.lock().unwrap().series.insert(cpu(0), points(T - 3 * HOUR, T + 24 * HOUR, 0));
    stand.to(T + 2 * HOUR);
    assert!(stand.round(FOLLOW).complete);
    assert_eq!(stand.metrics.places.through.get(&unknown), None, "its account is known now");
}

#[test]
fn a_fast_clock_moves_no_watermark_past_awss_time() {
    let mut stand = Fixture::new(1);
    let all = points(T - 2 * HOUR, T + 2 * HOUR, 0);
    stand.world.lock().unwrap().series.insert(cpu(0), all.clone());
    // Ours is an hour fast: what AWS has is what there was an hour ago.
    for p in stand.world.lock().unwrap().series.get_mut(&cpu(0)).unwrap() {
        p.2 += HOUR;
    }
    stand.world.lock().unwrap().offset = Some(-HOUR);
    stand.to(T + HOUR + STEP);
    let report = stand.round(FOLLOW);
    assert_eq!(report.places[0].clock_offset_ms, Some(-HOUR));
    stand.to(T + 3 * HOUR + STEP);
    stand.round(FOLLOW);
    stand.assert_put(&all);
}

#[test]
fn what_appears_disappears_or_changes_its_dimensions_is_followed() {
    let mut stand = Fixture::new(2);
    let sized =
        |size| MetricName::sample("CWAgent", "mem_used_percent", &[("InstanceId", &id(0)), ("InstanceType", size)]);
    let before = points(T - 3 * HOUR, T + HOUR, 0);
    let after = points(T + HOUR, T + 4 * HOUR, 0);
    {
        let mut world = stand.world.lock().unwrap();
        world.series.insert(sized("t3.small"), before.clone());
        world.series.insert(cpu(1), points(T - 3 * HOUR, T + HOUR, 0));
    }
    for hour in 0..2 {
        stand.to(T + hour * HOUR + STEP);
        stand.round(FOLLOW);
    }
    {
        let mut world = stand.world.lock().unwrap();
        // Instance 1 is gone, instance 2 comes, instance 0 is resized.
        world.instances.remove(1);
        world.instances.push(Instance { id: id(2), ..Instance::default() });
        world.series.insert(sized("t3.large"), after.clone());
        world.series.insert(cpu(2), after.clone());
    }
    for hour in 2..5 {
        stand.to(T + hour * HOUR + STEP);
        assert!(stand.round(FOLLOW).complete);
    }
    stand.assert_put(&[before, after.clone()].concat());
    let put = stand.put();
    assert_eq!(put.keys().filter(|k| k.0 == id(2)).count(), after.len());
    assert_eq!(put.keys().filter(|k| k.0 == id(1)).count(), 48);
}

#[test]
fn a_volume_of_nobody_leaves_a_backfill_unfinished_until_somebody_names_its_instance() {
    let mut stand = Fixture::new(1);
    let all = points(T - 6 * HOUR, T - HOUR, 0);
    {
        let mut world = stand.world.lock().unwrap();
        world.instances.clear();
        world
            .series
            .insert(MetricName::sample("AWS/EBS", "VolumeQueueLength", &[("VolumeId", "vol-00000001")]), all.clone());
    }
    let backfill = Mode::Once { range: Window { from: T - 6 * HOUR, to: T - HOUR } };
    // The second time what was discovered is remembered, and the gap with it.
    for _ in 0..2 {
        let report = stand.round(backfill);
        assert!(report.complete && !report.is_whole());
        assert_eq!(report.places[0].unmapped_volumes, 1);
        assert!(report.places[0].gaps()[0].contains("--ids FILE with lines `INSTANCE VOLUME…`"));
    }
    assert!(stand.put().is_empty());
    stand.volumes.insert("vol-00000001".to_owned(), id(0));
    let report = stand.round(backfill);
    assert!(report.is_whole() && report.places[0].gaps().is_empty(), "{report:?}");
    stand.assert_put(&all);
}

#[test]
fn a_range_older_than_what_is_listed_says_so() {
    let mut stand = Fixture::new(1);
    let of = |days: i64| Mode::Once { range: Window { from: T - days * 24 * HOUR, to: T - HOUR } };
    assert_eq!(stand.round(of(13)).places[0].listed_since, None);
    let report = stand.round(of(20));
    // Looking takes its time.
    let since = report.places[0].listed_since.unwrap() - (T - 14 * 24 * HOUR);
    assert!((0..1000).contains(&since), "{since}");
    assert!(report.places[0].gaps()[0].contains("fell silent before 2026-02-01T00:00:00"), "{report:?}");
    assert_eq!(stand.round(FOLLOW).places[0].listed_since, None);
}

#[test]
fn whose_credits_are_unlimited_is_asked_where_any_instance_has_them_and_a_refusal_stops_nothing() {
    let mut stand = Fixture::new(3);
    {
        let world = &mut *stand.world.lock().unwrap();
        for (instance, kind) in world.instances.iter_mut().zip(["t3.large", "t4g.nano", "m5.large"]) {
            instance.instance_type = Some(kind.to_owned());
        }
        (0..3).for_each(|i| drop(world.series.insert(cpu(i), points(T - 3 * HOUR, T + 9 * HOUR, 0))));
    }
    let said = |stand: &Fixture| -> Vec<Option<String>> {
        let told = |record: &Record| if let Record::Instance(seen) = record { Some(seen.clone()) } else { None };
        let mut last: BTreeMap<String, Option<String>> = BTreeMap::new();
        for seen in stand.kept.records.iter().filter_map(told) {
            last.insert(seen.instance_id, seen.cpu_credits);
        }
        last.into_values().collect()
    };
    stand.to(T + STEP);
    assert!(stand.round(FOLLOW).complete, "it may not be asked");
    assert_eq!(said(&stand), [None, None, None]);
    stand.world.lock().unwrap().unlimited = Some(vec![id(0), "i-somebodyelse".to_owned()]);
    stand.to(T + 2 * HOUR + STEP);
    assert!(stand.round(FOLLOW).complete);
    assert_eq!(said(&stand), [Some("unlimited".to_owned()), Some("standard".to_owned()), None]);
}
