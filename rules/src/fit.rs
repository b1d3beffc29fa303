//! Learns a rule set's evidence, first-passage weights and calibrations from rows whose outcome is known.
//!
//! Rows that fire the same rules in the same bins are one pattern, so that months of a fleet become a few thousand
//! weighted cases. Evidence is learned towards each hazard by non-negative logistic regression, drawn towards what people wrote, so that
//! what the rows say nothing about stays as it was; where only the strongest rule of a group counts, the winners are assigned, the
//! weights fitted, and the winners assigned anew. The three hazards are then calibrated on scores of folds that the weights have not
//! seen, against the rate of the fleets that were learned from.

mod held_out;
mod weights;
mod write;

pub use held_out::HeldOut;
pub use write::{WriteError, write};

use crate::assess::passage_log_odds;
use crate::hazard::{EXPOSURE_HOURS, HAZARDS, MONTH_HOURS, PerHazard, exposure_log_odds};
use crate::outcome::Outcome;
use crate::ruleset::{Evidence, RuleSet};
use crate::table::FeatureTable;
use forewarn_domain::signal::SIGNALS;
use forewarn_models::calibrate::{Calibration, spline};
use forewarn_models::logistic::{Design, LogisticError, Ridge, fit_non_negative};
use std::collections::BTreeMap;
use weights::{Columns, Weights, evidence};

/// Folds that calibration is crossed over.
pub const FOLDS: usize = 5;
/// The fewest incidents that weights are learned from.
pub const MIN_INCIDENTS: usize = 30;
/// First-passage log-odds are kept in steps of a half.
const PASSAGE_STEP: f64 = 0.5;
/// Rounds of assigning winners and fitting weights.
const ROUNDS: usize = 4;
/// Incidents that pay for a bend of a calibration, and the most bends.
const INCIDENTS_PER_KNOT: usize = 40;
const MOST_KNOTS: usize = 6;
const NEWTON_STEPS: usize = 60;

/// A rule that fired and the bin it fell into; -1 for constant evidence.
type Firing = (u16, i16);

/// What the evidence sees of a row.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Pattern {
    firings: Vec<Firing>,
    /// (signal, excess of its first-passage log-odds in steps) for each hazard.
    passage: Vec<(u8, [i16; HAZARDS])>,
}

/// Rows of one pattern in one fold: [no, yes] for each hazard.
type Counts = [[f64; 2]; HAZARDS];

/// Collects rows with known outcomes, in folds of which each in turn can be left out.
#[derive(Debug)]
pub struct Observations {
    patterns: BTreeMap<Pattern, BTreeMap<Place, Counts>>,
    folds: usize,
    rows: u64,
}

/// Where a row comes from: the history, and the fold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Which of the histories.
    pub source: usize,
    /// The fold; rows of one fold are never split.
    pub fold: usize,
}

/// How much was watched of one history, and what happened.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Watched {
    /// Incidents that the rows saw.
    pub incidents: usize,
    /// Instance-hours that they watched.
    pub hours: f64,
}

impl Watched {
    /// Gives the incidents an instance-month.
    fn rate(self) -> f64 {
        self.incidents as f64 / (self.hours / MONTH_HOURS).max(f64::MIN_POSITIVE)
    }

    /// Gives the log-odds of each hazard when nothing but the rate is known; half an incident more than were seen, since none is no rate.
    fn log_odds(self, k: usize) -> f64 {
        let rate = (self.incidents as f64 + 0.5) / self.hours.max(1.0);
        exposure_log_odds(rate, EXPOSURE_HOURS[k])
    }
}

impl Default for Observations {
    fn default() -> Self {
        Self::new(FOLDS)
    }
}

/// What was learned.
#[derive(Debug, Clone, PartialEq)]
pub struct Learned {
    /// Incidents an instance-month that the rows saw.
    pub incidents_per_instance_month: f64,
    /// New evidence for each rule, in the rule set's order.
    pub evidence: Vec<Evidence>,
    /// First-passage weights of each signal.
    pub passage: [PerHazard; SIGNALS.len()],
    /// Knots of each hazard's calibration.
    pub calibration: [Vec<(f64, f64)>; HAZARDS],
    /// Rows learned from.
    pub rows: u64,
    /// Distinct patterns among them.
    pub patterns: usize,
    /// Mean log loss of the first hazard on folds that the weights have not seen.
    pub log_loss: f64,
    /// Mean squared error of its probability on the same folds.
    pub brier: f64,
}

/// Why nothing was learned.
#[derive(Debug, thiserror::Error)]
pub enum FitError {
    /// Too few incidents.
    #[error(
        "{found} incidents with a week of data before them; fit needs at least {MIN_INCIDENTS}: take a longer range, a larger fleet, or keep the defaults"
    )]
    TooFew {
        /// Incidents found.
        found: usize,
    },
    /// The regression refused its input.
    #[error("the weights could not be fitted")]
    Logistic(#[from] LogisticError),
}

