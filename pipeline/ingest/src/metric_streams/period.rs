//! How long the periods of a metric stream are.
//!
//! OpenTelemetry says when a datapoint's period starts and ends. JSON has its start alone: "data is sent every minute" ("Amazon
//! CloudWatch User Guide", set up a metric stream), but points of a high-resolution metric lie closer together, and only they do.

/// The period where nothing says otherwise, seconds.
pub(super) const USUAL_S: i32 = 60;
/// Periods below a minute that CloudWatch has, seconds, the longest first.
const HIGH_RESOLUTION_S: [i32; 4] = [30, 10, 5, 1];
/// The longest period that CloudWatch has, seconds.
const LONGEST_S: i64 = 86_400;

/// Gives the period from its ends, seconds; none where they say none of whole seconds and at most a day.
pub(super) fn between(start_ns: u64, end_ns: u64) -> Option<i32> {
    let ns = end_ns.checked_sub(start_ns).filter(|ns| start_ns > 0 && ns % 1_000_000_000 == 0)?;
    i64::try_from(ns / 1_000_000_000).ok().filter(|s| (1..=LONGEST_S).contains(s)).and_then(|s| s.try_into().ok())
}

/// Gives the period of a series from the starts of its periods, ascending, milliseconds: a minute, or what fits between points that lie
/// closer together.
pub(super) fn of_starts(starts: &[i64]) -> i32 {
    let gaps = || starts.windows(2).map(|w| w[1] - w[0]);
    if gaps().all(|gap| gap >= i64::from(USUAL_S) * 1000) {
        return USUAL_S;
    }
    let fits = |s: &i32| gaps().all(|gap| gap % (i64::from(*s) * 1000) == 0);
    HIGH_RESOLUTION_S.into_iter().find(fits).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_is_what_the_record_or_the_spacing_of_its_points_says() {
        let s = |n: u64| n * 1_000_000_000;
        assert_eq!(between(s(100), s(160)), Some(60));
        assert_eq!(between(s(100), s(101)), Some(1));
        assert_eq!(between(s(100), s(400)), Some(300));
        assert_eq!((between(0, s(60)), between(s(9), s(9)), between(s(9), s(8))), (None, None, None));
        assert_eq!((between(s(9), s(9) + 1), between(s(9), s(86_410))), (None, None));
        assert_eq!(of_starts(&[58_000]), 60, "one point says nothing");
        assert_eq!(of_starts(&[0, 60_000, 360_000]), 60, "a minute that is sent every five");
        assert_eq!(of_starts(&[0, 10_000, 60_000]), 10);
        assert_eq!(of_starts(&[0, 1_000, 2_000]), 1);
        assert_eq!(of_starts(&[0, 15_000]), 5);
        assert_eq!(of_starts(&[0, 1_500]), 1, "off any grid");
    }
}
