//! Defines a log that also answers where things stand, whatever it and its tables are kept in.

use super::port::{Cursors, EventLog, LogError};
use super::row::Row;
use super::table::Table;
use std::collections::BTreeMap;

/// Answers where things stand now.
pub trait Tables {
    /// Gives a table of current state, by key.
    ///
    /// # Errors
    /// When the store fails or something in it is damaged.
    fn table(&self, table: Table) -> Result<BTreeMap<String, Row>, LogError>;

    /// Gives one row of a table of current state.
    ///
    /// # Errors
    /// As [`Tables::table`].
    fn row(&self, table: Table, key: &str) -> Result<Option<Row>, LogError>;
}

/// A log, how far its readers have come, and the tables that follow from it.
pub trait StateLog: EventLog + Cursors + Tables + Send + Sync + std::fmt::Debug {}

impl<L: EventLog + Cursors + Tables + Send + Sync + std::fmt::Debug> StateLog for L {}
