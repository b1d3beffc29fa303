//! A trial in plain words.

use super::{DryRunResult, name};
use crate::backtest::Measure;
use forewarn_rules::foresee::Verdict;
use std::fmt::{self, Display, Formatter};

/// Alarms that are listed one by one.
const LISTED: usize = 20;

impl Display for DryRunResult {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let r = &self.backtest;
        writeln!(
            f,
            "{} instances from {} to {}, looked at every {} min",
            r.instances,
            r.range.from,
            r.range.to,
            r.range.step_s / 60
        )?;
        let of = |v: Verdict| self.verdicts.get(name(v)).copied().unwrap_or(0);
        let all = self.incidents.len();
        writeln!(f, "\n{} happened.", count(all, "failure"))?;
        if all > 0 {
            writeln!(f, "  forewarn would have warned of {}{}", of(Verdict::Warned), self.lead())?;
            writeln!(f, "  it would have missed {}, though there were signs", of(Verdict::Missed))?;
            writeln!(
                f,
                "  nobody could have seen {} coming: no precursor in the metrics",
                of(Verdict::NotForeseeable)
            )?;
            writeln!(f, "  of {} too little is known to say", of(Verdict::Unassessable))?;
        }
        let scorer = r.scorers.first();
        let rate = scorer.map(|s| s.measure(Measure::FalseEpisodes));
        let words = rate.and_then(|e| e.value).map(|v| format!(", {v:.3} an instance-week")).unwrap_or_default();
        writeln!(f, "It would have raised {}{words}.", count(self.false_alarms.len(), "false alarm"))?;
        if let Some((lo, hi)) = scorer.map(|s| s.measure(Measure::RecallAll)).and_then(|e| e.lo.zip(e.hi)) {
            writeln!(
                f,
                "Of failures like these it would catch {:.0} to {:.0} % (95 % interval).",
                100.0 * lo,
                100.0 * hi
            )?;
        }
        if let Some(operating) = &r.operating {
            write!(f, "\n{operating}")?;
            writeln!(f, "  at other levels:")?;
            for point in &operating.curve {
                writeln!(f, "    P(24 h) >= {:.2}: {point}", point.threshold)?;
            }
        }
        if all > 0 {
            writeln!(f, "\nfailures")?;
        }
        for i in &self.incidents {
            let cause = i.cause.as_deref().unwrap_or("cause not known").replace('_', " ");
            writeln!(f, "  {}  {}  {cause}: {}, {}", i.ts, i.instance_id, name(i.verdict).replace('_', " "), i.why)?;
        }
        if !self.false_alarms.is_empty() {
            writeln!(f, "\nfalse alarms")?;
        }
        for a in self.false_alarms.iter().take(LISTED) {
            let what = a.failure_type.unwrap_or("trouble").replace('_', " ");
            writeln!(f, "  {}  {}  {what}, until {}", a.from, a.instance_id, a.to)?;
        }
        if self.false_alarms.len() > LISTED {
            writeln!(f, "  and {} more (--format json has all)", self.false_alarms.len() - LISTED)?;
        }
        writeln!(f)?;
        for caveat in &self.caveats {
            writeln!(f, "keep in mind: {caveat}")?;
        }
        for note in &r.notes {
            writeln!(f, "note: {note}")?;
        }
        Ok(())
    }
}

impl DryRunResult {
    fn lead(&self) -> String {
        let mut leads: Vec<f64> = self.incidents.iter().filter_map(|i| i.lead_h).collect();
        match forewarn_models::stats::quantile(&mut leads, 0.5) {
            Some(median) => format!(", half of them {median:.0} hours ahead or more"),
            None => String::new(),
        }
    }
}

fn count(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}
