//! The weights that a regression fits towards one hazard, and what a pattern scores under them.

use super::{Firing, PASSAGE_STEP, Pattern};
use crate::hazard::PerHazard;
use crate::ruleset::{Evidence, RuleSet};
use forewarn_domain::signal::SIGNALS;

/// Evidence that every rule of a group starts from at least, so that it gets a chance to be the strongest.
const LEAST_START: f64 = 0.1;

/// Where the weights of rules, bins and signals stand among the columns of the regression.
pub(super) struct Columns {
    /// First column of each rule; a binned rule has one for each bin: the rise over the bin before. None for a locked rule.
    rules: Vec<Option<usize>>,
    passage: usize,
    pub(super) width: usize,
}

impl Columns {
    pub(super) fn of(ruleset: &RuleSet) -> Self {
        let mut at = 0;
        let mut rules = Vec::new();
        for rule in ruleset.rules() {
            rules.push((!rule.locked).then_some(at));
            if !rule.locked {
                at += bins(&rule.evidence, 0).len();
            }
        }
        Self { rules, passage: at, width: at + SIGNALS.len() }
    }

    /// What people wrote, column by column.
    pub(super) fn written(&self, ruleset: &RuleSet, k: usize) -> Vec<f64> {
        let mut written = vec![0.0; self.width];
        for (rule, first) in ruleset.rules().iter().zip(&self.rules) {
            let Some(first) = *first else { continue };
            let mut below = 0.0;
            for (bin, evidence) in bins(&rule.evidence, k).into_iter().enumerate() {
                written[first + bin] = evidence - below;
                below = evidence;
            }
        }
        for (column, weights) in written[self.passage..].iter_mut().zip(&ruleset.passage().weights) {
            *column = weights[k];
        }
        written
    }
}

/// The evidence of each bin towards hazard `k`, or the only one.
fn bins(evidence: &Evidence, k: usize) -> Vec<f64> {
    match evidence {
        Evidence::Constant(e) => vec![e[k]],
        Evidence::Binned { bins, .. } => bins.iter().map(|(_, e)| e[k]).collect(),
    }
}

/// The weights towards one hazard.
pub(super) struct Weights {
    /// Which hazard.
    pub(super) k: usize,
    /// Evidence of each rule, by bin.
    pub(super) rules: Vec<Vec<f64>>,
    pub(super) passage: [f64; SIGNALS.len()],
    cap: f64,
}

/// What counts towards the hazard in rows of a pattern.
pub(super) struct Entries {
    /// Columns of the regression and their values.
    pub(super) columns: Vec<(usize, f32)>,
    /// What locked rules add.
    pub(super) locked: f64,
}

impl Weights {
    /// Starts from the evidence that the rule set has.
    pub(super) fn start(ruleset: &RuleSet, k: usize) -> Self {
        let start = |rule: &crate::ruleset::Rule| {
            let least = if rule.locked { 0.0 } else { LEAST_START };
            bins(&rule.evidence, k).into_iter().map(|e| e.max(least)).collect()
        };
        let passage = ruleset.passage().weights.map(|w| w[k]);
        Self { k, rules: ruleset.rules().iter().map(start).collect(), passage, cap: ruleset.passage().cap }
    }

    fn of(&self, firing: Firing) -> f64 {
        self.rules[usize::from(firing.0)][usize::try_from(firing.1).unwrap_or(0)]
    }

    /// The strongest firing of each group.
    fn winners<'p>(&self, ruleset: &RuleSet, pattern: &'p Pattern) -> Vec<Option<&'p Firing>> {
        let mut winners: Vec<Option<&Firing>> = vec![None; ruleset.groups().len()];
        for firing in &pattern.firings {
            let held = &mut winners[ruleset.rules()[usize::from(firing.0)].group];
            if held.is_none_or(|h| self.of(*firing) > self.of(*h)) {
                *held = Some(firing);
            }
        }
        winners
    }

    pub(super) fn entries(&self, ruleset: &RuleSet, columns: &Columns, pattern: &Pattern) -> Entries {
        let mut entries = Entries { columns: Vec::new(), locked: 0.0 };
        for firing in self.winners(ruleset, pattern).into_iter().flatten() {
            let Some(first) = columns.rules[usize::from(firing.0)] else {
                entries.locked += self.of(*firing);
                continue;
            };
            let bins = 0..=usize::try_from(firing.1).unwrap_or(0);
            entries.columns.extend(bins.map(|bin| (first + bin, 1.0)));
        }
        for (signal, steps) in &pattern.passage {
            let excess = f64::from(steps[self.k]) * PASSAGE_STEP;
            entries.columns.push((columns.passage + usize::from(*signal), excess as f32));
        }
        entries
    }

    pub(super) fn take(&mut self, columns: &Columns, coefficients: &[f64]) {
        for (bins, first) in self.rules.iter_mut().zip(&columns.rules) {
            let Some(first) = *first else { continue };
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

    /// The evidence of a pattern, without the prior.
    pub(super) fn score(&self, ruleset: &RuleSet, pattern: &Pattern) -> f64 {
        let rules: f64 = self.winners(ruleset, pattern).into_iter().flatten().map(|f| self.of(*f)).sum();
        let passage = pattern.passage.iter().map(|(signal, steps)| {
            (self.passage[usize::from(*signal)] * f64::from(steps[self.k]) * PASSAGE_STEP).min(self.cap)
        });
        rules + passage.sum::<f64>()
    }
}

/// The evidence of each rule, put together from the weights towards each hazard.
pub(super) fn evidence(ruleset: &RuleSet, weights: &[Weights; 3]) -> Vec<Evidence> {
    let learned = |rule: usize, bin: usize| -> PerHazard { weights.each_ref().map(|w| w.rules[rule][bin]) };
    let rules = ruleset.rules().iter().enumerate();
    rules
        .map(|(i, rule)| match &rule.evidence {
            Evidence::Constant(_) => Evidence::Constant(learned(i, 0)),
            Evidence::Binned { feature, bins } => Evidence::Binned {
                feature: *feature,
                bins: bins.iter().enumerate().map(|(bin, (edge, _))| (*edge, learned(i, bin))).collect(),
            },
        })
        .collect()
}
