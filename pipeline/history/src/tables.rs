//! Keeps the small tables beside the metrics: instances, events, incidents.

use super::entry::Entry;
use super::error::{HistoryError, Result};
use super::schema::time_type;
use super::store::StoreFile;
use super::{History, Writer};
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, TimestampMillisecondType};
use arrow_array::{Array, ArrayRef, BooleanArray, RecordBatch, StringArray, TimestampMillisecondArray};
use arrow_schema::{DataType, Field, Schema};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use std::collections::BTreeMap;
use std::sync::Arc;

const INSTANCES: &str = "instances";
const EVENTS: &str = "events";
const INCIDENTS: &str = "incidents";
pub(super) const PREDICTIONS: &str = "predictions";

/// What is known of an instance beside its metrics.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize)]
pub struct InstanceRow {
    pub instance_id: String,
    /// What it is a copy of.
    pub workload: Option<String>,
    /// EC2 instance type.
    pub instance_type: Option<String>,
    /// When it was launched, milliseconds.
    pub launched_at: Option<i64>,
}

/// Something that was said about an instance, such as a scheduled retirement.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default, serde::Serialize)]
pub struct EventRow {
    pub instance_id: String,
    /// When it was said, milliseconds.
    pub ts: i64,
    /// What kind of event: `maintenance`, `change` and the like.
    pub kind: String,
    /// The source's own code, such as `instance-retirement`.
    pub code: String,
    /// When the thing announced begins, milliseconds.
    pub starts_at: Option<i64>,
    /// Words for people.
    pub detail: Option<String>,
    /// When it arrived here, milliseconds.
    pub ingested_at: Option<i64>,
}

impl EventRow {
    /// True for work that the provider has scheduled on the instance or its host.
    pub fn is_maintenance(&self) -> bool {
        matches!(self.kind.as_str(), "maintenance" | "scheduled")
    }

    /// True when the event says that the work is done or called off; EC2 puts it in front of the description.
    pub fn is_over(&self) -> bool {
        self.detail.as_deref().is_some_and(|d| d.starts_with("[Completed]") || d.starts_with("[Canceled]"))
    }
}

/// A failure that happened.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default, serde::Serialize)]
pub struct IncidentRow {
    pub instance_id: String,
    /// When it began, milliseconds.
    pub ts: i64,
    /// What it was.
    pub cause: Option<String>,
    /// Whether the metrics could have told.
    pub predictable: Option<bool>,
}

impl Writer<'_> {
    /// Adds what is known of instances; the newest file wins for an instance that several name.
    pub fn put_instances(&mut self, rows: &[InstanceRow]) -> Result<()> {
        let bytes = encode(&[
            ("instance_id", texts(rows.iter().map(|r| Some(r.instance_id.as_str()))), false),
            ("workload", texts(rows.iter().map(|r| r.workload.as_deref())), true),
            ("instance_type", texts(rows.iter().map(|r| r.instance_type.as_deref())), true),
            ("launched_at", times(rows.iter().map(|r| r.launched_at)), true),
        ])?;
        let name = content_name(&bytes);
        let newest = parquet_files(self.history(), INSTANCES)?.pop().map(|e| e.path);
        if newest.as_deref().is_some_and(|path| path.ends_with(&name)) {
            return Ok(());
        }
        let number = newest
            .and_then(|path| path.rsplit('/').next().and_then(|n| n.split('-').next()?.parse::<u64>().ok()))
            .map_or(0, |n| n + 1);
        self.put_table_file(&format!("{INSTANCES}/{number:08}-{name}"), bytes)
    }

    /// Adds events. The same rows again change nothing.
    pub fn put_events(&mut self, rows: &[EventRow]) -> Result<()> {
        let bytes = encode(&[
            ("instance_id", texts(rows.iter().map(|r| Some(r.instance_id.as_str()))), false),
            ("ts", times(rows.iter().map(|r| Some(r.ts))), false),
            ("kind", texts(rows.iter().map(|r| Some(r.kind.as_str()))), false),
            ("code", texts(rows.iter().map(|r| Some(r.code.as_str()))), false),
            ("starts_at", times(rows.iter().map(|r| r.starts_at)), true),
            ("detail", texts(rows.iter().map(|r| r.detail.as_deref())), true),
            ("ingested_at", times(rows.iter().map(|r| r.ingested_at)), true),
        ])?;
        self.put_table_file(&format!("{EVENTS}/{}", content_name(&bytes)), bytes)
    }

    /// Adds incidents. The same rows again change nothing.
    pub fn put_incidents(&mut self, rows: &[IncidentRow]) -> Result<()> {
        let predictable: BooleanArray = rows.iter().map(|r| r.predictable).collect();
        let bytes = encode(&[
            ("instance_id", texts(rows.iter().map(|r| Some(r.instance_id.as_str()))), false),
            ("ts", times(rows.iter().map(|r| Some(r.ts))), false),
            ("cause", texts(rows.iter().map(|r| r.cause.as_deref())), true),
            ("predictable", Arc::new(predictable), true),
        ])?;
        self.put_table_file(&format!("{INCIDENTS}/{}", content_name(&bytes)), bytes)
    }
}

