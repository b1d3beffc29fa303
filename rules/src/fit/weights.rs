//! The weights that a regression fits, and what a pattern scores under them.

use super::{Firing, PASSAGE_STEP, Pattern};
use crate::hazard::PerHazard;
use crate::ruleset::{Evidence, RuleSet};
use forewarn_domain::signal::SIGNALS;

/// Evidence that every rule starts from at least.
const LEAST_START: f64 = 0.1;

/// Where the weights of rules, bins and signals stand among the columns of the regression.
pub(super) struct Columns {
    /// First column of each rule; a binned rule has one for each bin: the rise over the bin before.
    rules: Vec<usize>,
    passage: usize,
    pub(super) width: usize,
}

impl Columns {
    pub(super) fn of(ruleset: &RuleSet) -> Self {
        let mut at = 0;
        let mut rules = Vec::new();
        for rule in ruleset.rules() {
            rules.push(at);
            at += match &rule.evidence {
                Evidence::Constant(_) => 1,
                Evidence::Binned { bins, .. } => bins.len(),
            };
        }
        Self { rules, passage: at, width: at + SIGNALS.len() }
    }
}

pub(super) struct Weights {
    /// Evidence of each rule, by bin.
    rules: Vec<Vec<f64>>,
    pub(super) passage: [f64; SIGNALS.len()],
    cap: f64,
}

impl Weights {
    /// Starts from the evidence that the rule set has; what it holds worthless gets a chance to show itself.
    pub(super) fn start(ruleset: &RuleSet) -> Self {
        let rules = ruleset.rules().iter().map(|r| match &r.evidence {
            Evidence::Constant(e) => vec![e.max(LEAST_START)],
            Evidence::Binned { bins, .. } => bins.iter().map(|b| b.1.max(LEAST_START)).collect(),
        });
        let passage = ruleset.passage().weights.map(|w| w.max(LEAST_START));
        Self { rules: rules.collect(), passage, cap: ruleset.passage().cap }
    }

    fn of(&self, firing: Firing) -> f64 {
        self.rules[usize::from(firing.0)][usize::try_from(firing.1).unwrap_or(0)]
    }

    /// The strongest firing of each group towards hazard `k`.
    fn winners<'p>(&self, ruleset: &RuleSet, pattern: &'p Pattern, k: usize) -> Vec<Option<&'p Firing>> {
        let mut winners: Vec<Option<&Firing>> = vec![None; ruleset.groups().len()];
        let share = |f: &Firing| ruleset.rules()[usize::from(f.0)].horizons[k];
        for firing in &pattern.firings {
            let held = &mut winners[ruleset.rules()[usize::from(firing.0)].group];
            if held.is_none_or(|h| self.of(*firing) * share(firing) > self.of(*h) * share(h)) {
                *held = Some(firing);
            }
        }
        winners
    }

    fn passage_winner(&self, pattern: &Pattern, k: usize) -> Option<(usize, f64)> {
        let mut best: Option<(usize, f64)> = None;
        for (signal, steps) in &pattern.passage {
            let signal = usize::from(*signal);
            let excess = f64::from(steps[k]) * PASSAGE_STEP;
            let worth = |s: usize, e: f64| (self.passage[s] * e).min(self.cap);
            if excess > 0.0 && best.is_none_or(|b| worth(signal, excess) > worth(b.0, b.1)) {
                best = Some((signal, excess));
            }
        }
        best
    }

    /// The columns that count towards the first hazard in rows of a pattern.
    pub(super) fn entries(&self, ruleset: &RuleSet, columns: &Columns, pattern: &Pattern) -> Vec<(usize, f32)> {
        let mut entries = Vec::new();
        for firing in self.winners(ruleset, pattern, 0).into_iter().flatten() {
            let first = columns.rules[usize::from(firing.0)];
            for bin in 0..=usize::try_from(firing.1).unwrap_or(0) {
                entries.push((first + bin, 1.0));
            }
        }
        if let Some((signal, excess)) = self.passage_winner(pattern, 0) {
            entries.push((columns.passage + signal, excess as f32));
        }
        entries.sort_unstable_by_key(|e| e.0);
        entries
    }

    pub(super) fn take(&mut self, columns: &Columns, coefficients: &[f64]) {
        for (bins, &first) in self.rules.iter_mut().zip(&columns.rules) {
            let mut sum = 0.0;
            for (bin, value) in bins.iter_mut().enumerate() {
                sum += coefficients[first + bin];
                *value = sum;
            }
        }
        for (weight, value) in self.passage.iter_mut().zip(&coefficients[columns.passage..]) {
            *weight = *value;
        }
    }

    pub(super) fn score(&self, ruleset: &RuleSet, prior: &PerHazard, pattern: &Pattern) -> PerHazard {
        let mut z = *prior;
        for (k, z) in z.iter_mut().enumerate() {
            for firing in self.winners(ruleset, pattern, k).into_iter().flatten() {
                *z += self.of(*firing) * ruleset.rules()[usize::from(firing.0)].horizons[k];
            }
            if let Some((signal, excess)) = self.passage_winner(pattern, k) {
                *z += (self.passage[signal] * excess).min(self.cap);
            }
        }
        z
    }

    pub(super) fn evidence(&self, ruleset: &RuleSet) -> Vec<Evidence> {
        let rules = ruleset.rules().iter().zip(&self.rules);
        rules
            .map(|(rule, learned)| match &rule.evidence {
                Evidence::Constant(_) => Evidence::Constant(learned[0]),
                Evidence::Binned { feature, bins } => Evidence::Binned {
                    feature: *feature,
                    bins: bins.iter().zip(learned).map(|(b, e)| (b.0, *e)).collect(),
                },
            })
            .collect()
    }
}
