//! How far a series wanders: the diffusion that a first passage needs.

use crate::stats::{is_constant, mad_in_place, median};

/// The most lags that are looked at.
const MOST_LAGS: usize = 16;

/// The fewest increments that a lag needs.
const FEWEST_INCREMENTS: usize = 4;

/// Returns the robust standard deviation of an hourly series per square root of an hour, NaN when it is too short.
///
/// For each lag k the scaled median absolute deviation of the increments y(t + k) - y(t) about their median, which is the
/// drift, divided by sqrt k (for a Brownian motion every lag says the same); then the median over the lags. Lags of 6 to
/// 24 hours see past the measurement noise that short increments are made of. Increments over missing hours are
/// skipped, and only the first 16 lags count.
pub fn diffusion(y: &[f64], lag_hours: &[usize], scratch: &mut Vec<f64>) -> f64 {
    let mut found = [f64::NAN; MOST_LAGS];
    let still = is_constant(y);
    for (slot, &lag) in found.iter_mut().zip(lag_hours) {
        if lag == 0 || lag >= y.len() {
            continue;
        }
        if still && y.len() - lag >= FEWEST_INCREMENTS {
            *slot = 0.0;
            continue;
        }
        scratch.clear();
        scratch.extend(y.iter().zip(&y[lag..]).map(|(before, after)| after - before).filter(|d| d.is_finite()));
        if scratch.len() >= FEWEST_INCREMENTS
            && let Some(deviation) = mad_in_place(scratch)
        {
            *slot = deviation / (lag as f64).sqrt();
        }
    }
    median(&mut found).unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A deterministic random walk: each step the sum of 12 uniforms less 6, so of unit variance.
    fn walk(n: usize, drift: f64) -> Vec<f64> {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut uniform = move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 11) as f64 / (1_u64 << 53) as f64
        };
        let mut level = 0.0;
        (0..n)
            .map(|_| {
                level += drift + (0..12).map(|_| uniform()).sum::<f64>() - 6.0;
                level
            })
            .collect()
    }

    #[test]
    fn a_random_walks_step_is_found_whatever_its_drift() {
        let mut scratch = Vec::new();
        for drift in [0.0, 50.0, -3.0] {
            let sigma = diffusion(&walk(4000, drift), &[6, 12, 24], &mut scratch);
            assert!((sigma - 1.0).abs() < 0.12, "{drift}: {sigma}");
        }
    }

    #[test]
    fn measurement_noise_counts_little_at_long_lags() {
        let noise: Vec<f64> = walk(4001, 0.0).windows(2).map(|w| w[1] - w[0]).collect();
        let sigma = diffusion(&noise, &[6, 12, 24], &mut Vec::new());
        assert!(sigma < 0.5, "{sigma}");
    }

    #[test]
    fn too_little_is_not_zero() {
        let mut scratch = Vec::new();
        assert!(diffusion(&[], &[6], &mut scratch).is_nan());
        assert!(diffusion(&[1.0; 8], &[6, 0, 99], &mut scratch).is_nan());
        assert!(diffusion(&[f64::NAN; 168], &[6], &mut scratch).is_nan());
        assert!(diffusion(&[1.0; 168], &[6], &mut scratch).abs() < 1e-12);
    }
}
