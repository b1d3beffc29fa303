//! Describes a history: series, rows, gaps, raw duplicates, range, size, and which metrics signals use.

use super::History;
use super::error::Result;
use super::key::SeriesKey;
use super::scan::{Run, RunSink, ScanOptions};
use forewarn_domain::signal::Signal;
use forewarn_domain::signal_map::SignalMap;
use forewarn_runtime::time::format_ms;
use serde::Serialize;
use std::collections::BTreeMap;

/// What a history holds of one metric.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MetricStats {
    /// `CloudWatch` namespace.
    pub namespace: String,
    /// Metric name.
    pub metric: String,
    /// The signal that reads it, if any.
    pub signal: Option<Signal>,
    pub series: u64,
    pub rows: u64,
}

/// What a history holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct HistoryStats {
    /// Metric files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    pub instances: u64,
    pub series: u64,
    pub rows: u64,
    /// Rows beyond the first of their series and time, equal or not.
    pub raw_duplicates: u64,
    /// Places where a series lacks at least one period.
    pub gaps: u64,
    /// Periods lacking in them.
    pub missing_periods: u64,
    /// First time, RFC 3339.
    pub from: Option<String>,
    /// Last time, RFC 3339.
    pub to: Option<String>,
    /// Every metric.
    pub metrics: Vec<MetricStats>,
    /// Names of metrics that no signal reads.
    pub unused_metrics: Vec<String>,
}

impl History {
    /// Describes the whole history in one scan. Memory is bounded by the times of one instance.
    pub fn stats(&self) -> Result<HistoryStats> {
        let mut tally = Tally::default();
        for bucket in 0..self.buckets() {
            self.scan_with(bucket, &ScanOptions::default(), &mut tally)?;
        }
        let mut stats = tally.stats;
        for file in self.metric_files(None, i64::MIN, i64::MAX)? {
            stats.files += 1;
            stats.bytes += file.entry.size;
        }
        stats.from = tally.range.map(|(from, _)| format_ms(from));
        stats.to = tally.range.map(|(_, to)| format_ms(to));
        for ((namespace, metric), (series, rows)) in tally.metrics {
            let signal = self.signal_of(&namespace, &metric);
            if signal.is_none() && stats.unused_metrics.last() != Some(&metric) {
                stats.unused_metrics.push(metric.clone());
            }
            stats.metrics.push(MetricStats { namespace, metric, signal, series, rows });
        }
        stats.unused_metrics.sort();
        stats.unused_metrics.dedup();
        Ok(stats)
    }

    /// Finds the signal that reads a metric here, by the history's own map first.
    pub fn signal_of(&self, namespace: &str, metric: &str) -> Option<Signal> {
        SignalMap::new(self.manifest().signal_map.clone()).find(namespace, metric).map(|(signal, _)| signal)
    }
}

#[derive(Default)]
struct Tally {
    stats: HistoryStats,
    range: Option<(i64, i64)>,
    times: BTreeMap<SeriesKey, Vec<i64>>,
    metrics: BTreeMap<(String, String), (u64, u64)>,
}

impl RunSink for Tally {
    fn run(&mut self, run: Run<'_>) -> Result<()> {
        match self.times.get_mut(run.key) {
            Some(times) => times.extend_from_slice(run.ts),
            None => {
                self.times.insert(run.key.clone(), run.ts.to_vec());
            }
        }
        Ok(())
    }

    fn end_instance(&mut self, _instance_id: &str) -> Result<()> {
        self.stats.instances += 1;
        for (key, mut times) in std::mem::take(&mut self.times) {
            times.sort_unstable();
            let rows = times.len() as u64;
            self.stats.series += 1;
            self.stats.rows += rows;
            for &t in [times.first(), times.last()].into_iter().flatten() {
                self.range = Some(self.range.map_or((t, t), |(from, to)| (from.min(t), to.max(t))));
            }
            times.dedup();
            self.stats.raw_duplicates += rows - times.len() as u64;
            let period = i64::from(key.period_s.max(1)) * 1000;
            for gap in times.windows(2).map(|w| w[1] - w[0]).filter(|gap| *gap > period + period / 2) {
                self.stats.gaps += 1;
                self.stats.missing_periods += ((gap + period / 2) / period - 1) as u64;
            }
            let metric = self.metrics.entry((key.namespace, key.metric)).or_default();
            metric.0 += 1;
            metric.1 += rows;
        }
        Ok(())
    }
}
