//! How one scorer stands: every measure, kept by cluster.

use super::measure::{Counts, Measure};
use super::ratio::{Ranked, Ratio};
use super::records::{Instance, Records, ahead, episodes};
use super::units::Units;
use forewarn_domain::time::HOUR_MS;
use forewarn_models::score::{CALIBRATION_BINS, CalibrationLine, PrecisionRecall, calibration_line, precision_recall};
use forewarn_models::stats::quantile;
use forewarn_predict::truth::RowTruth;
use std::collections::BTreeSet;

/// Picks rows by instance and step.
type Only<'a> = &'a dyn Fn(&Instance, usize) -> bool;

/// One bin of the reliability table: what was said and what happened, by cluster.
#[derive(Debug)]
pub(super) struct Bin {
    /// Sum of the probabilities, over the rows.
    pub(super) said: Ratio,
    /// Rows followed by an incident, over the rows.
    pub(super) happened: Ratio,
    /// Distinct incidents that follow its rows.
    pub(super) incidents: BTreeSet<(u32, u32)>,
}

/// How a scorer stands: every measure, by cluster.
#[derive(Debug)]
pub(super) struct ScorerStats {
    pub(super) rows: Ratio,
    pub(super) episodes: Ratio,
    pub(super) predictable: Ratio,
    pub(super) all: Ratio,
    /// False episodes over instance-weeks.
    false_rate: Ratio,
    brier: Ratio,
    base: Ratio,
    pub(super) bins: Vec<Bin>,
    ranked: Ranked,
    /// (hours, cluster) of predictable incidents caught.
    leads: Vec<(f64, u32)>,
}

impl ScorerStats {
    /// Counts the rows of one scorer; with `only`, just the rows for which it holds, and no incidents.
    pub(super) fn of(records: &Records, units: &Units, scorer: usize, only: Option<Only<'_>>) -> Self {
        let n = units.clusters;
        let ratio = || Ratio::new(n);
        let bin = |_| Bin { said: ratio(), happened: ratio(), incidents: BTreeSet::new() };
        let mut scorer_stats = Self {
            rows: ratio(),
            episodes: ratio(),
            predictable: ratio(),
            all: ratio(),
            false_rate: ratio(),
            brier: ratio(),
            base: ratio(),
            bins: (0..CALIBRATION_BINS).map(bin).collect(),
            ranked: Ranked::default(),
            leads: Vec::new(),
        };
        let mut ranked = Vec::new();
        for (at, instance) in records.instances.values().enumerate() {
            let Some(verdict) = instance.verdicts.get(scorer) else { continue };
            for (step, truth) in instance.truth.iter().enumerate() {
                let hit = match truth {
                    RowTruth::Followed => true,
                    RowTruth::Quiet => false,
                    RowTruth::Censored(_) => continue,
                };
                let (p, cluster) = (verdict.p[step], units.row(at, step));
                scorer_stats.false_rate.add(cluster, 0.0, units.weeks_a_row);
                if only.is_some_and(|f| !f(instance, step)) {
                    continue;
                }
                scorer_stats.row(p, hit, cluster);
                ranked.push((p, cluster, hit));
                if hit && let Some(next) = units.next_incident(instance, records.time(step)) {
                    scorer_stats.bins[bin_of(p)].incidents.insert((at as u32, next));
                }
                if verdict.high[step] {
                    scorer_stats.rows.case(cluster, hit);
                }
            }
            let high = |step: usize| verdict.high[step] && only.is_none_or(|f| f(instance, step));
            for episode in episodes(&records.times, &instance.truth, high) {
                let cluster = units.row(at, episode.first);
                scorer_stats.episodes.case(cluster, episode.right);
                scorer_stats.false_rate.add(cluster, f64::from(u8::from(!episode.right)), 0.0);
            }
            if only.is_none() {
                scorer_stats.catch(records, units, at, instance, &verdict.high);
            }
        }
        scorer_stats.ranked = Ranked::new(ranked);
        scorer_stats.leads.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        scorer_stats
    }

    fn row(&mut self, p: f64, hit: bool, cluster: u32) {
        let happened = f64::from(u8::from(hit));
        self.brier.add(cluster, (p - happened).powi(2), 1.0);
        self.base.add(cluster, happened, 1.0);
        let bin = &mut self.bins[bin_of(p)];
        bin.said.add(cluster, p, 1.0);
        bin.happened.add(cluster, happened, 1.0);
    }

