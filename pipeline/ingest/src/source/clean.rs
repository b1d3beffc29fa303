//! Makes what CloudWatch answered a series: in order, each time once, finite, within the window.

use super::window::Window;
use serde::Serialize;

/// What was found in answers and is not in the series.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(super) struct Faults {
    /// Points with the time of another one in the same answer.
    pub(super) doubled: u64,
    /// Points whose value is no finite number.
    pub(super) not_finite: u64,
    /// Points with a time outside the window.
    pub(super) outside: u64,
}

/// Cleans points in place. Of points with one time, the greatest value stays.
pub(super) fn clean(ts: &mut Vec<i64>, values: &mut Vec<f64>, window: Window, faults: &mut Faults) {
    let n = ts.len().min(values.len());
    ts.truncate(n);
    values.truncate(n);
    if ts.is_sorted_by(|a, b| a > b) {
        ts.reverse();
        values.reverse();
    }
    let inside = ts.first().is_none_or(|t| *t >= window.from) && ts.last().is_none_or(|t| *t < window.to);
    if inside && ts.is_sorted_by(|a, b| a < b) && values.iter().all(|v| v.is_finite()) {
        return;
    }
    let mut points: Vec<(i64, f64)> = Vec::with_capacity(n);
    for (&t, &v) in ts.iter().zip(values.iter()) {
        if !v.is_finite() {
            faults.not_finite += 1;
        } else if t < window.from || t >= window.to {
            faults.outside += 1;
        } else {
            points.push((t, v));
        }
    }
    points.sort_by(|a, b| a.0.cmp(&b.0).then(b.1.total_cmp(&a.1)));
    let before = points.len();
    points.dedup_by_key(|p| p.0);
    faults.doubled += (before - points.len()) as u64;
    ts.clear();
    values.clear();
    ts.extend(points.iter().map(|p| p.0));
    values.extend(points.iter().map(|p| p.1));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const W: Window = Window { from: 0, to: 1000 };

    #[test]
    fn newest_first_is_turned_around_and_what_cannot_be_is_counted() {
        let mut faults = Faults::default();
        let (mut ts, mut values) = (vec![300, 200, 100], vec![3.0, 2.0, 1.0]);
        clean(&mut ts, &mut values, W, &mut faults);
        assert_eq!((ts, values, faults), (vec![100, 200, 300], vec![1.0, 2.0, 3.0], Faults::default()));
        let (mut ts, mut values) =
            (vec![5, 5, 1000, -1, 7, 3, 9], vec![1.0, 2.0, 0.0, 0.0, f64::NAN, 4.0, f64::INFINITY]);
        clean(&mut ts, &mut values, W, &mut faults);
        assert_eq!((ts, values), (vec![3, 5], vec![4.0, 2.0]));
        assert_eq!(faults, Faults { doubled: 1, not_finite: 2, outside: 2 });
    }

    proptest! {
        #[test]
        fn whatever_comes_a_series_leaves(points in prop::collection::vec((-10_i64..30, -1e3..1e3), 0..40)) {
            let (mut ts, mut values): (Vec<i64>, Vec<f64>) = points.iter().copied().unzip();
            let mut faults = Faults::default();
            let window = Window { from: 0, to: 20 };
            clean(&mut ts, &mut values, window, &mut faults);
            prop_assert!(ts.is_sorted_by(|a, b| a < b) && ts.len() == values.len());
            let kept: std::collections::BTreeSet<i64> =
                points.iter().map(|p| p.0).filter(|t| (0..20).contains(t)).collect();
            prop_assert_eq!(kept.into_iter().collect::<Vec<_>>(), ts.clone());
            prop_assert_eq!(ts.len() as u64 + faults.doubled + faults.outside, points.len() as u64);
        }
    }
}
