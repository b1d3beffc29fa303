//! Series that a person would judge at a glance.

use crate::oracle::{Noise, assert_within};
use forewarn_models::sawtooth::sawtooth;
use forewarn_models::season::DailyProfile;
use forewarn_models::segment::{Segment, current_segment};
use std::f64::consts::TAU;

fn series(n: usize, f: impl Fn(f64) -> f64) -> Vec<f64> {
    (0..n).map(|i| f(i as f64)).collect()
}

fn noisy(mut y: Vec<f64>, scale: f64, seed: u64) -> Vec<f64> {
    let mut noise = Noise(seed);
    for v in &mut y {
        *v += scale * noise.normal();
    }
    y
}

fn segment(y: &[f64]) -> Segment {
    current_segment(y, 1.0, &mut Vec::new())
}

const WHOLE: Segment = Segment { start: 0, resets: 0, last_reset: None, changed: false };

#[test]
fn steady_shapes_stay_whole() {
    for n in [56, 168] {
        assert_eq!(segment(&vec![90.0; n]), WHOLE);
        assert_eq!(segment(&series(n, |t| 20.0 + 0.7 * t)), WHOLE);
        assert_eq!(segment(&series(n, |t| 1e9 + 1e-3 * t)), WHOLE);
        assert_eq!(segment(&series(n, |t| 80.0 - 0.7 * t)), WHOLE);
        let day = n as f64 / 7.0;
        assert_eq!(segment(&series(n, |t| 50.0 + 30.0 * (TAU * t / day).sin())), WHOLE);
        assert_eq!(segment(&series(n, |t| 50.0 + 0.1 * t + 30.0 * (TAU * t / day).cos())), WHOLE);
    }
    assert_eq!(segment(&[]), WHOLE);
    assert_eq!(segment(&[1.0]), WHOLE);
    assert_eq!(segment(&[f64::NAN; 56]), WHOLE);
}

#[test]
fn noise_is_rarely_split() {
    let shapes: [fn(f64) -> f64; 3] = [|_| 40.0, |t| 20.0 + 0.4 * t, |t| 50.0 + 8.0 * (TAU * t / 8.0).sin()];
    for shape in shapes {
        let split = (0..500).filter(|seed| segment(&noisy(series(56, shape), 2.0, *seed)) != WHOLE).count();
        assert!(split <= 10, "{split} of 500");
    }
}

#[test]
fn a_step_and_a_late_ramp_start_a_regime() {
    for seed in 0..40 {
        let stepped = segment(&noisy(series(56, |t| if t < 30.0 { 20.0 } else { 35.0 }), 1.0, seed));
        assert!(stepped.changed && stepped.start.abs_diff(30) <= 1, "{stepped:?}");
        let late = segment(&noisy(series(56, |t| 20.0 + 2.0 * (t - 40.0).max(0.0)), 1.0, seed));
        assert!(late.changed && late.start.abs_diff(40) <= 3, "{late:?}");
        let hourly = segment(&noisy(series(168, |t| 20.0 + (t - 144.0).max(0.0)), 1.0, seed));
        assert!(hourly.changed && hourly.start.abs_diff(144) <= 5, "{hourly:?}");
    }
    let clean = segment(&series(56, |t| 20.0 + 2.0 * (t - 40.0).max(0.0)));
    assert!(clean.changed && clean.start.abs_diff(40) <= 1, "{clean:?}");
}

#[test]
fn a_late_ramp_on_a_daily_rhythm_is_found() {
    let found = (0..40)
        .filter(|seed| {
            let y = series(56, |t| 40.0 + 4.0 * (TAU * t / 8.0).sin() + 2.0 * (t - 36.0).max(0.0));
            let got = segment(&noisy(y, 1.0, *seed));
            got.changed && got.start.abs_diff(36) <= 6
        })
        .count();
    assert!(found >= 36, "{found} of 40");
}

#[test]
fn a_reset_starts_a_regime_in_either_direction() {
    for sign in [1.0, -1.0] {
        for seed in 0..40 {
            let y = noisy(series(56, |t| 20.0 + if t < 35.0 { t } else { t - 35.0 }), 0.5, seed);
            let y: Vec<f64> = y.iter().map(|v| sign * v).collect();
            let got = current_segment(&y, sign, &mut Vec::new());
            assert_eq!((got.resets, got.last_reset, got.start), (1, Some(35), 35), "{got:?}");
            // Seen from the other side it is a jump for the worse, which is a change but no reset.
            let other = current_segment(&y, -sign, &mut Vec::new());
            assert_eq!(other.resets, 0, "{other:?}");
        }
    }
}

#[test]
fn spikes_and_dips_are_no_resets() {
    let mut y = noisy(series(56, |_| 40.0), 0.5, 3);
    (y[20], y[33]) = (90.0, 5.0);
    assert_eq!(segment(&y), WHOLE);
}

#[test]
fn gaps_keep_positions() {
    let mut y = series(56, |t| 20.0 + if t < 35.0 { t } else { t - 35.0 });
    for gap in [3, 10, 11, 12, 30, 44] {
        y[gap] = f64::NAN;
    }
    assert_eq!(segment(&y).last_reset, Some(35));
}

