//! Imports long or single-series files into a history: reads, checks, sorts outside memory, and commits all or
//! nothing.
//!
//! An import's id is the hash of the files' bytes and of the options that shape rows. File names derive from it, so
//! that running it again, after a crash too, makes exactly the same files.

mod cli_json;
mod columns;
mod error;
mod existing;
mod from_csv;
mod from_parquet;
mod hive;
mod identity;
mod lines;
mod merge;
mod options;
mod order;
mod period;
mod series;
mod sort;
mod spool;
pub mod table;
mod times;
mod told_apart;
mod watch;

pub use error::ImportError;
pub use options::{ImportOptions, ImportReport, OnError, Phase, Progress};
pub use table::{read_events, read_instances};

use crate::{History, MetricWriter, Partition, SeriesKey};
use existing::Existing;
use forewarn_domain::signal_map::SignalMap;
use forewarn_runtime::threads::Threads;
use merge::{Spilled, merge_partition};
use series::SeriesTable;
use sort::Sorter;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use watch::{Seen, Watch};

/// Imports files as one commit. By default one bad row fails it and nothing is imported.
///
/// `progress` is told of each batch; it must be quick.
pub fn import_files(
    history: &mut History,
    files: &[PathBuf],
    options: &ImportOptions,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<ImportReport, ImportError> {
    if files.is_empty() {
        return Err(ImportError::NoFiles);
    }
    let mut inputs = Vec::with_capacity(files.len());
    for path in files {
        if path.is_dir() {
            let within = hive::files(path).map_err(|e| ImportError::read(path, e))?;
            if within.is_empty() {
                return Err(ImportError::file(path, "is a directory without files"));
            }
            for file in within {
                inputs.push(identity::Input::open(&file, options)?);
            }
        } else {
            inputs.push(identity::Input::open(path, options)?);
        }
    }
    let id = identity::import_id(&inputs, options, history.buckets())?;
    let mut writer = history.writer()?;
    if let Some(record) = writer.record(&id)? {
        writer.add_signals(&options.signal_map)?;
        let mut report: ImportReport =
            serde_json::from_value(record.report).map_err(|e| ImportError::Record(id, e.to_string()))?;
        report.already_imported = true;
        return Ok(report);
    }
    let mut staging = writer.stage(&id)?;
    let spill = staging.dir().join("spill");
    let buckets = writer.history().buckets();
    let read = told_apart::read(&mut |joined| {
        let mut intake = Intake::new(options, buckets, &spill, joined)?;
        for input in &inputs {
            match input.format {
                identity::Format::Csv => from_csv::read(input, &mut intake, progress)?,
                identity::Format::Parquet => from_parquet::read(input, &mut intake, progress)?,
            }
        }
        intake.finish()
    });
    let (Rows { table, mut report, .. }, spilled) = read?;
    report.files = inputs.len() as u64;
    let keys = final_keys(&table, &spilled)?;
    let targets: Vec<String> = spilled.partitions().into_iter().map(|partition| file_of(partition, &id)).collect();
    let imported_at = writer.begun_at(&mut staging, &targets, options.now_ms)?;
    let mut signals = writer.history().manifest().signal_map.clone();
    signals.extend(options.signal_map.iter().map(|(name, signal)| (name.clone(), *signal)));
    let watch = Watch::new(&keys, &SignalMap::new(signals));
    let (history, threads) = (writer.history(), options.threads);
    let write = Write { id: &id, imported_at, history, table: &table, keys: &keys, spilled: &spilled, watch: &watch };
    let seen = write.partitions(&mut staging, threads, progress)?;
    spilled.remove()?;
    watch.tell(seen, table.rows(), &mut report);
    describe(&mut report, &table, &keys);
    let range = report.range;
    let record = serde_json::to_value(&report).map_err(|e| ImportError::Record(id, e.to_string()))?;
    writer.commit(&staging, &options.signal_map, range, record)?;
    Ok(report)
}

/// Everything that readers of input files hand their rows to.
struct Intake<'a> {
    options: &'a ImportOptions,
    table: SeriesTable,
    sorter: Sorter,
    faults: error::Faults,
    report: ImportReport,
    latest: i64,
    /// The columns that join the device.
    joined: Vec<String>,
    /// The first columns that nobody knows.
    unknown: Vec<String>,
}

/// What was read of the inputs, beside the samples.
struct Rows {
    table: SeriesTable,
    report: ImportReport,
    unknown: Vec<String>,
}

/// How far in the future a time may lie before it is a fault: clocks and zones differ by less.
const FUTURE_MS: i64 = forewarn_runtime::time::DAY_MS;

/// Times before 2000-01-01 are faults: no metric of an instance is that old, but many a wrong unit is.
const EARLIEST_MS: i64 = 946_684_800_000;

impl<'a> Intake<'a> {
    fn new(options: &'a ImportOptions, buckets: u16, spill: &Path, joined: &[String]) -> Result<Self, ImportError> {
        Ok(Self {
            options,
            table: SeriesTable::new(options, buckets),
            sorter: Sorter::create(spill, options.memory_limit_bytes)?,
            faults: error::Faults::new(options.on_error),
            report: ImportReport::default(),
            latest: options.now_ms.saturating_add(FUTURE_MS),
            joined: joined.to_vec(),
            unknown: Vec::new(),
        })
    }

