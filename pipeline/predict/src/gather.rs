//! Gathers the runs of a history scan into the tracks of one instance at a time.

use forewarn_domain::device::{is_of_image, is_one_core};
use forewarn_domain::signal_map::SignalMap;
use forewarn_domain::statistic;
use forewarn_history::{HistoryError, Run, RunSink, SeriesKey};
use forewarn_rules::grid::available;
use forewarn_rules::series::{NOT_INGESTED, Series};
use std::collections::BTreeMap;

/// One instance's series, ready for features.
#[derive(Debug)]
pub struct CollectedInstance<'a> {
    pub instance_id: &'a str,
    /// The account it belongs to.
    pub account: &'a str,
    /// The region it runs in.
    pub region: &'a str,
    /// Its tracks, each with what [`Series::normalise`] returned.
    pub tracks: &'a [(Series, bool)],
}

/// Collects runs until an instance is complete, then hands it on.
#[derive(Debug)]
pub struct SeriesCollector<'m, F> {
    map: &'m SignalMap,
    delay_ms: i64,
    as_of: Option<i64>,
    each: F,
    shown: bool,
    open: Vec<(SeriesKey, Series)>,
    ready: Vec<(Series, bool)>,
    /// Series of instances that were handed on, for the memory that they hold.
    spare: Vec<Series>,
    account: String,
    region: String,
    /// Samples of metrics that no signal reads, by name, with the statistic where that is why.
    pub unused: BTreeMap<String, u64>,
    /// Samples that their signal can't have, by the name of the metric.
    pub outside: BTreeMap<String, u64>,
    /// Samples that a signal reads.
    pub samples: u64,
}