#[test]
fn teeth_are_counted_and_their_envelope_told() {
    for seed in 0..20 {
        let y = noisy(series(168, |t| 30.0 + 2.0 * (t % 24.0)), 0.5, seed);
        let saw = sawtooth(&y, 1.0, &mut Vec::new()).unwrap();
        assert_eq!(saw.teeth, 6);
        assert_within(saw.peak, 76.0, 2.0);
        assert_within(saw.trough, 30.0, 1.5);
        assert_within(saw.period, 24.0, 0.0);
        assert!(saw.regularity > 0.9, "{saw:?}");
        assert_within(saw.peak_slope, 0.0, 0.03);
        let mirrored: Vec<f64> = y.iter().map(|v| 100.0 - v).collect();
        let saw = sawtooth(&mirrored, -1.0, &mut Vec::new()).unwrap();
        assert_within(saw.peak, 24.0, 2.0);
    }
}

#[test]
fn a_rising_envelope_shows() {
    let y = noisy(series(168, |t| 20.0 + 0.2 * t + (t % 24.0)), 0.3, 5);
    let saw = sawtooth(&y, 1.0, &mut Vec::new()).unwrap();
    assert_within(saw.peak_slope, 0.2, 0.02);
    assert_within(saw.peak, 20.0 + 0.2 * 144.0 + 23.0, 2.0);
    let falling: Vec<f64> = y.iter().map(|v| -v).collect();
    assert_within(sawtooth(&falling, -1.0, &mut Vec::new()).unwrap().peak_slope, -0.2, 0.02);
}

#[test]
fn what_is_no_saw_has_no_teeth() {
    let mut scratch = Vec::new();
    assert_eq!(sawtooth(&series(168, |t| 50.0 + 30.0 * (TAU * t / 24.0).sin()), 1.0, &mut scratch), None);
    assert_eq!(sawtooth(&series(56, |t| t), 1.0, &mut scratch), None);
    assert_eq!(sawtooth(&[50.0; 56], 1.0, &mut scratch), None);
    assert_eq!(sawtooth(&series(56, |t| if t < 30.0 { t } else { t - 30.0 }), 1.0, &mut scratch), None);
    let teeth = (0..200).filter(|s| sawtooth(&noisy(vec![0.0; 56], 1.0, *s), 1.0, &mut scratch).is_some()).count();
    assert!(teeth <= 4, "{teeth} of 200");
}

#[test]
fn a_daily_rhythm_is_explained_and_noise_is_not() {
    let mut scratch = Vec::new();
    let rhythm = |t: f64| 50.0 + 20.0 * (TAU * (t + 5.0) / 24.0).sin();
    let profile = DailyProfile::fit(&noisy(series(168, rhythm), 2.0, 1), 5, &mut scratch).unwrap();
    assert!(profile.strength > 0.95, "{profile:?}");
    assert_within(profile.expected(6), 20.0, 2.5);
    assert_within(profile.expected(18), -20.0, 2.5);
    assert_within(profile.scale, 2.0, 0.5);
    assert_within(profile.days, 7.0, 0.0);
    assert_within(profile.residual_z(80.0, 50.0, 6), 10.0 / profile.scale, 2.0);

    let strengths: Vec<f64> = (0..200)
        .filter_map(|seed| DailyProfile::fit(&noisy(vec![50.0; 168], 2.0, seed), 0, &mut scratch))
        .map(|p| p.strength)
        .collect();
    let strong = strengths.iter().filter(|s| **s > 0.15).count();
    assert!(strong <= 4, "{strong} of 200");
}

#[test]
fn a_nightly_job_is_a_profile_and_a_trend_is_none() {
    let mut scratch = Vec::new();
    let night = noisy(series(168, |t| if t % 24.0 < 2.0 { 80.0 } else { 10.0 }), 1.0, 2);
    let profile = DailyProfile::fit(&night, 22, &mut scratch).unwrap();
    assert!(profile.strength > 0.95 && profile.expected(23) > 60.0 && profile.expected(2) < 5.0, "{profile:?}");
    let ramp = DailyProfile::fit(&noisy(series(168, |t| 10.0 + t), 1.0, 3), 0, &mut scratch).unwrap();
    assert!(ramp.strength < 0.15, "{ramp:?}");
    assert!(ramp.by_hour.iter().all(|h| h.abs() < 1.0), "{ramp:?}");
    let burst = noisy(series(168, |t| if (60.0..64.0).contains(&t) { 90.0 } else { 10.0 }), 1.0, 4);
    assert!(DailyProfile::fit(&burst, 0, &mut scratch).unwrap().strength < 0.15);
}

#[test]
fn a_young_profile_borrows() {
    let mut scratch = Vec::new();
    assert_eq!(DailyProfile::fit(&[1.0; 23], 0, &mut scratch), None);
    assert_eq!(DailyProfile::fit(&[f64::NAN; 168], 0, &mut scratch), None);
    let young = DailyProfile::fit(&noisy(vec![5.0; 24], 1.0, 1), 0, &mut scratch).unwrap();
    assert_within(young.strength, 0.0, 0.0);
    let workload = DailyProfile::fit(&series(168, |t| 10.0 * (TAU * t / 24.0).sin()), 0, &mut scratch).unwrap();
    let mixed = young.shrink_towards(&workload, 0.75);
    assert_within(mixed.expected(6), 0.75 * workload.expected(6), 1e-12);
    assert_within(mixed.days, 1.0, 0.0);
    assert_eq!(young.shrink_towards(&workload, f64::NAN), young);
}
