#![expect(clippy::float_cmp, reason = "these values come out exactly")]

use super::*;
use crate::grid::HABIT_HOURS;
use forewarn_domain::signal::Signal;

const END: i64 = 1_782_907_200_000; // 2026-07-01T12:00Z

mod habit;

/// Features at [`END`] of a signal whose cell `i` of the seven days is `value(i)`.
fn features(signal: Signal, value: impl Fn(usize) -> f64) -> Row {
    let spec = signal.spec();
    let levels = Levels::of(spec);
    let worse = if spec.direction == Direction::Up { 1.0 } else { -1.0 };
    let cells: Vec<f64> = (0..CELLS).map(value).collect();
    let hours: Vec<Hour> =
        cells.chunks_exact(CELLS_PER_HOUR).map(|c| Hour::of_cells(c, worse, levels.warning, levels.critical)).collect();
    let habit: Vec<Hour> = vec![Hour::EMPTY; HABIT_HOURS].into_iter().chain(hours.iter().copied()).collect();
    let view = View { cells: &cells, hours: &hours, habit: &habit, start: END - HOURS as i64 * HOUR_MS, as_of: END };
    track_features(&view, spec, &levels, SignalFeatures::ALL, &mut Scratch::default())
}

/// Noise without a random number generator: a fixed hash of the cell, uniform in -1..1.
fn noise(i: usize) -> f64 {
    let mut h = i as u64 ^ 0x9e37_79b9_7f4a_7c15;
    h = (h ^ (h >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    h = (h ^ (h >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((h >> 11) as f64 / (1_u64 << 52) as f64) - 1.0
}

fn day(i: usize) -> f64 {
    i as f64 / 288.0
}

#[test]
#[expect(clippy::wildcard_enum_match_arm, reason = "all but two say the same")]
fn nothing_is_known_of_an_empty_series() {
    let row = features(Signal::Memory, |_| f64::NAN);
    for (f, name, _) in FEATURES {
        let v = get(&row, f);
        match f {
            Feature::N | Feature::Coverage => assert_eq!(v, 0.0, "{name}"),
            _ => assert!(v.is_nan(), "{name} = {v}"),
        }
    }
}

#[test]
fn one_sample_says_where_it_stands_and_nothing_of_a_trend() {
    let row = features(Signal::Memory, |i| if i == CELLS - 1 { 50.0 } else { f64::NAN });
    assert_eq!(get(&row, Feature::Now), 50.0);
    assert!(get(&row, Feature::Slope7d).is_nan());
    assert!(get(&row, Feature::Trend).is_nan());
    assert!(get(&row, Feature::Q24).is_nan() && get(&row, Feature::X24).is_nan());
    assert!(get(&row, Feature::Coverage) < 0.01);
}

#[test]
fn a_constant_goes_nowhere() {
    let row = features(Signal::Memory, |_| 90.0);
    assert_eq!(get(&row, Feature::Slope7d), 0.0);
    assert!(get(&row, Feature::Q168) < 1e-6, "q168 = {}", get(&row, Feature::Q168));
    assert!(get(&row, Feature::EtaHours).is_nan());
    assert_eq!(get(&row, Feature::AboveWarning24h), 1.0);
    assert_eq!(get(&row, Feature::AboveCritical24h), 0.0);
}

#[test]
fn steady_noise_below_the_level_stays_below() {
    let row = features(Signal::Memory, |i| 88.0 + noise(i));
    assert!(get(&row, Feature::X24) < 0.01, "x24 = {}", get(&row, Feature::X24));
    assert!(get(&row, Feature::Q24) < 0.05, "q24 = {}", get(&row, Feature::Q24));
}

#[test]
fn a_ramp_reaches_the_level_when_it_is_due() {
    // 40 % at the start, 5 % a day: 75 % now, critical (95 %) in 96 h, exhausted (99 %) in 115 h.
    let row = features(Signal::Memory, |i| 40.0 + 5.0 * day(i) + 0.3 * noise(i));
    assert!((get(&row, Feature::Slope7d) - 5.0).abs() < 0.3, "slope = {}", get(&row, Feature::Slope7d));
    let eta = get(&row, Feature::EtaHours);
    assert!((80.0..112.0).contains(&eta), "eta = {eta}");
    assert!(get(&row, Feature::Q24) < 0.05 && get(&row, Feature::Q168) > 0.9);
    assert!(get(&row, Feature::Trend) > 3.0);
}

#[test]
fn a_ramp_that_began_yesterday_counts_from_yesterday() {
    // Flat at 50 % for six days, then 40 % in a day.
    let row = features(Signal::Disk, |i| 50.0 + (day(i) - 6.0).max(0.0) * 40.0 + 0.2 * noise(i));
    let slope = get(&row, Feature::Slope24h);
    assert!((slope - 40.0).abs() < 4.0, "slope_24h = {slope}");
    assert!(get(&row, Feature::Q24) > 0.9, "q24 = {}", get(&row, Feature::Q24));
}

#[test]
fn a_step_is_not_a_ramp() {
    let row = features(Signal::Memory, |i| if day(i) < 4.0 { 40.0 } else { 70.0 } + 0.5 * noise(i));
    assert!(get(&row, Feature::Slope7d).abs() < 2.0, "slope = {}", get(&row, Feature::Slope7d));
    assert!(get(&row, Feature::Q24) < 0.05, "q24 = {}", get(&row, Feature::Q24));
}

#[test]
fn a_sawtooth_that_turns_back_is_no_danger() {
    // Log rotation: 40 % to 84 % every 30 hours.
    let row = features(Signal::Disk, |i| 40.0 + 44.0 * ((i % 360) as f64 / 360.0) + 0.3 * noise(i));
    assert_eq!(get(&row, Feature::Tooth), 1.0);
    assert!(get(&row, Feature::X24) < 0.05, "x24 = {}", get(&row, Feature::X24));
    assert!(get(&row, Feature::Resets7d) >= 3.0, "resets = {}", get(&row, Feature::Resets7d));
}

#[test]
fn a_daily_rhythm_is_season_and_not_trend() {
    let row = features(Signal::Cpu, |i| 50.0 + 30.0 * (day(i) * std::f64::consts::TAU).sin() + noise(i));
    assert!(get(&row, Feature::Season) > 0.8, "season = {}", get(&row, Feature::Season));
    assert!(get(&row, Feature::Trend).abs() < 2.5, "trend = {}", get(&row, Feature::Trend));
    assert!(get(&row, Feature::X24) < 0.1, "x24 = {}", get(&row, Feature::X24));
}

#[test]
fn a_nightly_batch_past_the_level_is_nothing_new() {
    // Every night two hours at 60 % iowait.
    let row = features(Signal::Iowait, |i| if i % 288 < 24 { 60.0 } else { 3.0 } + noise(i));
    assert!(get(&row, Feature::X24) < 0.1, "x24 = {}", get(&row, Feature::X24));
    assert_eq!(get(&row, Feature::ExcessRun), 0.0);
}

#[test]
fn credits_that_drain_run_out() {
    // 300 credits, 60 a day for five days: 0 after five days; now 20 left after 4.67 days from a flat start.
    let row = features(Signal::Credits, |i| 300.0 - (day(i) - 2.0).max(0.0) * 56.0 + noise(i));
    assert!(get(&row, Feature::Slope7d) > 40.0, "slope = {}", get(&row, Feature::Slope7d));
    assert!(get(&row, Feature::Q24) > 0.5, "q24 = {}", get(&row, Feature::Q24));
}

#[test]
fn the_future_cells_of_a_view_are_empty_and_a_gap_is_not_zero() {
    let row = features(Signal::Memory, |i| if (1000..1600).contains(&i) { f64::NAN } else { 60.0 + noise(i) });
    assert!(get(&row, Feature::Slope7d).abs() < 1.0);
    assert!((get(&row, Feature::Mean7d) - 60.0).abs() < 0.2);
    assert_eq!(get(&row, Feature::N), (CELLS - 600) as f64);
}

#[test]
fn the_95th_percentile_is_that_of_all_cells() {
    let shapes: [fn(usize) -> f64; 6] = [
        |i| 50.0 + 20.0 * noise(i),
        |i| if i % 40 < 2 { 97.0 } else { 30.0 + noise(i) },
        |i| if i % 7 == 0 { f64::NAN } else { day(i) * 9.0 + noise(i) },
        |i| if i % 12 < 11 { f64::NAN } else { 40.0 + noise(i) },
        |i| if i < CELLS - 3 { f64::NAN } else { i as f64 },
        |_| 60.0,
    ];
    for (n, shape) in shapes.into_iter().enumerate() {
        for (signal, q) in [(Signal::Memory, 0.95), (Signal::Credits, 0.05)] {
            let mut cells: Vec<f64> = (0..CELLS).map(shape).filter(|v| !v.is_nan()).collect();
            let plain = forewarn_models::stats::quantile(&mut cells, q).unwrap();
            let found = get(&features(signal, shape), Feature::P957d);
            assert!((found - plain).abs() <= 1e-9 * plain.abs(), "shape {n}, {q}: {found} != {plain}");
        }
    }
}

#[test]
fn what_came_last_week_is_no_news_and_what_never_came_is() {
    let batch = |i: usize| if i >= CELLS - 48 { 60.0 } else { 3.0 };
    assert!(get(&features(Signal::Iowait, batch), Feature::Beyond6h) > 20.0);
    // The same four hours a week ago lie in the day of habits before the seven days.
    let hours = |from: usize| (0..HABIT_HOURS).map(move |h| if h >= from { 60.0 } else { 3.0 });
    let spec = Signal::Iowait.spec();
    let levels = Levels::of(spec);
    let cells: Vec<f64> = (0..CELLS).map(batch).collect();
    let of = |cells: &[f64]| Hour::of_cells(cells, 1.0, levels.warning, levels.critical);
    let habit: Vec<Hour> = hours(HABIT_HOURS - 6)
        .map(|v| of(&[v; CELLS_PER_HOUR]))
        .chain(cells.chunks_exact(CELLS_PER_HOUR).map(of))
        .collect();
    let view = View {
        cells: &cells,
        hours: &habit[HABIT_HOURS..],
        habit: &habit,
        start: END - HOURS as i64 * HOUR_MS,
        as_of: END,
    };
    let row = track_features(&view, spec, &levels, SignalFeatures::ALL, &mut Scratch::default());
    assert!(get(&row, Feature::Beyond6h) <= 0.0, "beyond_6h = {}", get(&row, Feature::Beyond6h));
}

#[test]
fn a_burst_does_not_last_and_a_fault_does() {
    let hours_at_the_end = |hours: usize| move |i: usize| if i >= CELLS - 12 * hours { 60.0 } else { 3.0 + noise(i) };
    let (burst, fault) = (features(Signal::Iowait, hours_at_the_end(2)), features(Signal::Iowait, hours_at_the_end(9)));
    assert!(get(&burst, Feature::Lasting6h) < 1.0, "lasting_6h = {}", get(&burst, Feature::Lasting6h));
    assert!((get(&fault, Feature::Lasting6h) - 57.0).abs() < 1.5, "lasting_6h = {}", get(&fault, Feature::Lasting6h));
    // A twentieth of the quiet hours is beyond the worst twentieth of the others.
    assert!((2.0..6.0).contains(&get(&burst, Feature::Unusual24h)), "{}", get(&burst, Feature::Unusual24h));
    assert!((9.0..13.0).contains(&get(&fault, Feature::Unusual24h)), "{}", get(&fault, Feature::Unusual24h));
    let nightly = features(Signal::Iowait, |i| if i % 288 < 24 { 60.0 } else { 3.0 + noise(i) });
    assert!(get(&nightly, Feature::Lasting6h) < 1.0);
    let young = features(Signal::Iowait, |i| if i < CELLS - 288 - 12 * 23 { f64::NAN } else { 3.0 + noise(i) });
    assert!(get(&young, Feature::Lasting6h).is_nan() && get(&young, Feature::Unusual24h).is_nan());
}
