//! The measures of one scorer, kept by cluster, so that a resampled fleet costs a sum and not a replay.

use super::records::{Instance, Records, ahead, episodes};
use super::truth::RowTruth;
use super::units::Units;
use forewarn_models::score::{CALIBRATION_BINS, CalibrationLine, PrecisionRecall, calibration_line, precision_recall};
use forewarn_models::stats::quantile;
use forewarn_rules::grid::HOUR_MS;
use serde::Serialize;
use std::collections::BTreeSet;

/// One number about a scorer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Measure {
    /// Share of high rows that an incident follows within 24 hours.
    RowPrecision,
    /// Share of high episodes with such a row.
    EpisodePrecision,
    /// Share of predictable incidents with a high row 1 to 24 hours ahead.
    RecallPredictable,
    /// The same of all incidents.
    RecallAll,
    /// Harmonic mean of episode precision and recall of predictable incidents.
    F1,
    /// False high episodes an instance-week.
    FalseEpisodes,
    /// Median hours from the first high row of the last day to the incident, over predictable incidents caught.
    LeadHours,
    /// Average precision of p24.
    AveragePrecision,
    /// Brier score of p24.
    Brier,
    /// Its skill against always saying the base rate.
    BrierSkill,
    /// Expected calibration error of p24, 20 bins.
    Ece,
}

impl Measure {
    /// Every measure, in the order of tables.
    pub const ALL: [Self; 11] = [
        Self::RowPrecision,
        Self::EpisodePrecision,
        Self::RecallPredictable,
        Self::RecallAll,
        Self::F1,
        Self::FalseEpisodes,
        Self::LeadHours,
        Self::AveragePrecision,
        Self::Brier,
        Self::BrierSkill,
        Self::Ece,
    ];

    /// Gives the name in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::RowPrecision => "row_precision",
            Self::EpisodePrecision => "episode_precision",
            Self::RecallPredictable => "recall_predictable",
            Self::RecallAll => "recall_all",
            Self::F1 => "f1",
            Self::FalseEpisodes => "false_episodes_per_instance_week",
            Self::LeadHours => "median_lead_hours",
            Self::AveragePrecision => "average_precision",
            Self::Brier => "brier",
            Self::BrierSkill => "brier_skill",
            Self::Ece => "ece",
        }
    }

    /// Gives the words in tables.
    pub const fn label(self) -> &'static str {
        match self {
            Self::RowPrecision => "row precision",
            Self::EpisodePrecision => "episode precision",
            Self::RecallPredictable => "recall of predictable",
            Self::RecallAll => "recall of all",
            Self::F1 => "F1",
            Self::FalseEpisodes => "false episodes a week",
            Self::LeadHours => "median lead, hours",
            Self::AveragePrecision => "average precision",
            Self::Brier => "Brier score",
            Self::BrierSkill => "Brier skill",
            Self::Ece => "calibration error",
        }
    }

    /// Says whether less is better.
    pub const fn is_loss(self) -> bool {
        matches!(self, Self::FalseEpisodes | Self::Brier | Self::Ece)
    }
}

/// A share or a mean, by cluster.
#[derive(Debug, Clone)]
pub(super) struct Ratio {
    over: Vec<f64>,
    under: Vec<f64>,
}

impl Ratio {
    pub(super) fn new(clusters: usize) -> Self {
        Self { over: vec![0.0; clusters], under: vec![0.0; clusters] }
    }

    pub(super) fn add(&mut self, cluster: u32, over: f64, under: f64) {
        self.over[cluster as usize] += over;
        self.under[cluster as usize] += under;
    }

    /// Counts one case.
    pub(super) fn case(&mut self, cluster: u32, hit: bool) {
        self.add(cluster, f64::from(u8::from(hit)), 1.0);
    }

    pub(super) fn sums(&self, weights: &[f64]) -> (f64, f64) {
        let terms = weights.iter().zip(self.over.iter().zip(&self.under));
        terms.fold((0.0, 0.0), |(over, under), (w, (o, u))| (over + w * o, under + w * u))
    }

    /// The value when cluster k weighs `weights[k]`; NaN where nothing is counted.
    pub(super) fn at(&self, weights: &[f64]) -> f64 {
        let (over, under) = self.sums(weights);
        over / under
    }
}

/// Rows in order of falling score, alike ones together.
#[derive(Debug, Default)]
struct Ranked {
    /// (cluster, rows, rows followed by an incident).
    entries: Vec<(u32, u32, u32)>,
    /// The score of each tie, and where its entries end.
    ties: Vec<(f64, usize)>,
}

impl Ranked {
    fn new(mut rows: Vec<(f64, u32, bool)>) -> Self {
        rows.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        let mut out = Self::default();
        for tied in rows.chunk_by(|a, b| a.0.total_cmp(&b.0).is_eq()) {
            for same in tied.chunk_by(|a, b| a.1 == b.1) {
                out.entries.push((same[0].1, same.len() as u32, same.iter().filter(|r| r.2).count() as u32));
            }
            out.ties.push((tied[0].0, out.entries.len()));
        }
        out
    }

