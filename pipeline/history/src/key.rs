//! Names a series, and the place where its samples lie.

use forewarn_runtime::time::{DAY_MS, format_day, parse_day};

/// Marks, in a slice of `ingested_at`, a sample that has none.
pub const NOT_INGESTED: i64 = i64::MIN;

/// Everything that identifies a series: every metric column before `value`, without the time.
///
/// Its order is that of the files: instance, namespace, metric, stat, device, then account, region, period.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
pub struct SeriesKey {
    pub instance_id: String,
    /// `CloudWatch` namespace.
    pub namespace: String,
    /// Metric name.
    pub metric: String,
    /// Statistic.
    pub stat: String,
    /// What of the instance is measured, such as `path=/data`.
    pub device: Option<String>,
    /// Account id, or `unknown`.
    pub account: String,
    /// Region, or `unknown`.
    pub region: String,
    /// Length of a sample's period in seconds.
    pub period_s: i32,
}

impl SeriesKey {
    /// Gives what the series measures, whatever the statistic and the period.
    pub fn measured(&self) -> [Option<&str>; 6] {
        let of_all = [&self.instance_id, &self.namespace, &self.metric].map(|text| Some(text.as_str()));
        let [instance, namespace, metric] = of_all;
        [instance, namespace, metric, self.device.as_deref(), Some(&self.account), Some(&self.region)]
    }

    /// Gives the columns that files are sorted by before the time; account, region and period only break ties.
    pub fn sort_group(&self) -> (&str, &str, &str, &str, Option<&str>) {
        (&self.instance_id, &self.namespace, &self.metric, &self.stat, self.device.as_deref())
    }
}

/// Gives the bucket of an instance: xxh64 (seed 0) of its id, modulo the count.
pub fn bucket_of(instance_id: &str, buckets: u16) -> u16 {
    (xxhash_rust::xxh64::xxh64(instance_id.as_bytes(), 0) % u64::from(buckets.max(1))) as u16
}

/// One day of one bucket: the unit of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Partition {
    pub bucket: u16,
    /// Days since 1970-01-01, UTC.
    pub day: i64,
}

impl Partition {
    /// Gives the partition of a sample.
    pub fn of(bucket: u16, ts: i64) -> Self {
        Self { bucket, day: ts.div_euclid(DAY_MS) }
    }

    /// Gives the directory of the partition's files.
    pub fn dir(self) -> String {
        format!("{METRICS}/date={}/bucket={:02}", format_day(self.day), self.bucket)
    }

    /// Reads the partition back from a file's path.
    pub fn from_path(path: &str) -> Option<Self> {
        let mut parts = path.strip_prefix(METRICS)?.strip_prefix('/')?.split('/');
        let day = day_of_dir(parts.next()?)?;
        let bucket = parts.next()?.strip_prefix("bucket=")?.parse().ok()?;
        Some(Self { bucket, day })
    }
}

/// The directory of metric files.
pub(crate) const METRICS: &str = "metrics";

/// Reads `date=YYYY-MM-DD`.
pub(crate) fn day_of_dir(name: &str) -> Option<i64> {
    name.strip_prefix("date=").and_then(parse_day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_pinned_to_xxh64() {
        // xxHash's own test vector: XXH64("", 0) = 0xEF46DB3751D8E999.
        assert_eq!(u64::from(bucket_of("", u16::MAX)), 0xEF46_DB37_51D8_E999 % 65_535);
        assert!((0..100).all(|i| bucket_of(&format!("i-{i}"), 16) < 16));
    }

    #[test]
    fn a_partition_reads_back_from_its_path() {
        let p = Partition::of(7, -1);
        assert_eq!(p.dir(), "metrics/date=1969-12-31/bucket=07");
        assert_eq!(Partition::from_path(&format!("{}/x.parquet", p.dir())), Some(p));
        assert_eq!(Partition::from_path("metrics/date=2026-02-30/bucket=07/x.parquet"), None);
        assert_eq!(Partition::from_path("events/x.parquet"), None);
    }
}
