//! What a series shows to be something else than its signal reads: a counter where a rate is meant, a share where a percentage is.

use crate::grid::CELLS_PER_HOUR;
use forewarn_domain::signal::{Reading, Signal};
use serde::{Deserialize, Serialize};

/// Known samples or cells from which anything can be said: three hours of the grid.
const LEAST: u64 = 3 * CELLS_PER_HOUR as u64;
/// A counter that begins again falls below this share of what it was.
const RESET: f64 = 0.5;
/// How often a counter has grown at least for each time that it began again: what rarely happens goes back to 0 as often as it rises.
const RISES_A_RESET: u64 = 10;
/// The largest value of a series of shares is at least this: a new volume is nearly empty, in percent too.
const LEAST_SHARE: f64 = 0.05;

/// Something else than a signal reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Doubt {
    /// Values only grow: a count since the start, and no rate.
    Counter,
    /// Values never leave 0 to 1.
    Share,
}

impl Doubt {
    /// Says in words what it is and what is meant.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Counter => "is a raw counter that only grows, where a rate is meant",
            Self::Share => "is a share of 0 to 1, where a percentage is meant",
        }
    }
}

/// Says whether no value lies above 1.
pub fn is_within_1(values: &[f64]) -> bool {
    !values.iter().any(|v| *v > 1.0)
}

/// Looks at the values of one series in the order of time.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    known: u64,
    falls: u64,
    resets: u64,
    /// Rises, of the steps so far in the halves that the count of samples makes: the last power of two, and since.
    rises: [u64; 2],
    turn: u64,
    last: f64,
    low: f64,
    high: f64,
}

impl Default for Shape {
    fn default() -> Self {
        Self {
            known: 0,
            falls: 0,
            resets: 0,
            rises: [0; 2],
            turn: 1,
            last: f64::NAN,
            low: f64::INFINITY,
            high: f64::NEG_INFINITY,
        }
    }
}

impl Shape {
    /// Adds the next value; NaN is none.
    pub fn add(&mut self, value: f64) {
        if value.is_nan() {
            return;
        }
        if self.known == self.turn {
            self.turn *= 2;
            self.rises = [self.rises[0] + self.rises[1], 0];
        }
        self.known += 1;
        self.rises[1] += u64::from(value > self.last);
        if value < self.last {
            let is_reset = value < RESET * self.last;
            self.resets += u64::from(is_reset);
            self.falls += u64::from(!is_reset);
        }
        self.last = value;
        self.low = self.low.min(value);
        self.high = self.high.max(value);
    }

    /// Says whether the values of a series of that signal can be something else at all.
    pub const fn matters(signal: Signal, reading: Reading) -> bool {
        match reading {
            Reading::PerMinute => true,
            Reading::AsIs => matches!(signal, Signal::Memory | Signal::Disk),
            Reading::Complement(_) | Reading::Surplus => false,
        }
    }

    /// Says whether a value was below the one before it, and that not because a count began again.
    pub const fn fell(&self) -> bool {
        self.falls > 0
    }

    /// Says whether a value lay above a bound.
    pub fn reaches(&self, bound: f64) -> bool {
        self.high > bound
    }

    /// Says what the values are instead of what the signal reads; none where they may well be that.
    pub fn doubt(&self, signal: Signal, reading: Reading) -> Option<Doubt> {
        if self.known < LEAST {
            return None;
        }
        match reading {
            Reading::PerMinute => self.is_counter().then_some(Doubt::Counter),
            Reading::AsIs if matches!(signal, Signal::Memory | Signal::Disk) => {
                (self.low >= 0.0 && self.high <= 1.0 && self.high >= LEAST_SHARE).then_some(Doubt::Share)
            }
            Reading::AsIs | Reading::Complement(_) | Reading::Surplus => None,
        }
    }

    /// A rate comes back down; a counter never does, unless it begins again, and it has grown early and late.
    fn is_counter(&self) -> bool {
        let enough = |rises: u64| rises >= LEAST / 12;
        self.falls == 0
            && self.resets * RISES_A_RESET <= self.rises[0] + self.rises[1]
            && enough(self.rises[0])
            && enough(self.rises[1])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn doubt(signal: Signal, reading: Reading, values: impl Iterator<Item = f64>) -> Option<Doubt> {
        let mut shape = Shape::default();
        values.for_each(|v| shape.add(v));
        shape.doubt(signal, reading)
    }

    #[test]
    fn a_counter_only_grows_and_may_begin_again() {
        let of = |values: Vec<f64>| doubt(Signal::NetDrop, Reading::PerMinute, values.into_iter());
        let counter = |i: i32| 1e5 + f64::from(i / 3) * 2.0;
        assert_eq!(of((0..300).map(counter).collect()), Some(Doubt::Counter));
        assert_eq!(of((0..300).map(|i| counter(i % 150)).map(|v| v - 1e5).collect()), Some(Doubt::Counter));
        assert_eq!(of((0..300).map(|i| f64::from(i % 7)).collect()), None, "a rate");
        assert_eq!(of(vec![0.0; 300]), None, "nothing was dropped");
        let rarely = |i: i32| f64::from(i32::from(i % 90 == 7));
        assert_eq!(of((0..2500).map(rarely).collect()), None, "what rarely happens happens once and is over");
        let slowly = |i: i32| f64::from(i % 1300 / 60);
        assert_eq!(of((0..2500).map(slowly).collect()), Some(Doubt::Counter), "it rises rarely and is kept");
        assert_eq!(of((0..300).map(|i| f64::from((i - 290).max(0))).collect()), None, "trouble that has just begun");
        assert_eq!(of((0..20).map(counter).collect()), None, "too little to say");
    }

    #[test]
    fn a_share_never_leaves_0_to_1() {
        let of = |signal, reading, top: f64| {
            doubt(signal, reading, (0..300).map(move |i| top * (0.5 + f64::from(i % 10) / 18.0)))
        };
        assert_eq!(of(Signal::Memory, Reading::AsIs, 0.9), Some(Doubt::Share));
        assert_eq!(of(Signal::Disk, Reading::AsIs, 0.03), None, "a new volume");
        assert_eq!(of(Signal::Disk, Reading::AsIs, 1.1), None);
        assert_eq!(of(Signal::Steal, Reading::AsIs, 0.9), None, "an idle neighbour");
        assert_eq!(of(Signal::Disk, Reading::Complement(100.0), 0.9), None, "a disk that is full");
    }
}
