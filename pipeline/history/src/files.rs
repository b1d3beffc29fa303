//! Lists the metric files that count: those of a bucket and range of days, without what a compaction replaced or a pruning
//! forgot.

use super::History;
use super::entry::Entry;
use super::error::Result;
use super::key::{METRICS, Partition, day_of_dir};
use super::replacement::listed_again;
use forewarn_runtime::time::DAY_MS;

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
        let kept_from = self.kept_from()?.map_or(i64::MIN, |day| day.saturating_mul(DAY_MS));
        let from_ms = from_ms.max(kept_from);
        let days = from_ms.div_euclid(DAY_MS)..=to_ms.saturating_sub(1).div_euclid(DAY_MS);
        let within = |path: &str| {
            Partition::from_path(path)
                .is_some_and(|p| bucket.is_none_or(|bucket| bucket == p.bucket) && days.contains(&p.day))
        };
        let list = || self.all_metric_files(bucket, from_ms, to_ms);
        listed_again(self.store(), &self.notes, list, |f| f.entry.path.as_str(), within)
    }

    /// Lists the metric files that lie there, those too that were replaced.
    pub(super) fn all_metric_files(&self, bucket: Option<u16>, from_ms: i64, to_ms: i64) -> Result<Vec<MetricFile>> {
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
