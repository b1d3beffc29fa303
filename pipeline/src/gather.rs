//! Gathers the runs of a history scan into the tracks of one instance at a time.

use crate::history::{HistoryError, Run, RunSink, SeriesKey};
use forewarn_rules::series::{NOT_INGESTED, Track};
use forewarn_rules::signal::{Reading, Signal, source_of};
use std::collections::BTreeMap;

/// The namespace of imported metrics that say none and that no signal knows.
const CUSTOM: &str = "custom";

/// Says which series feed which signal.
#[derive(Debug, Clone, Default)]
pub struct SignalMap {
    extra: BTreeMap<String, Signal>,
}

impl SignalMap {
    /// Adds the names that a history or a flag maps to signals.
    pub fn new(extra: BTreeMap<String, Signal>) -> Self {
        Self { extra }
    }

    /// Finds the signal that reads a metric, and how.
    ///
    /// A mapped name counts in every namespace; a known name counts in its own namespace, or where the namespace says nothing.
    pub fn find(&self, namespace: &str, metric: &str) -> Option<(Signal, Reading)> {
        if let Some(&signal) = self.extra.get(metric) {
            let reading = source_of(None, metric).filter(|s| s.signal == signal).map_or(Reading::AsIs, |s| s.reading);
            return Some((signal, reading));
        }
        let known = Some(namespace).filter(|n| *n != CUSTOM);
        source_of(known, metric).map(|s| (s.signal, s.reading))
    }
}

/// One instance's series, ready for features.
#[derive(Debug)]
pub struct Gathered<'a> {
    /// The instance id.
    pub instance_id: &'a str,
    /// The account it belongs to.
    pub account: &'a str,
    /// The region it runs in.
    pub region: &'a str,
    /// Its tracks, each with what [`Track::normalise`] returned.
    pub tracks: &'a [(Track, bool)],
}

/// Collects runs until an instance is complete, then hands it on.
#[derive(Debug)]
pub struct Gather<'m, F> {
    map: &'m SignalMap,
    delay_ms: i64,
    each: F,
    open: Vec<(SeriesKey, Track)>,
    ready: Vec<(Track, bool)>,
    account: String,
    region: String,
    /// Samples of metrics that no signal reads, by name.
    pub unused: BTreeMap<String, u64>,
    /// Samples that a signal reads.
    pub samples: u64,
}

impl<'m, F> Gather<'m, F>
where
    F: FnMut(&Gathered<'_>) -> Result<(), Box<dyn std::error::Error + Send + Sync>>,
{
    /// Starts gathering; `each` gets every instance that has a sample in the scan, whether or not a signal reads it.
    pub fn new(map: &'m SignalMap, delay_ms: i64, each: F) -> Self {
        Self {
            map,
            delay_ms,
            each,
            open: Vec::new(),
            ready: Vec::new(),
            account: String::new(),
            region: String::new(),
            unused: BTreeMap::new(),
            samples: 0,
        }
    }

    fn track(&mut self, key: &SeriesKey) -> Option<&mut Track> {
        if let Some(at) = self.open.iter().position(|(k, _)| k == key) {
            return Some(&mut self.open[at].1);
        }
        let (signal, reading) = self.map.find(&key.namespace, &key.metric)?;
        let track = Track::new(signal, reading, &key.metric, &key.stat, key.device.as_deref(), key.period_s);
        self.open.push((key.clone(), track));
        self.open.last_mut().map(|(_, t)| t)
    }
}

impl<F> RunSink for Gather<'_, F>
where
    F: FnMut(&Gathered<'_>) -> Result<(), Box<dyn std::error::Error + Send + Sync>>,
{
    fn run(&mut self, run: Run<'_>) -> Result<(), HistoryError> {
        if self.account != run.key.account || self.region != run.key.region {
            self.account.clone_from(&run.key.account);
            self.region.clone_from(&run.key.region);
        }
        let rows = run.ts.len() as u64;
        let Some(track) = self.track(run.key) else {
            *self.unused.entry(run.key.metric.clone()).or_default() += rows;
            return Ok(());
        };
        let ingested = run.ingested_at.filter(|at| at.iter().any(|&t| t != NOT_INGESTED));
        track.extend(run.ts, run.value, ingested);
        self.samples += rows;
        Ok(())
    }

    fn end_instance(&mut self, instance_id: &str) -> Result<(), HistoryError> {
        // The order of files must not show: tracks go on in the order of their keys.
        self.open.sort_by(|a, b| a.0.cmp(&b.0));
        self.ready.clear();
        for (_, mut track) in self.open.drain(..) {
            let alone = track.normalise(self.delay_ms);
            self.ready.push((track, alone));
        }
        let gathered = Gathered { instance_id, account: &self.account, region: &self.region, tracks: &self.ready };
        (self.each)(&gathered).map_err(HistoryError::Sink)
    }
}
