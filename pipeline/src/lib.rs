//! Everything of forewarn that touches the world: history, import, event log, analysis, and the command line.

pub mod cli;

pub mod history;
pub mod import;

pub mod analyze;
pub mod fleet;
pub mod gather;
pub mod render;

pub mod backtest;
pub mod fit;
pub mod replay;

pub mod announce;
pub mod emit;
pub mod log;
pub mod schema;

pub mod events;
pub mod incidents;
pub mod metricstreams;

pub mod stream;

pub mod faultproxy;

pub mod simulate;

#[cfg(feature = "aws")]
pub mod aws;
pub mod clock;
pub mod crash;
pub mod interrupt;
pub mod settings;
pub mod telemetry;
pub mod time;
pub mod vitals;
