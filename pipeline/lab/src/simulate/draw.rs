//! Draws random numbers from seeded streams, one stream for each thing that draws.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Exp1, Poisson, StandardNormal};

/// Spreads the members of a fleet evenly: the `k`-th point of the golden-ratio sequence from `offset`, whose first n
/// points leave no gap larger than about 2/n (Knuth, The Art of Computer Programming 3, 6.4, theorem S).
pub(super) fn spread(offset: f64, k: usize) -> f64 {
    const GOLDEN: f64 = 0.618_033_988_749_894_9;
    (offset + GOLDEN * k as f64).fract()
}

/// Says whose stream it is, so that no two things share one.
#[derive(Debug, Clone, Copy)]
pub(super) enum Stream {
    /// What all members of a workload have in common.
    Workload,
    /// An instance's own parameters.
    Profile,
    /// When what happens to an instance.
    Faults,
    /// Load and process noise while it runs.
    SimulatedInstance,
    /// What a fault does while it is under way.
    Active,
    /// Offsets that spread kinds evenly over the fleet.
    Fleet,
    /// What befalls a whole workload at once.
    Common,
    /// Measurement: noise, gaps, late and duplicate points.
    Observe,
}

/// One seeded stream of draws.
#[derive(Debug, Clone)]
pub(super) struct Draw(ChaCha8Rng);

impl Draw {
    /// Opens the stream of `index` within `stream`; streams never overlap.
    pub(super) fn new(seed: u64, stream: Stream, index: usize) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(((stream as u64 + 1) << 48) | index as u64);
        Self(rng)
    }

    /// Uniform in `[lo, hi)`.
    pub(super) fn uniform(&mut self, lo: f64, hi: f64) -> f64 {
        lo + (hi - lo) * self.0.random::<f64>()
    }

    /// Log-uniform in `[lo, hi)`: every order of magnitude alike.
    pub(super) fn log_uniform(&mut self, lo: f64, hi: f64) -> f64 {
        self.uniform(lo.ln(), hi.ln()).exp()
    }

    /// True with probability `p`.
    pub(super) fn chance(&mut self, p: f64) -> bool {
        self.0.random::<f64>() < p
    }

    /// Standard normal.
    pub(super) fn normal(&mut self) -> f64 {
        self.0.sample(StandardNormal)
    }

    /// Exponential with mean one.
    pub(super) fn exp(&mut self) -> f64 {
        self.0.sample(Exp1)
    }

    /// A multiplier around one with the log standard deviation `sd`.
    pub(super) fn jitter(&mut self, sd: f64) -> f64 {
        (sd * self.normal()).exp()
    }

    /// Poisson count with the given mean; zero where the mean is not positive.
    pub(super) fn poisson(&mut self, mean: f64) -> f64 {
        Poisson::new(mean.min(1e9)).map_or(0.0, |p| self.0.sample(p))
    }

    /// An index below `n`; zero where `n` is zero.
    pub(super) fn below(&mut self, n: usize) -> usize {
        ((self.0.random::<f64>() * n as f64) as usize).min(n.saturating_sub(1))
    }

    /// One of the weighted items; the last where rounding leaves a remainder, none where there are none.
    pub(super) fn pick<T: Copy>(&mut self, items: &[(T, f64)]) -> Option<T> {
        Self::pick_at(self.uniform(0.0, 1.0), items)
    }

    /// The item at the place `u` (0-1) of the weights' sum; the last where rounding leaves a remainder.
    pub(super) fn pick_at<T: Copy>(u: f64, items: &[(T, f64)]) -> Option<T> {
        let mut left = u * items.iter().map(|i| i.1).sum::<f64>();
        for (item, weight) in items {
            left -= weight;
            if left < 0.0 {
                return Some(*item);
            }
        }
        items.last().map(|i| i.0)
    }

    /// A raw word, for identifiers.
    pub(super) fn word(&mut self) -> u64 {
        self.0.random()
    }
}

/// Mean-reverting noise with unit variance (an Ornstein-Uhlenbeck process sampled at the step).
#[derive(Debug, Clone)]
pub(super) struct Wander {
    keep: f64,
    kick: f64,
    /// The present value.
    pub(super) value: f64,
}

impl Wander {
    /// A process that forgets over `hours`, stepped every `step_h` hours, started in equilibrium.
    pub(super) fn new(hours: f64, step_h: f64, draw: &mut Draw) -> Self {
        let keep = (-step_h / hours.max(1e-6)).exp();
        Self { keep, kick: (1.0 - keep * keep).sqrt(), value: draw.normal() }
    }

    /// Moves on by one step and gives the new value.
    pub(super) fn step(&mut self, draw: &mut Draw) -> f64 {
        self.value = self.keep * self.value + self.kick * draw.normal();
        self.value
    }
}
