//! The live report for people.

use super::drift::Drift;
use super::live::LiveReport;
use super::measure::Measure;
use super::text::cell;
use std::fmt::{self, Display, Formatter};

impl Display for LiveReport {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.report)?;
        let r = &self.rounds;
        writeln!(f, "\nrounds: {} of {} times looked at", r.held, r.steps)?;
        if r.left_out > 0 {
            writeln!(f, "left out: {} rounds of other rule sets, or further ones within a step", r.left_out)?;
        }
        if let Some(drift) = &self.drift {
            write!(f, "{drift}")?;
        }
        if self.by_workload.is_empty() {
            return Ok(());
        }
        writeln!(
            f,
            "\n{:28}  {:>9}  {:>9}  {:22}  {:22}  false episodes a week",
            "by workload", "instances", "incidents", "episode precision", "recall"
        )?;
        for w in &self.by_workload {
            let of = |m: Measure| cell(m, &w.measures.get(m.name()).copied().unwrap_or_default());
            writeln!(
                f,
                "{:28}  {:>9}  {:>9}  {:22}  {:22}  {}",
                w.workload,
                w.instances,
                w.counts.incidents,
                of(Measure::EpisodePrecision),
                of(Measure::RecallAll),
                of(Measure::FalseEpisodes)
            )?;
        }
        Ok(())
    }
}

impl Display for Drift {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "\nof late (from {}) against before:", self.late_from)?;
        let index = cell(Measure::RowPrecision, &self.psi);
        writeln!(f, "  scores: {} (stability index {index})", self.scores)?;
        for (name, period) in [("before", &self.earlier), ("of late", &self.late)] {
            if let (Some(said), Some(happened)) = (period.said, period.happened) {
                writeln!(f, "  {name}: said {said:.4} on average, {happened:.4} happened")?;
            }
        }
        let change = cell(Measure::Ece, &self.gap_change);
        writeln!(f, "  calibration: {} (change of the gap {change})", self.calibration)
    }
}
