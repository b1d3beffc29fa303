//! What goes wrong with calls: drawn from the seed and the number of the call, so that a run can be told again.

use super::hash::{mix2, unit};
use std::sync::{Mutex, PoisonError};

/// Says how often what goes wrong. Shares are 0 to 1 of the calls; by default nothing does.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Faults {
    /// Calls that are throttled.
    pub throttle: f64,
    /// Calls that fail with a 5xx.
    pub errors: f64,
    /// Calls whose connection is reset before anything is done.
    pub resets: f64,
    /// `GetMetricData` calls that end early with `PartialData` and a token.
    pub partial: f64,
    /// Queries that end with `InternalError`.
    pub internal: f64,
    /// Calls that are answered late.
    pub slow: f64,
    /// How late, real milliseconds.
    pub slow_ms: u64,
    /// Calls that take effect but whose reply is lost.
    pub lose_replies: f64,
    /// Calls a second beyond which calls are throttled.
    pub rate_limit: Option<f64>,
    /// From when to when (milliseconds) every call is throttled.
    pub storm: Option<(i64, i64)>,
}

/// What happens to one call.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Fate {
    /// It is throttled.
    Throttle,
    /// It fails with this status.
    Fail(u16),
    /// Its connection is reset.
    Reset,
    /// It is answered.
    Answer(Mishaps),
}

/// What goes wrong with a call that is answered.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Mishaps {
    /// The reply gets lost.
    pub(super) lost: bool,
    /// The share of the points after which it ends.
    pub(super) partial: Option<f64>,
    /// Share of queries that fail, and what it is drawn from.
    internal: (f64, u64),
}

impl Mishaps {
    /// Says whether query `q` fails.
    pub(super) fn internal(&self, q: usize) -> bool {
        self.internal.0 > 0.0 && unit(mix2(self.internal.1, q as u64)) < self.internal.0
    }
}

/// A token bucket of one second's calls.
#[derive(Debug, Default)]
struct Bucket {
    tokens: f64,
    at: Option<i64>,
}

/// Draws the fate of calls.
#[derive(Debug)]
pub(super) struct Fates {
    faults: Faults,
    seed: u64,
    state: Mutex<(u64, Bucket)>,
}

impl Fates {
    pub(super) fn new(faults: Faults, seed: u64) -> Self {
        Self { faults, seed, state: Mutex::new((0, Bucket::default())) }
    }

    /// Draws the fate of the next call, and how many milliseconds it waits.
    pub(super) fn next(&self, now: i64) -> (Fate, u64) {
        let f = &self.faults;
        let (call, over) = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.0 += 1;
            (state.0, f.rate_limit.is_some_and(|rate| !state.1.take(rate, now)))
        };
        let bits = |what: u64| mix2(mix2(self.seed ^ 0xFA7E, call), what);
        let happens = |share: f64, what: u64| share > 0.0 && unit(bits(what)) < share;
        let delay = if happens(f.slow, 1) { f.slow_ms } else { 0 };
        let storm = f.storm.is_some_and(|(from, to)| (from..to).contains(&now));
        let fate = if over || storm || happens(f.throttle, 2) {
            Fate::Throttle
        } else if happens(f.errors, 3) {
            Fate::Fail(if bits(4).is_multiple_of(2) { 500 } else { 503 })
        } else if happens(f.resets, 5) {
            Fate::Reset
        } else {
            // One partial reply in eight holds nothing but its token.
            let share = happens(f.partial, 6).then(|| (unit(bits(7)) - 0.125).max(0.0));
            Fate::Answer(Mishaps { lost: happens(f.lose_replies, 8), partial: share, internal: (f.internal, bits(9)) })
        };
        (fate, delay)
    }
}

impl Bucket {
    fn take(&mut self, rate: f64, now: i64) -> bool {
        let passed = self.at.map_or(f64::INFINITY, |at| (now - at).max(0) as f64 / 1000.0);
        self.tokens = (self.tokens + passed * rate).min(rate.max(1.0));
        self.at = Some(self.at.map_or(now, |at| at.max(now)));
        if self.tokens >= 1.0 {
            self.tokens -= 1.0;
            return true;
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_kept_and_the_same_seed_tells_the_same_story() {
        let faults = Faults { throttle: 0.05, errors: 0.01, resets: 0.02, partial: 0.1, ..Faults::default() };
        let draw = || {
            let fates = Fates::new(faults, 4);
            (0..10_000).map(|_| fates.next(0).0).collect::<Vec<_>>()
        };
        let all = draw();
        assert_eq!(all, draw());
        let count = |f: fn(&Fate) -> bool| all.iter().filter(|x| f(x)).count();
        assert!((420..580).contains(&count(|x| *x == Fate::Throttle)));
        assert!((60..140).contains(&count(|x| matches!(x, Fate::Fail(500 | 503)))));
        assert!((140..250).contains(&count(|x| *x == Fate::Reset)));
        assert!((800..1100).contains(&count(|x| matches!(x, Fate::Answer(m) if m.partial.is_some()))));
        assert!(count(|x| matches!(x, Fate::Answer(m) if m.lost)) == 0);
    }

    #[test]
    fn a_rate_limit_lets_its_rate_through_and_a_storm_nothing() {
        let fates = Fates::new(Faults { rate_limit: Some(10.0), ..Faults::default() }, 1);
        let through = |ms: std::ops::Range<i64>| ms.filter(|t| fates.next(*t).0 != Fate::Throttle).count();
        assert_eq!(through(0..1), 1);
        assert!((105..=110).contains(&through(0..10_000)));
        let fates = Fates::new(Faults { storm: Some((100, 200)), ..Faults::default() }, 1);
        let at = |t| fates.next(t).0 == Fate::Throttle;
        assert_eq!([99, 100, 199, 200].map(at), [false, true, true, false]);
    }
}
