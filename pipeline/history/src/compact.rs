//! Merges the small files of a day and bucket into one, and those of the small tables. What repeats a known value goes, within a single file too; versions that
//! differ stay.
//!
//! **Invariant:** a note in `_compact/` names the new file and those it replaces before the new file appears. As
//! soon as it appears, the old ones no longer count, whether they are deleted yet or not.

mod due;
mod tables;

use super::entry::Entry;
use super::error::{HistoryError, Result};
use super::files::MetricFile;
use super::key::{NOT_INGESTED, Partition, SeriesKey};
use super::manifest::pretty;
use super::read::{RunReader, Want};
use super::replacement::{NOTES, Replacement, Replacements, finish_interrupted};
use super::scan::{Run, RunSink, merge};
use super::store::Store;
use super::versions::{Sample, from_ordered_bits, keep_versions, ordered_bits};
use super::{History, MetricWriter, local};
use due::due;
use forewarn_runtime::failpoint;
use forewarn_runtime::time::DAY_MS;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// How the names of files begin that a compaction made.
const MADE: &str = "compact-";

/// Files that were read and found to repeat nothing, with their sizes. Without it they are read again, no more.
const CHECKED: &str = "_checked.json";

type Checked = BTreeMap<String, u64>;

/// How old files stay on an object store after they were replaced, for readers that listed them before.
const REMOTE_GRACE_MS: i64 = 15 * 60 * 1000;

/// How many files are merged, and so are open, at a time.
const MERGED_AT_ONCE: usize = 64;

/// How to compact.
#[derive(Debug, Clone, Default)]
pub struct CompactOptions {
    /// The time of the call, milliseconds.
    pub now_ms: i64,
    /// How long replaced files stay; the default is none for a directory, 15 minutes for an object store.
    pub grace_ms: Option<i64>,
    /// Only days before this time, milliseconds.
    pub before_ms: Option<i64>,
    /// Only days that touch this time or a later one, milliseconds.
    pub from_ms: Option<i64>,
    /// Only days of buckets that have more files than so many, and of these the small ones; of a day that is over, more than a few.
    pub many: Option<usize>,
    /// At most so many days of buckets.
    pub most: Option<u64>,
}

/// How long after its end a day counts as over: what comes late has come by then, milliseconds.
const LATE_MS: i64 = 6 * 3_600_000;

/// What a compaction did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct CompactReport {
    /// Days of buckets looked at.
    pub partitions: u64,
    /// Those that were written anew: of more than one file, or of one that repeats itself.
    pub compacted: u64,
    /// Files replaced.
    pub files_before: u64,
    /// Files written.
    pub files_after: u64,
    /// Bytes replaced.
    pub bytes_before: u64,
    /// Bytes written.
    pub bytes_after: u64,
    pub rows_read: u64,
    /// Rows that repeated a known value and went.
    pub duplicates_dropped: u64,
}

impl History {
    /// Says which days of buckets [`super::Writer::compact`] would merge, of those that have more than one file.
    pub fn compactable(&self, options: &CompactOptions) -> Result<CompactReport> {
        let partitions = self.partitions(options)?;
        let mut report = CompactReport { partitions: partitions.len() as u64, ..CompactReport::default() };
        for (partition, files) in partitions {
            let files = options.of_partition(partition, files);
            if files.len() > 1 {
                report.compacted += 1;
                report.files_before += files.len() as u64;
                report.bytes_before += files.iter().map(|f| f.entry.size).sum::<u64>();
            }
        }
        Ok(report)
    }

    fn partitions(&self, options: &CompactOptions) -> Result<BTreeMap<Partition, Vec<MetricFile>>> {
        let (from, to) = (options.from_ms.unwrap_or(i64::MIN), options.before_ms.unwrap_or(i64::MAX));
        let mut partitions: BTreeMap<Partition, Vec<MetricFile>> = BTreeMap::new();
        for file in self.metric_files(None, from, to)? {
            partitions.entry(file.partition).or_default().push(file);
        }
        Ok(partitions)
    }
}

impl CompactOptions {
    /// Gives those of a day's files that are to be merged, each with its bytes.
    fn of_day<F: Clone>(&self, day: i64, files: Vec<F>, size_of: impl Fn(&F) -> u64) -> Vec<F> {
        let Some(many) = self.many else { return files };
        let is_over = (day + 1) * DAY_MS + LATE_MS <= self.now_ms;
        let sizes: Vec<u64> = files.iter().map(size_of).collect();
        due(&sizes, is_over, many).into_iter().map(|i| files[i].clone()).collect()
    }

    fn of_partition(&self, partition: Partition, files: Vec<MetricFile>) -> Vec<MetricFile> {
        self.of_day(partition.day, files, |f| f.entry.size)
    }
}

