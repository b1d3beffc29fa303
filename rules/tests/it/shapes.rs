//! Machines in trouble and machines that only look like it, each as a person would judge it, at minutes and at five minutes.

use forewarn_domain::prediction::{Level, Unassessable};
use forewarn_domain::signal::{SOURCES, Signal};
use forewarn_rules::grid::HOUR_MS;
use forewarn_rules::instance::{Attributes, RowBuilder};
use forewarn_rules::predict::Identity;
use forewarn_rules::ruleset::RuleSet;
use forewarn_rules::series::Series;
use forewarn_rules::table::FeatureTable;
use std::ops::RangeInclusive;

const DELAY: i64 = 300_000;

/// Hours of history of each machine; what happens happens towards its end.
const END: i64 = 240;

/// What a series measures, as a function of the hour; NaN where nothing is.
type Measured = Box<dyn Fn(f64) -> f64>;

/// What is measured of a machine: of each series its signal and its device.
struct Host {
    series: Vec<(Signal, Option<&'static str>, Measured)>,
    instance_type: Option<&'static str>,
}

/// What is said of a machine at an hour.
#[derive(Debug)]
struct HourlyPrediction {
    hour: i64,
    level: Level,
    p24: f64,
    reason: Option<Unassessable>,
    notes: Vec<String>,
}

impl Host {
    /// A machine that is well.
    fn healthy() -> Self {
        Self { series: Vec::new(), instance_type: None }
            .with(Signal::Cpu, |h| 20.0 + 5.0 * noise(h, 1))
            .with(Signal::Steal, |h| 0.3 + 0.2 * noise(h, 2))
            .with(Signal::Iowait, |h| 1.0 + 0.5 * noise(h, 3))
            .with(Signal::Memory, |h| 50.0 + noise(h, 4))
            .with(Signal::Disk, |h| 40.0 + 0.01 * h + 0.02 * noise(h, 5))
            .with(Signal::Status, |_| 0.0)
    }

    /// Has a signal's only series be something else.
    fn with(mut self, signal: Signal, value: impl Fn(f64) -> f64 + 'static) -> Self {
        self.series.retain(|(held, ..)| *held != signal);
        self.and(signal, None, value)
    }

    /// Adds the series of a device.
    fn and(mut self, signal: Signal, device: Option<&'static str>, value: impl Fn(f64) -> f64 + 'static) -> Self {
        self.series.push((signal, device, Box::new(value)));
        self
    }

    /// Says of which type it is.
    fn of_type(self, instance_type: &'static str) -> Self {
        Self { instance_type: Some(instance_type), ..self }
    }

    /// Lets the agent die at an hour: what only it measures is measured no more.
    fn whose_agent_dies(mut self, at: f64) -> Self {
        for (signal, _, value) in &mut self.series {
            if !matches!(signal, Signal::Cpu | Signal::Status | Signal::Credits | Signal::Ebs | Signal::Queue) {
                let before = std::mem::replace(value, Box::new(|_| f64::NAN));
                *value = Box::new(move |h| if h < at { before(h) } else { f64::NAN });
            }
        }
        self
    }

    fn measured(&self, period_s: i32) -> Vec<(Series, bool)> {
        let step = i64::from(period_s) * 1000;
        let series = self.series.iter().map(|(signal, device, value)| {
            let source = SOURCES.iter().find(|s| s.signal == *signal).unwrap();
            let mut series = Series::new(*signal, source.reading, source.metric, source.stat, *device, period_s);
            for ts in (0..END * HOUR_MS / step).map(|i| i * step) {
                let value = value(ts as f64 / HOUR_MS as f64);
                if value.is_finite() {
                    series.extend(&[ts], &[value.max(0.0)], None, None);
                }
            }
            let is_unique_sorted = series.normalise(DELAY);
            (series, is_unique_sorted)
        });
        series.collect()
    }

