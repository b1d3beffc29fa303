//! A number, how sure it is, and why there is none.

use forewarn_models::score::Interval;
use serde::Serialize;

/// A number with its 95 % interval.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Estimate {
    /// The value; None where it has no meaning.
    pub value: Option<f64>,
    /// The lower end; None where there are no two clusters to tell apart, or none of the resampled fleets differs.
    pub lo: Option<f64>,
    /// The upper end.
    pub hi: Option<f64>,
    /// Why there is no value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no_meaning: Option<&'static str>,
}

impl Estimate {
    /// Gives a value with its interval, or `why` it has no meaning.
    pub(super) fn of(value: f64, interval: Option<Interval>, why: Option<&'static str>) -> Self {
        match why {
            Some(why) => Self::without_meaning(why),
            None if !value.is_finite() => Self::without_meaning("nothing to count"),
            None => {
                Self { value: Some(value), lo: interval.map(|i| i.lo), hi: interval.map(|i| i.hi), no_meaning: None }
            }
        }
    }

    /// Gives a value with the ends of its interval; none where nothing was counted.
    pub(super) fn between(value: f64, (lo, hi): (f64, f64)) -> Self {
        if value.is_finite() {
            Self { value: Some(value), lo: Some(lo), hi: Some(hi), no_meaning: None }
        } else {
            Self::without_meaning("nothing to count")
        }
    }

    /// Says that there is no value.
    pub(super) const fn without_meaning(why: &'static str) -> Self {
        Self { value: None, lo: None, hi: None, no_meaning: Some(why) }
    }
}
