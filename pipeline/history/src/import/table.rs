//! Reads small tables (instances, events, incidents) from Parquet or CSV into text cells.

use crate::rows::UNLIMITED;
use crate::{EventRow, InstanceRow};
use arrow_array::cast::AsArray;
use arrow_array::types::{
    Int32Type, Int64Type, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType,
};
use arrow_array::{Array, RecordBatch, RecordBatchReader};
use arrow_schema::{DataType, TimeUnit};
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

/// The most rows that such a table may have: it is held in memory.
const MOST_ROWS: usize = 5_000_000;

/// Why a table could not be read.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// The file does not open or read.
    #[error("{path}: {why}")]
    File {
        /// The file.
        path: String,
        /// What is wrong with it.
        why: String,
    },
    /// A column is missing.
    #[error("{path}: no column `{column}`; it has {found}")]
    Column {
        /// The file.
        path: String,
        column: String,
        /// Those that are there.
        found: String,
    },
    /// A cell is not what its column holds.
    #[error("{path}: row {row}: {column} is {value:?}, expected {expected}")]
    Cell {
        /// The file.
        path: String,
        /// The row, from 1, without the header.
        row: usize,
        column: &'static str,
        /// What stands there.
        value: String,
        /// What should.
        expected: &'static str,
    },
}

/// A table in memory: text cells by column, empty ones missing.
#[derive(Debug)]
pub struct Table {
    path: String,
    columns: BTreeMap<String, Vec<Option<String>>>,
    rows: usize,
}

impl Table {
    /// Reads a file: CSV where it ends in `.csv`, else Parquet.
    ///
    /// # Errors
    /// When the file does not read.
    pub fn read(path: &Path) -> Result<Self, TableError> {
        let shown = path.display().to_string();
        let fail = |why: String| TableError::File { path: shown.clone(), why };
        if path.is_dir() {
            return Err(fail("is a directory, expected a file".to_owned()));
        }
        let file = File::open(path).map_err(|e| fail(e.to_string()))?;
        let csv = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("csv"));
        let read = if csv { read_csv(file) } else { read_parquet(file) };
        let (columns, rows) = read.map_err(fail)?;
        Ok(Self { path: shown, columns, rows })
    }

    /// Number of rows.
    pub const fn rows(&self) -> usize {
        self.rows
    }

    /// Checks that columns are there.
    ///
    /// # Errors
    /// Naming the first that is not.
    pub fn require(&self, columns: &[&str]) -> Result<(), TableError> {
        match columns.iter().find(|c| !self.columns.contains_key(**c)) {
            None => Ok(()),
            Some(column) => Err(TableError::Column {
                path: self.path.clone(),
                column: (*column).to_owned(),
                found: self.columns.keys().cloned().collect::<Vec<_>>().join(", "),
            }),
        }
    }

    /// Gives a cell; None where it is empty or the column isn't there.
    pub fn text(&self, row: usize, column: &str) -> Option<&str> {
        self.columns.get(column)?.get(row)?.as_deref()
    }

    /// Gives a cell that must not be empty.
    ///
    /// # Errors
    /// When it is, or is too long to be an id.
    pub fn needed(&self, row: usize, column: &'static str) -> Result<&str, TableError> {
        match self.text(row, column) {
            Some(text) if text.len() <= 256 && !text.chars().any(char::is_control) => Ok(text),
            other => Err(self.cell(row, column, other.unwrap_or_default(), "1 to 256 printable characters")),
        }
    }

    /// Gives a time, milliseconds.
    ///
    /// # Errors
    /// When the cell is none.
    pub fn needed_time(&self, row: usize, column: &'static str) -> Result<i64, TableError> {
        let missing = || self.cell(row, column, "", "a time");
        self.time(row, column)?.ok_or_else(missing)
    }

    /// Gives a time, milliseconds, where there is one.
    ///
    /// # Errors
    /// When the cell is not empty and no time.
    pub fn time(&self, row: usize, column: &'static str) -> Result<Option<i64>, TableError> {
        let Some(text) = self.text(row, column) else { return Ok(None) };
        match forewarn_runtime::time::parse_instant(text, None) {
            Ok(ms) => Ok(Some(ms)),
            Err(_) => Err(self.cell(row, column, text, "a time: RFC 3339, or YYYY-MM-DD HH:MM:SS as UTC")),
        }
    }

    /// Gives a time that must be there, milliseconds, and whether it said its own zone; one that did not is taken in `zone`.
    ///
    /// # Errors
    /// When the cell is empty or no time.
    pub fn zoned_time(
        &self,
        row: usize,
        column: &'static str,
        zone: Option<&jiff::tz::TimeZone>,
    ) -> Result<(i64, bool), TableError> {
        let text = self.text(row, column).unwrap_or_default();
        let read = |zone| {
            let expected = "a time: RFC 3339, or YYYY-MM-DD HH:MM:SS in UTC or in the zone given";
            forewarn_runtime::time::parse_instant(text, zone).map_err(|_| self.cell(row, column, text, expected))
        };
        // A text that says its zone means the same time wherever it is read.
        let far = jiff::tz::TimeZone::fixed(jiff::tz::offset(12));
        let says_zone = read(None)? == read(Some(&far))?;
        Ok((read(zone)?, says_zone))
    }

    /// Gives one of some words, where there is one.
    ///
    /// # Errors
    /// When the cell is another.
    fn one_of(
        &self,
        row: usize,
        column: &'static str,
        words: &[&str],
        expected: &'static str,
    ) -> Result<Option<String>, TableError> {
        match self.text(row, column) {
            Some(word) if !words.contains(&word) => Err(self.cell(row, column, word, expected)),
            known => Ok(known.map(str::to_owned)),
        }
    }

    /// Gives a truth value, where there is one.
    ///
    /// # Errors
    /// When the cell is neither.
    pub fn flag(&self, row: usize, column: &'static str) -> Result<Option<bool>, TableError> {
        match self.text(row, column) {
            None => Ok(None),
            Some("true" | "True" | "1") => Ok(Some(true)),
            Some("false" | "False" | "0") => Ok(Some(false)),
            Some(other) => Err(self.cell(row, column, other, "true or false")),
        }
    }

    fn cell(&self, row: usize, column: &'static str, value: &str, expected: &'static str) -> TableError {
        TableError::Cell { path: self.path.clone(), row: row + 1, column, value: value.to_owned(), expected }
    }
}

