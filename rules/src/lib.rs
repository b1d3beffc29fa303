//! Turns features into confidence-scored, explained predictions: pure over values and Polars frames.

pub mod feature;
pub mod prediction;
pub mod signal;
pub mod table;
