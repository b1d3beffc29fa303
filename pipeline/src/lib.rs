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
#[cfg(feature = "aws")]
pub mod lambda;
pub mod log;
pub mod rounds;
pub mod run;
pub mod schema;
pub mod silence;

pub mod archive;
pub mod events;
pub mod incidents;
pub mod metricstreams;
pub mod pilot;
pub mod resolve;
pub mod respond;
pub mod shadow;

pub mod source;
pub mod stream;

pub mod faultproxy;

pub mod emulate;
pub mod simulate;

#[cfg(feature = "aws")]
pub mod aws;
pub mod clock;
pub mod crash;
pub mod doctor;
pub mod interrupt;
pub mod lease;
pub mod listen;
pub mod schedule;
pub mod settings;
mod sqlite;
pub mod telemetry;
pub mod time;
pub mod vitals;
