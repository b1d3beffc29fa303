//! Says of an incident whether it was warned of, and if not, whether anybody could have seen it coming.

use crate::grid::HOUR_MS;
use forewarn_domain::prediction::{Level, Unassessable};

/// What was said of the instance at one time ahead of an incident.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Look {
    /// The time, milliseconds.
    pub as_of: i64,
    /// The level.
    pub level: Level,
    /// Why too little was known, where it was; a hard signal may have made a level all the same.
    pub reason: Option<Unassessable>,
    /// The probability within 24 hours; NaN where unassessable.
    pub p24: f64,
}

/// How an incident stands to what was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It was at level high 1 to 24 hours ahead.
    Warned,
    /// Signs stood in the data, and it was not.
    Missed,
    /// Nothing in the metrics told of it.
    NotForeseeable,
    /// Too little is known to say.
    Unassessable,
}

/// The verdict with its reasons.
#[derive(Debug, Clone, PartialEq)]
pub struct Foresight {
    /// The verdict.
    pub verdict: Verdict,
    /// Hours from the first warning of the last day to the incident.
    pub lead_hours: Option<f64>,
    /// The reason in words.
    pub why: String,
    /// The highest level in the 1 to 24 hours ahead.
    pub peak: Option<Level>,
    /// The highest probability within 24 hours that was said then.
    pub p24: Option<f64>,
}

/// A probability this many times that of the instance's usual hours is a sign, even below every level.
const SIGN: f64 = 3.0;
/// Where the usual is nearly nothing, a sign must be at least this.
const LEAST_SIGN: f64 = 0.02;

/// Judges an incident at `ts` from the `looks` 1 to 24 hours ahead of it. `usual` is the probability that is said of the instance on a
/// usual hour; `predictable` is what somebody knows of it, and decides between missed and not foreseeable where it is there.
pub fn foresee(ts: i64, looks: &[Look], usual: Option<f64>, predictable: Option<bool>) -> Foresight {
    let known: Vec<&Look> = looks.iter().filter(|l| l.level != Level::Unassessable).collect();
    let peak = known.iter().map(|l| l.level).max();
    let p24 = known.iter().map(|l| l.p24).filter(|p| p.is_finite()).max_by(f64::total_cmp);
    let found = |verdict, lead_hours, why: String| Foresight { verdict, lead_hours, why, peak, p24 };
    if let Some(first) = looks.iter().find(|l| l.level == Level::High) {
        let lead = (ts - first.as_of) as f64 / HOUR_MS as f64;
        return found(Verdict::Warned, Some(lead), format!("high from {lead:.0} h before it"));
    }
    if looks.is_empty() {
        return found(Verdict::Unassessable, None, "no full day of looks lies ahead of it".to_owned());
    }
    let blind = looks.len() - known.len();
    if blind * 2 > looks.len() {
        let why = looks.iter().rev().find_map(|l| l.reason).map_or("too little was known", reason);
        return found(Verdict::Unassessable, None, format!("{why}, {blind} of {} hours", looks.len()));
    }
    let most = p24.unwrap_or(0.0);
    let level = peak.filter(|l| l.is_at_risk());
    let sign = level.is_some() || most >= LEAST_SIGN && usual.is_some_and(|u| most >= SIGN * u);
    let agent = looks.iter().any(|l| l.reason == Some(Unassessable::MissingAgent));
    let without = if agent { "; memory and disk are unknown without the CloudWatch agent" } else { "" };
    if predictable.unwrap_or(sign) {
        let why = match level {
            Some(level) => format!("no further than level {}, P(24 h) {most:.3}", level.name()),
            None if sign => format!("below every level, P(24 h) {most:.3}"),
            None => format!("said to have been foreseeable, but P(24 h) was {most:.3}"),
        };
        return found(Verdict::Missed, None, format!("{why}{without}"));
    }
    let why =
        if predictable == Some(false) { "said to have come without a sign" } else { "no precursor in any metric" };
    found(Verdict::NotForeseeable, None, format!("{why}: P(24 h) at most {most:.3}{without}"))
}

const fn reason(reason: Unassessable) -> &'static str {
    match reason {
        Unassessable::NoData => "no samples",
        Unassessable::Stale => "no new samples",
        Unassessable::TooYoung => "too young",
        Unassessable::Sparse => "too few samples",
        Unassessable::MissingAgent => "no metrics of the CloudWatch agent",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(hour: i64, level: Level, p24: f64) -> Look {
        Look { as_of: hour * HOUR_MS, level, reason: None, p24 }
    }

    fn verdict(looks: &[Look], predictable: Option<bool>) -> (Verdict, Option<f64>) {
        let found = foresee(100 * HOUR_MS, looks, Some(0.005), predictable);
        (found.verdict, found.lead_hours)
    }

    #[test]
    fn an_incident_is_warned_of_missed_or_not_to_be_foreseen() {
        let quiet = look(80, Level::None, 0.006);
        assert_eq!(verdict(&[quiet, look(90, Level::High, 0.8)], Some(false)), (Verdict::Warned, Some(10.0)));
        assert_eq!(verdict(&[quiet, look(90, Level::Medium, 0.2)], None).0, Verdict::Missed);
        assert_eq!(verdict(&[quiet, look(90, Level::None, 0.03)], None).0, Verdict::Missed);
        assert_eq!(verdict(&[quiet], None).0, Verdict::NotForeseeable);
        assert_eq!(verdict(&[quiet], Some(true)).0, Verdict::Missed);
        assert_eq!(verdict(&[look(90, Level::Low, 0.1)], Some(false)).0, Verdict::NotForeseeable);
        assert_eq!(verdict(&[], None).0, Verdict::Unassessable);
    }

    #[test]
    fn what_could_not_be_assessed_says_why() {
        let blind = Look { reason: Some(Unassessable::TooYoung), ..look(80, Level::Unassessable, f64::NAN) };
        let found = foresee(100 * HOUR_MS, &[blind, blind, look(90, Level::None, 0.01)], None, None);
        assert_eq!((found.verdict, found.why.as_str()), (Verdict::Unassessable, "too young, 2 of 3 hours"));
    }
}
