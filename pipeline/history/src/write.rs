//! Writes one metric file from runs of samples in file order.

use super::batch::NOT_IMPORTED;
use super::error::{HistoryError, Result};
use super::key::{NOT_INGESTED, SeriesKey};
use super::schema::{IMPORTED, ROW_GROUP, ROW_GROUP_SOFT, TEXT_COLUMNS, metric_properties, metric_schema};
use arrow_array::types::Int32Type;
use arrow_array::{
    ArrayRef, DictionaryArray, Float64Array, Int32Array, RecordBatch, StringArray, TimestampMillisecondArray,
};
use arrow_buffer::NullBuffer;
use arrow_schema::SchemaRef;
use parquet::arrow::ArrowWriter;
use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// One text column of the row group being filled: the distinct texts and a code for each row.
#[derive(Debug, Default)]
struct TextColumn {
    codes: BTreeMap<String, i32>,
    texts: Vec<String>,
    keys: Vec<i32>,
    null: bool,
}

impl TextColumn {
    fn push(&mut self, text: Option<&str>, n: usize) {
        let code = match text {
            None => {
                self.null = true;
                -1
            }
            Some(text) => self.codes.get(text).copied().unwrap_or_else(|| {
                let code = self.texts.len() as i32;
                self.codes.insert(text.to_owned(), code);
                self.texts.push(text.to_owned());
                code
            }),
        };
        self.keys.resize(self.keys.len() + n, code);
    }

    fn take(&mut self) -> Result<ArrayRef, arrow_schema::ArrowError> {
        let texts = StringArray::from_iter_values(self.texts.drain(..));
        self.codes.clear();
        let mut keys = std::mem::take(&mut self.keys);
        let nulls = std::mem::take(&mut self.null).then(|| keys.iter().map(|&k| k >= 0).collect::<NullBuffer>());
        if nulls.is_some() {
            for key in &mut keys {
                *key = (*key).max(0);
            }
        }
        let keys = Int32Array::new(keys.into(), nulls);
        Ok(Arc::new(DictionaryArray::<Int32Type>::try_new(keys, Arc::new(texts))?))
    }
}

/// Writes a metric file. Runs must come in file order; the file is complete only after [`MetricWriter::finish`].
#[derive(Debug)]
pub struct MetricWriter {
    writer: ArrowWriter<File>,
    schema: SchemaRef,
    path: PathBuf,
    texts: [TextColumn; 7],
    period: Vec<i32>,
    ts: Vec<i64>,
    value: Vec<f64>,
    ingested: Vec<i64>,
    imported: Vec<i64>,
    instance: String,
}

impl MetricWriter {
    /// Creates a file of what was known live: none of it says when it was imported, and earlier versions of forewarn read it too.
    pub fn create(path: &Path) -> Result<Self> {
        let columns: Vec<usize> = (0..IMPORTED).collect();
        let schema =
            metric_schema().project(&columns).map_err(|e| HistoryError::corrupt("the schema", e.to_string()))?;
        Self::with_schema(path, Arc::new(schema))
    }

    /// Creates a file in which imports may be.
    pub fn create_with_imports(path: &Path) -> Result<Self> {
        Self::with_schema(path, metric_schema())
    }

    fn with_schema(path: &Path, schema: SchemaRef) -> Result<Self> {
        super::local::make_parent(path)?;
        let file = File::create(path).map_err(|e| HistoryError::io("create", path, e))?;
        let writer = ArrowWriter::try_new(file, Arc::clone(&schema), Some(metric_properties()))
            .map_err(|e| HistoryError::parquet(&path.display().to_string(), e))?;
        Ok(Self {
            writer,
            schema,
            path: path.to_owned(),
            texts: std::array::from_fn(|_| TextColumn::default()),
            period: Vec::new(),
            ts: Vec::new(),
            value: Vec::new(),
            ingested: Vec::new(),
            imported: Vec::new(),
            instance: String::new(),
        })
    }

