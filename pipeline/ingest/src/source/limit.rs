//! Keeps to the pace that AWS allows an account in a region, by operation, and slows down when AWS says so.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The pace that AWS allows; both quotas can be raised on request.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quota {
    /// `GetMetricData` calls a second.
    pub calls: f64,
    /// Datapoints a second for windows that begin within the last three hours; half of it for older ones.
    pub points: f64,
}

impl Default for Quota {
    fn default() -> Self {
        Self { calls: 50.0, points: 180_000.0 }
    }
}

/// `ListMetrics` calls a second.
const LIST_CALLS: f64 = 25.0;
/// `DescribeInstances` calls a second, once the bucket that EC2 grants is empty.
const DESCRIBE_CALLS: f64 = 20.0;

/// Slowest pace, as a share of the quota.
const SLOWEST: f64 = 1.0 / 64.0;
/// What a success gives back.
const REGAIN: f64 = 0.05;

/// A token bucket that may go into debt: who takes waits until it is paid, and who comes later waits behind.
#[derive(Debug, Clone)]
struct Bucket {
    rate: f64,
    level: f64,
    at: i64,
}

impl Bucket {
    fn new(rate: f64, now: i64) -> Self {
        Self { rate, level: rate, at: now }
    }

    /// Takes tokens; gives the milliseconds until they are there.
    fn take(&mut self, now: i64, n: f64) -> f64 {
        if now > self.at {
            self.level = (self.level + (now - self.at) as f64 / 1000.0 * self.rate).min(self.rate);
            self.at = now;
        }
        self.level -= n;
        (-self.level / self.rate * 1000.0).max(0.0)
    }
}

/// The pace of one account in one region, for everything that asks there: a limiter for each operation, because AWS counts them apart. A
/// clone is the same pace.
#[derive(Debug, Clone)]
pub struct Pace {
    data: Arc<Mutex<Limiter>>,
    list: Arc<Mutex<Limiter>>,
    describe: Arc<Mutex<Limiter>>,
}

impl Pace {
    /// Makes a pace whose whole quota is there.
    pub fn new(quota: Quota, now: i64) -> Self {
        let of = |calls| Arc::new(Mutex::new(Limiter::new(Quota { calls, ..quota }, now)));
        Self {
            data: of(quota.calls),
            list: of(LIST_CALLS.min(quota.calls)),
            describe: of(DESCRIBE_CALLS.min(quota.calls)),
        }
    }

    /// Gives the limiter of an operation.
    pub fn of(&self, operation: &str) -> MutexGuard<'_, Limiter> {
        let limiter = match operation {
            "ListMetrics" => &self.list,
            "DescribeInstances" | "DescribeInstanceCreditSpecifications" => &self.describe,
            _ => &self.data,
        };
        limiter.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The pace of one operation.
#[derive(Debug, Clone)]
pub struct Limiter {
    calls: Bucket,
    points: Bucket,
    /// The share of the quota that is used, between [`SLOWEST`] and 1.
    share: f64,
    /// Until when nothing is asked at all.
    quiet_until: i64,
}

impl Limiter {
    /// Makes a limiter whose whole quota is there.
    pub fn new(quota: Quota, now: i64) -> Self {
        Self {
            calls: Bucket::new(quota.calls.max(0.1), now),
            points: Bucket::new(quota.points.max(1.0), now),
            share: 1.0,
            quiet_until: i64::MIN,
        }
    }

    /// Takes what a call needs; gives the milliseconds to wait before it is made.
    pub fn reserve(&mut self, now: i64, points: i64, recent: bool) -> u64 {
        let points = if recent { points } else { 2 * points } as f64;
        let wait = self.calls.take(now, 1.0 / self.share).max(self.points.take(now, points / self.share));
        (wait.ceil() as u64).max(self.quiet_until.saturating_sub(now).max(0).unsigned_abs())
    }

