//! Recommends one of two rule sets from how they differ, or says that it can't be told.

use super::measure::Measure;
use super::report::{Difference, Estimate};
use serde::Serialize;

/// The measures that decide; the others are told.
const DECIDING: [Measure; 5] = [
    Measure::AveragePrecision,
    Measure::BrierSkill,
    Measure::EpisodePrecision,
    Measure::RecallPredictable,
    Measure::FalseEpisodes,
];
/// With fewer incidents than this no advice is given: intervals from so few are not to be trusted.
pub const LEAST_INCIDENTS: u64 = 10;

/// What to do about the second rule set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Advice {
    /// It is better in something and worse in nothing.
    Switch,
    /// It is worse in something and better in nothing.
    Keep,
    /// It is better in some and worse in other things: a matter of what mistakes cost.
    Mixed,
    /// No difference can be told.
    CannotTell,
}

/// The advice with its reasons.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Recommendation {
    /// What to do.
    pub advice: Advice,
    /// The same in words.
    pub words: String,
}

/// Recommends from the differences B less A.
pub fn recommend(difference: &Difference, incidents: u64) -> Recommendation {
    let of = |m: Measure| difference.measures.iter().find(|d| d.measure == m.name());
    let told = |verdict: &'static str| -> Vec<String> {
        let found =
            DECIDING.into_iter().filter_map(|m| of(m).filter(|d| d.verdict == verdict).map(|d| (m, d.difference)));
        found.map(|(m, d)| interval(m, &d)).collect()
    };
    let (better, worse) = (told("better"), told("worse"));
    let b = &difference.b;
    let (advice, words) = if incidents < LEAST_INCIDENTS {
        let words = format!("can't tell: {incidents} incidents are too few, wait for {LEAST_INCIDENTS}");
        (Advice::CannotTell, words)
    } else {
        match (better.is_empty(), worse.is_empty()) {
            (false, true) => (
                Advice::Switch,
                format!("switch to {b}: better in {}, worse in nothing that decides", better.join(", ")),
            ),
            (true, false) => (
                Advice::Keep,
                format!("keep {}: {b} is worse in {}, better in nothing that decides", difference.a, worse.join(", ")),
            ),
            (false, false) => {
                let words = format!(
                    "neither is better throughout: {b} is better in {}, worse in {}; what mistakes cost decides (backtest --cost-miss)",
                    better.join(", "),
                    worse.join(", ")
                );
                (Advice::Mixed, words)
            }
            (true, true) => {
                let spread: Vec<String> =
                    DECIDING.into_iter().filter_map(|m| of(m).map(|d| interval(m, &d.difference))).collect();
                (Advice::CannotTell, format!("can't tell: every interval holds zero ({})", spread.join(", ")))
            }
        }
    };
    Recommendation { advice, words }
}

fn interval(measure: Measure, e: &Estimate) -> String {
    match (e.value, e.lo, e.hi) {
        (Some(v), Some(lo), Some(hi)) => format!("{} {v:+.4} [{lo:+.4}, {hi:+.4}]", measure.label()),
        (Some(v), ..) => format!("{} {v:+.4}", measure.label()),
        (None, ..) => format!("{} without meaning", measure.label()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::compare::difference;
    use super::*;

    fn advice(of: &[(Measure, f64, f64)], incidents: u64) -> Recommendation {
        let estimate = |(m, lo, hi): &(Measure, f64, f64)| {
            (*m, Estimate { value: Some(f64::midpoint(*lo, *hi)), lo: Some(*lo), hi: Some(*hi), no_meaning: None })
        };
        recommend(&difference("a", "b", of.iter().map(estimate).collect()), incidents)
    }

    #[test]
    fn a_rule_set_is_recommended_only_where_nothing_speaks_against_it() {
        let better = (Measure::AveragePrecision, 0.01, 0.05);
        let worse = (Measure::FalseEpisodes, 0.01, 0.02);
        let unsure = (Measure::RecallPredictable, -0.1, 0.1);
        assert_eq!(advice(&[better, unsure], 40).advice, Advice::Switch);
        assert_eq!(advice(&[worse, unsure], 40).advice, Advice::Keep);
        assert_eq!(advice(&[better, worse], 40).advice, Advice::Mixed);
        assert_eq!(advice(&[unsure], 40).advice, Advice::CannotTell);
        assert_eq!(advice(&[better], 9).advice, Advice::CannotTell);
        let words = advice(&[better, unsure], 40).words;
        assert!(words.contains("average precision +0.0300 [+0.0100, +0.0500]"), "{words}");
        assert_eq!(
            advice(&[(Measure::Brier, -0.2, -0.1)], 40).advice,
            Advice::CannotTell,
            "it is told, and does not decide"
        );
    }
}
