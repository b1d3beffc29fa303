//! Reads one metric file run by run, one decoded batch at a time, without touching columns that its statistics
//! show to be constant.

use super::batch::Batch;
use super::constant::{constant, number_range, time_range};
use super::error::{HistoryError, Result};
use super::key::SeriesKey;
use super::schema::{DEVICE, IMPORTED, INGESTED, INSTANCE, PERIOD, TEXT_COLUMNS, TS, VALUE, metric_schema};
use super::store::StoreFile;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use parquet::file::metadata::RowGroupMetaData;
use std::collections::VecDeque;
use std::ops::Range;

/// Rows decoded at once: a day of minutes of an instance's series, and small enough for the second-level cache.
const BATCH: usize = 16 * 1024;

/// What of a file is wanted.
#[derive(Debug, Clone, Default)]
pub(crate) struct Want {
    /// Times at least this, and less than that.
    pub(crate) time: Option<Range<i64>>,
    /// One instance only.
    pub(crate) instance: Option<String>,
    /// Only the keys of runs: no times, no values, and the range of times as far as row groups tell.
    pub(crate) keys_only: bool,
    /// Every column, without trusting statistics.
    pub(crate) all_columns: bool,
}

/// Stands in a metric file at a run: rows in sequence that share all columns of the key.
#[derive(Debug)]
pub(crate) struct RunReader {
    name: String,
    file: StoreFile,
    meta: ArrowReaderMetadata,
    want: Want,
    groups: VecDeque<usize>,
    rows: Option<ParquetRecordBatchReader>,
    group: usize,
    batch: Batch,
    key: SeriesKey,
    run: Range<usize>,
}

/// Checks that a file has the columns of a metric file, and gives what is needed to read it.
pub(crate) fn open_metadata(name: &str, file: &StoreFile) -> Result<ArrowReaderMetadata> {
    if parquet::file::reader::Length::len(file) == 0 {
        return Err(HistoryError::corrupt(name, "the file is empty"));
    }
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let meta = ArrowReaderMetadata::load(file, options.clone()).map_err(|e| HistoryError::parquet(name, e))?;
    let expected = metric_schema();
    let columns = meta.schema().fields();
    // Files of before have no `imported_at`.
    let known = columns.len().clamp(IMPORTED, expected.fields().len());
    for (i, field) in expected.fields().iter().take(known).enumerate() {
        let Some(found) = columns.get(i).filter(|f| f.name() == field.name()) else {
            let fault = format!("column {} should be `{}`", i + 1, field.name());
            return Err(HistoryError::corrupt(name, fault));
        };
        let same = found.data_type() == field.data_type()
            || (i < TEXT_COLUMNS.len() && *found.data_type() == arrow_schema::DataType::Utf8);
        if !same {
            let fault = format!("column `{}` is {}, not {}", field.name(), found.data_type(), field.data_type());
            return Err(HistoryError::corrupt(name, fault));
        }
    }
    if columns.len() > known {
        return Err(HistoryError::corrupt(name, "it has more columns than a metric file"));
    }
    // Read all text as dictionaries, whatever the writer's schema says.
    let nullable = columns
        .iter()
        .zip(expected.fields())
        .map(|(found, field)| arrow_schema::Field::new(field.name(), field.data_type().clone(), found.is_nullable()));
    let schema = std::sync::Arc::new(arrow_schema::Schema::new(nullable.collect::<Vec<_>>()));
    ArrowReaderMetadata::try_new(std::sync::Arc::clone(meta.metadata()), options.with_schema(schema))
        .map_err(|e| HistoryError::parquet(name, e))
}

impl RunReader {
    /// Opens a file at its first wanted run; none where it has nothing wanted.
    pub(crate) fn open(name: String, file: StoreFile, want: Want) -> Result<Option<Self>> {
        let meta = open_metadata(&name, &file)?;
        let groups = meta.metadata().row_groups();
        let groups = (0..groups.len()).filter(|&i| may_hold(&groups[i], &want)).collect();
        let mut reader = Self {
            name,
            file,
            meta,
            want,
            groups,
            rows: None,
            group: 0,
            batch: Batch::default(),
            key: SeriesKey::default(),
            run: 0..0,
        };
        Ok(reader.advance()?.then_some(reader))
    }

    /// Says whether its rows can say when they were imported.
    pub(crate) fn has_imports(&self) -> bool {
        self.meta.schema().fields().len() > IMPORTED
    }

    /// Gives the file's path.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Gives the series of the current run.
    pub(crate) fn key(&self) -> &SeriesKey {
        &self.key
    }

    /// Gives the samples of the current run: times, values, and times of ingestion (empty where none has one).
    pub(crate) fn samples(&self) -> (&[i64], &[f64], &[i64]) {
        let run = self.run.clone();
        (&self.batch.ts[run.clone()], &self.batch.value[run.clone()], self.batch.ingested.get(run).unwrap_or(&[]))
    }

    /// Gives when the current run was imported, where an import brought it.
    pub(crate) fn imported_at(&self) -> Option<i64> {
        self.batch.imports.at(self.run.start)
    }

    /// Counts the rows of the current run.
    pub(crate) fn run_len(&self) -> usize {
        self.run.len()
    }

