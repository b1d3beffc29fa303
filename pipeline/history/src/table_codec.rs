//! Writes rows of small tables as Parquet, and reads them by the names of their columns.

use super::History;
use super::entry::Entry;
use super::error::{HistoryError, Result};
use super::schema::time_type;
use super::store::StoreFile;
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, TimestampMillisecondType};
use arrow_array::{Array, ArrayRef, RecordBatch, StringArray, TimestampMillisecondArray};
use arrow_schema::{DataType, Field, Schema};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use std::sync::Arc;

pub(super) fn texts<'a>(rows: impl Iterator<Item = Option<&'a str>>) -> ArrayRef {
    Arc::new(rows.collect::<StringArray>())
}

pub(super) fn times(rows: impl Iterator<Item = Option<i64>>) -> ArrayRef {
    Arc::new(rows.collect::<TimestampMillisecondArray>().with_timezone("UTC"))
}

/// Writes columns, each with its name and whether it may be null, as one whole file.
pub(super) fn encode(columns: &[(&str, ArrayRef, bool)]) -> Result<Vec<u8>> {
    let failed = |e: parquet::errors::ParquetError| HistoryError::parquet("a table", e);
    let fields: Vec<Field> =
        columns.iter().map(|(name, a, nullable)| Field::new(*name, a.data_type().clone(), *nullable)).collect();
    let schema = Arc::new(Schema::new(fields));
    let batch = RecordBatch::try_new(Arc::clone(&schema), columns.iter().map(|c| Arc::clone(&c.1)).collect());
    let properties = WriterProperties::builder()
        .set_created_by(concat!("forewarn ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .build();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, schema, Some(properties)).map_err(failed)?;
    batch.map_err(Into::into).and_then(|b| writer.write(&b)).map_err(failed)?;
    writer.close().map_err(failed)?;
    Ok(bytes)
}

/// Reads one file of a table.
pub(super) fn for_each_batch_of(
    history: &History,
    entry: &Entry,
    mut take: impl FnMut(&Table<'_>) -> Result<()>,
) -> Result<()> {
    let name = history.store().describe(&entry.path);
    let open: StoreFile = history.store().open_file(entry)?;
    let reader = ParquetRecordBatchReaderBuilder::try_new(open).and_then(ParquetRecordBatchReaderBuilder::build);
    for batch in reader.map_err(|e| HistoryError::parquet(&name, e))? {
        let batch = batch.map_err(|e| HistoryError::parquet(&name, e.into()))?;
        take(&Table { batch: &batch, name: &name })?;
    }
    Ok(())
}

/// One batch of a table, read by name.
pub(super) struct Table<'a> {
    batch: &'a RecordBatch,
    name: &'a str,
}

impl Table<'_> {
    pub(super) fn rows(&self) -> usize {
        self.batch.num_rows()
    }

    fn column(&self, name: &str, kind: &DataType) -> Result<Option<&ArrayRef>> {
        match self.batch.column_by_name(name) {
            Some(a) if a.data_type() != kind => {
                Err(HistoryError::corrupt(self.name, format!("column `{name}` is {}, not {kind}", a.data_type())))
            }
            found => Ok(found),
        }
    }

    /// Gives a text without a copy of it.
    pub(super) fn str(&self, name: &str, row: usize) -> Result<Option<&str>> {
        let column = self.column(name, &DataType::Utf8)?.map(AsArray::as_string::<i32>);
        Ok(column.filter(|a| a.is_valid(row)).map(|a| a.value(row)))
    }

    pub(super) fn text(&self, name: &str, row: usize) -> Result<Option<String>> {
        Ok(self.str(name, row)?.map(str::to_owned))
    }

    pub(super) fn time(&self, name: &str, row: usize) -> Result<Option<i64>> {
        let column = self.column(name, &time_type())?.map(AsArray::as_primitive::<TimestampMillisecondType>);
        Ok(column.filter(|a| a.is_valid(row)).map(|a| a.value(row)))
    }

    pub(super) fn number(&self, name: &str, row: usize) -> Result<Option<f64>> {
        let column = self.column(name, &DataType::Float64)?.map(AsArray::as_primitive::<Float64Type>);
        Ok(column.filter(|a| a.is_valid(row)).map(|a| a.value(row)))
    }

    pub(super) fn flag(&self, name: &str, row: usize) -> Result<Option<bool>> {
        let column = self.column(name, &DataType::Boolean)?.map(AsArray::as_boolean);
        Ok(column.filter(|a| a.is_valid(row)).map(|a| a.value(row)))
    }

    pub(super) fn needed_str(&self, name: &str, row: usize) -> Result<&str> {
        self.str(name, row)?.ok_or_else(|| self.absent(name, row))
    }

    pub(super) fn needed_text(&self, name: &str, row: usize) -> Result<String> {
        self.needed_str(name, row).map(str::to_owned)
    }

    pub(super) fn needed_time(&self, name: &str, row: usize) -> Result<i64> {
        self.time(name, row)?.ok_or_else(|| self.absent(name, row))
    }

    fn absent(&self, name: &str, row: usize) -> HistoryError {
        HistoryError::corrupt(self.name, format!("column `{name}` has no value in row {}", row + 1))
    }
}
