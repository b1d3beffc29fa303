//! Scoring measures against the formulas of the yardstick, `score.py`, in numpy 2.
//!
//! ```python
//! u=lcg(400); q=np.round(u[:200]**2,2); y=u[200:]<0.8*q+0.05; base=y.mean(); brier=((q-y)**2).mean()
//! bins=np.clip((q*20).astype(int),0,19)
//! ece=sum(abs(q[bins==b].mean()-y[bins==b].mean())*(bins==b).mean() for b in range(20) if (bins==b).any())
//! o=np.argsort(-q,kind="stable"); tp=np.cumsum(y[o]); prec=tp/np.arange(1,len(o)+1)
//! edge=np.r_[np.diff(q[o])!=0,True]; r=tp[edge]/max(1,y.sum()); ap=np.sum(np.diff(np.r_[0,r])*prec[edge])
//! ```

use crate::oracle::{Noise, assert_near, assert_within, uniforms};
use forewarn_models::score::{
    average_precision, brier, brier_skill, calibration_error, calibration_line, draw_clusters, percentile_interval,
    precision_recall, reliability,
};

fn sample() -> (Vec<bool>, Vec<f64>) {
    let u = uniforms(400);
    let scores: Vec<f64> = u[..200].iter().map(|u| (100.0 * u * u).round_ties_even() / 100.0).collect();
    let labels = u[200..].iter().zip(&scores).map(|(u, q)| *u < 0.8 * q + 0.05).collect();
    (labels, scores)
}

#[test]
fn the_measures_are_the_yardsticks() {
    let (labels, scores) = sample();
    assert_eq!(labels.iter().filter(|y| **y).count(), 67);
    assert_near(brier(&labels, &scores, &[]), 0.170_924_5, 1e-12);
    assert_near(brier_skill(&labels, &scores, &[]), 0.232_748_288_632_027_9, 1e-12);
    assert_near(calibration_error(&labels, &scores, &[]), 0.114_85, 1e-12);
    assert_near(average_precision(&labels, &scores, &[]), 0.627_625_309_899_235_3, 1e-12);
}

/// `scipy.optimize.minimize` of the logistic loss on logit(clip(q, 1e-6, 1 - 1e-6)).
#[test]
fn the_calibration_line_is_coxs() {
    let (labels, scores) = sample();
    let line = calibration_line(&labels, &scores, &[]).unwrap();
    assert_near(line.slope, 0.359_965_324, 1e-6);
    assert_near(line.intercept, -0.296_990_362, 1e-6);
    assert_eq!(calibration_line(&[true, true], &[0.2, 0.4], &[]), None);
    assert_eq!(calibration_line(&[true, false], &[0.5, 0.5], &[]), None);
    assert_eq!(calibration_line(&[true, false], &[0.9, 0.1], &[]), None);
    assert_eq!(calibration_line(&[], &[], &[]), None);
}

#[test]
fn ties_share_a_threshold() {
    let (labels, scores) = ([true, false, true, false], [0.9, 0.5, 0.5, 0.5]);
    assert_near(average_precision(&labels, &scores, &[]), 0.5 * 1.0 + 0.5 * 0.5, 1e-15);
    let curve = precision_recall(&labels, &scores, &[]);
    assert_eq!(curve.len(), 2);
    assert_near(curve[1].precision, 0.5, 1e-15);
    assert_near(curve[1].recall, 1.0, 1e-15);
}

#[test]
fn weights_are_repetitions() {
    let (labels, scores) = sample();
    let weights: Vec<f64> = (0..200).map(|i| f64::from(i % 3)).collect();
    let repeat = |i: usize| std::iter::repeat_n(i, i % 3);
    let many_labels: Vec<bool> = (0..200).flat_map(repeat).map(|i| labels[i]).collect();
    let many_scores: Vec<f64> = (0..200).flat_map(repeat).map(|i| scores[i]).collect();
    for measure in [average_precision, brier, brier_skill, calibration_error] {
        assert_near(measure(&labels, &scores, &weights), measure(&many_labels, &many_scores, &[]), 1e-12);
    }
}

#[test]
fn a_reliability_table_has_only_filled_bins() {
    let table = reliability(&[true, false, true], &[0.05, 0.05, 1.0], &[], 20);
    assert_eq!(table.len(), 2);
    assert_near(table[0].happened, 0.5, 1e-15);
    assert_near(table[1].from, 0.95, 1e-15);
    assert_near(table[1].weight, 1.0, 1e-15);
}

#[test]
fn nothing_scores_nothing() {
    assert_within(average_precision(&[], &[], &[]), 0.0, 0.0);
    assert_within(average_precision(&[false], &[0.3], &[]), 0.0, 0.0);
    assert!(brier(&[], &[], &[]).is_nan());
    assert!(brier_skill(&[true], &[0.3], &[]).is_nan());
    assert!(calibration_error(&[true], &[f64::NAN], &[]).is_nan());
}

/// The mean of 200 cluster values of unit variance has the standard error 0.0707.
#[test]
fn a_bootstrap_interval_covers_the_clusters_scatter() {
    let mut noise = Noise(4);
    let values = noise.normals(200, 1.0);
    let mean = values.iter().sum::<f64>() / 200.0;
    let mut drawn = [0_u32; 200];
    let mut means: Vec<f64> = (0..2000)
        .map(|_| {
            draw_clusters(&mut drawn, &mut || noise.bits());
            assert_eq!(drawn.iter().sum::<u32>(), 200);
            drawn.iter().zip(&values).map(|(n, v)| f64::from(*n) * v).sum::<f64>() / 200.0
        })
        .collect();
    let interval = percentile_interval(&mut means).unwrap();
    assert_within(interval.median, mean, 0.01);
    assert_within(interval.hi - interval.lo, 2.0 * 1.96 * 0.0707, 0.05);
    assert_eq!(interval.replicates, 2000);
    assert_eq!(percentile_interval(&mut vec![f64::NAN; 10]), None);
}