    /// Calls `each` with (score, weight of the rows, weight of those followed) from the highest score down.
    fn walk(&self, weights: &[f64], mut each: impl FnMut(f64, f64, f64)) {
        let mut begin = 0;
        for &(score, end) in &self.ties {
            let (mut rows, mut hits) = (0.0, 0.0);
            for &(cluster, n, followed) in &self.entries[begin..end] {
                rows += weights[cluster as usize] * f64::from(n);
                hits += weights[cluster as usize] * f64::from(followed);
            }
            each(score, rows, hits);
            begin = end;
        }
    }

    /// As `forewarn_models::score::average_precision`; NaN where no row is followed.
    fn average_precision(&self, weights: &[f64], positives: f64) -> f64 {
        let (mut called, mut hits, mut area) = (0.0, 0.0, 0.0);
        self.walk(weights, |_, rows, followed| {
            called += rows;
            hits += followed;
            if followed > 0.0 {
                area += followed / positives * (hits / called);
            }
        });
        if positives > 0.0 { area } else { f64::NAN }
    }

    /// The rows as weighted cases, two for each tie.
    fn cases(&self, weights: &[f64]) -> (Vec<bool>, Vec<f64>, Vec<f64>) {
        let (mut labels, mut scores, mut counts) = (Vec::new(), Vec::new(), Vec::new());
        self.walk(weights, |score, rows, hits| {
            for (label, n) in [(true, hits), (false, rows - hits)] {
                labels.push(label);
                scores.push(score);
                counts.push(n);
            }
        });
        (labels, scores, counts)
    }
}

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

/// What the measures are made of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Rows whose next 24 hours are known.
    pub scored: u64,
    /// Those that an incident follows.
    pub followed: u64,
    /// Scored rows with an alarm.
    pub high: u64,
    /// Those that an incident follows.
    pub high_followed: u64,
    /// Episodes.
    pub episodes: u64,
    /// Episodes without an incident.
    pub false_episodes: u64,
    /// Incidents that could have been warned of.
    pub incidents: u64,
    /// Those warned of.
    pub caught_all: u64,
    /// Predictable ones among them.
    pub predictable: u64,
    /// Those warned of.
    pub caught: u64,
}

impl Measure {
    /// Says why the measure has no meaning; None where it has one.
    pub fn without_meaning(self, c: &Counts) -> Option<&'static str> {
        let needs_incidents = matches!(
            self,
            Self::RowPrecision | Self::EpisodePrecision | Self::F1 | Self::AveragePrecision | Self::BrierSkill
        );
        let is_recall = matches!(self, Self::RecallPredictable | Self::RecallAll | Self::F1 | Self::LeadHours);
        if c.scored == 0 {
            Some("no row can be scored")
        } else if needs_incidents && c.followed == 0 || is_recall && c.incidents == 0 {
            Some("no incidents")
        } else if is_recall && self != Self::RecallAll && c.predictable == 0 {
            Some("no predictable incidents")
        } else if matches!(self, Self::RowPrecision | Self::EpisodePrecision | Self::F1) && c.high == 0 {
            Some("never high")
        } else if self == Self::LeadHours && c.caught == 0 {
            Some("none caught")
        } else if self == Self::BrierSkill && c.followed == c.scored {
            Some("nothing but incidents")
        } else {
            None
        }
    }
}

/// How a scorer stands: every measure, by cluster.
#[derive(Debug)]
pub(super) struct Stand {
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

impl Stand {
    /// Counts the rows of one scorer; with `only`, just the rows for which it holds, and no incidents.
    pub(super) fn of(
        records: &Records,
        units: &Units,
        scorer: usize,
        only: Option<&dyn Fn(&Instance, usize) -> bool>,
    ) -> Self {
        let n = units.clusters;
        let ratio = || Ratio::new(n);
        let bin = |_| Bin { said: ratio(), happened: ratio(), incidents: BTreeSet::new() };
        let mut stand = Self {
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
                stand.false_rate.add(cluster, 0.0, units.weeks_a_row);
                if only.is_some_and(|f| !f(instance, step)) {
                    continue;
                }
                stand.row(p, hit, cluster);
                ranked.push((p, cluster, hit));
                if hit && let Some(next) = units.next_incident(instance, records.time(step)) {
                    stand.bins[bin_of(p)].incidents.insert((at as u32, next));
                }
                if verdict.high[step] {
                    stand.rows.case(cluster, hit);
                }
            }
            let high = |step: usize| verdict.high[step] && only.is_none_or(|f| f(instance, step));
            for episode in episodes(records.steps, &instance.truth, high) {
                let cluster = units.row(at, episode.first);
                stand.episodes.case(cluster, episode.right);
                stand.false_rate.add(cluster, f64::from(u8::from(!episode.right)), 0.0);
            }
            if only.is_none() {
                stand.catch(records, units, at, instance, &verdict.high);
            }
        }
        stand.ranked = Ranked::new(ranked);
        stand.leads.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        stand
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
            let warned = ahead(records.steps, high.len(), incident.ts).find(|step| high[*step]);
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
            let (over, under) = ratio.sums(&vec![1.0; ratio.over.len()]);
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
        let (labels, scores, counts) = self.ranked.cases(&vec![1.0; self.base.over.len()]);
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
        let (labels, scores, counts) = self.ranked.cases(&vec![1.0; self.base.over.len()]);
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