impl Observations {
    /// Makes an empty collection of so many folds, at least one.
    pub fn new(folds: usize) -> Self {
        Self { patterns: BTreeMap::new(), folds: folds.max(1), rows: 0 }
    }

    /// Adds the rows of a table. `fired` is what [`RuleSet::fired`] says of it.
    pub fn add(
        &mut self,
        ruleset: &RuleSet,
        table: &FeatureTable,
        fired: &[Vec<bool>],
        outcomes: &[Outcome],
        place: Place,
    ) {
        let place = Place { fold: place.fold % self.folds, ..place };
        for (row, outcome) in outcomes.iter().enumerate() {
            if outcome.hazard.iter().all(Option::is_none) {
                continue;
            }
            let pattern = Pattern::of(ruleset, table, fired, row);
            let counts = self.patterns.entry(pattern).or_default().entry(place).or_default();
            for (count, hit) in counts.iter_mut().zip(outcome.hazard) {
                if let Some(hit) = hit {
                    count[usize::from(hit)] += 1.0;
                }
            }
            self.rows += 1;
        }
    }

    /// Adds the rows of another collection of as many folds.
    pub fn join(&mut self, other: Self) {
        debug_assert_eq!(self.folds, other.folds);
        for (pattern, places) in other.patterns {
            let sums = self.patterns.entry(pattern).or_default();
            for (place, count) in places {
                let sum = sums.entry(place).or_default();
                for (sum, count) in sum.iter_mut().flatten().zip(count.into_iter().flatten()) {
                    *sum += count;
                }
            }
        }
        self.rows += other.rows;
    }

    /// Learns evidence and calibration against the rate of each history: `watched` says how much was seen of them, in their order.
    ///
    /// # Errors
    /// When there are too few incidents to learn from.
    pub fn learn(&self, ruleset: &RuleSet, watched: &[Watched], ridge: f64) -> Result<Learned, FitError> {
        let incidents = watched.iter().map(|w| w.incidents).sum();
        if incidents < MIN_INCIDENTS {
            return Err(FitError::TooFew { found: incidents });
        }
        let all = Watched { incidents, hours: watched.iter().map(|w| w.hours).sum() };
        let knots = (incidents / INCIDENTS_PER_KNOT).min(MOST_KNOTS);
        let mut calibration = [const { Vec::new() }; HAZARDS];
        let mut losses = (f64::NAN, f64::NAN);
        for (k, knots_of) in calibration.iter_mut().enumerate() {
            let mut crossed: Vec<Scored> = Vec::new();
            for fold in 0..self.folds {
                let unseen = self.weights(ruleset, watched, ridge, (k, Some(fold)))?;
                crossed.extend(self.scores(ruleset, watched, &unseen, fold));
            }
            let calibrated = calibrate(&crossed, k, knots);
            if k == 0 {
                losses = (log_loss(&crossed, &calibrated), brier(&crossed, &calibrated));
            }
            *knots_of = calibrated.knots().to_vec();
        }
        let towards = |k| self.weights(ruleset, watched, ridge, (k, None));
        let weights = [towards(0)?, towards(1)?, towards(2)?];
        Ok(Learned {
            incidents_per_instance_month: all.rate(),
            evidence: evidence(ruleset, &weights),
            passage: std::array::from_fn(|signal| weights.each_ref().map(|w| w.passage[signal])),
            calibration,
            rows: self.rows,
            patterns: self.patterns.len(),
            log_loss: losses.0,
            brier: losses.1,
        })
    }

    /// Learns the weights towards hazard `k`, one fold left out if any.
    fn weights(
        &self,
        ruleset: &RuleSet,
        watched: &[Watched],
        ridge: f64,
        (k, without): (usize, Option<usize>),
    ) -> Result<Weights, LogisticError> {
        let columns = Columns::of(ruleset);
        let written = columns.written(ruleset, k);
        let mut weights = Weights::start(ruleset, k);
        // Where no two rules share a group, who is the strongest never changes.
        let rounds = if ruleset.groups().len() == ruleset.rules().len() { 1 } else { ROUNDS };
        for _ in 0..rounds {
            let mut design = Design::new(columns.width);
            let (mut labels, mut counts, mut offset) = (Vec::new(), Vec::new(), Vec::new());
            for (pattern, places) in &self.patterns {
                let entries = weights.entries(ruleset, &columns, pattern);
                for (source, [no, yes]) in by_source(places, k, without) {
                    for (label, count) in [(false, no), (true, yes)] {
                        if count > 0.0 {
                            design.push_row(entries.columns.iter().copied())?;
                            labels.push(label);
                            counts.push(count);
                            offset.push(entries.locked + rate_of(watched, source, k));
                        }
                    }
                }
            }
            let ridge = Ridge { strength: ridge, centre: &written };
            let fitted = fit_non_negative(&design, &labels, &counts, &offset, ridge, NEWTON_STEPS)?;
            weights.take(&columns, &fitted.coefficients);
        }
        Ok(weights)
    }