    fn catch(&mut self, records: &Records, units: &Units, at: usize, instance: &Instance, high: &[bool]) {
        for incident in units.counted(records.steps, at, instance) {
            let warned = ahead(&records.times, incident.ts).find(|step| high[*step]);
            self.all.case(incident.cluster, warned.is_some());
            if incident.predictable {
                self.predictable.case(incident.cluster, warned.is_some());
                if let Some(step) = warned {
                    self.leads.push(((incident.ts - records.time(step)) as f64 / HOUR_MS as f64, incident.cluster));
                }
            }
        }
    }

    /// Gives a measure when cluster k weighs `weights[k]`; NaN where it has no meaning.
    pub(super) fn value(&self, measure: Measure, weights: &[f64]) -> f64 {
        match measure {
            Measure::RowPrecision => self.rows.at(weights),
            Measure::EpisodePrecision => self.episodes.at(weights),
            Measure::RecallPredictable => self.predictable.at(weights),
            Measure::RecallAll => self.all.at(weights),
            Measure::F1 => harmonic(self.episodes.at(weights), self.predictable.at(weights)),
            Measure::FalseEpisodes => self.false_rate.at(weights),
            Measure::LeadHours => self.lead(0.5, weights),
            Measure::AveragePrecision => self.ranked.average_precision(weights, self.base.sums(weights).0),
            Measure::Brier => self.brier.at(weights),
            Measure::BrierSkill => {
                let base = self.base.at(weights);
                let reference = base * (1.0 - base);
                if reference > 0.0 { 1.0 - self.brier.at(weights) / reference } else { f64::NAN }
            }
            Measure::Ece => self.calibration_error(weights),
        }
    }

    /// Gives what the measures are made of.
    pub(super) fn counts(&self) -> Counts {
        let whole = |ratio: &Ratio| {
            let (over, under) = ratio.sums(&vec![1.0; ratio.clusters()]);
            (over as u64, under as u64)
        };
        let ((followed, scored), (right, episodes)) = (whole(&self.base), whole(&self.episodes));
        let ((caught, predictable), (caught_all, incidents)) = (whole(&self.predictable), whole(&self.all));
        let (high_followed, high) = whole(&self.rows);
        Counts {
            scored,
            followed,
            high,
            high_followed,
            episodes,
            false_episodes: episodes - right,
            incidents,
            caught_all,
            predictable,
            caught,
        }
    }

    fn calibration_error(&self, weights: &[f64]) -> f64 {
        let (mut gap, mut rows) = (0.0, 0.0);
        for bin in &self.bins {
            let ((said, n), (happened, _)) = (bin.said.sums(weights), bin.happened.sums(weights));
            gap += (said - happened).abs();
            rows += n;
        }
        gap / rows
    }

    /// A quantile of the lead, hours; NaN where nothing was caught.
    pub(super) fn lead(&self, q: f64, weights: &[f64]) -> f64 {
        let times = |cluster: u32| weights[cluster as usize] as usize;
        let mut leads: Vec<f64> =
            self.leads.iter().flat_map(|(hours, cluster)| std::iter::repeat_n(*hours, times(*cluster))).collect();
        quantile(&mut leads, q).unwrap_or(f64::NAN)
    }

    /// Precision and recall from the highest score down, at most `points` of them beside the last.
    pub(super) fn curve(&self, points: usize) -> Vec<PrecisionRecall> {
        let (labels, scores, counts) = self.ranked.cases(&vec![1.0; self.base.clusters()]);
        let whole = precision_recall(&labels, &scores, &counts);
        let step = 1.0 / points.max(1) as f64;
        let mut kept: Vec<PrecisionRecall> = Vec::new();
        for (i, point) in whole.iter().enumerate() {
            let is_last = i + 1 == whole.len();
            if is_last || kept.last().map_or(0.0, |k| k.recall) + step <= point.recall {
                kept.push(*point);
            }
        }
        kept
    }

    /// The calibration line; None where it has no meaning.
    pub(super) fn line(&self) -> Option<CalibrationLine> {
        let (labels, scores, counts) = self.ranked.cases(&vec![1.0; self.base.clusters()]);
        calibration_line(&labels, &scores, &counts)
    }
}

fn bin_of(p: f64) -> usize {
    ((p * CALIBRATION_BINS as f64) as usize).min(CALIBRATION_BINS - 1)
}

fn harmonic(a: f64, b: f64) -> f64 {
    if a + b > 0.0 { 2.0 * a * b / (a + b) } else { a + b }
}

#[cfg(test)]
mod tests;