impl<'m, F> SeriesCollector<'m, F>
where
    F: FnMut(&CollectedInstance<'_>) -> Result<(), Box<dyn std::error::Error + Send + Sync>>,
{
    /// Starts gathering; `each` gets every instance that has a sample in the scan, whether or not a signal reads it.
    pub fn new(map: &'m SignalMap, delay_ms: i64, each: F) -> Self {
        Self {
            map,
            delay_ms,
            as_of: None,
            each,
            shown: false,
            open: Vec::new(),
            ready: Vec::new(),
            spare: Vec::new(),
            account: String::new(),
            region: String::new(),
            unused: BTreeMap::new(),
            outside: BTreeMap::new(),
            samples: 0,
        }
    }

    /// Leaves out runs, and with them instances, of which nothing was available at `as_of`.
    #[must_use]
    pub fn known_at(mut self, as_of: i64) -> Self {
        self.as_of = Some(as_of);
        self
    }

    fn is_known(&self, run: &Run<'_>) -> bool {
        let period_ms = i64::from(run.key.period_s) * 1000;
        let ingested = |i: usize| run.ingested_at.map(|at| at[i]).filter(|&at| at != NOT_INGESTED);
        self.as_of.is_none_or(|as_of| {
            (run.ts.iter().enumerate()).any(|(i, &ts)| available(ts, period_ms, ingested(i), self.delay_ms, as_of))
        })
    }

    /// Names a series that no signal reads: the metric, or of one that is read the statistic that says something else.
    fn unread(&self, key: &SeriesKey) -> String {
        let found = self.map.find(&key.namespace, &key.metric);
        match found.map(|(signal, reading)| statistic::rank(signal, reading, &key.stat)) {
            Some(None) => format!("{} ({})", key.metric, key.stat),
            Some(Some(_)) | None => key.metric.clone(),
        }
    }

    fn track(&mut self, key: &SeriesKey) -> Option<&mut Series> {
        if let Some(at) = self.open.iter().position(|(k, _)| k == key) {
            return Some(&mut self.open[at].1);
        }
        if is_one_core(&key.metric, key.device.as_deref()) {
            return None;
        }
        let (signal, reading) = self.map.find(&key.namespace, &key.metric)?;
        if is_of_image(key.device.as_deref()) || statistic::rank(signal, reading, &key.stat).is_none() {
            return None;
        }
        let mut track = Series::new(signal, reading, &key.metric, &key.stat, key.device.as_deref(), key.period_s);
        if let Some(spare) = self.spare.pop() {
            track.reuse(spare);
        }
        self.open.push((key.clone(), track));
        self.open.last_mut().map(|(_, t)| t)
    }
}

impl<F> RunSink for SeriesCollector<'_, F>
where
    F: FnMut(&CollectedInstance<'_>) -> Result<(), Box<dyn std::error::Error + Send + Sync>>,
{
    fn run(&mut self, run: Run<'_>) -> Result<(), HistoryError> {
        if !self.is_known(&run) {
            return Ok(());
        }
        self.shown = true;
        if self.account != run.key.account || self.region != run.key.region {
            self.account.clone_from(&run.key.account);
            self.region.clone_from(&run.key.region);
        }
        let rows = run.ts.len() as u64;
        let Some(track) = self.track(run.key) else {
            *self.unused.entry(self.unread(run.key)).or_default() += rows;
            return Ok(());
        };
        let ingested = run.ingested_at.filter(|at| at.iter().any(|&t| t != NOT_INGESTED));
        track.extend(run.ts, run.value, ingested, run.imported_at);
        self.samples += rows;
        Ok(())
    }

    fn end_instance(&mut self, instance_id: &str) -> Result<(), HistoryError> {
        if !std::mem::take(&mut self.shown) {
            return Ok(());
        }
        // The order of files must not show: tracks go on in the order of their keys, of one thing the statistic that means it best first.
        let rank = |(key, track): &(SeriesKey, Series)| statistic::rank(track.signal, track.reading, &key.stat);
        self.open.sort_by(|a, b| a.0.measured().cmp(&b.0.measured()).then(rank(a).cmp(&rank(b))).then(a.0.cmp(&b.0)));
        for of_one in self.open.chunk_by_mut(|a, b| a.0.measured() == b.0.measured()) {
            let best = of_one.first().and_then(rank);
            of_one.iter_mut().filter(|it| rank(it) != best).for_each(|it| it.1.is_alternative = true);
        }
        self.spare.extend(self.ready.drain(..).map(|(track, _)| track));
        for (key, mut track) in self.open.drain(..) {
            if track.outside > 0 {
                *self.outside.entry(key.metric).or_default() += track.outside;
            }
            let is_unique_sorted = track.normalise(self.delay_ms);
            self.ready.push((track, is_unique_sorted));
        }
        let gathered =
            CollectedInstance { instance_id, account: &self.account, region: &self.region, tracks: &self.ready };
        (self.each)(&gathered).map_err(HistoryError::Sink)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DELAY: i64 = 300_000;

    fn key(namespace: &str, metric: &str) -> SeriesKey {
        SeriesKey {
            instance_id: "i-a".to_owned(),
            namespace: namespace.to_owned(),
            metric: metric.to_owned(),
            stat: "Average".to_owned(),
            device: None,
            account: "1".to_owned(),
            region: "eu".to_owned(),
            period_s: 300,
        }
    }

    /// The metrics gathered of one instance, and the names that nothing reads.
    fn gathered(runs: &[(SeriesKey, i64, Option<i64>)], as_of: Option<i64>) -> (Vec<Vec<String>>, Vec<String>) {
        let (map, mut found) = (SignalMap::default(), Vec::new());
        let mut gather = SeriesCollector::new(&map, DELAY, |g: &CollectedInstance<'_>| {
            found.push(g.tracks.iter().map(|(t, _)| t.metric.clone()).collect());
            Ok(())
        });
        gather.as_of = as_of;
        gather.as_of = as_of;
        for (key, ts, ingested) in runs {
            let at = ingested.map(|at| [at]);
            gather
                .run(Run {
                    key,
                    ts: &[*ts],
                    value: &[1.0],
                    ingested_at: at.as_ref().map(|at| &at[..]),
                    imported_at: None,
                })
                .unwrap();
        }
        gather.end_instance("i-a").unwrap();
        let unused = gather.unused.keys().cloned().collect();
        (found, unused)
    }

    #[test]
    fn tracks_come_in_the_order_of_their_keys() {
        let runs = [(key("CWAgent", "mem_used_percent"), 0, None), (key("AWS/EC2", "CPUUtilization"), 0, None)];
        let (found, unused) = gathered(&runs, None);
        assert_eq!(found, [["CPUUtilization", "mem_used_percent"]]);
        assert!(unused.is_empty());
    }

    #[test]
    fn what_was_not_available_is_not_there() {
        let cpu = || key("AWS/EC2", "CPUUtilization");
        let other = || key("App", "else");
        assert_eq!(gathered(&[(cpu(), 0, None)], Some(599_999)).0.len(), 0);
        assert_eq!(gathered(&[(cpu(), 0, None)], Some(600_000)).0.len(), 1);
        assert_eq!(gathered(&[(cpu(), 0, Some(700_000))], Some(699_999)).0.len(), 0);
        assert_eq!(gathered(&[(cpu(), 0, Some(700_000))], Some(700_000)).0.len(), 1);
        let late = gathered(&[(other(), 0, Some(700_000))], Some(699_999));
        assert_eq!(late, (vec![], vec![]));
        let seen = gathered(&[(other(), 0, None)], Some(600_000));
        assert_eq!(seen, (vec![vec![]], vec!["else".to_owned()]));
    }
}
