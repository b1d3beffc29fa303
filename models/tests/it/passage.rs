//! First passage against scipy 1.17.1 and mpmath 1.3 with 60 digits.
//!
//! ```python
//! m = a/mu; lam = a*a/s**2; d = scipy.stats.invgauss(m/lam, scale=lam); d.cdf(t), d.logcdf(t)
//! Phi = lambda x: erfc(-x/sqrt(2))/2
//! F = lambda a,mu,s,t: Phi((mu*t-a)/(s*sqrt(t))) + exp(2*mu*a/s**2)*Phi(-(mu*t+a)/(s*sqrt(t)))
//! M = lambda a,mu,se,s,t: quad(lambda z: F(a,mu+se*z,s,t)*exp(-z*z/2)/sqrt(2*pi), [-12,-6,-3,-1,0,1,3,6,12])
//! ```

use crate::oracle::{Noise, assert_near, assert_within};
use forewarn_models::passage::{cdf, mixed_cdf};

/// gap, drift, sigma, t, cdf, logcdf of `scipy.stats.invgauss`.
const SCIPY: [[f64; 6]; 10] = [
    [10.0, 0.5, 1.0, 24.0, 0.736_625_218_377_908, -0.305_676_039_366_736_6],
    [10.0, 0.5, 1.0, 5.0, 6.479_474_982_647_598e-4, -7.341_700_886_090_752],
    [1.0, 0.1, 0.2, 3.0, 0.034_631_807_247_324_59, -3.362_982_734_597_014_5],
    [50.0, 0.2, 2.0, 168.0, 0.356_982_757_497_815_94, -1.030_067_796_694_345_2],
    [1000.0, 1.0, 1.0, 1000.0, 0.506_306_255_528_460_9, -0.680_613_544_703_456_1],
    [1000.0, 1.0, 1.0, 900.0, 4.534_060_402_782_254_7e-4, -7.698_722_497_795_585],
    [10.0, 0.5, 1.0, 0.5, 2.913_572_758_101_210_3e-43, -97.941_778_918_706_82],
    [3.0, 1.0, 0.001, 3.0, 0.500_115_164_706_954_7, -0.692_916_877_667_782_9],
    [3.0, 1.0, 0.001, 2.999, 0.281_916_408_060_673_64, -1.266_144_677_303_452],
    [20.0, 0.01, 5.0, 24.0, 0.417_533_973_211_757_1, -0.873_389_365_039_534_2],
];

/// gap, drift, sigma, t, and ln F from mpmath: drifts of zero and away, and times far too early.
const MPMATH: [[f64; 5]; 9] = [
    [10.0, -0.5, 1.0, 24.0, -10.305_676_039_366_736],
    [10.0, -0.05, 1.0, 168.0, -1.411_684_910_944_47],
    [5.0, 0.0, 1.0, 24.0, -1.179_494_309_202_129],
    [1000.0, -1.0, 1.0, 24.0, -21_850.877_300_951_574],
    [10.0, 0.5, 1.0, 0.01, -4_999.832_311_263_77],
    [3.0, 1.0, 1e-3, 2.9, -1_729.113_162_227_782_7],
    [100.0, 10.0, 0.1, 9.5, -135.262_615_534_527_6],
    [2.0, -1e-3, 0.1, 100.0, -3.293_768_936_607_016_3],
    [1.0, 5.0, 0.05, 0.1, -504.085_909_930_818_3],
];

#[test]
fn towards_the_level_it_is_the_inverse_gaussian() {
    for [gap, drift, sigma, t, p, _] in SCIPY {
        assert_near(cdf(gap, drift, sigma, t), p, 1e-9);
    }
}

#[test]
fn extremes_hold_in_logs() {
    for [gap, drift, sigma, t, log_p] in MPMATH {
        assert_within(cdf(gap, drift, sigma, t), log_p.exp(), 1e-9);
    }
}

