//! Decides which stretch of time is asked for: aligned, from the last success, never past what is whole.

use super::metric_scope::Timing;

const SECOND: i64 = 1000;
const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;

/// A stretch of time, milliseconds: start included, end not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Window {
    /// Start.
    pub from: i64,
    /// End.
    pub to: i64,
}

impl Window {
    /// Counts the periods that begin in it.
    pub const fn points(self, period_s: i32) -> i64 {
        let step = period_s as i64 * SECOND;
        (self.to - self.from + step - 1) / step
    }
}

/// Rounds down to a whole period.
pub const fn align_down(ms: i64, period_s: i32) -> i64 {
    ms - ms.rem_euclid(period_s as i64 * SECOND)
}

/// Rounds up to a whole period.
pub const fn align_up(ms: i64, period_s: i32) -> i64 {
    align_down(ms + period_s as i64 * SECOND - 1, period_s)
}

/// Gives the end of what is whole: periods that ended a delay ago.
pub const fn settled(now: i64, timing: Timing) -> i64 {
    align_down(now - timing.delay_ms, timing.period_s)
}

/// Gives what is asked for when following: from the last success, less the tail in which late points are looked for.
///
/// None where no period has become whole since.
pub fn live(done_until: Option<i64>, begins: i64, now: i64, timing: Timing, tail_ms: i64) -> Option<Window> {
    let to = settled(now, timing);
    if done_until.is_some_and(|done| done >= to) {
        return None;
    }
    let from = align_down(done_until.map_or(begins, |done| done - tail_ms), timing.period_s);
    (from < to).then_some(Window { from, to })
}

/// Gives what is asked for of a range: every period that begins in it and is whole, from where an earlier try ended.
pub fn once(range: Window, done_until: Option<i64>, now: i64, timing: Timing) -> Option<Window> {
    let to = align_up(range.to, timing.period_s).min(settled(now, timing));
    let from = align_up(range.from, timing.period_s).max(done_until.unwrap_or(i64::MIN));
    (from < to).then_some(Window { from, to })
}

/// Says how long CloudWatch keeps a period, milliseconds.
pub const fn kept(period_s: i32) -> i64 {
    match period_s {
        p if p % 3600 == 0 => 455 * DAY,
        p if p % 300 == 0 => 63 * DAY,
        p if p % 60 == 0 => 15 * DAY,
        _ => 3 * HOUR,
    }
}

/// Gives the next period that CloudWatch keeps longer.
const fn coarser(period_s: i32) -> Option<i32> {
    match period_s {
        p if p % 3600 == 0 => None,
        p if p % 300 == 0 => Some(3600),
        p if p % 60 == 0 => Some(300),
        _ => Some(60),
    }
}

/// Cuts a window by age into stretches, oldest first, each with the finest period, from the wanted one up, that is still kept.
///
/// A coarse stretch that holds no whole period is left out: it would cost a metric and give nothing.
pub fn by_age(window: Window, period_s: i32, now: i64) -> Vec<(Window, i32)> {
    let begins = align_up(now - kept(period_s), period_s);
    if window.from >= begins {
        return vec![(window, period_s)];
    }
    let Some(next) = coarser(period_s) else {
        let from = begins;
        return if from < window.to { vec![(Window { from, ..window }, period_s)] } else { Vec::new() };
    };
    let older =
        Window { from: align_up(window.from, next), to: align_up(begins, next).min(align_down(window.to, next)) };
    let mut out = if older.from < older.to { by_age(older, next, now) } else { Vec::new() };
    let from = if out.is_empty() { begins } else { older.to.max(begins) };
    if from < window.to {
        out.push((Window { from, ..window }, period_s));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: i64 = 1_771_113_600_000 + 1_234_567;
    const FIVE: Timing = Timing { period_s: 300, delay_ms: 300_000 };

    #[test]
    fn a_window_ends_before_the_delay_and_begins_with_the_tail() {
        let to = 1_771_113_600_000 + 900_000;
        assert_eq!(settled(NOW, FIVE), to);
        assert_eq!(live(Some(to - HOUR), 0, NOW, FIVE, 2 * HOUR), Some(Window { from: to - 3 * HOUR, to }));
        assert_eq!(live(Some(to), 0, NOW, FIVE, 2 * HOUR), None, "nothing has become whole");
        assert_eq!(live(Some(to + HOUR), 0, NOW, FIVE, 2 * HOUR), None, "a clock that was set back");
        assert_eq!(live(None, to - DAY + 1, NOW, FIVE, 2 * HOUR), Some(Window { from: to - DAY, to }));
        // A day's outage is made up for in one window.
        assert_eq!(live(Some(to - DAY), 0, NOW, FIVE, 0), Some(Window { from: to - DAY, to }));
    }

    #[test]
    fn a_range_holds_every_period_that_begins_in_it() {
        let t = 1_771_113_600_000 - DAY;
        let of = |from, to, done| once(Window { from, to }, done, NOW, FIVE);
        assert_eq!(of(t + 1, t + HOUR + 1, None), Some(Window { from: t + 300_000, to: t + HOUR + 300_000 }));
        assert_eq!(of(t, NOW + DAY, None), Some(Window { from: t, to: settled(NOW, FIVE) }));
        assert_eq!(of(t, t + HOUR, Some(t + 1_800_000)), Some(Window { from: t + 1_800_000, to: t + HOUR }));
        assert_eq!(of(t, t + HOUR, Some(t + HOUR)), None);
    }

    #[test]
    fn what_is_older_is_asked_for_more_coarsely() {
        let to = align_down(NOW, 300);
        let cut = |days: i64, p| by_age(Window { from: align_up(NOW - days * DAY, p), to }, p, NOW);
        assert_eq!(cut(14, 60), vec![(Window { from: align_up(NOW - 14 * DAY, 60), to }, 60)]);
        assert_eq!(cut(63, 300).len(), 1, "63 days at five minutes are one query");
        let parts = cut(30, 60);
        assert_eq!(parts.iter().map(|p| p.1).collect::<Vec<_>>(), [300, 60]);
        assert_eq!(parts[0].0.to, parts[1].0.from);
        assert_eq!(cut(100, 60).iter().map(|p| p.1).collect::<Vec<_>>(), [3600, 300, 60]);
        assert_eq!(cut(500, 3600)[0].0.from, align_up(NOW - 455 * DAY, 3600));
    }

    proptest! {
        #[test]
        fn stretches_follow_one_another_and_are_all_kept(
            age in 1_i64..500, length in 1_i64..500, period in prop::sample::select(vec![60, 300, 3600]),
        ) {
            let from = align_up(NOW - age * DAY, period);
            let to = (from + length * DAY).min(align_down(NOW, period));
            prop_assume!(from < to);
            let parts = by_age(Window { from, to }, period, NOW);
            for (w, p) in &parts {
                prop_assert!(w.from < w.to && w.from >= NOW - kept(*p) && *p >= period);
                prop_assert_eq!(w.from, align_down(w.from, *p));
                prop_assert!(w.from >= from && w.to <= to);
            }
            for pair in parts.windows(2) {
                prop_assert_eq!(pair[0].0.to, pair[1].0.from);
            }
            if let Some((last, _)) = parts.last() {
                prop_assert!(to - last.to < 3_600_000);
            }
        }
    }
}
