//! Intervals of counts: how far a rate or a share may lie from what was counted.
//!
//! Both are exact, Garwood (1936), "Fiducial limits for the Poisson distribution", and Clopper & Pearson (1934), "The use of confidence or
//! fiducial limits illustrated in the case of the binomial"; where cases come in clusters they are taken for fewer cases, by the
//! dispersion: quasi-likelihood, Wedderburn (1974), "Quasi-likelihood functions, generalized linear models, and the Gauss-Newton
//! method".

use statrs::distribution::{Beta, ContinuousCDF, Gamma};

/// The most that counts may scatter beyond independent ones: an interval is then half as wide again.
const MOST_DISPERSED: f64 = 2.25;

/// Gives the interval that holds the expected count with the probability `level`; `dispersion` is how much more than Poisson counts scatter,
/// 1 where they don't. NaN where the input is none.
pub fn poisson_interval(count: f64, dispersion: f64, level: f64) -> (f64, f64) {
    let tail = (1.0 - level) / 2.0;
    let count = count / dispersion;
    let at = |shape: f64, p: f64| Gamma::new(shape, 1.0).map_or(f64::NAN, |gamma| gamma.inverse_cdf(p));
    let low = if count > 0.0 { at(count, tail) } else { 0.0 };
    (low * dispersion, at(count + 1.0, 1.0 - tail) * dispersion)
}

/// Gives the interval that holds a share with the probability `level`, of which `hits` of `cases` were seen; as [`poisson_interval`].
pub fn binomial_interval(hits: f64, cases: f64, dispersion: f64, level: f64) -> (f64, f64) {
    let tail = (1.0 - level) / 2.0;
    let (hits, misses) = (hits / dispersion, (cases - hits) / dispersion);
    let at = |a: f64, b: f64, p: f64| Beta::new(a, b).map_or(f64::NAN, |beta| beta.inverse_cdf(p));
    let low = if hits > 0.0 { at(hits, misses + 1.0, tail) } else { 0.0 };
    let high = if misses > 0.0 { at(hits + 1.0, misses, 1.0 - tail) } else { 1.0 };
    (low, high)
}

/// Gives how much more than Poisson the counts of clusters, given with their exposures, scatter about what these expect: Pearson's statistic
/// by its degrees of freedom, from 1 to 2.25. Clusters without exposure play no part; 1 where there are not two others.
pub fn poisson_dispersion(clusters: impl Iterator<Item = (f64, f64)> + Clone) -> f64 {
    dispersion(clusters, |_| 1.0)
}

/// Gives the same of shares: clusters are given as hits and cases.
pub fn binomial_dispersion(clusters: impl Iterator<Item = (f64, f64)> + Clone) -> f64 {
    dispersion(clusters, |share| 1.0 - share)
}

/// `spread` gives the variance of a count by what is expected of it, from the rate of all clusters.
fn dispersion(clusters: impl Iterator<Item = (f64, f64)> + Clone, spread: impl Fn(f64) -> f64) -> f64 {
    let clusters = clusters.filter(|(_, exposure)| *exposure > 0.0);
    let (sum, exposure, n) = clusters.clone().fold((0.0, 0.0, 0.0), |(s, e, n), (c, x)| (s + c, e + x, n + 1.0));
    let rate = sum / exposure;
    let variance = rate * spread(rate);
    // What isn't known must not pass, so that the question is put the way NaN answers with no.
    if !(n >= 2.0 && variance > 0.0) {
        return 1.0;
    }
    let scattered = clusters.map(|(count, exposure)| (count - rate * exposure).powi(2) / (variance * exposure));
    (scattered.sum::<f64>() / (n - 1.0)).clamp(1.0, MOST_DISPERSED)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: (f64, f64), wanted: (f64, f64)) {
        let off = (found.0 - wanted.0).abs().max((found.1 - wanted.1).abs());
        assert!(off < 6e-3, "{found:?} {wanted:?}");
    }

    /// Tables: Garwood's limits for 0, 1 and 10; Clopper & Pearson's for 0 of 10, 9 of 10 and 10 of 10.
    #[test]
    fn intervals_are_those_of_the_tables() {
        near(poisson_interval(0.0, 1.0, 0.95), (0.0, 3.689));
        near(poisson_interval(1.0, 1.0, 0.95), (0.025, 5.572));
        near(poisson_interval(10.0, 1.0, 0.95), (4.795, 18.390));
        near(binomial_interval(0.0, 10.0, 1.0, 0.95), (0.0, 0.3085));
        near(binomial_interval(9.0, 10.0, 1.0, 0.95), (0.5550, 0.9975));
        near(binomial_interval(10.0, 10.0, 1.0, 0.95), (0.6915, 1.0));
    }

    #[test]
    fn what_comes_in_clusters_is_known_less_well() {
        let even = [(3.0, 1.0); 20];
        let clustered = [(6.0, 1.0), (0.0, 1.0)].repeat(10);
        assert!((poisson_dispersion(even.into_iter()) - 1.0).abs() < f64::EPSILON);
        let phi = poisson_dispersion(clustered.into_iter());
        assert!((phi - MOST_DISPERSED).abs() < f64::EPSILON, "{phi}");
        let (narrow, wide) = (poisson_interval(60.0, 1.0, 0.95), poisson_interval(60.0, phi, 0.95));
        let ratio = (wide.1 - wide.0) / (narrow.1 - narrow.0);
        assert!(ratio > 1.4 && ratio < 1.55, "{ratio}");
    }

    /// Four clusters of four cases, all hits or none: (4 - 2)^2 / (4 * 0.5 * 0.5) = 4 from each, by three degrees of freedom.
    #[test]
    fn shares_scatter_as_shares_do_and_clusters_without_cases_play_no_part() {
        let clusters = [(4.0, 4.0), (0.0, 4.0), (4.0, 4.0), (0.0, 4.0)];
        let of = |c: &[(f64, f64)]| binomial_dispersion(c.iter().copied());
        assert!((of(&clusters) - MOST_DISPERSED).abs() < f64::EPSILON);
        let mild = [(3.0, 4.0), (1.0, 4.0), (4.0, 4.0), (1.0, 4.0), (2.0, 4.0)];
        let found = of(&mild);
        assert!(found > 1.2 && found < 1.8, "{found}");
        let with_none = [&mild[..], &[(0.0, 0.0); 50]].concat();
        assert!((of(&with_none) - found).abs() < 1e-12, "they would hide how the others scatter");
        for alone in [&[(4.0, 4.0)][..], &[(4.0, 4.0), (2.0, 2.0)], &[(0.0, 4.0), (0.0, 2.0)], &[]] {
            assert!((of(alone) - 1.0).abs() < f64::EPSILON, "{alone:?}");
        }
    }
}
