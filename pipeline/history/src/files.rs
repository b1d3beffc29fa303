//! Lists the metric files that count: those of a bucket and range of days, without what a compaction replaced.

use super::History;
use super::entry::Entry;
use super::error::Result;
use super::key::{METRICS, Partition, day_of_dir};
use super::replacement::{Replacement, replacements};
use forewarn_runtime::time::DAY_MS;
use std::collections::BTreeSet;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetricFile {
    /// Path and size.
    pub entry: Entry,
    /// Day and bucket, from the path.
    pub partition: Partition,
}

impl History {
    /// Lists the metric files of a bucket (or all) with days that touch `[from_ms, to_ms)`, days ascending.
    pub fn metric_files(&self, bucket: Option<u16>, from_ms: i64, to_ms: i64) -> Result<Vec<MetricFile>> {
        let files = self.list_metric_files(bucket, from_ms, to_ms)?;
        let replaced = replacements(self.store())?;
        if !lost_sight(&files, &replaced) {
            return Ok(hide_replaced(files, &replaced));
        }
        let files = self.list_metric_files(bucket, from_ms, to_ms)?;
        Ok(hide_replaced(files, &replacements(self.store())?))
    }

    fn list_metric_files(&self, bucket: Option<u16>, from_ms: i64, to_ms: i64) -> Result<Vec<MetricFile>> {
        let mut files = Vec::new();
        let first = from_ms.div_euclid(DAY_MS);
        let last = to_ms.saturating_sub(1).div_euclid(DAY_MS);
        for name in self.store().list_dirs(METRICS)? {
            let Some(day) = day_of_dir(&name).filter(|day| (first..=last).contains(day)) else { continue };
            let dir = match bucket {
                Some(bucket) => Partition { bucket, day }.dir(),
                None => format!("{METRICS}/{name}"),
            };
            files.extend(self.store().list(&dir)?.into_iter().filter_map(as_metric_file));
        }
        files.sort_by_key(|f| (f.partition.day, f.partition.bucket, f.entry.path.clone()));
        Ok(files)
    }
}

fn as_metric_file(entry: Entry) -> Option<MetricFile> {
    let name = entry.path.rsplit('/').next()?;
    if name.starts_with(['.', '_']) || !entry.path.ends_with(".parquet") {
        return None;
    }
    Partition::from_path(&entry.path).map(|partition| MetricFile { entry, partition })
}

/// Says whether a listing ran while a compaction swapped files, so that it may have seen neither old nor new.
fn lost_sight(files: &[MetricFile], replaced: &[Replacement]) -> bool {
    let seen: BTreeSet<&str> = files.iter().map(|f| f.entry.path.as_str()).collect();
    let listed: BTreeSet<Partition> = files.iter().map(|f| f.partition).collect();
    replaced.iter().any(|r| {
        Partition::from_path(&r.output).is_some_and(|p| listed.contains(&p))
            && !seen.contains(r.output.as_str())
            && r.replaces.iter().any(|old| !seen.contains(old.as_str()))
    })
}

fn hide_replaced(files: Vec<MetricFile>, replaced: &[Replacement]) -> Vec<MetricFile> {
    let hidden: BTreeSet<&str> = {
        let seen: BTreeSet<&str> = files.iter().map(|f| f.entry.path.as_str()).collect();
        let done = replaced.iter().filter(|r| seen.contains(r.output.as_str()));
        done.flat_map(|r| r.replaces.iter().map(String::as_str)).collect()
    };
    let keep: Vec<bool> = files.iter().map(|f| !hidden.contains(f.entry.path.as_str())).collect();
    let mut keep = keep.into_iter();
    files.into_iter().filter(|_| keep.next().unwrap_or(true)).collect()
}
