//! The kernels that a backtest calls for every instance, signal and hour.

use divan::{Bencher, black_box};
use forewarn_models::forecast::Forecast;
use forewarn_models::mann_kendall::{mann_kendall, mann_kendall_detrended};
use forewarn_models::sawtooth::sawtooth;
use forewarn_models::season::DailyProfile;
use forewarn_models::segment::current_segment;
use forewarn_models::slope::theil_sen;

fn main() {
    divan::main();
}

/// A daily rhythm on a slow ramp with reproducible noise.
fn series(n: usize, day: f64) -> Vec<f64> {
    let mut state = 1_u64;
    (0..n)
        .map(|i| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let noise = (state >> 40) as f64 / f64::from(1_u32 << 24);
            50.0 + 0.1 * i as f64 + 10.0 * (std::f64::consts::TAU * i as f64 / day).sin() + 4.0 * noise
        })
        .collect()
}

#[divan::bench(args = [24, 56])]
fn theil_sen_of(bencher: Bencher, n: usize) {
    let (x, y) = ((0..n).map(|i| i as f64).collect::<Vec<_>>(), series(n, 8.0));
    let mut scratch = Vec::new();
    bencher.bench_local(|| theil_sen(black_box(&x), black_box(&y), &mut scratch));
}

#[divan::bench]
fn mann_kendall_56(bencher: Bencher) {
    let (y, mut scratch) = (series(56, 8.0), Vec::new());
    bencher.bench_local(|| mann_kendall(black_box(&y), &mut scratch));
}

#[divan::bench]
fn mann_kendall_detrended_56(bencher: Bencher) {
    let (y, mut scratch) = (series(56, 8.0), Vec::new());
    bencher.bench_local(|| mann_kendall_detrended(black_box(&y), 0.1, &mut scratch));
}

#[divan::bench(args = [56, 168])]
fn current_segment_of(bencher: Bencher, n: usize) {
    let (y, mut scratch) = (series(n, n as f64 / 7.0), Vec::new());
    bencher.bench_local(|| current_segment(black_box(&y), 1.0, &mut scratch));
}

#[divan::bench]
fn sawtooth_168(bencher: Bencher) {
    let y: Vec<f64> = series(168, 24.0).iter().enumerate().map(|(i, v)| v + 5.0 * (i % 24) as f64).collect();
    let mut scratch = Vec::new();
    bencher.bench_local(|| sawtooth(black_box(&y), 1.0, &mut scratch));
}

#[divan::bench]
fn daily_profile_168(bencher: Bencher) {
    let (y, mut scratch) = (series(168, 24.0), Vec::new());
    bencher.bench_local(|| DailyProfile::fit(black_box(&y), 5, &mut scratch));
}

#[divan::bench]
fn forecast_168(bencher: Bencher) {
    let y = series(168, 24.0);
    bencher.bench_local(|| Forecast::of(black_box(&y), 0.1).map(|f| f.by_horizon(black_box(90.0))));
}
