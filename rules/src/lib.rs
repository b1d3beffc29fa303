//! Turns features into confidence-scored, explained predictions: pure over values and Polars frames.
#![warn(missing_docs)]

pub mod grid;
mod gridded;
mod last_heard;
pub mod series;

pub mod doubt;
pub mod feature;
pub mod feature_set;
pub mod features;
pub mod instance;
pub mod table;

pub mod predicate;
pub mod ruleset;

pub mod assess;
pub mod hazard;

pub mod counterfactual;
pub mod explain;
pub mod predict;
pub mod remark;

pub mod fit;
pub mod incident;
pub mod truth;

pub mod foresee;
pub mod judge;
pub mod outcome;
pub mod prior;
pub mod resolve;
