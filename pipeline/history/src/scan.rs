//! Scans a bucket over a range of days, merging its files instance by instance.

use super::History;
use super::error::{HistoryError, Result};
use super::files::MetricFile;
use super::key::SeriesKey;
use super::read::{RunReader, Want};
use super::replacement::not_gone;

/// Samples of one series in sequence, in the order of time within one file.
#[derive(Debug, Clone, Copy)]
pub struct Run<'a> {
    pub key: &'a SeriesKey,
    /// Starts of the periods, milliseconds UTC.
    pub ts: &'a [i64],
    /// Values, as many as `ts`.
    pub value: &'a [f64],
    /// When each sample arrived; [`super::NOT_INGESTED`] marks one that does not say. None where none says.
    pub ingested_at: Option<&'a [i64]>,
    /// When all of them were imported, where an import brought them.
    pub imported_at: Option<i64>,
}

/// Takes the runs of a scan.
///
/// Runs come instance by instance, in ascending order of the ids. Within an instance they come file by file, days
/// ascending; runs of one series may overlap in time where files do, and one series may come in several runs.
pub trait RunSink {
    /// Takes one run, never empty.
    fn run(&mut self, run: Run<'_>) -> Result<()>;
    /// Learns that all runs of an instance have come.
    fn end_instance(&mut self, instance_id: &str) -> Result<()>;
}

/// What a scan reads.
#[derive(Debug, Clone, Default)]
pub struct ScanOptions {
    /// Only samples that start at or after this.
    pub from_ms: Option<i64>,
    /// Only samples that start before this.
    pub to_ms: Option<i64>,
    /// Only this instance.
    pub instance: Option<String>,
}

impl History {
    /// Scans a bucket for samples in `[from_ms, to_ms)`. Memory is bounded by one batch of each file.
    pub fn scan(&self, bucket: u16, from_ms: i64, to_ms: i64, sink: &mut impl RunSink) -> Result<()> {
        let options = ScanOptions { from_ms: Some(from_ms), to_ms: Some(to_ms), instance: None };
        self.scan_with(bucket, &options, sink)
    }

    /// Scans a bucket as the options say.
    pub fn scan_with(&self, bucket: u16, options: &ScanOptions, sink: &mut impl RunSink) -> Result<()> {
        let from = options.from_ms.unwrap_or(i64::MIN);
        let to = options.to_ms.unwrap_or(i64::MAX);
        if from >= to {
            return Ok(());
        }
        let bounded = options.from_ms.is_some() || options.to_ms.is_some();
        let want = Want { time: bounded.then_some(from..to), instance: options.instance.clone(), ..Want::default() };
        merge(not_gone(|| self.open_readers(bucket, from, to, &want))?, sink)
    }

    fn open_readers(&self, bucket: u16, from: i64, to: i64, want: &Want) -> Result<Vec<RunReader>> {
        let files = self.metric_files(Some(bucket), from, to)?;
        self.readers_of(&files, want)
    }

    /// Opens files, each at its first wanted run.
    pub(super) fn readers_of(&self, files: &[MetricFile], want: &Want) -> Result<Vec<RunReader>> {
        let mut readers = Vec::with_capacity(files.len());
        for file in files {
            let open = self.store().open_file(&file.entry)?;
            readers.extend(RunReader::open(self.store().describe(&file.entry.path), open, want.clone())?);
        }
        Ok(readers)
    }
}

/// Merges open files instance by instance.
pub(super) fn merge(mut readers: Vec<RunReader>, sink: &mut impl RunSink) -> Result<()> {
    let mut instance = String::new();
    while let Some(least) = readers.iter().map(|r| r.key().instance_id.as_str()).min() {
        instance.clear();
        instance.push_str(least);
        let mut i = 0;
        while i < readers.len() {
            if drain_instance(&mut readers[i], &instance, sink)? {
                i += 1;
            } else {
                readers.remove(i);
            }
        }
        sink.end_instance(&instance)?;
    }
    Ok(())
}

/// Hands over the runs of one instance; false at the end of the file.
fn drain_instance(reader: &mut RunReader, instance: &str, sink: &mut impl RunSink) -> Result<bool> {
    while reader.key().instance_id == instance {
        let (ts, value, ingested) = reader.samples();
        let ingested_at = (!ingested.is_empty()).then_some(ingested);
        sink.run(Run { key: reader.key(), ts, value, ingested_at, imported_at: reader.imported_at() })?;
        if !reader.advance()? {
            return Ok(false);
        }
    }
    if reader.key().instance_id.as_str() < instance {
        let fault =
            format!("instance `{}` stands after `{instance}`: the file is not sorted", reader.key().instance_id);
        return Err(HistoryError::corrupt(reader.name(), fault));
    }
    Ok(true)
}
