//! Decides whether an account in a region is asked at all: one that fails again and again is asked ever more rarely. Pure.
//!
//! The circuit breaker as commonly known: closed while calls succeed, open for a pause that grows, then half open, where one call decides.

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
/// For how long a place must have failed, from round to round, until it opens: a network that is gone for a while opens nothing.
const OPENS_AFTER: i64 = 30 * MINUTE;
/// Rounds begin on the hour: a pause is over a little before one.
const GRACE: i64 = 10 * MINUTE;
/// The longest pause.
const LONGEST: i64 = 6 * HOUR;

/// What is remembered of an account in a region.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Breaker {
    /// Rounds that failed in sequence.
    pub failures: u32,
    /// When the first of them ended, milliseconds.
    pub since: i64,
    /// When the last of them ended, milliseconds.
    pub tried_at: i64,
}

/// Whether it is asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case", tag = "breaker")]
pub enum Position {
    #[default]
    Closed,
    /// Nothing is asked until then, milliseconds.
    Open { until: i64 },
    /// One call is made, once; if it succeeds, the round goes on.
    HalfOpen,
}

/// What is worth saying once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It failed, and did not before.
    Fails,
    /// It is asked more rarely from now on.
    Opens,
    /// It succeeded again, having failed since then.
    Recovers { since: i64 },
}

impl Breaker {
    const fn failing_for(&self) -> i64 {
        self.tried_at - self.since
    }

    const fn is_open(&self) -> bool {
        self.failures > 1 && self.failing_for() >= OPENS_AFTER
    }

    /// Says whether it is asked now: the pause is as long as it has failed so far. A clock that was set back doesn't keep it from being
    /// asked.
    pub fn position(&self, now: i64) -> Position {
        if !self.is_open() {
            return Position::Closed;
        }
        let until = self.tried_at + self.failing_for().min(LONGEST) - GRACE;
        if (self.tried_at..until).contains(&now) { Position::Open { until } } else { Position::HalfOpen }
    }

    /// Notes how a round ended.
    pub fn note(self, succeeded: bool, now: i64) -> (Self, Option<Change>) {
        if succeeded {
            let change = (self.failures > 0).then_some(Change::Recovers { since: self.since });
            return (Self::default(), change);
        }
        let since = if self.failures == 0 { now } else { self.since };
        let next = Self { failures: self.failures.saturating_add(1), since, tried_at: now };
        let change = match () {
            () if next.failures == 1 => Some(Change::Fails),
            () if next.is_open() && !self.is_open() => Some(Change::Opens),
            () => None,
        };
        (next, change)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A round each hour for so many hours; gives the hours in which it was asked, and what was said.
    fn asked(hours: i64, works: impl Fn(i64) -> bool) -> (Vec<i64>, Vec<(i64, Change)>) {
        let (mut breaker, mut asked, mut said) = (Breaker::default(), Vec::new(), Vec::new());
        for hour in 0..hours {
            // What fails takes a few minutes.
            let (begins, ends) = (hour * HOUR, hour * HOUR + 3 * MINUTE);
            if matches!(breaker.position(begins), Position::Open { .. }) {
                continue;
            }
            asked.push(hour);
            let (next, change) = breaker.note(works(hour), ends);
            breaker = next;
            said.extend(change.map(|c| (hour, c)));
        }
        (asked, said)
    }

    #[test]
    fn what_fails_for_days_is_asked_ever_more_rarely_and_said_twice() {
        let (asked, said) = asked(48, |_| false);
        assert_eq!(asked, [0, 1, 2, 4, 8, 14, 20, 26, 32, 38, 44]);
        assert_eq!(said, [(0, Change::Fails), (1, Change::Opens)]);
    }

    #[test]
    fn a_probe_that_succeeds_closes_it_and_says_since_when_it_failed() {
        let (asked, said) = asked(12, |hour| hour >= 5);
        assert_eq!(asked, [0, 1, 2, 4, 8, 9, 10, 11]);
        assert_eq!(said.last(), Some(&(8, Change::Recovers { since: 3 * MINUTE })));
        let breaker = Breaker { failures: 7, since: 0, tried_at: 90 * HOUR };
        assert_eq!(breaker.position(95 * HOUR), Position::Open { until: 96 * HOUR - GRACE });
        assert_eq!(breaker.position(96 * HOUR), Position::HalfOpen);
        assert_eq!(breaker.position(89 * HOUR), Position::HalfOpen, "a clock set back");
    }

    #[test]
    fn a_network_that_is_gone_for_minutes_opens_nothing() {
        let mut breaker = Breaker::default();
        for minute in 0..10 {
            breaker = breaker.note(false, minute * 3 * MINUTE).0;
            assert_eq!(breaker.position(minute * 3 * MINUTE), Position::Closed);
        }
        breaker = breaker.note(false, 40 * MINUTE).0;
        assert_eq!(breaker.position(41 * MINUTE), Position::Open { until: 70 * MINUTE }, "as long as it has failed");
    }

    #[test]
    fn a_failure_now_and_then_opens_nothing() {
        assert_eq!(asked(24, |hour| hour % 2 == 0).0.len(), 24);
    }
}
