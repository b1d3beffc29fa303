//! Turns features into confidence-scored, explained predictions: pure over values and Polars frames.

pub mod assess;
pub mod counterfactual;
pub mod episode;
pub mod explain;
pub mod feature;
pub mod hazard;
pub mod predicate;
pub mod predict;
pub mod prediction;
pub mod ruleset;
pub mod signal;
pub mod table;
