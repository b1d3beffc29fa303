//! Says in numbers and in words how two rule sets compare on the same rows.

use super::measure::Measure;
use super::report::{Difference, DifferenceRow, Estimate};

/// The measures that are said in words, the most telling first.
const COMPARED: [Measure; 6] = [
    Measure::AveragePrecision,
    Measure::BrierSkill,
    Measure::Brier,
    Measure::EpisodePrecision,
    Measure::RecallPredictable,
    Measure::FalseEpisodes,
];
const NOTHING: &str = "no difference can be told";

/// Judges the differences B less A.
pub(super) fn difference(a: &str, b: &str, estimates: Vec<(Measure, Estimate)>) -> Difference {
    let compared = COMPARED.iter().filter_map(|m| estimates.iter().find(|e| e.0 == *m));
    let words = compared.map(|(m, e)| words(*m, e)).collect();
    let rows = estimates.into_iter().map(|(measure, difference)| DifferenceRow {
        measure: measure.name(),
        verdict: verdict(measure, &difference),
        difference,
    });
    Difference { a: a.to_owned(), b: b.to_owned(), measures: rows.collect(), words }
}

/// Calls a difference only where the whole interval lies on one side of nothing.
fn verdict(measure: Measure, e: &Estimate) -> &'static str {
    let (Some(lo), Some(hi)) = (e.lo, e.hi) else { return NOTHING };
    // More lead is not better or worse in itself.
    if measure == Measure::LeadHours || (lo <= 0.0 && hi >= 0.0) {
        NOTHING
    } else if (lo > 0.0) != measure.is_loss() {
        "better"
    } else {
        "worse"
    }
}

fn words(measure: Measure, e: &Estimate) -> String {
    let name = measure.label();
    let Some(value) = e.value else {
        return format!("{name}: no meaning ({})", e.no_meaning.unwrap_or("nothing to count"));
    };
    let (Some(lo), Some(hi)) = (e.lo, e.hi) else {
        return format!("{name}: B differs by {value:+.4}; there is too little to say how sure that is");
    };
    match verdict(measure, e) {
        NOTHING => format!("{name}: {NOTHING}; B differs by {value:+.4} (95 % interval {lo:+.4} to {hi:+.4})"),
        side => {
            let (least, most) = (lo.abs().min(hi.abs()), lo.abs().max(hi.abs()));
            format!("{name}: B is {side} by {:.4} (95 % interval {least:.4} to {most:.4})", value.abs())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(measure: Measure, value: f64, lo: f64, hi: f64) -> (String, &'static str) {
        let e = Estimate { value: Some(value), lo: Some(lo), hi: Some(hi), no_meaning: None };
        let mut found = difference("a", "b", vec![(measure, e)]);
        (found.words.remove(0), found.measures[0].verdict)
    }

    #[test]
    fn a_difference_is_called_only_when_its_interval_leaves_nothing_out() {
        let better = judged(Measure::AveragePrecision, 0.03, 0.01, 0.05);
        assert_eq!(better.0, "average precision: B is better by 0.0300 (95 % interval 0.0100 to 0.0500)");
        assert_eq!(judged(Measure::Brier, -0.02, -0.03, -0.01).1, "better");
        assert_eq!(judged(Measure::Brier, 0.02, 0.01, 0.03).1, "worse");
        assert_eq!(judged(Measure::RecallPredictable, -0.2, -0.3, -0.1).1, "worse");
        let unsure = judged(Measure::AveragePrecision, 0.03, -0.01, 0.07);
        assert_eq!(unsure.1, NOTHING);
        assert!(
            unsure.0.contains("no difference can be told") && unsure.0.contains("-0.0100 to +0.0700"),
            "{unsure:?}"
        );
        let none = words(Measure::BrierSkill, &Estimate::without_meaning("no incidents"));
        assert_eq!(none, "Brier skill: no meaning (no incidents)");
    }
}
