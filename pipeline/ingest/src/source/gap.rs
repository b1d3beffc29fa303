//! Decides which gaps of a series are asked for again: agents that were cut off deliver late, up to two weeks back. Pure.
//!
//! Following reads the last two hours again. What comes later than that lies in a gap: from the last sample that there was to where the
//! series goes on, or, while it is silent, to where following stands.

use super::window::{Window, align_up};
use forewarn_runtime::time::DAY_MS;

const HOUR: i64 = 3_600_000;
const DAY_S: i32 = 86_400;
/// Shorter gaps are left: a metric that is published now and then is no outage.
const SHORTEST: i64 = HOUR / 4;
/// So far back CloudWatch takes points.
const OLDEST: i64 = 14 * DAY_MS;
/// The waits before a gap is asked for the first, second … time; after the last it is asked for no more.
const WAITS: [i64; 6] = [0, 3 * HOUR, 9 * HOUR, DAY_MS, 3 * DAY_MS, 7 * DAY_MS];
/// Most pieces that a gap falls into: more are one gap again.
const PIECES: usize = 8;
/// Of the metrics that a round asks for, so many more may be asked for gaps, and so many at least.
const SHARE: u64 = 10;
const LEAST: u64 = 50;

/// A gap of a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Gap {
    /// The row of the series.
    pub(super) series: i64,
    pub(super) window: Window,
    /// How often it was asked for.
    pub(super) tries: u32,
    /// When it is asked for next, milliseconds.
    pub(super) next_at: i64,
}

/// How far a series had come before a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Course {
    /// The row of the series.
    pub(super) series: i64,
    /// Where following began.
    pub(super) begins: i64,
    pub(super) last_ts: Option<i64>,
    pub(super) done_until: Option<i64>,
}

/// A gap that was asked for, what is left of it, and the last sample that came.
pub(super) type Asked = (Gap, Vec<Gap>, Option<i64>);

/// What is learned of gaps by one call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct GapNews {
    /// Gaps that are open, which are noted or reach further than before.
    pub(super) found: Vec<Gap>,
    pub(super) asked: Vec<Asked>,
}

/// Finds the gap that a live window shows: `ts` are its samples, in order.
pub(super) fn found(course: Course, window: Window, period_s: i32, ts: &[i64], now: i64) -> Option<Gap> {
    let done = course.done_until?;
    let step = i64::from(period_s) * 1000;
    let last = course.last_ts.unwrap_or(align_up(course.begins, period_s) - step);
    if window.from > done {
        // Another window of the same series lies before it.
        return None;
    }
    let from = (last + step).max(align_up(now - OLDEST, DAY_S));
    let to = ts.iter().copied().find(|t| *t > last).unwrap_or(window.from);
    (to - from >= SHORTEST).then_some(Gap {
        series: course.series,
        window: Window { from, to },
        tries: 0,
        next_at: now,
    })
}

/// Decides what is left of a gap that was asked for: the stretches in which still nothing is, to be asked for after a longer wait.
pub(super) fn left(gap: Gap, period_s: i32, ts: &[i64], now: i64) -> Vec<Gap> {
    let step = i64::from(period_s) * 1000;
    let tries = gap.tries + 1;
    let next_at = WAITS.get(tries as usize).map_or(i64::MAX, |wait| now + wait);
    let mut windows = Vec::new();
    let mut from = gap.window.from;
    for t in ts.iter().copied().chain([gap.window.to]) {
        if t - from >= SHORTEST {
            windows.push(Window { from, to: t });
        }
        from = from.max(t + step);
    }
    if let (true, Some(first), Some(last)) = (windows.len() > PIECES, windows.first(), windows.last()) {
        windows = vec![Window { from: first.from, to: last.to }];
    }
    windows.into_iter().map(|window| Gap { window, tries, next_at, ..gap }).collect()
}

impl Gap {
    /// Adds to what is left of it how far it was found to reach while it was asked for.
    pub(super) fn and_beyond(self, left: &[Self], ends: i64) -> Vec<Self> {
        let mut left = left.to_vec();
        match left.last_mut() {
            _ if ends <= self.window.to => {}
            Some(last) if last.window.to == self.window.to => last.window.to = ends,
            _ => left.push(Self { window: Window { from: self.window.to, to: ends }, tries: 0, ..self }),
        }
        left
    }
}

