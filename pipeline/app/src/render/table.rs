//! The table for people: for each instance at risk the level, the probabilities, the window, what will break and why.

use forewarn_domain::prediction::{FailureType, Level, Prediction};
use forewarn_predict::analyze::Analysis;
use forewarn_rules::instance::SPARK;
use forewarn_rules::prior::range_of_p24;
use std::fmt::Write;

/// Renders predictions, most urgent first, and a line that counts the fleet.
pub fn table(analysis: &Analysis, predictions: &[Prediction]) -> String {
    let mut out = String::new();
    for p in predictions {
        // Writing to a string cannot fail.
        block(&mut out, analysis, p).ok();
    }
    summary(&mut out, analysis).ok();
    out
}

fn block(out: &mut String, analysis: &Analysis, p: &Prediction) -> std::fmt::Result {
    let workload = p.workload.as_ref().map(|w| format!(" ({w})")).unwrap_or_default();
    let level = p.confidence.name().to_uppercase();
    if !p.confidence.is_at_risk() {
        let why = p.notes.first().map(|n| format!("  {n}")).unwrap_or_default();
        return writeln!(out, "{level:12}  {}{workload}{why}", p.instance_id);
    }
    let prior = p.prior.as_ref().filter(|prior| prior.is_range());
    let range = prior.zip(p.probability.h24).map(|(prior, p24)| range_of_p24(prior, p24));
    let range = range.map(|(low, high)| format!(" ({} to {})", percent(low), percent(high))).unwrap_or_default();
    let percent = |v: Option<f64>| v.map_or_else(|| "?".to_owned(), percent);
    let window = p.window.as_ref().map(|w| w.text.as_str()).unwrap_or_default();
    let failure = p.failure_type.map(FailureType::name).unwrap_or_default().replace('_', " ");
    writeln!(
        out,
        "{level:12}  {}{workload}  P(24 h) {}{range}  P(72 h) {}  {failure}  {window}",
        p.instance_id,
        percent(p.probability.h24),
        percent(p.probability.h72)
    )?;
    if let Some(factor) = p.factors.first() {
        let device = factor.device.as_ref().map(|d| format!(" [{d}]")).unwrap_or_default();
        writeln!(out, "{:12}  {}{device}", "", factor.text)?;
        let row = analysis.row_of(&p.instance_id);
        if let Some(spark) = row.and_then(|r| analysis.sparks[r].get(&factor.signal)) {
            writeln!(out, "{:12}  {}  {}, 7 days", "", sparkline(spark), factor.signal.name())?;
        }
    }
    if let Some(change) = &p.counterfactual {
        writeln!(out, "{:12}  {}", "", change.text)?;
    }
    for line in p.plan.iter().flat_map(|plan| plan.lines()) {
        writeln!(out, "{:12}  {line}", "")?;
    }
    for note in &p.notes {
        writeln!(out, "{:12}  note: {note}", "")?;
    }
    writeln!(out)
}

fn summary(out: &mut String, analysis: &Analysis) -> std::fmt::Result {
    let counts = analysis.counts();
    let n = |level| counts.get(&level).copied().unwrap_or(0);
    writeln!(
        out,
        "{} instances as of {}: {} high, {} medium, {} low, {} quiet, {} unassessable",
        analysis.table.len(),
        forewarn_runtime::time::format_ms(analysis.as_of),
        n(Level::High),
        n(Level::Medium),
        n(Level::Low),
        n(Level::None),
        n(Level::Unassessable)
    )?;
    match &analysis.table.prior {
        Some(prior) if prior.is_range() => {
            writeln!(out, "base rate: {prior}; in brackets what P(24 h) would be at its ends")
        }
        Some(prior) => writeln!(out, "base rate: {prior}"),
        None => Ok(()),
    }
}

/// Writes a probability as people read one: never 0 % or 100 %.
fn percent(p: f64) -> String {
    if p < 0.01 {
        "<1 %".to_owned()
    } else if p > 0.99 {
        ">99 %".to_owned()
    } else {
        format!("{:.0} %", 100.0 * p)
    }
}

/// Draws a series between its own extremes; a dot where nothing is known.
fn sparkline(values: &[f32; SPARK]) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let known = || values.iter().copied().filter(|v| !v.is_nan());
    let (low, high) = known().fold((f32::INFINITY, f32::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
    let bar = |v: &f32| {
        if v.is_nan() {
            '·'
        } else if high > low {
            BARS[(((v - low) / (high - low)) * 7.0).round() as usize]
        } else {
            BARS[3]
        }
    };
    values.iter().map(bar).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sparkline_spans_its_own_extremes_and_shows_gaps() {
        let mut values = [0.0; SPARK];
        for (i, v) in values.iter_mut().enumerate() {
            *v = i as f32;
        }
        values[3] = f32::NAN;
        let line: Vec<char> = sparkline(&values).chars().collect();
        assert_eq!((line[0], line[3], line[SPARK - 1]), ('▁', '·', '█'));
        assert_eq!(sparkline(&[5.0; SPARK]).chars().next(), Some('▄'));
    }

    #[test]
    fn probabilities_are_never_certain() {
        assert_eq!([0.0, 0.5, 1.0].map(percent), ["<1 %", "50 %", ">99 %"]);
    }
}