    /// Checks the current run against what the statistics of its row group say.
    pub(crate) fn statistics_hold(&self) -> bool {
        let group = self.meta.metadata().row_group(self.group);
        let key = &self.key;
        let texts = [
            Some(&key.account),
            Some(&key.region),
            Some(&key.instance_id),
            Some(&key.namespace),
            Some(&key.metric),
            Some(&key.stat),
            key.device.as_ref(),
        ];
        let texts_hold = texts.iter().enumerate().all(|(i, text)| {
            let Some(stats) = group.column(i).statistics() else { return true };
            match (text, stats.min_bytes_opt(), stats.max_bytes_opt()) {
                (Some(text), Some(min), Some(max)) => min <= text.as_bytes() && text.as_bytes() <= max,
                (Some(_), _, _) => stats.null_count_opt() != Some(group.num_rows() as u64),
                (None, _, _) => stats.null_count_opt() != Some(0),
            }
        });
        let (ts, _, _) = self.samples();
        let times_hold = time_range(group).is_none_or(|(from, to)| ts.iter().all(|t| (from..=to).contains(t)));
        let period = i64::from(key.period_s);
        let periods = group.column(PERIOD).statistics().and_then(number_range);
        texts_hold && times_hold && periods.is_none_or(|(min, max)| (min..=max).contains(&period))
    }

    /// Goes to the next run; false at the end.
    pub(crate) fn advance(&mut self) -> Result<bool> {
        loop {
            let mut start = self.run.end;
            if start >= self.batch.rows {
                if !self.next_batch()? {
                    return Ok(false);
                }
                start = 0;
            }
            let end = self.batch.run_end(start);
            self.run = start..end;
            if !self.take_key(start) {
                continue;
            }
            if self.clip() {
                return Ok(true);
            }
            self.run = end..end;
        }
    }

    /// Narrows the run to the wanted times; false where none is left.
    fn clip(&mut self) -> bool {
        let Some(time) = self.want.time.as_ref().filter(|_| !self.want.keys_only) else { return true };
        let ts = &self.batch.ts[self.run.clone()];
        let (Some(first), Some(last)) = (ts.first(), ts.last()) else { return false };
        if *first >= time.start && *last < time.end {
            return true;
        }
        let from = ts.partition_point(|t| *t < time.start);
        let to = ts.partition_point(|t| *t < time.end);
        // What is cut off behind is skipped by the next step, as it shares the key and lies past the range.
        self.run = self.run.start + from..self.run.start + to.max(from);
        !self.run.is_empty()
    }

    /// Takes over the key of the row; false where its instance is not wanted.
    fn take_key(&mut self, row: usize) -> bool {
        let batch = &self.batch;
        let key = &mut self.key;
        let columns = [
            &mut key.account,
            &mut key.region,
            &mut key.instance_id,
            &mut key.namespace,
            &mut key.metric,
            &mut key.stat,
        ];
        for (column, held) in batch.texts.iter().zip(columns) {
            let text = column.text(row).unwrap_or_default();
            if held != text {
                text.clone_into(held);
            }
        }
        let device = batch.texts[DEVICE].text(row);
        if key.device.as_deref() != device {
            key.device = device.map(str::to_owned);
        }
        key.period_s = batch.period.at(row);
        self.want.instance.as_ref().is_none_or(|wanted| *wanted == key.instance_id)
    }

    fn next_batch(&mut self) -> Result<bool> {
        self.run = 0..0;
        loop {
            if let Some(rows) = &mut self.rows {
                if let Some(batch) = rows.next() {
                    let batch = batch.map_err(|e| HistoryError::parquet(&self.name, e.into()))?;
                    let group = self.meta.metadata().row_group(self.group);
                    self.batch = Batch::take(&batch, group, self.want.keys_only)
                        .map_err(|fault| HistoryError::corrupt(&self.name, fault))?;
                    return Ok(true);
                }
                self.rows = None;
            }
            let Some(group) = self.groups.pop_front() else {
                self.batch = Batch::default();
                return Ok(false);
            };
            self.group = group;
            self.rows = Some(self.open_group(group)?);
        }
    }

    fn open_group(&self, index: usize) -> Result<ParquetRecordBatchReader> {
        let group = self.meta.metadata().row_group(index);
        let want = &self.want;
        let wanted = (0..group.num_columns()).filter(|&i| match i {
            TS | VALUE => !want.keys_only,
            INGESTED | IMPORTED if want.keys_only => false,
            i => want.all_columns || constant(group, i).is_none(),
        });
        let mask = ProjectionMask::leaves(self.meta.parquet_schema(), wanted);
        ParquetRecordBatchReaderBuilder::new_with_metadata(self.file.clone(), self.meta.clone())
            .with_row_groups(vec![index])
            .with_projection(mask)
            .with_batch_size(BATCH)
            .build()
            .map_err(|e| HistoryError::parquet(&self.name, e))
    }
}

fn may_hold(group: &RowGroupMetaData, want: &Want) -> bool {
    if group.num_rows() == 0 {
        return false;
    }
    if let (Some(time), Some((first, last))) = (&want.time, time_range(group))
        && (last < time.start || first >= time.end)
    {
        return false;
    }
    let Some(instance) = &want.instance else { return true };
    let Some(stats) = group.column(INSTANCE).statistics() else { return true };
    let (Some(min), Some(max)) = (stats.min_bytes_opt(), stats.max_bytes_opt()) else { return true };
    // A truncated bound is still a bound.
    min <= instance.as_bytes() && instance.as_bytes() <= max
}
