//! Learns a rule set's evidence, first-passage weights and calibrations from rows whose outcome is known.
//!
//! Rows that fire the same rules in the same bins are one pattern, so that months of a fleet become a few thousand
//! weighted cases. Evidence is learned towards the first hazard by non-negative regularised logistic regression; since only
//! the strongest rule of a group counts, the winners are assigned, the weights fitted, and the winners assigned anew. The
//! three hazards are then calibrated on scores of folds that the weights have not seen.

mod held_out;
mod weights;
mod write;

pub use held_out::HeldOut;
pub use write::{WriteError, write};

use crate::hazard::{HAZARDS, MONTH_HOURS, PerHazard};
use crate::ruleset::{Evidence, RuleSet};
use crate::table::FeatureTable;
use crate::truth::Outcome;
use forewarn_domain::signal::SIGNALS;
use forewarn_models::calibrate::{Calibration, spline};
use forewarn_models::logistic::{Design, LogisticError, fit_non_negative};
use std::collections::BTreeMap;
use weights::{Columns, Weights};

/// Folds that calibration is crossed over.
pub const FOLDS: usize = 5;
/// The fewest incidents that weights are learned from.
pub const MIN_INCIDENTS: usize = 30;
/// First-passage log-odds are kept in steps of a quarter.
const PASSAGE_STEP: f64 = 0.25;
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
    /// (signal, excess of its first-passage log-odds over the prior in steps) for each hazard.
    passage: Vec<(u8, [i16; HAZARDS])>,
}

/// Rows of one pattern in one fold: [no, yes] for each hazard.
type Counts = [[f64; 2]; HAZARDS];

/// Collects rows with known outcomes, in folds of which each in turn can be left out.
#[derive(Debug)]
pub struct Observations {
    patterns: BTreeMap<Pattern, Vec<Counts>>,
    folds: usize,
    rows: u64,
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
    /// First-passage weight of each signal.
    pub passage: [f64; SIGNALS.len()],
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