type Columns = (BTreeMap<String, Vec<Option<String>>>, usize);

fn read_csv(file: File) -> Result<Columns, String> {
    let mut reader = csv::Reader::from_reader(file);
    let names: Vec<String> = reader.headers().map_err(|e| e.to_string())?.iter().map(str::to_owned).collect();
    let mut columns: Vec<Vec<Option<String>>> = vec![Vec::new(); names.len()];
    let mut rows = 0;
    for record in reader.records() {
        let record = record.map_err(|e| e.to_string())?;
        for (column, cell) in columns.iter_mut().zip(record.iter()) {
            column.push((!cell.is_empty()).then(|| cell.to_owned()));
        }
        rows += 1;
        bound(rows)?;
    }
    Ok((names.into_iter().zip(columns).collect(), rows))
}

fn bound(rows: usize) -> Result<(), String> {
    if rows > MOST_ROWS { Err(format!("more than {MOST_ROWS} rows")) } else { Ok(()) }
}

fn read_parquet(file: File) -> Result<Columns, String> {
    // Whatever types its writer had in memory, the file's own are few.
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let reader = ParquetRecordBatchReaderBuilder::try_new_with_options(file, options)
        .and_then(ParquetRecordBatchReaderBuilder::build);
    let reader = reader.map_err(|e| format!("does not read as Parquet: {e}"))?;
    // A table without a row still has its columns.
    let names = reader.schema();
    let mut columns: BTreeMap<String, Vec<Option<String>>> =
        names.fields().iter().map(|f| (f.name().clone(), Vec::new())).collect();
    let mut rows = 0;
    for batch in reader {
        let batch = batch.map_err(|e| e.to_string())?;
        rows += batch.num_rows();
        bound(rows)?;
        for (i, field) in batch.schema().fields().iter().enumerate() {
            let column = columns.entry(field.name().clone()).or_default();
            for row in 0..batch.num_rows() {
                column.push(cell_text(&batch, i, row));
            }
        }
    }
    Ok((columns, rows))
}

