//! How often a fleet fails: a belief about the rate, from incidents that were counted and from scores whose outcome nobody knows yet.
//!
//! The belief is Gamma before anything is known, with a mean and the time that it counts for. Incidents counted in a time are Poisson
//! (Gelman et al. 2013, "Bayesian Data Analysis", section 2.6). Of machines looked at once, with what the evidence on each is worth, the
//! likelihood of a share p that will fail is the mixture's, the product of 1 - p + p * ratio: its maximum is where the EM algorithm of
//! Saerens, Latinne & Decaestecker (2002), "Adjusting the outputs of a classifier to new a priori probabilities", ends; here it is kept
//! whole, on a grid of rates, so that the two kinds of knowledge multiply and there is an interval.

/// What is believed before anything is counted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stated {
    /// Incidents in a machine's month.
    pub per_month: f64,
    /// The machine months that it counts for.
    pub months: f64,
}

/// What was seen of a fleet.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Evidence<'a> {
    /// Incidents that were counted.
    pub incidents: f64,
    /// The machine months in which they were counted.
    pub months: f64,
    /// Of each machine looked at, the log of the likelihood ratio between failing within `ahead` and not; NaN where nothing is known.
    pub ratios: &'a [f64],
    /// How far ahead the ratios look, in months.
    pub ahead: f64,
}

/// A rate, incidents in a machine's month, and the interval that holds it with a probability of 90 %.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// The mean.
    pub per_month: f64,
    /// The 5 % quantile.
    pub low: f64,
    /// The 95 % quantile.
    pub high: f64,
}

/// The least and the greatest rate that are thought possible, incidents in a machine's month.
const LEAST: f64 = 1e-7;
const GREATEST: f64 = 60.0;
/// Points of the grid: two lie 4 % apart.
const POINTS: usize = 512;
/// No ratio counts for more than this: nobody is that sure of anything.
const SUREST: f64 = 12.0;

/// How likely each rate is, on a grid that is even in the logarithm.
#[derive(Debug, Clone, PartialEq)]
pub struct Posterior {
    rates: Vec<f64>,
    /// How likely each rate is; their sum is not one.
    weights: Vec<f64>,
    /// The share of machines that each rate lets fail within the time that ratios look ahead.
    shares: Vec<f64>,
}

impl Posterior {
    /// Makes what is believed after what was seen. What is not finite or negative counts as nothing seen; the same input gives the same bits.
    pub fn new(stated: Stated, seen: &Evidence<'_>) -> Self {
        let or_nothing = |x: f64| if x.is_finite() { x.max(0.0) } else { 0.0 };
        let shape = stated.per_month * stated.months + or_nothing(seen.incidents);
        let time = stated.months + or_nothing(seen.months);
        let ratios: Vec<f64> = seen.ratios.iter().filter(|r| !r.is_nan()).map(|r| r.min(SUREST).exp()).collect();
        let step = (GREATEST / LEAST).ln() / (POINTS - 1) as f64;
        let rates: Vec<f64> = (0..POINTS).map(|i| LEAST * (step * i as f64).exp()).collect();
        let shares: Vec<f64> = rates.iter().map(|rate| -(-rate * seen.ahead).exp_m1()).collect();
        let likelihood = |(rate, share): (&f64, &f64)| {
            let looks: f64 = ratios.iter().map(|ratio| (share * (ratio - 1.0)).ln_1p()).sum();
            // The grid is even in the logarithm, which takes one power more.
            shape.mul_add(rate.ln(), looks) - time * rate
        };
        let logs: Vec<f64> = rates.iter().zip(&shares).map(likelihood).collect();
        let most = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let weights = logs.iter().map(|log| (log - most).exp()).collect();
        Self { rates, weights, shares }
    }

    /// Gives the rate with its interval.
    pub fn estimate(&self) -> Estimate {
        let sum: f64 = self.weights.iter().sum();
        let quantile = |q: f64| {
            let mut below = 0.0;
            let at = self.weights.iter().position(|w| {
                below += w;
                below >= q * sum
            });
            self.rates[at.unwrap_or(POINTS - 1)]
        };
        let per_month = mean(&self.rates, self.weights.iter().copied());
        Estimate { per_month, low: quantile(0.05).min(per_month), high: quantile(0.95).max(per_month) }
    }

    /// Gives the rate that all but one machine, seen with this ratio, speak for: its own evidence must not count twice.
    pub fn without(&self, ratio: f64) -> f64 {
        // Where nothing was known of it, nothing is taken away.
        let beyond = if ratio.is_nan() { 0.0 } else { ratio.min(SUREST).exp() - 1.0 };
        mean(&self.rates, self.weights.iter().zip(&self.shares).map(|(w, share)| w / share.mul_add(beyond, 1.0)))
    }
}

