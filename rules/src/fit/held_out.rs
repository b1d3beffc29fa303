//! How well a kind of failure is foreseen by weights that have never seen it.

use super::{Cases, FitError, Observations, Watched, cases};
use crate::ruleset::RuleSet;
use forewarn_models::score::average_precision;

/// How well the incidents of one fold are foreseen, on the rows of that fold.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HeldOut {
    /// Average precision of weights learned from every fold, this one included.
    pub seen: f64,
    /// Average precision of weights learned from the others alone.
    pub unseen: f64,
}

impl Observations {
    /// Leaves out each fold in turn; None for a fold without a row that an incident followed.
    ///
    /// With a fold for each cause this asks what a rule set is worth against failures that its makers never met.
    ///
    /// # Errors
    /// When the regression refuses its input.
    pub fn hold_out(
        &self,
        ruleset: &RuleSet,
        watched: &[Watched],
        ridge: f64,
    ) -> Result<Vec<Option<HeldOut>>, FitError> {
        let all = self.weights(ruleset, watched, ridge, (0, None))?;
        let of_fold = |fold: usize| {
            let others = self.weights(ruleset, watched, ridge, (0, Some(fold)))?;
            let [seen, unseen] = [&all, &others].map(|weights| {
                let Cases { scores, labels, counts, offset } = cases(&self.scores(ruleset, watched, weights, fold), 0);
                let scores: Vec<f64> = scores.iter().zip(offset).map(|(score, offset)| score + offset).collect();
                labels.contains(&true).then(|| average_precision(&labels, &scores, &counts))
            });
            Ok(seen.zip(unseen).map(|(seen, unseen)| HeldOut { seen, unseen }))
        };
        (0..self.folds).map(of_fold).collect()
    }
}
