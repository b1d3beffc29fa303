//! Packs what is wanted into as few `GetMetricData` calls as its limits allow.
//!
//! CloudWatch bills each metric requested in each call, not points: so a query asks for its whole window at once, and is only cut
//! where one call can't hold it.

use super::api::{MAX_POINTS, MAX_QUERIES};
use super::window::Window;

/// One query that is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Want {
    /// The series, by its place in the caller's list.
    pub series: usize,
    /// The stretch of time, aligned to the period.
    pub window: Window,
    /// The period, seconds.
    pub period_s: i32,
}

/// One call: all its queries have its window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The stretch of time.
    pub window: Window,
    /// The queries.
    pub wants: Vec<Want>,
    /// The most points that it can give.
    pub points: i64,
}

/// Packs wants into calls: earlier windows first, within a window in the order given.
pub fn pack(wants: impl IntoIterator<Item = Want>) -> Vec<Call> {
    let mut pieces: Vec<Want> = wants.into_iter().flat_map(cut).collect();
    pieces.sort_by_key(|w| w.window);
    let mut calls: Vec<Call> = Vec::new();
    for want in pieces {
        let points = want.window.points(want.period_s);
        match calls.last_mut() {
            Some(call)
                if call.window == want.window
                    && call.wants.len() < MAX_QUERIES
                    && call.points + points <= MAX_POINTS =>
            {
                call.points += points;
                call.wants.push(want);
            }
            _ => calls.push(Call { window: want.window, wants: vec![want], points }),
        }
    }
    calls
}

/// Cuts a want that one call can't hold into pieces that follow one another.
fn cut(want: Want) -> impl Iterator<Item = Want> {
    let step = MAX_POINTS * i64::from(want.period_s) * 1000;
    let pieces = (want.window.to - want.window.from + step - 1) / step;
    (0..pieces).map(move |i| {
        let from = want.window.from + i * step;
        Want { window: Window { from, to: (from + step).min(want.window.to) }, ..want }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn want(series: usize, from: i64, points: i64, period_s: i32) -> Want {
        let step = i64::from(period_s) * 1000;
        Want { series, window: Window { from: from * step, to: (from + points) * step }, period_s }
    }

    #[test]
    fn a_week_of_nine_thousand_series_is_each_asked_for_once() {
        let calls = pack((0..9000).map(|i| want(i, 0, 2016, 300)));
        assert_eq!(calls.len(), 180, "fifty queries of 2,016 points fill a call");
        assert!(calls.iter().all(|c| c.wants.len() == 50 && c.points == MAX_POINTS));
    }

    #[test]
    fn an_hour_of_nine_thousand_series_is_eighteen_calls() {
        assert_eq!(pack((0..9000).map(|i| want(i, 0, 36, 300))).len(), 18);
    }

    proptest! {
        #[test]
        fn every_point_is_asked_for_once_and_no_limit_is_passed(
            wants in prop::collection::vec((0_i64..4, 1_i64..250_000, prop::sample::select(vec![60, 300])), 1..60),
        ) {
            let wants: Vec<Want> = wants.into_iter().enumerate().map(|(i, (f, n, p))| want(i, f * 10, n, p)).collect();
            let calls = pack(wants.clone());
            for call in &calls {
                prop_assert!(call.wants.len() <= MAX_QUERIES && call.points <= MAX_POINTS);
                prop_assert_eq!(call.points, call.wants.iter().map(|w| w.window.points(w.period_s)).sum::<i64>());
                prop_assert!(call.wants.iter().all(|w| w.window == call.window));
            }
            for want in &wants {
                let mut pieces: Vec<Window> =
                    calls.iter().flat_map(|c| &c.wants).filter(|w| w.series == want.series).map(|w| w.window).collect();
                pieces.sort();
                prop_assert_eq!(pieces.first().map(|w| w.from), Some(want.window.from));
                prop_assert_eq!(pieces.last().map(|w| w.to), Some(want.window.to));
                prop_assert!(pieces.windows(2).all(|p| p[0].to == p[1].from));
                prop_assert_eq!(pieces.len() as i64, (want.window.points(want.period_s) + MAX_POINTS - 1) / MAX_POINTS);
            }
        }
    }
}
