//! What is no news.

use super::*;

fn no_news(signal: Signal, value: impl Fn(usize) -> f64) -> bool {
    get(&features(signal, value), Feature::NoNews) == 1.0
}

const HOUR: usize = CELLS_PER_HOUR;

#[test]
fn what_has_stood_at_its_end_all_week_is_no_news() {
    assert!(no_news(Signal::Disk, |_| 100.0));
    assert!(no_news(Signal::Disk, |i| 99.5 + 0.2 * noise(i)));
    assert!(no_news(Signal::Credits, |_| 0.0));
    // High, but not at its end: the rules know what to make of a steady level.
    assert!(!no_news(Signal::Memory, |i| 96.0 + 0.2 * noise(i)));
    // It was not there three days ago, or is known since then only.
    assert!(!no_news(Signal::Disk, |i| if day(i) < 4.0 { 80.0 } else { 100.0 }));
    assert!(!no_news(Signal::Disk, |i| if day(i) < 4.0 { f64::NAN } else { 100.0 }));
    // Worse since an hour ago than all week.
    assert!(!no_news(Signal::Disk, |i| if i < CELLS - 6 * HOUR { 99.1 } else { 100.0 }));
    // What has no end, and may well be a fault all week.
    assert!(!no_news(Signal::Status, |_| 1.0));
}

/// Forty per cent until `hours` ago, then a jump by `height` within two hours, and `growth` a day from then on.
fn jump(hours: f64, height: f64, growth: f64) -> impl Fn(usize) -> f64 {
    move |i| {
        let since = i as f64 / HOUR as f64 - (HOURS as f64 - hours - 2.0);
        let rise = height * (since / 2.0).clamp(0.0, 1.0);
        40.0 + rise + growth * (since - 2.0).max(0.0) / 24.0 + 0.1 * noise(i)
    }
}

#[test]
fn six_level_hours_after_a_jump_are_a_new_level() {
    for hours in [6.0, 12.0, 24.0, 72.0] {
        assert!(no_news(Signal::Disk, jump(hours, 20.0, 0.0)), "{hours} hours ago");
        assert!(no_news(Signal::Memory, jump(hours, 20.0, 0.0)), "{hours} hours ago");
    }
    assert!(!no_news(Signal::Disk, jump(2.0, 20.0, 0.0)), "it may go on");
    assert!(!no_news(Signal::Disk, jump(12.0, 52.0, 0.0)), "past its critical level");
    assert!(!no_news(Signal::Queue, jump(12.0, 20.0, 0.0)), "a delay that stays is a fault that stays");
    for hours in [6.0, 12.0, 24.0] {
        assert!(!no_news(Signal::Disk, jump(hours, 20.0, 28.0)), "it grows on, {hours} hours later");
    }
    assert!(!no_news(Signal::Disk, |i| 40.0 + 5.0 * day(i) + 0.1 * noise(i)), "growth without a jump");
}

#[test]
fn a_leak_after_a_restart_is_news_however_far_the_restart_went() {
    // From 20 to 60 % as it came up five days ago, then 3 % a day.
    let leak = |i: usize| if day(i) < 2.0 { 20.0 } else { 60.0 + 3.0 * (day(i) - 2.0) } + 0.1 * noise(i);
    assert!(!no_news(Signal::Memory, leak));
}

#[test]
fn how_long_it_was_past_its_level_is_counted_to_the_cell() {
    let row = features(Signal::Cpu, |i| if i >= CELLS - 7 || i == CELLS - 100 { 99.0 } else { 40.0 });
    assert_eq!(get(&row, Feature::CriticalPeriods), 7.0);
    assert_eq!(get(&row, Feature::CriticalMinutes24h), 40.0);
    let over = features(Signal::Cpu, |i| if i == CELLS - 3 { 99.0 } else { 40.0 });
    assert_eq!((get(&over, Feature::CriticalPeriods), get(&over, Feature::CriticalMinutes24h)), (0.0, 5.0));
}
