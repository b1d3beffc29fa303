//! Calibrations: the map, Platt's line, and the spline.

use crate::oracle::{Noise, assert_near, assert_within, uniforms};
use forewarn_models::calibrate::{Calibration, CalibrationError, LEAST_SLOPE, platt, spline};
use forewarn_models::flap::GammaPoisson;
use forewarn_models::stats::expit;
use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::{Error, SeqDeserializer};

#[test]
fn a_map_interpolates_and_goes_on() {
    let map = Calibration::new(vec![(-2.0, -3.0), (0.0, -1.0), (1.0, 3.0)]).unwrap();
    for (score, want) in [(-2.0, -3.0), (-1.0, -2.0), (0.0, -1.0), (0.5, 1.0), (1.0, 3.0), (-4.0, -5.0), (2.0, 7.0)] {
        assert_within(map.apply(score), want, 1e-12);
    }
    assert!(map.apply(f64::NAN).is_nan());
    assert!(map.apply(f64::INFINITY) > f64::MAX && map.apply(f64::NEG_INFINITY) < f64::MIN);
    assert_within(Calibration::identity().apply(-3.7), -3.7, 1e-12);
}

#[test]
fn what_does_not_rise_is_refused() {
    assert_eq!(Calibration::new(vec![(0.0, 0.0)]), Err(CalibrationError::TooFewKnots(1)));
    assert_eq!(Calibration::new(vec![(0.0, 0.0), (1.0, f64::NAN)]), Err(CalibrationError::NotFinite { index: 1 }));
    for knots in
        [[(0.0, 0.0), (1.0, 0.0)], [(0.0, 0.0), (0.0, 1.0)], [(1.0, 0.0), (0.0, 1.0)], [(0.0, 0.0), (1.0, 1e-4)]]
    {
        let error = Calibration::new(knots.to_vec()).unwrap_err();
        assert_eq!(error, CalibrationError::NotIncreasing { index: 1 });
        assert!(error.to_string().contains("knot 1"), "{error}");
    }
}

/// A knot as serde's own values have it: a sequence of two numbers.
struct Knot(f64, f64);

impl IntoDeserializer<'static, Error> for Knot {
    type Deserializer = SeqDeserializer<std::array::IntoIter<f64, 2>, Error>;

    fn into_deserializer(self) -> Self::Deserializer {
        SeqDeserializer::new([self.0, self.1].into_iter())
    }
}

#[test]
fn reading_knots_checks_them() {
    let read = |knots: Vec<Knot>| Calibration::deserialize(SeqDeserializer::<_, Error>::new(knots.into_iter()));
    let map = read(vec![Knot(0.0, 0.0), Knot(1.0, 2.0)]).unwrap();
    assert_eq!(map.knots(), [(0.0, 0.0), (1.0, 2.0)]);
    let error = read(vec![Knot(0.0, 0.0), Knot(1.0, -2.0)]).unwrap_err();
    assert!(error.to_string().contains("does not rise"), "{error}");
}

/// `scipy.optimize.minimize` with the smoothed targets of Platt on s = 4 u - 2 and the labels of the scores' tests:
/// slope 1.0510214612742448, intercept -0.9328727714103988.
#[test]
fn platts_line_minimises_the_loss() {
    let u = uniforms(400);
    let scores: Vec<f64> = u[..200].iter().map(|u| 4.0 * u - 2.0).collect();
    let labels: Vec<bool> =
        (0..200).map(|i| u[200 + i] < 0.8 * (100.0 * u[i] * u[i]).round_ties_even() / 100.0 + 0.05).collect();
    let map = platt(&scores, &labels, &[]);
    assert_within(map.apply(0.0), -0.932_872_771_4, 1e-6);
    assert_within(map.apply(1.0) - map.apply(0.0), 1.051_021_461_3, 1e-6);
    let doubled = platt(&scores, &labels, &[2.0; 200]);
    assert_within(doubled.apply(1.0), map.apply(1.0), 0.05);
}

