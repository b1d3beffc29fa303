//! Everything of forewarn that touches the world: history, import, event log, analysis, and the command line.

pub mod crash;
pub mod history;
pub mod import;
pub mod time;