    fn scores(&self, ruleset: &RuleSet, watched: &[Watched], weights: &Weights, fold: usize) -> Vec<Scored> {
        let mut scored = Vec::new();
        for (pattern, places) in &self.patterns {
            let seen = places.iter().filter(|(place, _)| place.fold == fold);
            for (place, counts) in seen {
                let offset = rate_of(watched, place.source, weights.k);
                scored.push(Scored { score: weights.score(ruleset, pattern), offset, counts: *counts });
            }
        }
        scored
    }
}

/// The log-odds of a hazard by a history's rate alone.
fn rate_of(watched: &[Watched], source: usize, k: usize) -> f64 {
    watched.get(source).map_or(0.0, |w| w.log_odds(k))
}

/// Sums of [no, yes] towards hazard `k` by history, one fold left out if any.
fn by_source(places: &BTreeMap<Place, Counts>, k: usize, without: Option<usize>) -> BTreeMap<usize, [f64; 2]> {
    let mut sums: BTreeMap<usize, [f64; 2]> = BTreeMap::new();
    for (place, counts) in places.iter().filter(|(place, _)| Some(place.fold) != without) {
        let sum = sums.entry(place.source).or_default();
        *sum = [sum[0] + counts[k][0], sum[1] + counts[k][1]];
    }
    sums
}

/// Rows of a pattern from one place, and their evidence towards one hazard.
struct Scored {
    score: f64,
    /// The log-odds by the rate of where they come from.
    offset: f64,
    counts: Counts,
}

impl Scored {
    fn log_odds(&self, calibration: &Calibration) -> f64 {
        self.offset + calibration.apply(self.score)
    }
}

/// The cases of a hazard.
#[derive(Default)]
struct Cases {
    scores: Vec<f64>,
    /// Whether they happened.
    labels: Vec<bool>,
    /// How often they were seen.
    counts: Vec<f64>,
    offset: Vec<f64>,
}

fn cases(scored: &[Scored], k: usize) -> Cases {
    let mut cases = Cases::default();
    for s in scored {
        for (label, count) in [(false, s.counts[k][0]), (true, s.counts[k][1])] {
            if count > 0.0 {
                cases.scores.push(s.score);
                cases.labels.push(label);
                cases.counts.push(count);
                cases.offset.push(s.offset);
            }
        }
    }
    cases
}

fn calibrate(scored: &[Scored], k: usize, knots: usize) -> Calibration {
    let Cases { scores, labels, counts, offset } = cases(scored, k);
    spline(&scores, &labels, &counts, &offset, knots)
}

fn log_loss(scored: &[Scored], calibration: &Calibration) -> f64 {
    let (mut loss, mut n) = (0.0, 0.0);
    for s in scored {
        let z = s.log_odds(calibration);
        let [no, yes] = s.counts[0];
        loss += no * forewarn_models::stats::log1pexp(z) + yes * forewarn_models::stats::log1pexp(-z);
        n += no + yes;
    }
    if n > 0.0 { loss / n } else { f64::NAN }
}

fn brier(scored: &[Scored], calibration: &Calibration) -> f64 {
    let (mut loss, mut n) = (0.0, 0.0);
    for s in scored {
        let p = forewarn_models::stats::expit(s.log_odds(calibration));
        let [no, yes] = s.counts[0];
        loss += no * p * p + yes * (1.0 - p) * (1.0 - p);
        n += no + yes;
    }
    if n > 0.0 { loss / n } else { f64::NAN }
}

impl Pattern {
    fn of(ruleset: &RuleSet, table: &FeatureTable, fired: &[Vec<bool>], row: usize) -> Self {
        let mut firings = Vec::new();
        for (i, (rule, rows)) in ruleset.rules().iter().zip(fired).enumerate() {
            if !rows[row] {
                continue;
            }
            let bin = match &rule.evidence {
                Evidence::Constant(_) => Some(-1),
                binned @ Evidence::Binned { .. } => {
                    binned.of(|column| table.get(row, column)).0.map(|b| i16::try_from(b).unwrap_or(i16::MAX))
                }
            };
            if let Some(bin) = bin {
                firings.push((u16::try_from(i).unwrap_or(u16::MAX), bin));
            }
        }
        let mut passage = Vec::new();
        for spec in &SIGNALS {
            let excess = passage_log_odds(table, row, spec.signal);
            let steps = excess.map(|e| (e.clamp(0.0, 60.0) / PASSAGE_STEP).round() as i16);
            if steps.iter().any(|&s| s > 0) {
                passage.push((spec.signal as u8, steps));
            }
        }
        Self { firings, passage }
    }
}

#[cfg(test)]
mod tests;
