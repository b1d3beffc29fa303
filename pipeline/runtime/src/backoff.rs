//! Says how long to wait before a call is made again: twice as long each time, up to a cap, with jitter so that many do not come back
//! at once. (Brooker, "Exponential backoff and jitter", AWS Architecture Blog 2015: equal jitter.)

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// How often anything is tried before it is given up.
pub const TRIES: u32 = 10;
/// The first wait at most, milliseconds.
const BASE_MS: u64 = 100;
/// Any wait at most, milliseconds.
const CAP_MS: u64 = 5_000;

/// Draws waits.
#[derive(Debug)]
pub struct Backoff(ChaCha8Rng);

impl Backoff {
    /// Begins with a seed: two processes should not share it.
    pub fn seeded(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// Draws a seed for another.
    pub fn seed(&mut self) -> u64 {
        self.0.random()
    }

    /// Draws the wait after so many failed tries, milliseconds: between half of what is due and all of it.
    pub fn wait_ms(&mut self, failed: u32) -> u64 {
        self.within_ms(failed, BASE_MS, CAP_MS)
    }

    /// Draws a wait in the same way with a first wait and a cap of one's own, milliseconds.
    pub fn within_ms(&mut self, failed: u32, base_ms: u64, cap_ms: u64) -> u64 {
        let due = base_ms.saturating_mul(1 << failed.saturating_sub(1).min(20)).min(cap_ms);
        due / 2 + (self.0.random::<f64>() * (due / 2) as f64) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_cap_and_differ() {
        let mut backoff = Backoff::seeded(1);
        for (failed, due) in [(1, 100), (2, 200), (6, 3200), (7, 5000), (u32::MAX, 5000)] {
            let waits: Vec<u64> = (0..50).map(|_| backoff.wait_ms(failed)).collect();
            assert!(waits.iter().all(|w| (due / 2..=due).contains(w)), "{waits:?}");
            assert!(waits.iter().any(|w| *w != waits[0]));
        }
    }
}
