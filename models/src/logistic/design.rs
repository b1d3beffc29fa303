//! The rows of a regression, and what can be wrong with them.

/// A matrix of features by row, storing only what is not zero (compressed sparse rows).
///
/// At 150,000 rows with some ten of 150 columns active, a Newton step over it is a few million multiplications.
#[derive(Debug, Clone, PartialEq)]
pub struct Design {
    columns: usize,
    starts: Vec<usize>,
    entries: Vec<(u32, f32)>,
}

/// Says why a regression cannot be set up.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum LogisticError {
    /// An entry names a column that the design does not have.
    #[error("row {row} has an entry for column {column}, but the design has {columns} columns")]
    NoSuchColumn {
        /// The row, from 0.
        row: usize,
        /// The column, from 0.
        column: usize,
        /// The number of columns.
        columns: usize,
    },
    /// An entry is NaN or infinite.
    #[error("the value of row {row}, column {column} is not finite: leave the entry out or give a finite number")]
    NotFinite {
        /// The row, from 0.
        row: usize,
        /// The column, from 0.
        column: usize,
    },
    /// Labels, weights or offset do not match the rows.
    #[error("{what} has {got} entries, but the design has {rows} rows: give one for each row")]
    Length {
        /// Which argument.
        what: &'static str,
        /// Its length.
        got: usize,
        /// The rows of the design.
        rows: usize,
    },
    /// There is not one centre for each column.
    #[error("the ridge has {got} centres, but the design has {columns} columns: give one for each column, or none")]
    Centre {
        /// How many there are.
        got: usize,
        /// The number of columns.
        columns: usize,
    },
    /// A weight is negative or not finite, an offset is not finite, or the ridge is not positive.
    #[error("{what} {value} cannot be used: weights must be finite and >= 0, offsets finite, the ridge finite and > 0")]
    BadNumber {
        /// Which argument.
        what: &'static str,
        /// Its value.
        value: f64,
    },
}

impl Design {
    /// Makes a design with `columns` columns and no row.
    pub fn new(columns: usize) -> Self {
        Self { columns, starts: vec![0], entries: Vec::new() }
    }

    /// Appends a row of (column, value) entries; zeros are not stored, a repeated column adds up.
    pub fn push_row(&mut self, entries: impl IntoIterator<Item = (usize, f32)>) -> Result<(), LogisticError> {
        let row = self.rows();
        let start = self.entries.len();
        for (column, value) in entries {
            let fault = if column >= self.columns {
                Some(LogisticError::NoSuchColumn { row, column, columns: self.columns })
            } else if value.is_finite() {
                None
            } else {
                Some(LogisticError::NotFinite { row, column })
            };
            if let Some(fault) = fault {
                self.entries.truncate(start);
                return Err(fault);
            }
            if value != 0.0 {
                self.entries.push((column as u32, value));
            }
        }
        self.entries[start..].sort_unstable_by_key(|(column, _)| *column);
        self.starts.push(self.entries.len());
        Ok(())
    }

    /// Returns the number of rows.
    pub fn rows(&self) -> usize {
        self.starts.len() - 1
    }

    /// Returns the number of columns.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Returns the entries of a row, by column.
    pub(super) fn row(&self, row: usize) -> &[(u32, f32)] {
        &self.entries[self.starts[row]..self.starts[row + 1]]
    }
}
