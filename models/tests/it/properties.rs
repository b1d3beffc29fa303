//! Properties over arbitrary input: nothing panics, probabilities are probabilities, and orders hold.

use forewarn_models::calibrate::{Calibration, platt, spline};
use forewarn_models::flap::GammaPoisson;
use forewarn_models::forecast::Forecast;
use forewarn_models::mann_kendall::mann_kendall;
use forewarn_models::passage::mixed_cdf;
use forewarn_models::sawtooth::sawtooth;
use forewarn_models::score::{average_precision, brier, calibration_error, calibration_line};
use forewarn_models::season::DailyProfile;
use forewarn_models::segment::current_segment;
use forewarn_models::slope::theil_sen;
use forewarn_models::stats::{expit, logit, mad, median, quantile};
use proptest::collection::vec;
use proptest::num::f64::ANY;
use proptest::prelude::*;

/// Any bits at all, mixed with plain numbers and repetitions.
fn wild() -> impl Strategy<Value = Vec<f64>> {
    vec(prop_oneof![2 => ANY, 4 => -100.0..100.0, 2 => (0_i32..5).prop_map(f64::from), 1 => Just(f64::NAN)], 0..120)
}

fn tame() -> impl Strategy<Value = Vec<f64>> {
    vec(prop_oneof![9 => -100.0..100.0, 1 => Just(f64::NAN)], 3..60)
}

fn is_probability(p: f64) -> bool {
    (0.0..=1.0).contains(&p)
}