fn mean(rates: &[f64], weights: impl Iterator<Item = f64>) -> f64 {
    let (sum, all) = rates.iter().zip(weights).fold((0.0, 0.0), |(sum, all), (rate, w)| (sum + w * rate, all + w));
    sum / all
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const STATED: Stated = Stated { per_month: 0.05, months: 10.0 };

    fn counted(incidents: f64, months: f64) -> Estimate {
        Posterior::new(STATED, &Evidence { incidents, months, ratios: &[], ahead: 1.0 / 30.0 }).estimate()
    }

    #[test]
    fn counts_alone_give_the_mean_and_quantiles_of_gamma() {
        use statrs::distribution::{ContinuousCDF, Gamma};
        for (incidents, months) in [(0.0, 0.0), (0.0, 47.0), (1.0, 47.0), (14.0, 47.0), (300.0, 200.0)] {
            let found = counted(incidents, months);
            let gamma = Gamma::new(0.5 + incidents, 10.0 + months).unwrap();
            let mean = (0.5 + incidents) / (10.0 + months);
            assert!((found.per_month / mean - 1.0).abs() < 0.02, "{found:?} {mean}");
            for (found, q) in [(found.low, 0.05), (found.high, 0.95)] {
                let wanted = gamma.inverse_cdf(q);
                assert!(found < 2e-4 || (found / wanted - 1.0).abs() < 0.06, "{incidents}: {found} {wanted}");
            }
        }
    }

    /// Of 400 machines 8 will fail within a day, a rate of 0.6 a month; evidence is normal with a shift of three deviations.
    #[test]
    fn scores_tell_the_rate_without_any_outcome() {
        let of = |ill: usize, all: usize| -> Vec<f64> {
            let normal = statrs::distribution::Normal::new(0.0, 1.0).unwrap();
            let z = |i: usize, n: usize| {
                statrs::distribution::ContinuousCDF::inverse_cdf(&normal, (i as f64 + 0.5) / n as f64)
            };
            let healthy = (0..all - ill).map(|i| 3.0 * z(i, all - ill) - 4.5);
            healthy.chain((0..ill).map(|i| 3.0 * z(i, ill) + 4.5)).collect()
        };
        let little = Stated { per_month: 0.05, months: 1.0 };
        let rate = |ratios: &[f64]| {
            Posterior::new(little, &Evidence { incidents: 0.0, months: 0.0, ratios, ahead: 1.0 / 30.0 }).estimate()
        };
        let found = rate(&of(8, 400));
        assert!(found.low < 0.6 && 0.6 < found.high && (0.4..0.8).contains(&found.per_month), "{found:?}");
        assert!(rate(&of(0, 400)).per_month < 0.03);
    }

    #[test]
    fn a_machines_own_evidence_does_not_count_twice() {
        let of = |ratios: &[f64]| {
            let seen = Evidence { incidents: 0.0, months: 0.0, ratios, ahead: 1.0 / 30.0 };
            let posterior = Posterior::new(STATED, &seen);
            (posterior.estimate().per_month, ratios.iter().map(|r| posterior.without(*r)).collect::<Vec<_>>())
        };
        let (all, alone) = of(&[7.0]);
        assert!(all > 0.06 && (alone[0] - 0.05).abs() < 1e-3, "{all} {alone:?}");
        let (all, each) = of(&[7.0, -2.0, f64::NAN, -2.0]);
        assert!(each[0] < 0.0501 && each[1] > 0.06 && (each[2] - all).abs() < 1e-12, "{all} {each:?}");
        assert!((each[1] - of(&[7.0, -2.0]).0).abs() < 1e-12, "as if it were not there");
    }

    #[test]
    fn what_is_no_number_is_nothing_seen() {
        let none = counted(0.0, 0.0);
        assert_eq!(counted(f64::NAN, f64::INFINITY), none);
        let unknown = Evidence { incidents: 0.0, months: 0.0, ratios: &[f64::NAN; 50], ahead: 1.0 / 30.0 };
        assert_eq!(Posterior::new(STATED, &unknown).estimate(), none);
        assert!((none.per_month - 0.05).abs() < 0.001 && none.low < 0.01 && none.high > 0.15, "{none:?}");
    }

    proptest! {
        #[test]
        fn more_incidents_and_more_evidence_never_lower_a_rate(
            incidents in 0.0..50.0_f64, months in 0.0..300.0_f64, ratios in prop::collection::vec(-8.0..14.0_f64, 0..40),
        ) {
            let of = |incidents: f64, ratios: &[f64]| {
                Posterior::new(STATED, &Evidence { incidents, months, ratios, ahead: 1.0 / 30.0 }).estimate()
            };
            let found = of(incidents, &ratios);
            prop_assert!(found.low <= found.per_month && found.per_month <= found.high);
            prop_assert!(of(incidents + 1.0, &ratios).per_month >= found.per_month);
            let more: Vec<f64> = ratios.iter().map(|r| r + 1.0).collect();
            prop_assert!(of(incidents, &more).per_month >= found.per_month * (1.0 - 1e-9));
        }
    }
}
