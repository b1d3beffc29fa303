//! Everything of forewarn that touches the world: history, import, event log, analysis, and the command line.

pub mod emit;
pub mod log;
pub mod schema;
pub mod settings;
pub mod telemetry;
