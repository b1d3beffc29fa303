//! The values that the parts of forewarn hand to one another, and the pure steps from one to the next that need no Polars: signals,
//! predictions, episodes, recovery actions and their steps.
#![warn(missing_docs)]

pub mod id;
pub mod time;

pub mod device;
pub mod signal;
pub mod signal_map;
pub mod statistic;

pub mod levels;
pub mod prediction;
pub mod prior;

pub mod episode;
pub mod episode_update;
pub mod round;
pub mod silence;
pub mod workload;

pub mod action;
pub mod step;

pub mod preview;
pub mod previewer;