/// Says how many metrics may be asked for gaps after a round that asked for `live`: a share of those, and of a budget only what following
/// leaves for the rest of the month.
pub(super) fn allowance(live: u64, budget_left: Option<u64>, rounds_left: u64) -> u64 {
    let share = (live / SHARE).max(LEAST);
    budget_left.map_or(share, |left| share.min(left.saturating_sub(live.saturating_mul(rounds_left))))
}

/// Says before when a gap is forgotten.
pub(super) const fn forgotten(now: i64) -> i64 {
    now - OLDEST
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_771_113_600_000;
    const STEP: i64 = 300_000;

    fn course(last_ts: i64, done_until: i64) -> Course {
        Course { series: 7, begins: 0, last_ts: Some(last_ts), done_until: Some(done_until) }
    }

    #[test]
    fn a_gap_reaches_from_the_last_sample_to_where_the_series_goes_on() {
        let window = Window { from: NOW - 3 * HOUR, to: NOW };
        let of = |last: i64, ts: &[i64]| found(course(last, NOW - HOUR), window, 300, ts, NOW).map(|g| g.window);
        assert_eq!(of(NOW - 9 * HOUR, &[NOW - HOUR]), Some(Window { from: NOW - 9 * HOUR + STEP, to: NOW - HOUR }));
        assert_eq!(of(NOW - 9 * HOUR, &[]), Some(Window { from: NOW - 9 * HOUR + STEP, to: NOW - 3 * HOUR }), "silent");
        assert_eq!(of(NOW - HOUR, &[NOW - 2 * HOUR, NOW - HOUR, NOW - HOUR + STEP]), None, "whole");
        assert_eq!(of(NOW - 90 * DAY_MS, &[]).unwrap().from, NOW - 14 * DAY_MS, "so far back points are taken");
        let later = Window { from: NOW - HOUR + STEP, to: NOW };
        assert_eq!(found(course(NOW - 9 * HOUR, NOW - HOUR), later, 300, &[], NOW), None, "a second window");
    }

    #[test]
    fn what_came_is_not_asked_for_again_and_the_rest_ever_more_rarely() {
        let gap = Gap { series: 7, window: Window { from: 0, to: 6 * HOUR }, tries: 0, next_at: 0 };
        let windows =
            |ts: &[i64]| left(gap, 300, ts, NOW).iter().map(|g| (g.window.from, g.window.to)).collect::<Vec<_>>();
        assert_eq!(windows(&[]), [(0, 6 * HOUR)]);
        assert_eq!(windows(&[2 * HOUR, 2 * HOUR + STEP]), [(0, 2 * HOUR), (2 * HOUR + 2 * STEP, 6 * HOUR)]);
        assert!(windows(&(0..72).map(|k| k * STEP).collect::<Vec<_>>()).is_empty());
        let (mut gap, mut at, mut asked) = (gap, NOW, 0);
        while gap.next_at < i64::MAX {
            at = at.max(gap.next_at);
            asked += 1;
            gap = left(gap, 300, &[], at)[0];
        }
        assert_eq!((asked, (at - NOW) / DAY_MS), (WAITS.len(), 11));
        let sparse: Vec<i64> = (0..60).map(|k| k * 2 * HOUR).collect();
        let wide = Gap { window: Window { from: 0, to: 120 * HOUR }, ..gap };
        assert_eq!(left(wide, 300, &sparse, NOW).len(), 1, "many pieces are one again");
    }

    #[test]
    fn a_gap_that_grew_while_it_was_asked_for_keeps_what_it_grew_by() {
        let gap = Gap { series: 7, window: Window { from: 0, to: HOUR }, tries: 1, next_at: NOW };
        let later = Gap { tries: 2, next_at: NOW + HOUR, ..gap };
        assert_eq!(gap.and_beyond(&[later], HOUR), [later]);
        assert_eq!(gap.and_beyond(&[later], 3 * HOUR), [Gap { window: Window { from: 0, to: 3 * HOUR }, ..later }]);
        let rest = Gap { window: Window { from: HOUR, to: 3 * HOUR }, tries: 0, ..gap };
        assert_eq!(gap.and_beyond(&[], 3 * HOUR), [rest]);
    }

    #[test]
    fn gaps_take_a_share_and_never_what_following_needs() {
        assert_eq!(allowance(10_000, None, 700), 1000);
        assert_eq!(allowance(10, None, 700), 50);
        assert_eq!(allowance(100, Some(70_030), 700), 30);
        assert_eq!(allowance(100, Some(60_000), 700), 0);
    }
}
