#![expect(clippy::float_cmp, reason = "these values come out exactly")]

use super::*;
use crate::grid::CELL_MS;

const DELAY: i64 = 300_000;
const CELLS: i64 = 9 * 288;
/// Nine days from the epoch.
const NOW: i64 = CELLS * CELL_MS + DELAY;

fn series(
    signal: Signal,
    reading: Reading,
    metric: &str,
    device: Option<&str>,
    value: impl Fn(i64) -> f64,
) -> (Series, bool) {
    let mut series = Series::new(signal, reading, metric, "Average", device, 300);
    for i in 0..CELLS {
        series.extend(&[i * CELL_MS], &[value(i)], None, None);
    }
    let is_unique_sorted = series.normalise(DELAY);
    (series, is_unique_sorted)
}

fn disk(device: &str, value: impl Fn(i64) -> f64) -> (Series, bool) {
    series(Signal::Disk, Reading::AsIs, "disk_used_percent", Some(device), value)
}

fn row(tracks: &[(Series, bool)], attributes: &Attributes) -> InstanceRow {
    let mut builder = RowBuilder::new(FeatureSettings::default(), DELAY);
    builder.row(&builder.prepare(tracks, attributes, NOW, NOW), attributes, NOW)
}

fn of(row: &InstanceRow, signal: Signal, feature: Feature) -> f64 {
    row.values[index(signal, feature)]
}

/// Half a point up or down, from cell to cell.
fn wobble(i: i64) -> f64 {
    (i * 7 % 11) as f64 / 11.0 - 0.5
}

#[test]
fn the_device_with_something_new_speaks_and_what_stands_at_its_end_is_remarked() {
    let growing = |i| 50.0 + 40.0 * i as f64 / CELLS as f64 + wobble(i);
    let tracks = [disk("path=/images/a", |_| 100.0), disk("path=/images/b", |_| 100.0), disk("path=/", growing)];
    let found = row(&tracks, &Attributes::default());
    assert_eq!(found.devices[Signal::Disk as usize].as_deref(), Some("path=/"));
    assert_eq!(of(&found, Signal::Disk, Feature::NoNews), 0.0);
    let standing = |at: &str| Remark::Standing { signal: Signal::Disk, device: Some(at.to_owned()), now: 100.0 };
    assert_eq!(found.remarks, [standing("path=/images/a"), standing("path=/images/b")]);
    // Steady past its critical level for all of the week, beside one that is about to get there.
    let tracks = [disk("path=/archive", |i| 92.0 + wobble(i)), disk("path=/", growing)];
    assert_eq!(row(&tracks, &Attributes::default()).devices[Signal::Disk as usize].as_deref(), Some("path=/"));
}

#[test]
fn another_statistic_is_heard_where_the_one_that_means_the_signal_is_silent() {
    let memory = |value: f64, is_alternative, until: i64| {
        let at = |i| if i < until { value } else { f64::NAN };
        let (mut track, _) = series(Signal::Memory, Reading::AsIs, "mem_used_percent", None, |_| 0.0);
        track.ts.clear();
        track.value.clear();
        for i in (0..CELLS).filter(|i| !f64::is_nan(at(*i))) {
            track.extend(&[i * CELL_MS], &[at(i)], None, None);
        }
        track.is_alternative = is_alternative;
        let is_unique_sorted = track.normalise(DELAY);
        (track, is_unique_sorted)
    };
    let now = |until| {
        let tracks = [memory(40.0, false, until), memory(97.0, true, CELLS)];
        of(&row(&tracks, &Attributes::default()), Signal::Memory, Feature::Now)
    };
    assert_eq!(now(CELLS), 40.0);
    assert_eq!(now(CELLS - 3 * 288), 97.0, "the first has been silent for three days");
}

