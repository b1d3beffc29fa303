//! Backtest: predictions of a replay as a table, and what they were worth against known incidents.

mod incidents;
mod tally;
mod write;

pub use incidents::{IncidentsError, read_incidents};
pub use tally::{Report, Tally};
pub use write::PredictionWriter;
