//! Theil-Sen and Mann-Kendall against scipy 1.17.1 and pymannkendall 1.4.3.
//!
//! ```python
//! def lcg(n):
//!     out=[]; s=12345
//!     for _ in range(n): s=(s*1103515245+12345)%2**31; out.append(s/2**31)
//!     return np.array(out)
//! u=lcg(56); ar=[0.0]
//! for x in u[1:]: ar.append(0.8*ar[-1]+x-0.5)
//! ```

use crate::oracle::{assert_near, assert_within, autoregressive, uniforms};
use forewarn_models::mann_kendall::{mann_kendall, mann_kendall_detrended};
use forewarn_models::slope::theil_sen;

const SHORT: [f64; 15] = [23.0, 24.0, 23.0, 26.0, 25.0, 27.0, 26.0, 28.0, 29.0, 28.0, 30.0, 29.0, 31.0, 33.0, 32.0];

fn steps(n: usize) -> Vec<f64> {
    (0..n).map(|i| i as f64).collect()
}

fn ramped(series: &[f64], slope: f64) -> Vec<f64> {
    series.iter().enumerate().map(|(i, y)| y + slope * i as f64).collect()
}

/// `theilslopes(SHORT, arange(15), alpha=0.9)` = 0.666.., interval 0.5556 to 0.75.
#[test]
fn theil_sen_is_scipys() {
    let line = theil_sen(&steps(15), &SHORT, &mut Vec::new()).unwrap();
    assert_near(line.per_unit, 2.0 / 3.0, 1e-14);
    assert_near(line.slope_se, (0.75 - 5.0 / 9.0) / (2.0 * 1.644_853_626_951_472_2), 0.2);
    assert_eq!(line.n, 15);
}

/// `theilslopes(ar + 0.02 t, t, alpha=0.9)` = 0.025397098569520504, interval 0.019512011032 to 0.031201954920.
#[test]
fn sens_interval_is_scipys() {
    let line = theil_sen(&steps(56), &ramped(&autoregressive(), 0.02), &mut Vec::new()).unwrap();
    assert_near(line.per_unit, 0.025_397_098_569_520_504, 1e-12);
    assert_near(line.slope_se, (0.031_201_954_920_4 - 0.019_512_011_032_2) / (2.0 * 1.644_853_626_951_472_2), 0.01);
}

#[test]
fn the_standard_error_is_that_of_the_slopes_scatter() {
    let mut noise = crate::oracle::Noise(7);
    let (x, mut scratch) = (steps(56), Vec::new());
    let lines: Vec<_> = (0..400)
        .filter_map(|_| theil_sen(&x, &noise.normals(56, 2.0), &mut scratch))
        .map(|l| (l.per_unit, l.slope_se))
        .collect();
    let scatter = (lines.iter().map(|l| l.0 * l.0).sum::<f64>() / lines.len() as f64).sqrt();
    let told = lines.iter().map(|l| l.1).sum::<f64>() / lines.len() as f64;
    assert_near(told, scatter, 0.12);
}

#[test]
fn a_line_skips_gaps_and_outliers() {
    let mut y: Vec<f64> = (0..56).map(|i| 3.0 - 0.25 * f64::from(i)).collect();
    (y[3], y[20], y[21], y[40]) = (f64::NAN, 1e6, -1e6, f64::INFINITY);
    y[55] = f64::NAN;
    let line = theil_sen(&steps(56), &y, &mut Vec::new()).unwrap();
    assert_near(line.per_unit, -0.25, 1e-12);
    assert_eq!(line.n, 53);
}

#[test]
fn too_little_has_no_slope() {
    let mut scratch = Vec::new();
    assert_eq!(theil_sen(&[], &[], &mut scratch), None);
    assert_eq!(theil_sen(&steps(2), &[1.0, 2.0], &mut scratch), None);
    assert_eq!(theil_sen(&steps(5), &[f64::NAN; 5], &mut scratch), None);
    assert_eq!(theil_sen(&[1.0; 5], &[1.0, 2.0, 3.0, 4.0, 5.0], &mut scratch), None);
    let flat = theil_sen(&steps(9), &[4.0; 9], &mut scratch).unwrap();
    assert_within(flat.per_unit.abs() + flat.slope_se, 0.0, 0.0);
}

/// `original_test(u)`: z 0.03533767463701098, s 6; `original_test(floor(4 u))`: z -0.04435368020884254, s -7, var
/// 18299.67 with ties; neither has a significant first autocorrelation.
#[test]
fn independent_series_get_the_original_test() {
    let mut scratch = Vec::new();
    let trend = mann_kendall(&uniforms(56), &mut scratch).unwrap();
    assert_within(trend.s, 6.0, 0.0);
    assert_near(trend.z, 0.035_337_674_637_010_98, 1e-12);
    assert_within(trend.variance_factor, 1.0, 0.0);
    let tied: Vec<f64> = uniforms(56).iter().map(|u| (4.0 * u).floor()).collect();
    let trend = mann_kendall(&tied, &mut scratch).unwrap();
    assert_within(trend.s, -7.0, 0.0);
    assert_near(trend.z, -0.044_353_680_208_842_54, 1e-12);
}

/// `hamed_rao_modification_test(ar, lag=3)`: z 0.7534743539532465, factor 3.917093046222403; with `+ 0.02 t`: z
/// 2.9031973922463954. The fourth autocorrelation is the first that is not significant.
#[test]
fn autocorrelation_inflates_the_variance_as_hamed_and_rao_have_it() {
    let mut scratch = Vec::new();
    let trend = mann_kendall(&autoregressive(), &mut scratch).unwrap();
    assert_near(trend.z, 0.753_474_353_953_246_5, 1e-10);
    assert_near(trend.variance_factor, 3.917_093_046_222_403, 1e-10);
    let y = ramped(&autoregressive(), 0.02);
    let trend = mann_kendall(&y, &mut scratch).unwrap();
    assert_within(trend.s, 814.0, 0.0);
    assert_near(trend.z, 2.903_197_392_246_395_4, 1e-10);
    assert_eq!(mann_kendall_detrended(&y, 0.025_397_098_569_520_504, &mut scratch).unwrap(), trend);
}

/// `original_test(SHORT)`: z 4.376358580719866, s 89, var 404.33 with ties; the corrected variance would be a sixteenth.
#[test]
fn a_correction_never_makes_a_trend_surer() {
    let trend = mann_kendall(&SHORT, &mut Vec::new()).unwrap();
    assert_near(trend.z, 4.376_358_580_719_866, 1e-12);
    assert_within(trend.variance_factor, 1.0, 0.0);
}

#[test]
fn no_trend_where_there_is_nothing() {
    let mut scratch = Vec::new();
    assert_eq!(mann_kendall(&[], &mut scratch), None);
    assert_eq!(mann_kendall(&[1.0, 2.0, f64::NAN, 3.0], &mut scratch), None);
    let flat = mann_kendall(&[4.0; 56], &mut scratch).unwrap();
    assert_within(flat.z.abs() + flat.s.abs(), 0.0, 0.0);
    let mut rise = vec![f64::NAN; 10];
    rise.extend((0..46).map(f64::from));
    assert!(mann_kendall(&rise, &mut scratch).unwrap().z > 8.0);
}
