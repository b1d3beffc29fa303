//! Reads known incidents from Parquet or CSV.

use crate::import::table::{Table, TableError};
use forewarn_rules::truth::Incident;
use std::path::Path;

/// Why incidents could not be read.
pub type IncidentsError = TableError;

/// Reads `instance_id, ts` and, where they are there, `cause` and `predictable`.
///
/// # Errors
/// When the file does not read, lacks a column, or holds a value that is none.
pub fn read_incidents(path: &Path) -> Result<Vec<Incident>, IncidentsError> {
    let table = Table::read(path)?;
    table.require(&["instance_id", "ts"])?;
    (0..table.rows())
        .map(|row| {
            Ok(Incident {
                instance_id: table.needed(row, "instance_id")?.to_owned(),
                ts: table.needed_time(row, "ts")?,
                cause: table.text(row, "cause").map(str::to_owned),
                predictable: table.flag(row, "predictable")?,
            })
        })
        .collect()
}
