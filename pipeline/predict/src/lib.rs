//! Turns a history into predictions, predictions into episodes, and learns how they turned out.

pub mod error;
pub mod fleet;
pub mod gather;

pub mod evidence;
pub mod shard;

pub mod analyze;
pub mod evidence_file;
pub mod turn_tables;

pub mod announce;
pub mod episode_events;
pub mod silence;

pub mod incidents;
pub mod resolve;
pub mod truth;

pub mod prediction_run;
pub mod prior;
pub mod shadow;
