//! Pure mathematics on slices: trend, seasonality, first passage, calibration and scoring measures.
//!
//! Nothing here panics, reads a clock, or allocates where a `scratch` buffer is passed. Missing values are NaN and are
//! skipped, never read as zero; infinities count as missing.
#![warn(missing_docs)]

pub mod base_rate;
pub mod calibrate;
pub mod counts;
pub mod credits;
pub mod flap;
pub mod forecast;
pub mod logistic;
pub mod mann_kendall;
pub mod passage;
pub mod probability;
mod resets;
pub mod sawtooth;
pub mod score;
pub mod season;
pub mod segment;
pub mod slope;
pub mod stats;