impl super::Writer<'_> {
    /// Compacts every day and bucket that has more than one file, or one that repeats itself.
    pub fn compact(&mut self, options: &CompactOptions) -> Result<CompactReport> {
        let history = self.history();
        finish_interrupted(history.store(), &history.notes, Some(options.now_ms))?;
        let partitions = history.partitions(options)?;
        let mut report = CompactReport { partitions: partitions.len() as u64, ..CompactReport::default() };
        let before = self.checked()?;
        let mut checked = before.clone();
        if options.before_ms.is_none() && options.from_ms.is_none() {
            let there: BTreeSet<&str> = partitions.values().flatten().map(|f| f.entry.path.as_str()).collect();
            checked.retain(|path, _| there.contains(path.as_str()));
        }
        for (partition, files) in partitions {
            if options.most.is_some_and(|most| report.compacted >= most) {
                break;
            }
            let files = options.of_partition(partition, files);
            match files.as_slice() {
                [] => continue,
                [only] if !self.repeats_itself(only, &mut checked)? => continue,
                _ => {}
            }
            self.compact_partition(partition, files, options, &mut report)?;
        }
        if checked != before {
            self.history().store().put(CHECKED, pretty(&checked, CHECKED)?)?;
        }
        self.compact_tables(options, &mut report)?;
        Ok(report)
    }

    fn checked(&self) -> Result<Checked> {
        let store = self.history().store();
        let Some(bytes) = store.read(CHECKED)? else { return Ok(Checked::new()) };
        let bad = |e: serde_json::Error| HistoryError::Json { path: store.describe(CHECKED), why: e.to_string() };
        serde_json::from_slice(&bytes).map_err(bad)
    }

    /// Says whether a file repeats itself. What a compaction made has none; what was found not to is not read again.
    fn repeats_itself(&self, file: &MetricFile, checked: &mut Checked) -> Result<bool> {
        let entry = &file.entry;
        let made_here = entry.path.rsplit('/').next().is_some_and(|n| n.starts_with(MADE));
        if made_here || checked.get(&entry.path) == Some(&entry.size) {
            return Ok(false);
        }
        let mut sink = Merged::new(self.history(), None);
        merge(self.history().readers_of(std::slice::from_ref(file), &Want::default())?, &mut sink)?;
        let repeats = sink.finish()?.1 > 0;
        if !repeats {
            checked.insert(entry.path.clone(), entry.size);
        }
        Ok(repeats)
    }

    /// Makes one file of those of a partition, in tiers: however many there are, few are open at a time.
    fn compact_partition(
        &self,
        partition: Partition,
        mut files: Vec<MetricFile>,
        options: &CompactOptions,
        report: &mut CompactReport,
    ) -> Result<()> {
        report.compacted += 1;
        report.files_before += files.len() as u64;
        report.bytes_before += files.iter().map(|f| f.entry.size).sum::<u64>();
        loop {
            let mut tier = Vec::with_capacity(files.len().div_ceil(MERGED_AT_ONCE));
            for some in files.chunks(MERGED_AT_ONCE) {
                tier.push(match some {
                    [only] if files.len() > 1 => only.clone(),
                    several => self.compact_files(partition, several, options, report)?,
                });
            }
            files = tier;
            if let [made] = files.as_slice() {
                report.files_after += 1;
                report.bytes_after += made.entry.size;
                return Ok(());
            }
        }
    }

    /// Makes one file of some of a partition; gives it.
    fn compact_files(
        &self,
        partition: Partition,
        files: &[MetricFile],
        options: &CompactOptions,
        report: &mut CompactReport,
    ) -> Result<MetricFile> {
        let inputs = compaction_id(files.iter().map(|f| &f.entry));
        let staging = self.stage(&format!("compact-{inputs}"))?;
        let staged = staging.dir().join("merged");
        let readers = self.history().readers_of(files, &Want::default())?;
        let with_imports = readers.iter().any(RunReader::has_imports);
        let create = if with_imports { MetricWriter::create_with_imports } else { MetricWriter::create };
        let mut sink = Merged::new(self.history(), Some(create(&staged)?));
        merge(readers, &mut sink)?;
        let (rows, dropped) = sink.finish()?;
        local::sync_dir(staging.dir())?;
        let (size, content) = local::size_and_hash(&staged)?;
        let id = format!("{inputs}{content:016x}");
        failpoint::point("compact.staged");

        let output = format!("{}/{MADE}{id}.parquet", partition.dir());
        let replaces = files.iter().map(|f| f.entry.path.clone()).collect();
        self.replace(&id, output.clone(), replaces, options, |store| place(store, &staged, &output))?;
        report.rows_read += rows;
        report.duplicates_dropped += dropped;
        Ok(MetricFile { entry: Entry { path: output, size }, partition })
    }
}

