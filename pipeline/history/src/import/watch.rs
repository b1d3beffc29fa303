//! Watches the rows of an import as they are written, in the order of time: values that contradict each other, that a signal can't
//! have, or that are something else than it reads.

use super::options::ImportReport;
use super::told_apart::SameTime;
use crate::SeriesKey;
use forewarn_domain::device::{is_of_image, is_one_core};
use forewarn_domain::signal::{Reading, Signal};
use forewarn_domain::signal_map::SignalMap;
use forewarn_domain::statistic;
use forewarn_rules::doubt::{Doubt, Shape};
use forewarn_rules::series::Series;
use std::collections::{BTreeMap, BTreeSet};

/// What each series may be.
#[derive(Debug)]
pub(super) struct Watch<'a> {
    keys: &'a [SeriesKey],
    read: Vec<Option<Read>>,
}

/// A series that a signal reads.
#[derive(Debug)]
struct Read {
    signal: Signal,
    reading: Reading,
    rank: Option<u8>,
    possible: (f64, f64),
}

/// What was seen of the rows of some buckets.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) rows: u64,
    /// First and last time, milliseconds.
    range: Option<(i64, i64)>,
    pub(super) replacing: u64,
    contradicting: u64,
    outside: BTreeMap<String, u64>,
    shapes: BTreeMap<u32, Shape>,
    same_time: SameTime,
}

impl Seen {
    /// Adds what was seen of other buckets.
    pub(super) fn join(&mut self, other: Self) {
        self.rows += other.rows;
        self.replacing += other.replacing;
        self.contradicting += other.contradicting;
        self.range = match (self.range, other.range) {
            (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
            (one, none) => one.or(none),
        };
        for (metric, n) in other.outside {
            *self.outside.entry(metric).or_default() += n;
        }
        self.shapes.extend(other.shapes);
    }
}

impl<'a> Watch<'a> {
    pub(super) fn new(keys: &'a [SeriesKey], map: &SignalMap) -> Self {
        let read = |key: &SeriesKey| {
            let (signal, reading) = map.find(&key.namespace, &key.metric)?;
            if is_one_core(&key.metric, key.device.as_deref()) || is_of_image(key.device.as_deref()) {
                return None;
            }
            let rank = statistic::rank(signal, reading, &key.stat);
            let possible = Series::new(signal, reading, &key.metric, &key.stat, None, key.period_s).possible();
            Some(Read { signal, reading, rank, possible })
        };
        Self { read: keys.iter().map(read).collect(), keys }
    }

    /// Sees samples of one series in the order of time, with the times at which each was ingested, or none.
    pub(super) fn see(&self, seen: &mut Seen, series: u32, ts: &[i64], value: &[f64], ingested: &[i64]) {
        seen.rows += ts.len() as u64;
        for &t in [ts.first(), ts.last()].into_iter().flatten() {
            seen.range = Some(seen.range.map_or((t, t), |(from, to)| (from.min(t), to.max(t))));
        }
        seen.contradicting += seen.same_time.contradictions(series, ts, value, ingested);
        let Some(Read { rank: Some(_), possible: (low, high), reading, signal }) = &self.read[series as usize] else {
            return;
        };
        if !value.iter().all(|v| *low <= *v && *v <= *high) {
            let outside = value.iter().filter(|v| !(*low <= **v && **v <= *high)).count() as u64;
            *seen.outside.entry(self.keys[series as usize].metric.clone()).or_default() += outside;
        }
        if Shape::matters(*signal, *reading) {
            let shape = seen.shapes.entry(series).or_default();
            for v in value {
                shape.add(*v);
            }
        }
    }

    /// Says what was seen: metrics that no signal reads or not by this statistic, and those that are something else than it reads.
    pub(super) fn tell(&self, seen: Seen, rows: &[u64], report: &mut ImportReport) {
        report.rows_written = seen.rows;
        report.rows_replacing = seen.replacing;
        report.rows_contradicting = seen.contradicting;
        report.range = seen.range;
        report.outside = seen.outside;
        let mut best: BTreeMap<[Option<&str>; 6], u8> = BTreeMap::new();
        for (key, rank) in self.keys.iter().zip(&self.read).filter_map(|(key, read)| Some((key, read.as_ref()?.rank?)))
        {
            let held = best.entry(key.measured()).or_insert(rank);
            *held = rank.min(*held);
        }
        for ((key, read), rows) in self.keys.iter().zip(&self.read).zip(rows).filter(|(_, rows)| **rows > 0) {
            let name = match read {
                None => key.metric.clone(),
                Some(read) if read.rank.is_some() && read.rank == best.get(&key.measured()).copied() => continue,
                Some(_) => format!("{} ({})", key.metric, key.stat),
            };
            *report.unused_metrics.entry(name).or_default() += rows;
        }
        let shaped = seen.shapes.iter().filter_map(|(series, shape)| {
            let (key, read) = (&self.keys[*series as usize], self.read[*series as usize].as_ref()?);
            Some((key, shape, shape.doubt(read.signal, read.reading)))
        });
        let of_more: BTreeSet<(&str, &str)> = (shaped.clone())
            .filter(|(_, shape, doubt)| doubt.is_none() && shape.reaches(1.0))
            .map(|(key, ..)| (key.instance_id.as_str(), key.metric.as_str()))
            .collect();
        for (key, _, doubt) in shaped {
            let Some(doubt) = doubt else { continue };
            // A new volume is nearly empty; an agent that publishes shares does so of every volume.
            if doubt == Doubt::Share && of_more.contains(&(key.instance_id.as_str(), key.metric.as_str())) {
                continue;
            }
            *report.doubtful.entry(format!("{} {}", key.metric, doubt.words())).or_default() += 1;
        }
    }
}
