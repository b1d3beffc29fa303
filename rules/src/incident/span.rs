//! Stretches of bad points in a series.

/// Gives the stretches `[start, end)` of bad points, in order. A good point ends one; a missing point does not, unless nothing comes for
/// longer than `patience_ms`: missing is not healthy, and not for ever ill.
pub(super) fn bad_spans(
    points: impl Iterator<Item = (i64, bool)>,
    period_ms: i64,
    patience_ms: i64,
) -> impl Iterator<Item = (i64, i64)> {
    let mut spans: Vec<(i64, i64)> = Vec::new();
    let mut open = false;
    for (ts, bad) in points {
        let end = ts.saturating_add(period_ms);
        match spans.last_mut() {
            Some(span) if bad && open && ts.saturating_sub(span.1) <= patience_ms => span.1 = end,
            _ if bad => spans.push((ts, end)),
            _ => {}
        }
        open = bad;
    }
    spans.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_good_point_ends_a_stretch_and_a_missing_one_does_not() {
        let spans = |points: &[(i64, bool)]| bad_spans(points.iter().copied(), 1, 5).collect::<Vec<_>>();
        assert_eq!(spans(&[(0, false), (1, true), (2, true), (3, false), (4, true)]), [(1, 3), (4, 5)]);
        assert_eq!(spans(&[(1, true), (4, true)]), [(1, 5)]);
        assert_eq!(spans(&[(1, true), (8, true)]), [(1, 2), (8, 9)]);
        assert_eq!(spans(&[]), []);
    }
}
