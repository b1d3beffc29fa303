//! What the history says already of the times that an import brings, so that people hear what it replaces.

use super::error::ImportError;
use super::series::SeriesTable;
use crate::key::{NOT_INGESTED, SeriesKey};
use crate::{History, Partition, Run, RunSink};
use forewarn_runtime::time::DAY_MS;
use std::collections::{BTreeMap, BTreeSet};

/// Gives those of some partitions that the history has files of.
pub(super) fn partitions(history: &History, wanted: &[Partition]) -> Result<BTreeSet<Partition>, ImportError> {
    let days = wanted.iter().map(|p| p.day);
    let (Some(first), Some(last)) = (days.clone().min(), days.max()) else { return Ok(BTreeSet::new()) };
    let files = history.metric_files(None, first * DAY_MS, (last + 1) * DAY_MS)?;
    Ok(files.into_iter().map(|file| file.partition).collect())
}

/// The value that counts now at each time of some series, of one partition.
#[derive(Debug, Default)]
pub(super) struct Existing {
    series: BTreeMap<SeriesKey, Vec<Version>>,
}

/// A value at a time, and when it came.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
struct Version {
    ts: i64,
    /// When it was ingested or imported; the last one counts.
    came: i64,
    value: f64,
}

impl Existing {
    /// Reads what the history has of these series in a partition.
    pub(super) fn read(
        history: &History,
        partition: Partition,
        keys: &[SeriesKey],
        table: &SeriesTable,
    ) -> Result<Self, ImportError> {
        let (from, to) = (partition.day * DAY_MS, (partition.day + 1) * DAY_MS);
        let of_bucket = keys.iter().enumerate().filter(|(i, _)| table.bucket(*i as u32) == partition.bucket);
        let mut existing = Self { series: of_bucket.map(|(_, key)| (key.clone(), Vec::new())).collect() };
        history.scan(partition.bucket, from, to, &mut existing)?;
        for versions in existing.series.values_mut() {
            versions.sort_by(|a, b| (a.ts, a.came).cmp(&(b.ts, b.came)).then(a.value.total_cmp(&b.value)));
            // Of those of one time the last stays.
            versions.dedup_by(|later, earlier| {
                let same = later.ts == earlier.ts;
                if same {
                    *earlier = *later;
                }
                same
            });
        }
        Ok(existing)
    }

    /// Counts the samples that say otherwise than what counted so far.
    pub(super) fn replaced_by(&self, key: &SeriesKey, ts: &[i64], value: &[f64]) -> u64 {
        let Some(versions) = self.series.get(key).filter(|versions| !versions.is_empty()) else { return 0 };
        let mut at = versions.partition_point(|v| v.ts < ts[0]);
        let mut replaced = 0;
        for (t, new) in ts.iter().zip(value) {
            while versions.get(at).is_some_and(|v| v.ts < *t) {
                at += 1;
            }
            let other = versions.get(at).is_some_and(|v| v.ts == *t && v.value.to_bits() != new.to_bits());
            replaced += u64::from(other);
        }
        replaced
    }
}

impl RunSink for Existing {
    fn run(&mut self, run: Run<'_>) -> crate::Result<()> {
        let Some(versions) = self.series.get_mut(run.key) else { return Ok(()) };
        let natural = i64::from(run.key.period_s) * 1000;
        for (i, (&ts, &value)) in run.ts.iter().zip(run.value).enumerate() {
            let ingested = run.ingested_at.map(|at| at[i]).filter(|&at| at != NOT_INGESTED);
            versions.push(Version { ts, came: ingested.or(run.imported_at).unwrap_or(ts + natural), value });
        }
        Ok(())
    }

    fn end_instance(&mut self, _: &str) -> crate::Result<()> {
        Ok(())
    }
}
