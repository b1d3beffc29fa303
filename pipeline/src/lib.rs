//! Everything of forewarn that touches the world: history, import, event log, analysis, and the command line.

pub mod log;
pub mod simulate;