    /// Notes columns that nobody knows.
    fn note_unknown<'c>(&mut self, columns: impl Iterator<Item = &'c String>) {
        for name in columns {
            if self.unknown.len() < told_apart::MOST_COLUMNS && !self.unknown.contains(name) {
                self.unknown.push(name.clone());
            }
        }
    }

    /// Sorts what was read.
    fn finish(self) -> Result<(Rows, Spilled), ImportError> {
        let Self { table, sorter, faults, mut report, unknown, .. } = self;
        report.rows_skipped = faults.skipped;
        report.errors = faults.sample;
        let spilled = sorter.finish(&table)?;
        Ok((Rows { table, report, unknown }, spilled))
    }

    /// Says what is wrong with a sample, if anything is.
    fn fault_of(&self, ts: i64, value: f64) -> Option<String> {
        use forewarn_runtime::time::format_ms;
        if ts > self.latest {
            let now = format_ms(self.options.now_ms);
            return Some(format!(
                "the time {} is in the future (now is {now}); check the unit and the zone",
                format_ms(ts)
            ));
        }
        if ts < EARLIEST_MS {
            return Some(format!("the time {} is before 2000; check the unit", format_ms(ts)));
        }
        value.is_infinite().then(|| format!("the value {value} is not finite"))
    }

    /// Takes samples of one series that were all checked; NaN is missing and dropped.
    fn take(&mut self, series: u32, ts: &[i64], value: &[f64], ingested: &[i64]) -> Result<(), ImportError> {
        if value.iter().any(|v| v.is_nan()) {
            for i in 0..ts.len() {
                if value[i].is_nan() {
                    self.report.rows_missing += 1;
                } else {
                    let ingested = ingested.get(i..=i).unwrap_or(&[]);
                    self.take(series, &ts[i..=i], &value[i..=i], ingested)?;
                }
            }
            return Ok(());
        }
        self.table.count(series, ts);
        self.sorter.push(&self.table, series, ts, value, ingested)
    }
}

/// Fixes the period of every series that had none stated.
fn final_keys(table: &SeriesTable, spilled: &Spilled) -> Result<Vec<SeriesKey>, ImportError> {
    let mut gaps = table.gaps().clone();
    if gaps.any_unordered() {
        // Arrival order says nothing about the period: count again in the order of time.
        gaps.reset();
        let mut file = spilled.open()?;
        for partition in spilled.partitions() {
            merge_partition((spilled, &mut file), table, partition, |series, ts, _, _| {
                gaps.count(series, ts);
                Ok(())
            })?;
        }
    }
    let period = |(i, key): (usize, &SeriesKey)| {
        let mut key = key.clone();
        if key.period_s == series::UNKNOWN_PERIOD {
            key.period_s = gaps.period(i);
        }
        key
    };
    Ok(table.keys().iter().enumerate().map(period).collect())
}

/// What is written, and where.
struct Write<'a> {
    id: &'a str,
    imported_at: i64,
    history: &'a History,
    table: &'a SeriesTable,
    keys: &'a [SeriesKey],
    spilled: &'a Spilled,
    watch: &'a Watch<'a>,
}

impl Write<'_> {
    /// Writes all partitions, several buckets at a time, and says what was seen in them.
    fn partitions(
        &self,
        staging: &mut crate::Staging,
        threads: Threads,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Seen, ImportError> {
        let partitions = self.spilled.partitions();
        let known = existing::partitions(self.history, &partitions)?;
        let total = partitions.len() as u64;
        let targets: Vec<(Partition, PathBuf)> =
            partitions.into_iter().map(|partition| (partition, staging.add(&file_of(partition, self.id)))).collect();
        let buckets: Vec<&[(Partition, PathBuf)]> = targets.chunk_by(|a, b| a.0.bucket == b.0.bucket).collect();
        let (mut all, mut done) = (Seen::default(), 0);
        threads.in_order(
            buckets.len(),
            |at| self.bucket(buckets[at], &known),
            |at, seen| {
                all.join(seen);
                done += buckets[at].len() as u64;
                progress(Progress { phase: Phase::Write, file: None, rows: all.rows, done, total });
                Ok(())
            },
        )?;
        Ok(all)
    }

    /// Writes the partitions of a bucket, in the order of their days.
    fn bucket(&self, targets: &[(Partition, PathBuf)], known: &BTreeSet<Partition>) -> Result<Seen, ImportError> {
        let (mut seen, mut file) = (Seen::default(), self.spilled.open()?);
        for (partition, path) in targets {
            let existing = if known.contains(partition) {
                Existing::read(self.history, *partition, self.keys, self.table)?
            } else {
                Existing::default()
            };
            let mut out = MetricWriter::create_with_imports(path)?;
            merge_partition((self.spilled, &mut file), self.table, *partition, |series, ts, value, ingested| {
                let key = &self.keys[series as usize];
                seen.replacing += existing.replaced_by(key, ts, value);
                self.watch.see(&mut seen, series, ts, value, ingested);
                Ok(out.push(key, ts, value, ingested, Some(self.imported_at))?)
            })?;
            out.finish()?;
            forewarn_runtime::failpoint::point("import.partition_written");
        }
        Ok(seen)
    }
}

fn file_of(partition: Partition, id: &str) -> String {
    format!("{}/import-{id}.parquet", partition.dir())
}

fn describe(report: &mut ImportReport, table: &SeriesTable, keys: &[SeriesKey]) {
    let known = || keys.iter().zip(table.rows()).filter(|(_, rows)| **rows > 0).map(|(key, _)| key);
    report.instances = known().map(|key| key.instance_id.as_str()).collect::<BTreeSet<_>>().len() as u64;
    report.series = known().collect::<BTreeSet<_>>().len() as u64;
    report.from = report.range.map(|(from, _)| forewarn_runtime::time::format_ms(from));
    report.to = report.range.map(|(_, to)| forewarn_runtime::time::format_ms(to));
}
