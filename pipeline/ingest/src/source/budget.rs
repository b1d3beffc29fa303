//! Keeps count of what CloudWatch bills, by calendar month, and stops before a budget is passed.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Says why nothing more is asked for this month.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, serde::Serialize)]
#[error(
    "the budget of {budget} metrics for {month} would be passed: {used} are used, {left} are left, the next call needs {needs}; \
     nothing more is asked until {again}, then everything is made up for (raise --budget to go on now)"
)]
pub struct Spent {
    pub budget: u64,
    /// The month, as `2026-02`.
    pub month: String,
    /// What has been used.
    pub used: u64,
    /// What is left.
    pub left: u64,
    /// What the next call needs.
    pub needs: u64,
    /// When the next month begins.
    pub again: String,
}

/// Decides whether a call may ask for so many metrics more.
///
/// # Errors
/// When the budget would be passed.
pub fn admit(budget: Option<u64>, used: u64, needs: u64, now_ms: i64) -> Result<(), Spent> {
    let Some(budget) = budget else { return Ok(()) };
    if used.saturating_add(needs) <= budget {
        return Ok(());
    }
    Err(Spent {
        budget,
        month: month(now_ms),
        used,
        left: budget.saturating_sub(used),
        needs,
        again: forewarn_runtime::time::format_ms(next_month(now_ms)),
    })
}

/// Gives the calendar month (UTC) of a time, as `2026-02`.
pub fn month(ms: i64) -> String {
    forewarn_runtime::time::format_ms(ms).chars().take(7).collect()
}

/// Gives the first moment of the next calendar month (UTC); the time itself where there is none.
pub(super) fn next_month(ms: i64) -> i64 {
    let next = || {
        let first = Timestamp::from_millisecond(ms).ok()?.to_zoned(TimeZone::UTC).date().first_of_month();
        let next = first.checked_add(jiff::Span::new().months(1)).ok()?;
        Some(next.to_zoned(TimeZone::UTC).ok()?.timestamp().as_millisecond())
    };
    next().unwrap_or(ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FEB: i64 = 1_771_113_600_000; // 2026-02-15T00:00:00Z

    #[test]
    fn the_last_metric_is_admitted_and_not_one_more() {
        assert_eq!(admit(None, u64::MAX, 500, FEB), Ok(()));
        assert_eq!(admit(Some(1000), 500, 500, FEB), Ok(()));
        let spent = admit(Some(1000), 501, 500, FEB).unwrap_err();
        assert_eq!((spent.left, spent.month.as_str(), spent.again.as_str()), (499, "2026-02", "2026-03-01T00:00:00Z"));
        assert!(spent.to_string().contains("499 are left"), "{spent}");
        assert!(admit(Some(10), 20, 1, FEB).is_err(), "a budget that was lowered");
    }

    #[test]
    fn december_is_followed_by_january() {
        let december = FEB + 304 * 86_400_000;
        assert_eq!(month(december), "2026-12");
        assert_eq!(forewarn_runtime::time::format_ms(next_month(december)), "2027-01-01T00:00:00Z");
    }
}
