//! From datapoints to batches of samples, one for each instance.

use super::{PERIOD_S, Point, Readings};
use crate::stream::{SampleBatch, SeriesBlock};
use forewarn_domain::id::is_name;
use forewarn_domain::signal::{Reading, source_of};
use forewarn_events::Reason;
use forewarn_events::is_id;
use std::collections::BTreeMap;

/// Dimensions that say what the instance is, not what of it is measured.
const OF_THE_INSTANCE: [&str; 5] = ["InstanceId", "ImageId", "InstanceType", "AutoScalingGroupName", "instance"];
/// Dimensions that a path makes needless.
const OF_THE_PATH: [&str; 2] = ["device", "fstype"];
/// 1970 and 2999, milliseconds.
const TIMES: std::ops::Range<i64> = 0..32_503_680_000_000;

type InstanceKey = (String, String, String);
type SeriesKey = (String, String, &'static str, Option<String>);

/// Collects datapoints.
#[derive(Debug)]
pub(super) struct Batches {
    ingested_at: i64,
    found: BTreeMap<InstanceKey, BTreeMap<SeriesKey, BTreeMap<i64, f64>>>,
    unread: u64,
    of_no_instance: u64,
}

impl Batches {
    pub(super) const fn new(ingested_at: i64) -> Self {
        Self { ingested_at, found: BTreeMap::new(), unread: 0, of_no_instance: 0 }
    }

    /// Adds a datapoint; of several at one time the greater value holds.
    pub(super) fn add(&mut self, point: &Point<'_>) -> Result<(), Reason> {
        let bad = |path: &str, found: String, expected: &str| {
            Err(Reason::BadValue { path: path.to_owned(), expected: expected.to_owned(), found })
        };
        let Some(source) = source_of(Some(point.namespace), point.metric) else {
            self.unread += 1;
            return Ok(());
        };
        let dimension = |name: &str| point.dimensions.iter().find(|d| d.0 == name).map(|d| d.1);
        let Some(instance) = dimension("InstanceId") else {
            self.of_no_instance += 1;
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
        if dimension("cpu").is_some_and(|cpu| cpu != "cpu-total") {
            self.unread += 1;
            return Ok(());
        }
        if !TIMES.contains(&point.ts) {
            return Err(Reason::BadTime { path: "timestamp".to_owned(), found: point.ts.to_string() });
        }
        let (stat, value) = match (source.stat, source.reading) {
            ("Maximum", _) => ("Maximum", point.max),
            (_, Reading::PerMinute) => ("Sum", Some(point.sum)),
            (_, Reading::AsIs | Reading::Complement(_)) => ("Average", Some(point.sum / point.count)),
        };
        // A period without a sample says nothing.
        if point.count <= 0.0 {
            self.unread += 1;
            return Ok(());
        }
        let Some(value) = value.filter(|v| v.is_finite()) else {
            return bad("value", format!("{value:?}"), "finite numbers");
        };
        let device = device(&point.dimensions);
        let named = [point.account, point.region].into_iter().chain(device.as_deref()).all(is_name);
        if !named {
            return bad("a name", String::new(), "1 to 512 bytes without control characters");
        }
        let instance = (instance.to_owned(), point.account.to_owned(), point.region.to_owned());
        let series = (point.namespace.to_owned(), point.metric.to_owned(), stat, device);
        let held = self.found.entry(instance).or_default().entry(series).or_default().entry(point.ts).or_insert(value);
        *held = held.max(value);
        Ok(())
    }

    /// Gives the batches, in the order of the instances.
    pub(super) fn finish(self) -> Readings {
        let block = |((namespace, metric, stat, device), points): (SeriesKey, BTreeMap<i64, f64>)| SeriesBlock {
            namespace,
            metric,
            stat: stat.to_owned(),
            device,
            period_s: PERIOD_S,
            ts: points.keys().copied().collect(),
            values: points.values().copied().collect(),
        };
        let batches = self.found.into_iter().map(|((instance_id, account, region), series)| SampleBatch {
            account,
            region,
            instance_id,
            ingested_at: Some(self.ingested_at),
            series: series.into_iter().map(block).collect(),
        });
        Readings { batches: batches.collect(), unread: self.unread, of_no_instance: self.of_no_instance }
    }
}

/// Gives what of the instance is measured, such as `path=/data`; none for the whole of it.
fn device(dimensions: &[(&str, &str)]) -> Option<String> {
    let has_path = dimensions.iter().any(|d| d.0 == "path");
    let mut parts: Vec<String> = dimensions
        .iter()
        .filter(|(name, value)| {
            let of_the_path = has_path && OF_THE_PATH.contains(name);
            let whole = *name == "cpu" && *value == "cpu-total";
            !(OF_THE_INSTANCE.contains(name) || of_the_path || whole)
        })
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    parts.sort_unstable();
    (!parts.is_empty()).then(|| parts.join(","))
}
