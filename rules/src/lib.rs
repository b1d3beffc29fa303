//! Turns features into confidence-scored, explained predictions: pure over values and Polars frames.

pub mod feature;
pub mod features;
pub mod grid;
pub mod instance;
pub mod prediction;
pub mod series;
pub mod signal;
pub mod table;