impl super::Writer<'_> {
    /// Notes which file stands for which, places it, and deletes the others when their grace is over.
    fn replace(
        &self,
        id: &str,
        output: String,
        replaces: Vec<String>,
        options: &CompactOptions,
        place: impl FnOnce(&Store) -> Result<()>,
    ) -> Result<()> {
        let store = self.history().store();
        let grace = options.grace_ms.unwrap_or(if store.local_root().is_some() { 0 } else { REMOTE_GRACE_MS });
        let note = Replacement { output, replaces, delete_after_ms: options.now_ms.saturating_add(grace) };
        let note_path = format!("{NOTES}/{id}.json");
        store.put(&note_path, pretty(&note, NOTES)?)?;
        failpoint::point("compact.noted");
        place(store)?;
        failpoint::point("compact.placed");
        if grace <= 0 {
            Replacements::load(store)?.delete_replaced(store, &note_path, &note)?;
        }
        Ok(())
    }
}

/// The name depends on the content: what may be there already is the same.
fn place(store: &Store, staged: &Path, output: &str) -> Result<()> {
    match store.local_root() {
        Some(root) => local::rename(staged, &root.join(output)),
        None => store.create_from(output, staged),
    }
}

/// The same files give the same id, so that a compaction done again after a crash is the same compaction.
fn compaction_id<'a>(files: impl Iterator<Item = &'a Entry>) -> String {
    let mut hash = xxhash_rust::xxh64::Xxh64::new(0);
    for file in files {
        hash.update(file.path.as_bytes());
        hash.update(&file.size.to_le_bytes());
    }
    format!("{:016x}", hash.digest())
}

/// Gathers an instance's samples, sorts them, drops what repeats, and writes them; without a writer it only counts.
struct Merged {
    delay_ms: i64,
    writer: Option<MetricWriter>,
    series: BTreeMap<SeriesKey, Vec<Sample>>,
    rows: u64,
    dropped: u64,
}

impl Merged {
    fn new(history: &History, writer: Option<MetricWriter>) -> Self {
        Self { delay_ms: history.delay_ms(), writer, series: BTreeMap::new(), rows: 0, dropped: 0 }
    }

    fn finish(self) -> Result<(u64, u64)> {
        self.writer.map_or(Ok(()), MetricWriter::finish)?;
        Ok((self.rows, self.dropped))
    }
}

impl RunSink for Merged {
    fn run(&mut self, run: Run<'_>) -> Result<()> {
        self.rows += run.ts.len() as u64;
        if !self.series.contains_key(run.key) {
            self.series.insert(run.key.clone(), Vec::new());
        }
        let Some(samples) = self.series.get_mut(run.key) else { return Ok(()) };
        samples.extend(run.ts.iter().zip(run.value).enumerate().map(|(i, (&ts, value))| Sample {
            ts,
            ingested_at: run.ingested_at.map_or(NOT_INGESTED, |t| t[i]),
            imported_at: run.imported_at,
            bits: ordered_bits(*value),
        }));
        Ok(())
    }

    fn end_instance(&mut self, _instance_id: &str) -> Result<()> {
        let series = std::mem::take(&mut self.series);
        // Series that differ only in account, region or period share a place in the file's order: by time.
        let mut rows: Vec<(&SeriesKey, Sample)> = Vec::new();
        let mut group = None;
        for (key, samples) in &series {
            let mut samples = samples.clone();
            self.dropped += keep_versions(&mut samples, key.period_s, self.delay_ms) as u64;
            if self.writer.is_none() {
                continue;
            }
            if group != Some(key.sort_group()) {
                self.write(&mut rows)?;
                group = Some(key.sort_group());
            }
            rows.extend(samples.into_iter().map(|s| (key, s)));
        }
        self.write(&mut rows)
    }
}

impl Merged {
    fn write(&mut self, rows: &mut Vec<(&SeriesKey, Sample)>) -> Result<()> {
        let Some(writer) = &mut self.writer else { return Ok(()) };
        rows.sort_by(|a, b| a.1.ts.cmp(&b.1.ts).then_with(|| a.0.cmp(b.0)).then_with(|| a.1.cmp(&b.1)));
        for run in rows.chunk_by(|a, b| a.0 == b.0 && a.1.imported_at == b.1.imported_at) {
            let ts: Vec<i64> = run.iter().map(|r| r.1.ts).collect();
            let value: Vec<f64> = run.iter().map(|r| from_ordered_bits(r.1.bits)).collect();
            let mut ingested: Vec<i64> = run.iter().map(|r| r.1.ingested_at).collect();
            if ingested.iter().all(|&t| t == NOT_INGESTED) {
                ingested.clear();
            }
            writer.push(run[0].0, &ts, &value, &ingested, run[0].1.imported_at)?;
        }
        rows.clear();
        Ok(())
    }
}