    /// What the default rules say at each of these hours.
    fn predictions(&self, period_s: i32, hours: RangeInclusive<i64>) -> Vec<HourlyPrediction> {
        let rules = RuleSet::builtin(&|_| None).unwrap();
        let instance_type = self.instance_type.map(str::to_owned);
        let (tracks, attributes) = (self.measured(period_s), Attributes { instance_type, ..Attributes::default() });
        let mut builder = RowBuilder::new(rules.feature_settings(), DELAY);
        let prepared = builder.prepare(&tracks, &attributes, hours.start() * HOUR_MS, hours.end() * HOUR_MS);
        let mut table = FeatureTable::new();
        for hour in hours.clone() {
            let row = builder.row(&prepared, &attributes, hour * HOUR_MS);
            table.push("i-1", hour * HOUR_MS, &row.values, &row.devices);
            table.remark(&row.remarks);
        }
        let assessed = rules.assess(&table).unwrap();
        let predicted = |(row, hour)| HourlyPrediction {
            hour,
            level: assessed.level[row],
            p24: assessed.probability[0][row],
            reason: assessed.reason[row],
            notes: rules.predict(&table, &assessed, row, &Identity::default()).notes,
        };
        hours.enumerate().map(predicted).collect()
    }
}

/// Noise without a random number generator, uniform in -1..1: a fixed hash of the minute.
fn noise(hour: f64, seed: u64) -> f64 {
    let mut h = (hour * 60.0).round() as u64 ^ seed << 40 ^ 0x9e37_79b9_7f4a_7c15;
    h = (h ^ (h >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    h = (h ^ (h >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((h >> 11) as f64 / (1_u64 << 52) as f64) - 1.0
}

/// Memory that leaks over its last days and is gone at the end.
fn leak(hour: f64) -> f64 {
    let begun = END as f64 - 60.0;
    50.0 + (hour - begun).max(0.0) * 0.8 + 0.5 * noise(hour, 6)
}

#[test]
fn an_agent_that_dies_with_the_fault_leaves_the_alarm_standing() {
    for period_s in [60, 300] {
        let dies = END - 8;
        let machine = Host::healthy().with(Signal::Memory, leak).whose_agent_dies(dies as f64);
        let predictions = machine.predictions(period_s, dies..=END);
        assert!(predictions[0].level >= Level::Medium, "{:?}", predictions[0]);
        for later in &predictions {
            assert!(
                later.level >= Level::Medium && later.p24 >= 0.9 * predictions[0].p24,
                "{later:?} after {:?}",
                predictions[0]
            );
        }
        let last = predictions.last().unwrap();
        assert_eq!(last.reason, Some(Unassessable::MissingAgent));
        assert!(last.notes.iter().any(|n| n.contains("what was heard last")), "{:?}", last.notes);
    }
}

#[test]
fn an_agent_that_dies_alone_makes_a_machine_unknown_and_neither_healthy_nor_ill() {
    for period_s in [60, 300] {
        let dies = END - 40;
        let predictions = Host::healthy().whose_agent_dies(dies as f64).predictions(period_s, dies - 2..=END);
        for later in predictions {
            let known = later.hour < dies + 7;
            assert_eq!(later.level == Level::None, known, "{later:?}");
            assert!(known || later.level == Level::Unassessable, "{later:?}");
        }
    }
}

#[test]
fn what_was_heard_last_fades_within_a_day() {
    let dies = END - 30;
    let leak = |h: f64| leak(h + 38.0).min(99.0);
    let predictions =
        Host::healthy().with(Signal::Memory, leak).whose_agent_dies(dies as f64).predictions(300, dies..=END);
    let at = |silent: i64| &predictions[silent as usize];
    assert!(at(12).level.is_at_risk() && at(12).p24 > 0.2, "{:?}", at(12));
    assert!(at(25).level == Level::Unassessable && at(29).level == Level::Unassessable, "{:?}", at(25));
}

#[test]
fn a_file_system_that_is_unmounted_says_nothing_more() {
    let gone = END as f64 - 5.0;
    let filling = move |h: f64| if h < gone { (97.0 - (gone - h) * 0.4).max(30.0) } else { f64::NAN };
    let machine = || Host::healthy().with(Signal::Disk, |h| 40.0 + 0.02 * noise(h, 5));
    let predictions = machine().and(Signal::Disk, Some("path=/data"), filling).predictions(300, END - 6..=END);
    assert!(predictions[0].level.is_at_risk(), "{:?}", predictions[0]);
    assert_eq!(predictions.last().unwrap().level, Level::None, "{:?}", predictions.last());
}

#[test]
fn checks_that_fail_in_adjacent_hours_are_as_many_failures_as_those_spread_over_a_day() {
    for period_s in [60, 300] {
        let failing = |every: f64| {
            move |h: f64| {
                let (since, n) = ((END as f64 - 0.5 - h) % every, ((END as f64 - 0.5 - h) / every).floor());
                f64::from(u8::from((0.0..6.0).contains(&n) && since < 5.0 / 60.0))
            }
        };
        let of = |every: f64| {
            let mut predictions = Host::healthy().with(Signal::Status, failing(every)).predictions(period_s, END..=END);
            predictions.remove(0)
        };
        let (adjacent, spread) = (of(1.0), of(3.5));
        assert!(adjacent.p24 >= 0.8 * spread.p24, "{adjacent:?} beside {spread:?}");
        assert!(adjacent.level >= Level::Medium && spread.level >= Level::Medium, "{adjacent:?} beside {spread:?}");
    }
}

/// The machine's day: a wave of this height, highest in the afternoon.
fn rhythm(hour: f64, height: f64) -> f64 {
    height * (0.5 + 0.5 * ((hour - 15.0) / 24.0 * std::f64::consts::TAU).cos())
}

#[test]
fn a_leak_under_a_daily_rhythm_is_foreseen_a_day_ahead() {
    for period_s in [60, 300] {
        // From 40 % on, 5 % a day for nine days, with 10 % of rhythm: full in the afternoon of the tenth day.
        let leak = |h: f64| 41.0 + 5.0 * h / 24.0 + rhythm(h, 10.0) + 0.5 * noise(h, 6);
        let full = (0..END).find(|h| leak(*h as f64) >= 98.0).unwrap_or(END);
        let machine = Host::healthy().with(Signal::Memory, move |h| leak(h).min(99.5));
        let predictions = machine.predictions(period_s, full - 24..=full);
        let highest = |hours: std::ops::Range<usize>| predictions[hours].iter().map(|p| p.level).max().unwrap();
        assert!(highest(0..6) >= Level::Medium, "{:?}", &predictions[..6]);
        assert_eq!(highest(20..25), Level::High, "{:?}", &predictions[20..]);
    }
}

#[test]
fn a_jump_that_has_been_flat_for_hours_is_no_news() {
    for period_s in [60, 300] {
        let jumped = END - 20;
        let jump = move |h: f64| if h < jumped as f64 { 40.0 } else { 72.0 } + 0.3 * noise(h, 7);
        for signal in [Signal::Memory, Signal::Disk] {
            let predictions = Host::healthy().with(signal, jump).predictions(period_s, jumped + 8..=END);
            for later in predictions {
                assert_eq!(later.level, Level::None, "{signal:?} {later:?}");
            }
        }
    }
}

#[test]
fn a_machine_that_is_throttled_at_its_baseline_is_seen() {
    for period_s in [60, 300] {
        // A t3.small earns what 20 % of its CPU spend. It has worked at 45 % since a day, and has nothing left for nine hours.
        let begun = (END - 24) as f64;
        let balance = move |h: f64| (560.0 - (h - begun).max(0.0) * 37.5).clamp(0.0, 576.0);
        let cpu = move |h: f64| {
            let wanted = if h < begun { 12.0 } else { 45.0 };
            if balance(h) > 0.0 { wanted } else { 20.0 }
        };
        let machine = || Host::healthy().with(Signal::Cpu, move |h| cpu(h) + 0.3 * noise(h, 8));
        let draining = machine().with(Signal::Credits, balance).of_type("t3.small");
        let predictions = draining.predictions(period_s, END - 14..=END);
        assert!(predictions[..4].iter().any(|p| p.level >= Level::Medium), "before: {:?}", &predictions[..4]);
        assert!(predictions[10..].iter().all(|p| p.level >= Level::Medium), "throttled: {:?}", &predictions[10..]);
        // At the same CPU, with credits in hand, nothing is wrong.
        let rich = machine().with(Signal::Credits, |_| 570.0).of_type("t3.small");
        assert!(rich.predictions(period_s, END..=END)[0].level < Level::Medium);
    }
}

#[test]
fn an_ebs_balance_that_drains_is_seen() {
    for period_s in [60, 300] {
        let begun = (END - 20) as f64;
        let balance = move |h: f64| (99.0 - (h - begun).max(0.0) * 5.0).clamp(0.0, 100.0) + 0.2 * noise(h, 9);
        let predictions = Host::healthy().with(Signal::Ebs, balance).predictions(period_s, END - 6..=END);
        assert!(predictions.iter().any(|p| p.level >= Level::Medium), "{predictions:?}");
    }
}
