//! The clock as a port: what waits or reads the time is handed one, so that ten minutes of a storm pass in a test at once.

use crate::interrupt::Interrupt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

/// How often a wait looks whether it is to end early.
const GLANCE: Duration = Duration::from_millis(50);

/// Tells the time and waits.
pub trait Clock: Send + Sync + std::fmt::Debug {
    /// Gives milliseconds since 1970, UTC.
    fn now_ms(&self) -> i64;

    /// Gives milliseconds since some moment, of a clock that nobody sets: how long something lasts is measured by it.
    fn uptime_ms(&self) -> i64 {
        self.now_ms()
    }

    /// Waits until `ms` have passed or `stop` is raised; says whether the whole time has passed.
    fn pause(&self, ms: u64, stop: &Interrupt) -> bool;
}

#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now_ms(&self) -> i64 {
        crate::time::system_now_ms()
    }

    fn uptime_ms(&self) -> i64 {
        static BEGAN: OnceLock<Instant> = OnceLock::new();
        i64::try_from(BEGAN.get_or_init(Instant::now).elapsed().as_millis()).unwrap_or(i64::MAX)
    }

    fn pause(&self, ms: u64, stop: &Interrupt) -> bool {
        let mut left = crate::time::real_duration(ms);
        while !stop.is_raised() {
            if left.is_zero() {
                return true;
            }
            let step = left.min(GLANCE);
            std::thread::sleep(step);
            left -= step;
        }
        false
    }
}

/// A clock that only moves when somebody waits or pushes it.
#[derive(Debug, Default)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// Starts at a time, milliseconds.
    pub fn at(now_ms: i64) -> Self {
        Self(AtomicI64::new(now_ms))
    }

    /// Moves on.
    pub fn advance(&self, ms: i64) {
        self.0.fetch_add(ms, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now_ms(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }

    fn pause(&self, ms: u64, stop: &Interrupt) -> bool {
        if stop.is_raised() {
            return false;
        }
        self.advance(i64::try_from(ms).unwrap_or(i64::MAX));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_moves_by_what_is_waited_and_a_raised_stop_ends_any_wait() {
        let (clock, stop) = (ManualClock::at(5), Interrupt::default());
        assert!(clock.pause(10, &stop));
        assert_eq!(clock.now_ms(), 15);
        stop.raise();
        assert!(!clock.pause(10, &stop));
        assert!(!SystemClock.pause(3_600_000, &stop));
        assert_eq!(clock.now_ms(), 15);
    }
}
