//! What a history promises to its readers, whoever wrote it.

use forewarn_history::{History, NOT_INGESTED, Run, RunSink, SeriesKey};
use std::path::Path;

mod crash;
mod upkeep;
mod writers;

/// Series, time, bits of the value, time of ingestion.
pub(crate) type Sample = (SeriesKey, i64, u64, i64);

pub(crate) fn key(instance: &str, namespace: &str, metric: &str, stat: &str, period_s: i32) -> SeriesKey {
    SeriesKey {
        instance_id: instance.into(),
        namespace: namespace.into(),
        metric: metric.into(),
        stat: stat.into(),
        device: None,
        account: "unknown".into(),
        region: "unknown".into(),
        period_s,
    }
}

pub(crate) fn sample(i: &str, namespace: &str, metric: &str, stat: &str, period_s: i32, ts: i64, value: f64) -> Sample {
    (key(i, namespace, metric, stat, period_s), ts, value.to_bits(), NOT_INGESTED)
}

/// Gathers a scan and checks its promises: ids ascend, no run is empty, times within a run ascend.
#[derive(Default)]
pub(crate) struct SeriesCollector {
    pub(crate) samples: Vec<Sample>,
    pub(crate) ended: Vec<String>,
}

impl RunSink for SeriesCollector {
    fn run(&mut self, run: Run<'_>) -> forewarn_history::Result<()> {
        assert!(!run.ts.is_empty() && run.ts.len() == run.value.len());
        assert!(run.ts.is_sorted());
        assert!(self.ended.last().is_none_or(|ended| *ended < run.key.instance_id));
        for i in 0..run.ts.len() {
            let ingested = run.ingested_at.map_or(NOT_INGESTED, |t| t[i]);
            self.samples.push((run.key.clone(), run.ts[i], run.value[i].to_bits(), ingested));
        }
        Ok(())
    }

    fn end_instance(&mut self, instance_id: &str) -> forewarn_history::Result<()> {
        assert_eq!(self.samples.last().map(|s| s.0.instance_id.as_str()), Some(instance_id));
        self.ended.push(instance_id.to_owned());
        Ok(())
    }
}

pub(crate) fn scan_all(history: &History, from: i64, to: i64) -> Vec<Sample> {
    let mut all = Vec::new();
    for bucket in 0..history.buckets() {
        let mut gather = SeriesCollector::default();
        history.scan(bucket, from, to, &mut gather).unwrap();
        all.extend(gather.samples);
    }
    all.sort();
    all
}

/// Reads every sample of a history, sorted.
pub(crate) fn read_all(root: &Path) -> Vec<Sample> {
    scan_all(&History::open(root.to_str().unwrap()).unwrap(), i64::MIN, i64::MAX)
}
