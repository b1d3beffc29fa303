//! Rates of rare events, such as failing status checks: the Gamma-Poisson model.

use serde::{Deserialize, Serialize};
use statrs::function::beta::checked_beta_reg;

/// A belief about the rate of events: Gamma(shape, rate), the rate in hours.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct GammaPoisson {
    shape: f64,
    rate: f64,
}

/// The smallest shape and rate, so that every belief is a proper distribution.
const LEAST: f64 = 1e-9;

impl GammaPoisson {
    /// Makes a prior as if `shape` events had been seen in `rate` hours; what is not positive is taken as very little.
    pub fn new(shape: f64, rate: f64) -> Self {
        Self { shape: proper(shape), rate: proper(rate) }
    }

    /// Returns the belief after `events` in `hours`. Conjugacy: Gamma(shape + events, rate + hours).
    #[must_use]
    pub fn observe(self, events: f64, hours: f64) -> Self {
        let added = |x: f64| if x.is_finite() { x.max(0.0) } else { 0.0 };
        Self { shape: self.shape + added(events), rate: self.rate + added(hours) }
    }

    /// Returns the expected events per hour.
    pub fn mean_rate(self) -> f64 {
        self.shape / self.rate
    }

    /// Returns the probability of at least `k` events within the next `hours`.
    ///
    /// The count is negative binomial, `P(N >= k) = I_x(k, shape)` with x = hours / (rate + hours); Gelman et al. (2013),
    /// "Bayesian Data Analysis", section 2.6. NaN or negative hours give NaN.
    pub fn probability_of(self, k: u32, hours: f64) -> f64 {
        if hours.is_nan() || hours < 0.0 {
            return f64::NAN;
        }
        if k == 0 {
            return 1.0;
        }
        let x = if hours.is_infinite() { 1.0 } else { hours / (self.rate + hours) };
        if x <= 0.0 {
            return 0.0;
        }
        if x >= 1.0 {
            return 1.0;
        }
        if k == 1 {
            return -(self.shape * (-x).ln_1p()).exp_m1();
        }
        checked_beta_reg(f64::from(k), self.shape, x).unwrap_or(f64::NAN).clamp(0.0, 1.0)
    }
}

/// Returns a positive finite parameter.
fn proper(x: f64) -> f64 {
    if x.is_finite() { x.max(LEAST) } else { LEAST }
}