proptest! {
    #[test]
    fn nothing_panics(y in wild(), toward in ANY, level in ANY, hour in any::<usize>()) {
        let mut scratch = Vec::new();
        let segment = current_segment(&y, toward, &mut scratch);
        prop_assert!(segment.start == 0 || segment.start < y.len());
        if let Some(saw) = sawtooth(&y, toward, &mut scratch) {
            prop_assert!(saw.teeth >= 2 && is_probability(saw.regularity), "{:?}", saw);
        }
        if let Some(profile) = DailyProfile::fit(&y, hour, &mut scratch) {
            prop_assert!(is_probability(profile.strength), "{:?}", profile);
            let _z = profile.residual_z(level, toward, hour);
        }
        let x: Vec<f64> = y.iter().rev().copied().collect();
        let _line = theil_sen(&x, &y, &mut scratch);
        if let Some(trend) = mann_kendall(&y, &mut scratch) {
            prop_assert!(trend.z.is_finite() && trend.variance_factor >= 1.0, "{:?}", trend);
        }
        if let Some(forecast) = Forecast::of(&y, toward.abs()) {
            for p in forecast.by_horizon(level) {
                prop_assert!(p.is_nan() || is_probability(p), "{}", p);
            }
        }
        let _odd = (logit(level), expit(level));
    }

    #[test]
    fn fits_and_scores_take_anything(cases in vec((ANY, any::<bool>(), prop_oneof![ANY, 0.0..3.0]), 0..60)) {
        let scores: Vec<f64> = cases.iter().map(|c| c.0).collect();
        let labels: Vec<bool> = cases.iter().map(|c| c.1).collect();
        let weights: Vec<f64> = cases.iter().map(|c| c.2).collect();
        for map in [platt(&scores, &labels, &weights), spline(&scores, &labels, &weights, &[], 5)] {
            prop_assert!(Calibration::new(map.knots().to_vec()).is_ok(), "{:?}", map);
        }
        let ap = average_precision(&labels, &scores, &[]);
        prop_assert!((-1e-12..=1.0 + 1e-12).contains(&ap));
        for score in [brier(&labels, &scores, &[]), calibration_error(&labels, &scores, &[])] {
            prop_assert!(score.is_nan() || (0.0..=1.0 + 1e-12).contains(&score));
        }
        let _line = calibration_line(&labels, &scores, &[]);
    }

    #[test]
    fn selection_is_sorting(mut xs in vec(-1e6..1e6_f64, 1..80), q in 0.0..=1.0_f64) {
        let mut sorted = xs.clone();
        sorted.sort_by(f64::total_cmp);
        let n = sorted.len();
        prop_assert_eq!(median(&mut xs), Some(f64::midpoint(sorted[(n - 1) / 2], sorted[n / 2])));
        let place = q * (n - 1) as f64;
        let (low, high) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
        let want = low + (high - low) * place.fract();
        prop_assert!((quantile(&mut xs, q).unwrap() - want).abs() <= 1e-9 * (1.0 + want.abs()));
    }

    #[test]
    fn a_line_follows_shifts_and_scales(y in tame(), shift in -1e3..1e3_f64, scale in 0.1..10.0_f64, mirror in any::<bool>()) {
        let mut scratch = Vec::new();
        let scale = if mirror { -scale } else { scale };
        let x: Vec<f64> = (0..y.len()).map(|i| i as f64).collect();
        let moved: Vec<f64> = y.iter().map(|v| shift + scale * v).collect();
        let lines = (theil_sen(&x, &y, &mut scratch), theil_sen(&x, &moved, &mut scratch));
        prop_assert_eq!(lines.0.is_some(), lines.1.is_some());
        if let (Some(a), Some(b)) = lines {
            let near = |a: f64, b: f64| (a - b).abs() <= 1e-7 * (1.0 + a.abs().max(b.abs()) + shift.abs());
            prop_assert!(near(scale * a.per_unit, b.per_unit), "{:?} {:?}", a, b);
            prop_assert!(near(scale.abs() * a.slope_se, b.slope_se), "{:?} {:?}", a, b);
        }
        let (a, b) = (mad(&y, &mut scratch), mad(&moved, &mut scratch));
        prop_assert!(a.zip(b).is_none_or(|(a, b)| (scale.abs() * a - b).abs() <= 1e-7 * (1.0 + b)));
    }

    #[test]
    fn a_trend_turns_with_its_series(y in tame()) {
        let mut scratch = Vec::new();
        let turned: Vec<f64> = y.iter().map(|v| -v).collect();
        if let (Some(a), Some(b)) = (mann_kendall(&y, &mut scratch), mann_kendall(&turned, &mut scratch)) {
            prop_assert!((a.s + b.s).abs() < 1e-9 && (a.z + b.z).abs() < 1e-6, "{:?} {:?}", a, b);
        }
    }

    #[test]
    fn a_segment_turns_with_its_series(y in tame()) {
        let mut scratch = Vec::new();
        let turned: Vec<f64> = y.iter().map(|v| -v).collect();
        prop_assert_eq!(current_segment(&y, 1.0, &mut scratch), current_segment(&turned, -1.0, &mut scratch));
    }

    #[test]
    fn passage_takes_anything(gap in ANY, drift in ANY, se in ANY, sigma in ANY) {
        let q = [24.0, 72.0, 168.0].map(|t| mixed_cdf(gap, drift, se, sigma, t));
        prop_assert!(q.iter().all(|q| q.is_nan() || is_probability(*q)), "{:?}", q);
    }

    #[test]
    fn passage_is_ordered(
        gap in 0.01..200.0_f64, drift in -3.0..3.0_f64, se in 0.0..2.0_f64, sigma in 0.0..10.0_f64,
        more in 0.0..5.0_f64, t in 0.01..500.0_f64,
    ) {
        let p = mixed_cdf(gap, drift, se, sigma, t);
        let slack = 1e-8;
        prop_assert!(mixed_cdf(gap + more, drift, se, sigma, t) <= p + slack);
        prop_assert!(mixed_cdf(gap, drift + more, se, sigma, t) >= p - slack);
        prop_assert!(mixed_cdf(gap, drift, se, sigma, t + more) >= p - slack);
    }

    #[test]
    fn rates_are_ordered(shape in 0.01..50.0_f64, rate in 0.01..1e4_f64, k in 0_u32..20, hours in 0.0..1e4_f64) {
        let belief = GammaPoisson::new(shape, rate);
        let p = belief.probability_of(k, hours);
        prop_assert!(is_probability(p));
        prop_assert!(belief.probability_of(k + 1, hours) <= p + 1e-9);
        prop_assert!(belief.probability_of(k, hours + 1.0) >= p - 1e-9);
    }

    #[test]
    fn a_calibration_increases(knots in vec((0.001..5.0_f64, 0.01..5.0_f64), 2..10), a in -50.0..50.0_f64, more in 1e-6..10.0_f64) {
        let mut at = (-5.0, -5.0);
        let knots = knots.into_iter().map(|(x, slope)| { at = (at.0 + x, at.1 + x * slope); at }).collect();
        let map = Calibration::new(knots).unwrap();
        prop_assert!(map.apply(a + more) > map.apply(a));
    }
}
