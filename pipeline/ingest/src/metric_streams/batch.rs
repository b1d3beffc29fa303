//! From datapoints to batches of samples, one for each instance.

use super::{Point, Put, Tally, period};
use crate::device::device;
use crate::stream::{SampleBatch, SeriesBlock, StreamError};
use forewarn_domain::device::is_one_core;
use forewarn_domain::id::is_name;
use forewarn_domain::signal::{Reading, source_of};
use forewarn_events::Reason;
use forewarn_events::is_id;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// 2006 and 2100, milliseconds.
const TIMES: std::ops::Range<i64> = 1_136_073_600_000..4_102_444_800_000;

type InstanceKey = (String, String, String);
/// Namespace, metric, statistic, device, and the period where the records say it.
type SeriesKey = (String, String, &'static str, Option<String>, Option<i32>);

/// Samples collected before they are handed on: what is in memory of an object, however long that is.
const MOST_SAMPLES: usize = 200_000;

/// Collects datapoints, and hands them on as batches.
pub(super) struct Batches<'a> {
    pub(super) tally: Tally,
    ingested_at: i64,
    put: Put<'a>,
    found: BTreeMap<InstanceKey, BTreeMap<SeriesKey, BTreeMap<i64, f64>>>,
    held: usize,
}

impl<'a> Batches<'a> {
    pub(super) fn new(ingested_at: i64, put: Put<'a>) -> Self {
        Self { tally: Tally::default(), ingested_at, put, found: BTreeMap::new(), held: 0 }
    }

    /// Adds a datapoint, or skips it where it says what can't be.
    pub(super) fn add(&mut self, record: u64, point: &Point<'_>) -> Result<(), StreamError> {
        if let Err(reason) = self.collect(point) {
            self.tally.skip(record, reason);
        }
        if self.held >= MOST_SAMPLES { self.flush() } else { Ok(()) }
    }

    /// Of several at one time the greater value holds.
    fn collect(&mut self, point: &Point<'_>) -> Result<(), Reason> {
        let bad = |path: &str, found: String, expected: &str| {
            Err(Reason::BadValue { path: path.to_owned(), expected: expected.to_owned(), found })
        };
        let Some(source) = source_of(Some(point.namespace), point.metric) else {
            self.tally.unread += 1;
            return Ok(());
        };
        let dimension = |name: &str| point.dimensions.iter().find(|d| d.0 == name).map(|d| d.1);
        let Some(instance) = dimension("InstanceId") else {
            self.tally.of_no_instance += 1;
            return Ok(());
        };
        if !is_id(instance, "i-") {
            let found = instance.chars().take(80).collect();
            return Err(Reason::BadId {
                path: "dimensions.InstanceId".to_owned(),
                expected: "instance id".to_owned(),
                found,
            });
        }
        let device = device(point.dimensions.iter().copied());
        if is_one_core(point.metric, device.as_deref()) {
            self.tally.unread += 1;
            return Ok(());
        }
        if !TIMES.contains(&point.ts) {
            return Err(Reason::BadTime { path: "timestamp".to_owned(), found: point.ts.to_string() });
        }
        let (stat, value) = match (source.stat, source.reading) {
            ("Maximum", _) => ("Maximum", point.max),
            (_, Reading::PerMinute) => ("Sum", Some(point.sum)),
            (_, Reading::AsIs | Reading::Complement(_) | Reading::Surplus) => {
                ("Average", Some(point.sum / point.count))
            }
        };
        // A period without a sample says nothing.
        if point.count <= 0.0 {
            self.tally.unread += 1;
            return Ok(());
        }
        let Some(value) = value.filter(|v| v.is_finite()) else {
            return bad("value", value.map_or_else(|| "nothing".to_owned(), |v| v.to_string()), "finite numbers");
        };
        let odd = [point.account, point.region].into_iter().chain(device.as_deref()).find(|name| !is_name(name));
        if let Some(name) = odd {
            return bad("a name", name.chars().take(80).collect(), "1 to 512 bytes without control characters");
        }
        let instance = (instance.to_owned(), point.account.to_owned(), point.region.to_owned());
        let series = (point.namespace.to_owned(), point.metric.to_owned(), stat, device, point.period_s);
        match self.found.entry(instance).or_default().entry(series).or_default().entry(point.ts) {
            Entry::Occupied(mut held) => {
                let greater = held.get().max(value);
                held.insert(greater);
            }
            Entry::Vacant(free) => {
                free.insert(value);
                self.held += 1;
            }
        }
        Ok(())
    }

    /// Hands on what is held, in the order of the instances.
    pub(super) fn flush(&mut self) -> Result<(), StreamError> {
        let held = std::mem::take(&mut self.held);
        let found = std::mem::take(&mut self.found);
        if held == 0 {
            return Ok(());
        }
        let batches = found.into_iter().map(|((instance_id, account, region), series)| SampleBatch {
            account,
            region,
            instance_id,
            ingested_at: Some(self.ingested_at),
            series: series.into_iter().map(block).collect(),
        });
        (self.put)(batches.collect())?;
        self.tally.samples += held as u64;
        Ok(())
    }
}

fn block(((namespace, metric, stat, device, period_s), points): (SeriesKey, BTreeMap<i64, f64>)) -> SeriesBlock {
    let ts: Vec<i64> = points.keys().copied().collect();
    SeriesBlock {
        namespace,
        metric,
        stat: stat.to_owned(),
        device,
        period_s: period_s.unwrap_or_else(|| period::of_starts(&ts)),
        ts,
        values: points.values().copied().collect(),
    }
}