/// gap, drift, its error, sigma, t, and the mean of F over the drift by mpmath's quadrature.
#[test]
fn an_uncertain_drift_is_averaged_exactly() {
    for [gap, drift, error, sigma, t, p] in [
        [10.0, 0.3, 0.2, 1.0, 24.0, 0.408_473_667_566_045],
        [10.0, 0.3, 0.2, 1.0, 168.0, 0.907_113_815_943_174],
        [40.0, 0.1, 0.3, 0.5, 72.0, 0.069_470_221_832_470_7],
        [40.0, -0.2, 0.3, 0.5, 168.0, 0.075_219_343_598_035_6],
        [5.0, 0.1, 0.01, 0.05, 48.0, 0.375_419_275_227_15],
        [100.0, 2.0, 1.0, 0.2, 30.0, 0.091_389_774_800_160_3],
    ] {
        assert_near(mixed_cdf(gap, drift, error, sigma, t), p, 1e-8);
    }
}

/// Without drift the mass is complete but slow; away from the level it ends at exp(2 mu a / sigma^2).
#[test]
fn a_drift_away_leaves_the_distribution_defective() {
    assert_near(cdf(1.0, -0.5, 1.0, 1e9), (-1.0_f64).exp(), 1e-10);
    assert!(cdf(1.0, 0.0, 1.0, 1e12) > 0.999_99);
    assert_within(cdf(1.0, -0.5, 0.0, 1e9), 0.0, 0.0);
}

#[test]
fn without_diffusion_the_drift_decides() {
    assert_within(cdf(10.0, 0.5, 0.0, 19.9), 0.0, 0.0);
    assert_within(cdf(10.0, 0.5, 0.0, 20.1), 1.0, 0.0);
    assert_within(cdf(10.0, 0.5, 1e-160, 19.9), 0.0, 0.0);
    assert_within(cdf(10.0, 0.5, 1e-160, 20.1), 1.0, 0.0);
    // P(drift >= 10 / 24) for drift ~ N(0.5, 0.1) is Phi(0.8333).
    assert_near(mixed_cdf(10.0, 0.5, 0.1, 0.0, 24.0), 0.797_671_619_036_356_9, 1e-10);
    assert_near(mixed_cdf(10.0, 0.5, 0.1, 1e-9, 24.0), 0.797_671_619_036_356_9, 1e-8);
}

#[test]
fn a_simulated_walk_passes_as_often() {
    let mut noise = Noise(11);
    let (mut hits, walks, fine) = (0, 2000, 50);
    for _ in 0..walks {
        let (mut level, mut passed) = (0.0, false);
        for _ in 0..24 * fine {
            level += 0.2 / f64::from(fine) + noise.normal() / f64::from(fine).sqrt();
            passed |= level >= 8.0;
        }
        hits += i32::from(passed);
    }
    assert_within(f64::from(hits) / f64::from(walks), cdf(8.0, 0.2, 1.0, 24.0), 0.035);
}

#[test]
fn odd_arguments_get_plain_answers() {
    let q = |gap, drift, error, sigma, t| mixed_cdf(gap, drift, error, sigma, t);
    assert!(q(0.0, -1.0, 0.1, 1.0, 24.0) >= 1.0 && q(-1e300, -1.0, 0.1, 1.0, 24.0) >= 1.0);
    assert!(q(f64::NAN, 1.0, 0.1, 1.0, 24.0).is_nan() && q(1.0, f64::INFINITY, 0.1, 1.0, 24.0).is_nan());
    assert!(q(f64::INFINITY, 1.0, 0.1, 1.0, 168.0) <= 0.0);
    assert_within(q(1.0, 0.0, 0.0, 0.0, 168.0), 0.0, 0.0);
    assert_near(q(1.0, 1.0, 0.1, 1.0, 24.0), q(1.0, 1.0, -0.1, -1.0, 24.0), 1e-15);
}