    /// Appends samples of one series; `ingested` is empty where no sample has one, `imported` is of all of them.
    pub fn push(
        &mut self,
        key: &SeriesKey,
        ts: &[i64],
        value: &[f64],
        ingested: &[i64],
        imported: Option<i64>,
    ) -> Result<()> {
        debug_assert!(imported.is_none() || self.schema.fields().len() > IMPORTED, "the file has no place for it");
        if self.instance != key.instance_id {
            if self.ts.len() >= ROW_GROUP_SOFT {
                self.flush()?;
            }
            self.instance.clone_from(&key.instance_id);
        }
        let mut from = 0;
        while from < ts.len() {
            let to = ts.len().min(from + ROW_GROUP - self.ts.len());
            self.append(key, &ts[from..to], &value[from..to], ingested.get(from..to).unwrap_or(&[]));
            if let Some(at) = imported {
                self.imported.resize(self.ts.len() - (to - from), NOT_IMPORTED);
                self.imported.resize(self.ts.len(), at);
            }
            if self.ts.len() == ROW_GROUP {
                self.flush()?;
            }
            from = to;
        }
        Ok(())
    }

    fn append(&mut self, key: &SeriesKey, ts: &[i64], value: &[f64], ingested: &[i64]) {
        let texts = [&key.account, &key.region, &key.instance_id, &key.namespace, &key.metric, &key.stat];
        for (column, text) in self.texts.iter_mut().zip(texts) {
            column.push(Some(text), ts.len());
        }
        self.texts[super::schema::DEVICE].push(key.device.as_deref(), ts.len());
        self.period.resize(self.period.len() + ts.len(), key.period_s);
        if !ingested.is_empty() {
            self.ingested.resize(self.ts.len(), NOT_INGESTED);
            self.ingested.extend_from_slice(ingested);
        }
        self.ts.extend_from_slice(ts);
        self.value.extend_from_slice(value);
    }

    fn flush(&mut self) -> Result<()> {
        if self.ts.is_empty() {
            return Ok(());
        }
        let n = self.ts.len();
        let ingested = nullable(std::mem::take(&mut self.ingested), n, NOT_INGESTED);
        let imported = nullable(std::mem::take(&mut self.imported), n, NOT_IMPORTED);
        let built = (|| {
            let mut columns = Vec::with_capacity(TEXT_COLUMNS.len() + 4);
            for column in &mut self.texts {
                columns.push(column.take()?);
            }
            columns.push(Arc::new(Int32Array::from(std::mem::take(&mut self.period))) as ArrayRef);
            let ts = TimestampMillisecondArray::from(std::mem::take(&mut self.ts));
            columns.push(Arc::new(ts.with_timezone("UTC")));
            columns.push(Arc::new(Float64Array::from(std::mem::take(&mut self.value))));
            columns.push(Arc::new(ingested));
            columns.push(Arc::new(imported));
            columns.truncate(self.schema.fields().len());
            RecordBatch::try_new(Arc::clone(&self.schema), columns)
        })();
        let batch = built.map_err(parquet::errors::ParquetError::from);
        let wrote = batch.and_then(|b| self.writer.write(&b)).and_then(|()| self.writer.flush());
        wrote.map_err(|e| HistoryError::parquet(&self.path.display().to_string(), e))
    }

    /// Writes the footer and makes the file durable.
    pub fn finish(mut self) -> Result<()> {
        self.flush()?;
        let file = self.writer.into_inner().map_err(|e| HistoryError::parquet(&self.path.display().to_string(), e))?;
        file.sync_all().map_err(|e| HistoryError::io("sync", &self.path, e))
    }
}

/// Makes a column of times of so many rows, with null where a row has none.
fn nullable(mut times: Vec<i64>, rows: usize, none: i64) -> TimestampMillisecondArray {
    times.resize(rows, none);
    let known = times.iter().map(|&t| t != none).collect::<NullBuffer>();
    for t in &mut times {
        *t = if *t == none { 0 } else { *t };
    }
    TimestampMillisecondArray::new(times.into(), Some(known)).with_timezone("UTC")
}