    /// Adds the rows of a table. `fired` is what [`RuleSet::fired`] says of it; rows of one `fold` are never split.
    pub fn add(
        &mut self,
        ruleset: &RuleSet,
        table: &FeatureTable,
        fired: &[Vec<bool>],
        outcomes: &[Outcome],
        fold: usize,
    ) {
        for (row, outcome) in outcomes.iter().enumerate() {
            if outcome.hazard.iter().all(Option::is_none) {
                continue;
            }
            let pattern = Pattern::of(ruleset, table, fired, row);
            let folds = self.patterns.entry(pattern).or_insert_with(|| vec![Counts::default(); self.folds]);
            let counts = &mut folds[fold % self.folds];
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
        for (pattern, folds) in other.patterns {
            let sums = self.patterns.entry(pattern).or_insert_with(|| vec![Counts::default(); self.folds]);
            for (sum, count) in sums.iter_mut().zip(folds) {
                for (sum, count) in sum.iter_mut().flatten().zip(count.into_iter().flatten()) {
                    *sum += count;
                }
            }
        }
        self.rows += other.rows;
    }

    /// Learns evidence and calibration; `incidents` is how many incidents the rows saw, `instance_hours` how long they watched.
    ///
    /// # Errors
    /// When there are too few incidents to learn from.
    pub fn learn(
        &self,
        ruleset: &RuleSet,
        incidents: usize,
        instance_hours: f64,
        ridge: f64,
    ) -> Result<Learned, FitError> {
        if incidents < MIN_INCIDENTS {
            return Err(FitError::TooFew { found: incidents });
        }
        let rate = incidents as f64 / (instance_hours / MONTH_HOURS).max(f64::MIN_POSITIVE);
        let prior = *ruleset.prior();
        let weights = self.weights(ruleset, ridge, None)?;
        let mut crossed: Vec<Scored> = Vec::new();
        for fold in 0..self.folds {
            let unseen = self.weights(ruleset, ridge, Some(fold))?;
            crossed.extend(self.scores(ruleset, &unseen, &prior, fold));
        }
        let knots = (incidents / INCIDENTS_PER_KNOT).min(MOST_KNOTS);
        let calibration = [0, 1, 2].map(|k| calibrate(&crossed, k, knots));
        let log_loss = log_loss(&crossed, &calibration[0]);
        let brier = brier(&crossed, &calibration[0]);
        Ok(Learned {
            incidents_per_instance_month: rate,
            evidence: self.evidence(ruleset, &weights),
            passage: self.passage(ruleset, &weights),
            calibration: calibration.map(|c| c.knots().to_vec()),
            rows: self.rows,
            patterns: self.patterns.len(),
            log_loss,
            brier,
        })
    }

    /// The learned evidence; a rule that never fired keeps what it had, because the rows say nothing about it.
    fn evidence(&self, ruleset: &RuleSet, weights: &Weights) -> Vec<Evidence> {
        let mut seen = vec![false; ruleset.rules().len()];
        for firing in self.patterns.keys().flat_map(|p| &p.firings) {
            seen[usize::from(firing.0)] = true;
        }
        let kept = ruleset.rules().iter().map(|r| r.evidence.clone());
        let learned = weights.evidence(ruleset).into_iter().zip(kept).zip(seen);
        learned.map(|((learned, kept), seen)| if seen { learned } else { kept }).collect()
    }

    /// The learned weights of first passage; a signal that never showed any keeps what it had.
    fn passage(&self, ruleset: &RuleSet, weights: &Weights) -> [f64; SIGNALS.len()] {
        let mut learned = ruleset.passage().weights;
        for (signal, _) in self.patterns.keys().flat_map(|p| &p.passage) {
            learned[usize::from(*signal)] = weights.passage[usize::from(*signal)];
        }
        learned
    }

    fn weights(&self, ruleset: &RuleSet, ridge: f64, without: Option<usize>) -> Result<Weights, LogisticError> {
        let columns = Columns::of(ruleset);
        let mut weights = Weights::start(ruleset);
        for _ in 0..ROUNDS {
            let mut design = Design::new(columns.width);
            let (mut labels, mut counts) = (Vec::new(), Vec::new());
            for (pattern, folds) in &self.patterns {
                let seen = folds.iter().enumerate().filter(|(f, _)| Some(*f) != without);
                let [no, yes] = seen.fold([0.0; 2], |s, (_, c)| [s[0] + c[0][0], s[1] + c[0][1]]);
                for (label, count) in [(false, no), (true, yes)] {
                    if count > 0.0 {
                        design.push_row(weights.entries(ruleset, &columns, pattern))?;
                        labels.push(label);
                        counts.push(count);
                    }
                }
            }
            let fitted = fit_non_negative(&design, &labels, &counts, &[], ridge, NEWTON_STEPS)?;
            weights.take(&columns, &fitted.coefficients);
        }
        Ok(weights)
    }

    fn scores(&self, ruleset: &RuleSet, weights: &Weights, prior: &PerHazard, fold: usize) -> Vec<Scored> {
        let seen = self.patterns.iter().filter(|(_, folds)| folds[fold].iter().flatten().any(|&c| c > 0.0));
        seen.map(|(p, folds)| Scored { score: weights.score(ruleset, prior, p), counts: folds[fold] }).collect()
    }
}

struct Scored {
    score: PerHazard,
    counts: Counts,
}

/// The cases of a hazard: their scores, whether they happened, and how often they were seen.
fn cases(scored: &[Scored], k: usize) -> (Vec<f64>, Vec<bool>, Vec<f64>) {
    let (mut scores, mut labels, mut counts) = (Vec::new(), Vec::new(), Vec::new());
    for s in scored {
        for (label, count) in [(false, s.counts[k][0]), (true, s.counts[k][1])] {
            if count > 0.0 {
                scores.push(s.score[k]);
                labels.push(label);
                counts.push(count);
            }
        }
    }
    (scores, labels, counts)
}

fn calibrate(scored: &[Scored], k: usize, knots: usize) -> Calibration {
    let (scores, labels, counts) = cases(scored, k);
    spline(&scores, &labels, &counts, knots)
}

fn log_loss(scored: &[Scored], calibration: &Calibration) -> f64 {
    let (mut loss, mut n) = (0.0, 0.0);
    for s in scored {
        let z = calibration.apply(s.score[0]);
        let [no, yes] = s.counts[0];
        loss += no * forewarn_models::stats::log1pexp(z) + yes * forewarn_models::stats::log1pexp(-z);
        n += no + yes;
    }
    if n > 0.0 { loss / n } else { f64::NAN }
}

fn brier(scored: &[Scored], calibration: &Calibration) -> f64 {
    let (mut loss, mut n) = (0.0, 0.0);
    for s in scored {
        let p = forewarn_models::stats::expit(calibration.apply(s.score[0]));
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
            let excess = ruleset.passage_log_odds(table, row, spec.signal);
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