/// The cell as text; None where it is null or of a type that such tables don't hold.
#[expect(clippy::wildcard_enum_match_arm, reason = "no other type is of use in such a table")]
fn cell_text(batch: &RecordBatch, column: usize, row: usize) -> Option<String> {
    let array = batch.column(column);
    if array.is_null(row) {
        return None;
    }
    // A timestamp without a zone stays without one.
    let naive = matches!(array.data_type(), DataType::Timestamp(_, None));
    let time = |ms: i64| {
        let text = forewarn_runtime::time::format_ms(ms);
        Some(if naive { text.trim_end_matches('Z').to_owned() } else { text })
    };
    match array.data_type() {
        DataType::Utf8 => Some(array.as_string::<i32>().value(row).to_owned()),
        DataType::LargeUtf8 => Some(array.as_string::<i64>().value(row).to_owned()),
        DataType::Utf8View => Some(array.as_string_view().value(row).to_owned()),
        DataType::Boolean => Some(array.as_boolean().value(row).to_string()),
        DataType::Int32 => Some(array.as_primitive::<Int32Type>().value(row).to_string()),
        DataType::Int64 => Some(array.as_primitive::<Int64Type>().value(row).to_string()),
        DataType::Timestamp(TimeUnit::Second, _) => time(array.as_primitive::<TimestampSecondType>().value(row) * 1000),
        DataType::Timestamp(TimeUnit::Millisecond, _) => {
            time(array.as_primitive::<TimestampMillisecondType>().value(row))
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            time(array.as_primitive::<TimestampMicrosecondType>().value(row).div_euclid(1000))
        }
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            time(array.as_primitive::<TimestampNanosecondType>().value(row).div_euclid(1_000_000))
        }
        _ => None,
    }
}

/// Reads a table of instances: `instance_id`, and where they are there `workload`, `instance_type`, `launched_at`, `seen_at`, `cpu_credits`.
///
/// # Errors
/// As [`Table`] says.
pub fn read_instances(path: &Path) -> Result<Vec<InstanceRow>, TableError> {
    let table = Table::read(path)?;
    table.require(&["instance_id"])?;
    (0..table.rows())
        .map(|row| {
            Ok(InstanceRow {
                instance_id: table.needed(row, "instance_id")?.to_owned(),
                workload: table.text(row, "workload").map(str::to_owned),
                instance_type: table.text(row, "instance_type").map(str::to_owned),
                launched_at: table.time(row, "launched_at")?,
                seen_at: table.time(row, "seen_at")?,
                cpu_credits: table.one_of(row, "cpu_credits", &["standard", UNLIMITED], "standard or unlimited")?,
                imported_at: None,
            })
        })
        .collect()
}

/// Reads a table of events: `instance_id`, `ts`, `kind`, and where they are there `code`, `starts_at`, `detail`, `ingested_at`.
///
/// # Errors
/// As [`Table`] says.
pub fn read_events(path: &Path) -> Result<Vec<EventRow>, TableError> {
    let table = Table::read(path)?;
    table.require(&["instance_id", "ts", "kind"])?;
    (0..table.rows())
        .map(|row| {
            Ok(EventRow {
                instance_id: table.needed(row, "instance_id")?.to_owned(),
                ts: table.needed_time(row, "ts")?,
                kind: table.needed(row, "kind")?.to_owned(),
                code: table.text(row, "code").unwrap_or_default().to_owned(),
                starts_at: table.time(row, "starts_at")?,
                detail: table.text(row, "detail").map(str::to_owned),
                ingested_at: table.time(row, "ingested_at")?,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::types::Int8Type;
    use arrow_array::{ArrayRef, DictionaryArray, TimestampMillisecondArray};
    use parquet::arrow::ArrowWriter;
    use std::sync::Arc;

    /// Writes events of instances whose ids and kinds are categories with small keys, as pandas does.
    fn events(path: &Path, ids: &[&str]) {
        let categories =
            |texts: Vec<&str>| -> ArrayRef { Arc::new(texts.into_iter().collect::<DictionaryArray<Int8Type>>()) };
        let ts = TimestampMillisecondArray::from(vec![1_769_904_000_000; ids.len()]).with_timezone("UTC");
        let columns = [
            ("instance_id", categories(ids.to_vec())),
            ("ts", Arc::new(ts)),
            ("kind", categories(vec!["scheduled"; ids.len()])),
        ];
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let mut writer = ArrowWriter::try_new(File::create(path).unwrap(), batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
    }

    #[test]
    fn categories_read_as_text_and_a_table_without_a_row_as_none() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("events.parquet");
        events(&path, &["i-a", "i-b", "i-a"]);
        let rows = read_events(&path).unwrap();
        let found: Vec<_> = rows.iter().map(|r| (r.instance_id.as_str(), r.kind.as_str(), r.ts)).collect();
        assert_eq!(found, ["i-a", "i-b", "i-a"].map(|id| (id, "scheduled", 1_769_904_000_000)));
        events(&path, &[]);
        assert_eq!(read_events(&path).unwrap(), []);
    }
}