impl History {
    /// Keeps the predictions of one time: `predictions/date=YYYY-MM-DD/NAME.parquet`, whole or not at all. The first file of a name stays:
    /// what was predicted is not rewritten afterwards. Gives the path, and whether it is new.
    ///
    /// No lock is needed: the name depends on what is predicted alone, and nothing else is touched.
    pub fn put_predictions(&self, as_of: i64, name: &str, bytes: Vec<u8>) -> Result<(String, bool)> {
        let day = forewarn_runtime::time::format_day(as_of.div_euclid(forewarn_runtime::time::DAY_MS));
        let dir = format!("{PREDICTIONS}/date={day}");
        let path = format!("{dir}/{name}.parquet");
        let made = self.store().put_new(&path, bytes)?;
        Ok((path, made))
    }

    /// Reads what is known of instances, by id.
    pub fn instances(&self) -> Result<BTreeMap<String, InstanceRow>> {
        let mut found = BTreeMap::new();
        for_each_batch(self, INSTANCES, |table| {
            for i in 0..table.rows() {
                let row = InstanceRow {
                    instance_id: table.needed_text("instance_id", i)?,
                    workload: table.text("workload", i)?,
                    instance_type: table.text("instance_type", i)?,
                    launched_at: table.time("launched_at", i)?,
                };
                found.insert(row.instance_id.clone(), row);
            }
            Ok(())
        })?;
        Ok(found)
    }

    /// Reads all events, sorted, each once.
    pub fn events(&self) -> Result<Vec<EventRow>> {
        let mut found = Vec::new();
        for_each_batch(self, EVENTS, |table| {
            for i in 0..table.rows() {
                found.push(EventRow {
                    instance_id: table.needed_text("instance_id", i)?,
                    ts: table.needed_time("ts", i)?,
                    kind: table.needed_text("kind", i)?,
                    code: table.needed_text("code", i)?,
                    starts_at: table.time("starts_at", i)?,
                    detail: table.text("detail", i)?,
                    ingested_at: table.time("ingested_at", i)?,
                });
            }
            Ok(())
        })?;
        found.sort();
        found.dedup();
        Ok(found)
    }

    /// Reads all incidents, sorted, each once.
    pub fn incidents(&self) -> Result<Vec<IncidentRow>> {
        let mut found = Vec::new();
        for_each_batch(self, INCIDENTS, |table| {
            for i in 0..table.rows() {
                found.push(IncidentRow {
                    instance_id: table.needed_text("instance_id", i)?,
                    ts: table.needed_time("ts", i)?,
                    cause: table.text("cause", i)?,
                    predictable: table.flag("predictable", i)?,
                });
            }
            Ok(())
        })?;
        found.sort();
        found.dedup();
        Ok(found)
    }
}

fn texts<'a>(rows: impl Iterator<Item = Option<&'a str>>) -> ArrayRef {
    Arc::new(rows.collect::<StringArray>())
}

fn times(rows: impl Iterator<Item = Option<i64>>) -> ArrayRef {
    Arc::new(rows.collect::<TimestampMillisecondArray>().with_timezone("UTC"))
}

fn encode(columns: &[(&str, ArrayRef, bool)]) -> Result<Vec<u8>> {
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

fn content_name(bytes: &[u8]) -> String {
    format!("{:016x}.parquet", xxhash_rust::xxh64::xxh64(bytes, 0))
}

pub(super) fn parquet_files(history: &History, dir: &str) -> Result<Vec<Entry>> {
    let mut files = history.store().list(dir)?;
    files.retain(|e| e.path.ends_with(".parquet"));
    Ok(files)
}

fn for_each_batch(history: &History, dir: &str, mut take: impl FnMut(&Table<'_>) -> Result<()>) -> Result<()> {
    for entry in parquet_files(history, dir)? {
        for_each_batch_of(history, &entry, &mut take)?;
    }
    Ok(())
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

    pub(super) fn text(&self, name: &str, row: usize) -> Result<Option<String>> {
        let column = self.column(name, &DataType::Utf8)?.map(AsArray::as_string::<i32>);
        Ok(column.filter(|a| a.is_valid(row)).map(|a| a.value(row).to_owned()))
    }

    fn time(&self, name: &str, row: usize) -> Result<Option<i64>> {
        let column = self.column(name, &time_type())?.map(AsArray::as_primitive::<TimestampMillisecondType>);
        Ok(column.filter(|a| a.is_valid(row)).map(|a| a.value(row)))
    }

    pub(super) fn number(&self, name: &str, row: usize) -> Result<Option<f64>> {
        let column = self.column(name, &DataType::Float64)?.map(AsArray::as_primitive::<Float64Type>);
        Ok(column.filter(|a| a.is_valid(row)).map(|a| a.value(row)))
    }

    fn flag(&self, name: &str, row: usize) -> Result<Option<bool>> {
        let column = self.column(name, &DataType::Boolean)?.map(AsArray::as_boolean);
        Ok(column.filter(|a| a.is_valid(row)).map(|a| a.value(row)))
    }

    pub(super) fn needed_text(&self, name: &str, row: usize) -> Result<String> {
        self.text(name, row)?.ok_or_else(|| self.absent(name, row))
    }

    pub(super) fn needed_time(&self, name: &str, row: usize) -> Result<i64> {
        self.time(name, row)?.ok_or_else(|| self.absent(name, row))
    }

    fn absent(&self, name: &str, row: usize) -> HistoryError {
        HistoryError::corrupt(self.name, format!("column `{name}` has no value in row {}", row + 1))
    }
}