#[test]
fn a_counter_and_a_share_are_kept_out_and_named() {
    let counter = series(Signal::NetDrop, Reading::PerMinute, "net_drop_in", None, |i| 1e5 + 2.0 * i as f64);
    let share = series(Signal::Memory, Reading::AsIs, "mem_used_percent", None, |i| 0.4 + 0.1 * wobble(i));
    let found = row(&[share, counter], &Attributes::default());
    assert!(of(&found, Signal::NetDrop, Feature::Now).is_nan() && of(&found, Signal::Memory, Feature::Now).is_nan());
    let told: Vec<_> = found
        .remarks
        .iter()
        .map(|r| match r {
            Remark::KeptOut { metric, doubt, .. } => (metric.as_str(), *doubt),
            other @ (Remark::Standing { .. } | Remark::Unlimited) => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(told, [("mem_used_percent", Doubt::Share), ("net_drop_in", Doubt::Counter)]);
    // A new volume beside one that is in use: the agent publishes percentages.
    let found = row(&[disk("path=/", |i| 40.0 + wobble(i)), disk("path=/new", |_| 0.7)], &Attributes::default());
    assert_eq!(found.remarks, []);
}

#[test]
fn values_that_a_signal_cant_have_are_left_out() {
    let odd = |i| if i % 5 == 0 { 6_500.0 } else { 40.0 + wobble(i) };
    let tracks = [series(Signal::Cpu, Reading::AsIs, "CPUUtilization", None, odd)];
    assert_eq!(tracks[0].0.outside, (CELLS as u64).div_ceil(5));
    assert!(of(&row(&tracks, &Attributes::default()), Signal::Cpu, Feature::Max24h) < 41.0);
}

#[test]
fn credits_are_unlimited_where_surplus_was_spent_or_the_instance_says_so() {
    let empty_soon = |i: i64| (576.0 * (1.0 - i as f64 / CELLS as f64) + wobble(i)).max(0.0);
    let credits = || series(Signal::Credits, Reading::AsIs, "CPUCreditBalance", None, empty_soon);
    let surplus = |spent: f64| {
        let value = move |i| if i > CELLS - 300 { spent } else { 0.0 };
        series(Signal::Credits, Reading::Surplus, "CPUSurplusCreditBalance", None, value)
    };
    let told = |tracks: &[(Series, bool)], is_unlimited| {
        let found = row(tracks, &Attributes { is_unlimited, ..Attributes::default() });
        (of(&found, Signal::Credits, Feature::NoNews), found.remarks)
    };
    assert_eq!(told(&[credits()], false), (0.0, vec![]));
    assert_eq!(told(&[credits(), surplus(0.0)], false), (0.0, vec![]), "zeros prove nothing");
    assert_eq!(told(&[credits(), surplus(3.0)], false), (1.0, vec![Remark::Unlimited]));
    assert_eq!(told(&[credits()], true), (1.0, vec![Remark::Unlimited]));
}

#[test]
fn failed_checks_are_counted_to_the_minute() {
    let mut checks = Series::new(Signal::Status, Reading::AsIs, "StatusCheckFailed", "Maximum", None, 60);
    for i in 0..CELLS * 5 {
        let fails = (NOW / 60_000 - 600..NOW / 60_000 - 597).contains(&i);
        checks.extend(&[i * 60_000], &[f64::from(u8::from(fails))], None, None);
    }
    let is_unique_sorted = checks.normalise(DELAY);
    let found = row(&[(checks, is_unique_sorted)], &Attributes::default());
    assert_eq!(of(&found, Signal::Status, Feature::CriticalMinutes24h), 3.0);
}

#[test]
fn a_credit_balance_is_judged_by_shares_of_what_its_type_can_hold() {
    let credits = || series(Signal::Credits, Reading::AsIs, "CPUCreditBalance", None, |i| 60.0 + wobble(i));
    let past = |settings: FeatureSettings, kind: Option<&str>| {
        let attributes = Attributes { instance_type: kind.map(str::to_owned), ..Attributes::default() };
        let mut builder = RowBuilder::new(settings, DELAY);
        let tracks = [credits()];
        let found = builder.row(&builder.prepare(&tracks, &attributes, NOW, NOW), &attributes, NOW);
        of(&found, Signal::Credits, Feature::AboveWarning24h)
    };
    // Of a t3.nano, which holds 144 at most, 30 % are 43; of an unknown type it is a hundred.
    let mut settings = FeatureSettings::default();
    assert_eq!((past(settings.clone(), None), past(settings.clone(), Some("t3.nano"))), (1.0, 0.0));
    settings.levels[Signal::Credits as usize].of_cap = Some([0.5, 0.05]);
    assert_eq!(past(settings, Some("t3.nano")), 1.0, "half of it is 72");
}

#[test]
fn what_is_older_than_the_lookback_is_not_looked_at() {
    let attributes = Attributes::default();
    let rows = |hours: usize, early: f64| {
        // What lies before the last 47 hours is another level; the hour that has just begun is the 48th.
        let old = |i: i64| if i < CELLS - 47 * 12 { early } else { 0.0 };
        let tracks = [series(Signal::Memory, Reading::AsIs, "mem_used_percent", None, |i| 40.0 + wobble(i) + old(i))];
        let mut builder = RowBuilder::new(FeatureSettings { lookback_hours: hours, ..Default::default() }, DELAY);
        builder.row(&builder.prepare(&tracks, &attributes, NOW, NOW), &attributes, NOW)
    };
    let bits = |row: &InstanceRow| row.values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
    assert_ne!(bits(&rows(168, 0.0)), bits(&rows(168, 30.0)), "seven days are looked back at");
    assert_ne!(bits(&rows(49, 0.0)), bits(&rows(49, 30.0)));
    assert_eq!(bits(&rows(48, 0.0)), bits(&rows(48, 30.0)));
    let two_days = rows(48, 30.0);
    assert_eq!(of(&two_days, Signal::Memory, Feature::N), 47.0 * 12.0);
}

#[test]
fn what_nobody_reads_changes_nothing_of_what_is_read() {
    let rules = crate::ruleset::RuleSet::builtin(&|_| None).unwrap();
    let growing = |i| 50.0 + 40.0 * i as f64 / CELLS as f64 + wobble(i);
    let rare = |i: i64| if i % 997 == 0 { 40.0 } else { 2.0 + wobble(i) };
    let tracks = [
        disk("path=/archive", |i| 92.0 + wobble(i)),
        disk("path=/", growing),
        series(Signal::Iowait, Reading::AsIs, "cpu_usage_iowait", None, rare),
        series(Signal::Memory, Reading::AsIs, "mem_used_percent", None, growing),
    ];
    let attributes = Attributes::default();
    let of = |settings: FeatureSettings| {
        let mut builder = RowBuilder::new(settings, DELAY);
        builder.row(&builder.prepare(&tracks, &attributes, NOW, NOW), &attributes, NOW)
    };
    let (all, read) = (of(rules.feature_settings()), of(rules.feature_settings().wanting(rules.features_read())));
    assert_eq!((&all.devices, &all.remarks), (&read.devices, &read.remarks));
    let wanted = rules.features_read();
    let mut left_out = 0;
    for (column, (a, b)) in all.values.iter().zip(&read.values).enumerate() {
        let asked = SIGNALS.get(column / FEATURES.len()).is_none_or(|spec| {
            let (feature, ..) = FEATURES[column % FEATURES.len()];
            wanted.of(spec.signal).has_any(&[feature])
        });
        assert!(a.to_bits() == b.to_bits() || !asked && b.is_nan(), "column {column}: {a} and {b}");
        left_out += usize::from(a.to_bits() != b.to_bits());
    }
    assert!(left_out >= 3, "a tail for each signal is left out, not {left_out}");
}

#[test]
fn what_is_read_of_a_silent_series_is_the_same_in_a_replay_and_in_an_analysis() {
    let (attributes, silent) = (Attributes::default(), 20 * 12);
    let heard = |i: i64| if i < CELLS - silent { 50.0 + 30.0 * i as f64 / CELLS as f64 + wobble(i) } else { f64::NAN };
    let (mut memory, _) = series(Signal::Memory, Reading::AsIs, "mem_used_percent", None, |_| 0.0);
    (memory.ts, memory.value) = (0..CELLS - silent).map(|i| (i * CELL_MS, heard(i))).unzip();
    let is_unique_sorted = memory.normalise(DELAY);
    let tracks = [(memory, is_unique_sorted), series(Signal::Cpu, Reading::AsIs, "CPUUtilization", None, wobble)];
    let of = |first: i64| {
        let mut builder = RowBuilder::new(FeatureSettings::default(), DELAY);
        builder.row(&builder.prepare(&tracks, &attributes, first, NOW), &attributes, NOW)
    };
    let bits = |row: &InstanceRow| row.values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
    // From a day before on, a replay holds hours that an analysis has not read.
    assert_eq!(bits(&of(NOW - 24 * HOUR_MS)), bits(&of(NOW)));
    let hours = of(NOW).values[index(Signal::Memory, Feature::SilenceHours)];
    assert!((20.0..20.2).contains(&hours), "{hours}");
}