#[test]
fn platt_holds_the_slope_positive_and_stays_finite() {
    let backwards = platt(&[0.0, 1.0, 2.0, 3.0], &[true, true, false, false], &[]);
    assert_near(backwards.apply(1.0) - backwards.apply(0.0), LEAST_SLOPE, 1e-6);
    assert_within(backwards.apply(1.5), 0.0, 1e-6);
    assert!(platt(&[1.0, 2.0], &[true, true], &[]).apply(1.5) > 0.0);
    let separable = platt(&[-1.0, -0.5, 0.5, 1.0], &[false, false, true, true], &[]);
    assert!(separable.apply(1.0).is_finite() && separable.apply(1.0) > 0.5);
    assert_eq!(platt(&[], &[], &[]), Calibration::identity());
    assert_eq!(platt(&[f64::NAN], &[true], &[]), Calibration::identity());
    assert!(platt(&[5.0; 10], &[true; 10], &[]).apply(5.0) > 1.0);
}

#[test]
fn a_spline_follows_a_bend_that_a_line_cannot() {
    let mut noise = Noise(6);
    let scores: Vec<f64> = (0..20_000).map(|_| 6.0 * noise.uniform() - 3.0).collect();
    // Nothing is surer than three in four.
    let bent = |s: f64| if s < 0.0 { 2.0 * s - 1.0 } else { 0.7 * s - 1.0 };
    let labels: Vec<bool> = scores.iter().map(|s| noise.uniform() < expit(bent(*s))).collect();
    let (line, map) = (platt(&scores, &labels, &[]), spline(&scores, &labels, &[], &[], 6));
    assert!(map.knots().len() > 4);
    for score in [-2.0, -1.0, 0.0, 0.5, 1.0, 2.5] {
        assert_within(expit(map.apply(score)), expit(bent(score)), 0.03);
    }
    assert!((expit(line.apply(2.5)) - expit(bent(2.5))).abs() > 0.03);
}

#[test]
fn a_spline_without_enough_to_bend_is_a_line() {
    let (scores, labels) = ([1.0, 2.0, 3.0, 4.0], [false, true, false, true]);
    assert_eq!(spline(&scores, &labels, &[], &[], 1), platt(&scores, &labels, &[]));
    assert_eq!(spline(&[2.0; 4], &labels, &[], &[], 6), platt(&[2.0; 4], &labels, &[]));
    assert_eq!(spline(&[], &[], &[], &[], 6), Calibration::identity());
    let backwards = spline(&[1.0, 2.0, 3.0, 4.0], &[true, true, false, false], &[], &[], 4);
    assert!(backwards.apply(4.0) > backwards.apply(1.0));
}

/// `nbinom.sf(k - 1, shape, rate / (rate + h))` of scipy 1.17.1.
#[test]
fn gamma_poisson_predicts_the_negative_binomial() {
    for (shape, rate, k, hours, p) in [
        (2.0, 100.0, 1, 24.0, 0.349_635_796_045_785_76),
        (2.5, 168.0, 3, 24.0, 0.011_060_815_048_144_14),
        (10.0, 24.0, 2, 72.0, 0.999_991_893_768_310_5),
        (0.5, 1000.0, 5, 168.0, 1.615_258_778_430_138_5e-5),
    ] {
        assert_near(GammaPoisson::new(shape, rate).probability_of(k, hours), p, 1e-9);
    }
    let belief = GammaPoisson::new(0.5, 100.0).observe(2.0, 68.0);
    assert_eq!(belief, GammaPoisson::new(2.5, 168.0));
    assert_near(belief.mean_rate(), 2.5 / 168.0, 1e-15);
    assert_within(belief.probability_of(0, 24.0), 1.0, 0.0);
    assert_within(belief.probability_of(3, 0.0), 0.0, 0.0);
    assert_within(belief.probability_of(3, f64::INFINITY), 1.0, 0.0);
    assert!(belief.probability_of(1, f64::NAN).is_nan());
    assert_eq!(belief.observe(f64::NAN, -3.0), belief);
    assert!(GammaPoisson::new(f64::NAN, -1.0).probability_of(1, 24.0) >= 0.0);
}
