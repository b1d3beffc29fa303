//! First passage of a drifting Brownian motion to a level, whose drift may be known only within its error.

use statrs::function::erf::erfc;
use std::f64::consts::{FRAC_1_SQRT_2, PI};

/// Returns the probability that the level is reached within `t`: the inverse Gaussian distribution function.
///
/// F(t) = Phi((mu t - a) / (s sqrt t)) + exp(2 mu a / s^2) Phi(-(mu t + a) / (s sqrt t)); Chhikara & Folks (1989), "The
/// Inverse Gaussian Distribution". For a drift of zero or less the distribution is defective: its mass ends at
/// exp(2 mu a / s^2). Without diffusion the passage is certain from a / mu on. `gap` is in the signal's unit, positive while the level is
/// not reached; `drift` per hour towards the level, negative away from it; `sigma` per square root of an hour. A gap of zero or less
/// has been passed; an argument that is NaN, or an infinite drift, gives NaN.
pub fn cdf(gap: f64, drift: f64, sigma: f64, t: f64) -> f64 {
    mixed_cdf(gap, drift, 0.0, sigma, t)
}

/// Returns the probability of passage within `t` averaged over a drift ~ Normal(`drift`, `drift_se`).
///
/// The average has a closed form, since tilting a normal density by exp(2 mu a / s^2) only shifts it (Whitmore 1986,
/// "Normal-gamma mixtures of inverse Gaussian distributions"; Peng & Tseng 2009, "Mis-specification analysis of linear
/// degradation models"). With V = s^2 t + se^2 t^2 and c = 2 se^2 t / s^2,
///
/// F(t) = Phi(z) + exp(-z^2 / 2) erfcx(w / sqrt 2) / 2, z = (mu t - a) / sqrt V, w = (mu t + a (1 + c)) / sqrt V,
///
/// in which the large exponents of the textbook form have cancelled.
pub fn mixed_cdf(gap: f64, drift: f64, drift_se: f64, sigma: f64, t: f64) -> f64 {
    match Terms::new(gap, drift, drift_se, sigma, t) {
        Terms::Known(p) => p,
        Terms::Open { z, w, exponent } => {
            let reflected = if w >= 0.0 {
                (-0.5 * z * z).exp() * 0.5 * erfcx(w * FRAC_1_SQRT_2)
            } else {
                exponent.exp() * normal_cdf(-w)
            };
            (normal_cdf(z) + reflected).clamp(0.0, 1.0)
        }
    }
}

/// The arguments of the two terms of the distribution function.
enum Terms {
    /// The probability needs no computing.
    Known(f64),
    /// `z`, `w` as in [`mixed_cdf`], and the exponent of the textbook form.
    Open { z: f64, w: f64, exponent: f64 },
}

impl Terms {
    fn new(gap: f64, drift: f64, drift_se: f64, sigma: f64, t: f64) -> Self {
        let (drift_se, sigma) = (drift_se.abs(), sigma.abs());
        if gap.is_nan() || !drift.is_finite() || drift_se.is_nan() || sigma.is_nan() || t.is_nan() {
            return Self::Known(f64::NAN);
        }
        if gap <= 0.0 {
            return Self::Known(1.0);
        }
        if t <= 0.0 || gap == f64::INFINITY {
            return Self::Known(0.0);
        }
        let t = t.min(f64::MAX.sqrt());
        // The square root of V without squaring, which would overflow or vanish.
        let deviation = (sigma * t.sqrt()).hypot(drift_se * t);
        if deviation <= 0.0 {
            return Self::Known(if drift * t >= gap { 1.0 } else { 0.0 });
        }
        let z = (drift * t - gap) / deviation;
        let ratio = drift_se / sigma;
        let uncertainty = 2.0 * ratio * ratio * t;
        let w = (drift * t + gap * (1.0 + uncertainty)) / deviation;
        if z.is_nan() || w.is_nan() || uncertainty.is_nan() {
            // Without diffusion, or with none that floating point can tell, only the drift decides.
            return Self::Known(if z.is_nan() { 0.5 } else { normal_cdf(z) });
        }
        let exponent = 2.0 * (gap / sigma) * ((drift + gap * (uncertainty / (2.0 * t))) / sigma);
        Self::Open { z, w, exponent }
    }
}

/// Returns the standard normal distribution function.
fn normal_cdf(x: f64) -> f64 {
    0.5 * erfc(-x * FRAC_1_SQRT_2)
}

/// Beyond this, erfc nears underflow, and the asymptotic series is exact to the last digit.
const ERFCX_ASYMPTOTIC: f64 = 25.0;

/// Returns the scaled complementary error function exp(x^2) erfc(x) for x >= 0.
///
/// Abramowitz & Stegun (1964), 7.1.23, for large arguments.
fn erfcx(x: f64) -> f64 {
    if x < ERFCX_ASYMPTOTIC {
        return (x * x).exp() * erfc(x);
    }
    let u = 0.5 / (x * x);
    let series = 1.0 - u * (1.0 - 3.0 * u * (1.0 - 5.0 * u * (1.0 - 7.0 * u * (1.0 - 9.0 * u))));
    series / (x * PI.sqrt())
}