    /// Notes a throttle: half the pace, and nothing at all for a while.
    pub fn throttled(&mut self, now: i64, pause_ms: u64) {
        self.share = (self.share / 2.0).max(SLOWEST);
        self.quiet_until = self.quiet_until.max(now.saturating_add(pause_ms as i64));
    }

    /// Notes a success: a little more pace.
    pub fn succeeded(&mut self) {
        self.share = (self.share + REGAIN).min(1.0);
    }

    /// Gives the share of the quota that is used at present.
    pub const fn share(&self) -> f64 {
        self.share
    }
}

/// Longest wait between two tries, milliseconds.
pub const LONGEST_PAUSE_MS: u64 = 30_000;

/// Gives the wait before a try: doubling, at most [`LONGEST_PAUSE_MS`], the upper half of it by chance (`jitter` in 0 to 1), so that
/// many don't come back at once.
pub fn pause_ms(attempt: u32, jitter: f64) -> u64 {
    let whole = 200_u64.saturating_mul(1 << attempt.min(20)).min(LONGEST_PAUSE_MS);
    whole / 2 + (whole as f64 / 2.0 * jitter.clamp(0.0, 1.0)) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pace_over_ten_minutes_is_the_quota() {
        for (recent, rate) in [(true, 180_000.0), (false, 90_000.0)] {
            let mut limiter = Limiter::new(Quota::default(), 0);
            let (mut now, mut points) = (0_i64, 0_i64);
            while now < 600_000 {
                now += limiter.reserve(now, 100_800, recent) as i64;
                points += 100_800;
            }
            let pace = points as f64 / (now as f64 / 1000.0);
            assert!((pace / rate - 1.0).abs() < 0.01, "{pace} points a second, {rate} are allowed");
        }
        let mut limiter = Limiter::new(Quota::default(), 0);
        let (mut now, mut calls) = (0_i64, 0);
        while now < 60_000 {
            now += limiter.reserve(now, 1, true) as i64;
            calls += 1;
        }
        assert!((3000..=3051).contains(&calls), "{calls} calls a minute");
    }

    #[test]
    fn operations_have_a_pace_of_their_own_and_a_clone_shares_it() {
        let pace = Pace::new(Quota::default(), 0);
        let same = pace.clone();
        pace.of("ListMetrics").throttled(0, 30_000);
        assert_eq!(same.of("ListMetrics").reserve(0, 0, true), 30_000);
        assert_eq!(same.of("GetMetricData").reserve(0, 1, true), 0, "listing is throttled, data is not");
        assert_eq!(same.of("DescribeInstances").reserve(0, 0, true), 0);
        let in_a_minute = |operation: &str| {
            let (pace, mut now, mut calls) = (Pace::new(Quota::default(), 0), 0_i64, 0);
            while now < 60_000 {
                now += pace.of(operation).reserve(now, 1, true) as i64;
                calls += 1;
            }
            calls
        };
        assert!((1500..=1526).contains(&in_a_minute("ListMetrics")), "{}", in_a_minute("ListMetrics"));
        assert!((3000..=3051).contains(&in_a_minute("GetMetricData")));
    }

    #[test]
    fn a_throttle_silences_everybody_and_the_pace_comes_back() {
        let mut limiter = Limiter::new(Quota::default(), 0);
        limiter.throttled(1000, 5000);
        assert_eq!(limiter.reserve(1000, 1, true), 5000);
        for _ in 0..20 {
            limiter.throttled(1000, 0);
        }
        assert!((limiter.share() - SLOWEST).abs() < 1e-12);
        for _ in 0..20 {
            limiter.succeeded();
        }
        assert!((limiter.share() - 1.0).abs() < 1e-12);
    }

    #[test]
    fn pauses_double_up_to_a_bound() {
        assert_eq!((pause_ms(0, 0.0), pause_ms(0, 1.0), pause_ms(3, 1.0)), (100, 200, 1600));
        assert_eq!(pause_ms(40, 1.0), LONGEST_PAUSE_MS);
        assert_eq!(pause_ms(u32::MAX, 0.0), LONGEST_PAUSE_MS / 2);
    }
}
