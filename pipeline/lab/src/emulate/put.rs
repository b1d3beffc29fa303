//! `PutMetricData`: what callers put, kept within bounds, and read back.

use super::dimensions::Dimension;
use super::fold::Datum;
use super::input::Fields;
use super::refusal::{Kind, Refusal};
use std::collections::BTreeMap;

/// Metrics of one call.
const MOST_METRICS: usize = 1000;
/// Values of one metric in one call.
const MOST_VALUES: usize = 150;
/// Points that are kept in all.
const MOST_POINTS: usize = 2_000_000;
const BACK_MS: i64 = 14 * 86_400_000;
const AHEAD_MS: i64 = 2 * 3_600_000;

/// What names a metric that was put; dimensions are sorted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) namespace: String,
    pub(super) metric: String,
    pub(super) dimensions: Vec<Dimension>,
}

/// The points of one metric, by minute.
#[derive(Debug, Default)]
pub(super) struct Series {
    points: BTreeMap<i64, Datum>,
    /// When it was first put.
    pub(super) since: i64,
}

impl Series {
    /// The times of the first and the last point.
    pub(super) fn extent(&self) -> Option<(i64, i64)> {
        Some((*self.points.first_key_value()?.0, *self.points.last_key_value()?.0))
    }

    /// The points with `from <= ts < to`.
    pub(super) fn read(&self, from: i64, to: i64) -> impl Iterator<Item = (i64, Datum)> + '_ {
        self.points.range(from..to.max(from)).map(|(ts, d)| (*ts, *d))
    }
}

/// Everything that was put.
#[derive(Debug, Default)]
pub(super) struct Store {
    all: BTreeMap<Key, Series>,
    points: usize,
}

impl Store {
    pub(super) fn series(&self) -> impl Iterator<Item = (&Key, &Series)> {
        self.all.iter()
    }

    pub(super) fn find(&self, namespace: &str, metric: &str, dimensions: &[Dimension]) -> Option<&Series> {
        let mut dimensions = dimensions.to_vec();
        dimensions.sort();
        self.all.get(&Key { namespace: namespace.to_owned(), metric: metric.to_owned(), dimensions })
    }

    /// Takes the points of one call, all or none; gives how many there are.
    pub(super) fn put(&mut self, input: &Fields<'_>, now: i64) -> Result<usize, Refusal> {
        let points = parse(input, now)?;
        if self.points + points.len() > MOST_POINTS {
            return Err(Refusal::new(Kind::LimitExceeded, format!("at most {MOST_POINTS} points are kept")));
        }
        let n = points.len();
        for (key, ts, datum) in points {
            let series = self.all.entry(key).or_insert_with(|| Series { since: now, ..Series::default() });
            let before = series.points.len();
            series.points.entry(ts).and_modify(|d| d.add(datum)).or_insert(datum);
            self.points += series.points.len() - before;
        }
        Ok(n)
    }
}

fn parse(input: &Fields<'_>, now: i64) -> Result<Vec<(Key, i64, Datum)>, Refusal> {
    let namespace = input.label("Namespace")?;
    if namespace.starts_with("AWS/") {
        let message = "The value AWS/ for parameter Namespace is invalid.";
        return Err(Refusal::new(Kind::InvalidValue, message));
    }
    let data = input.structures("MetricData")?;
    match data.len() {
        0 => return Err(Refusal::new(Kind::MissingParameter, "The parameter MetricData is required.")),
        1..=MOST_METRICS => {}
        _ => {
            let message = format!("The collection MetricData must not have a size greater than {MOST_METRICS}.");
            return Err(Refusal::new(Kind::InvalidValue, message));
        }
    }
    data.iter().map(|d| datum(namespace, d, now)).collect()
}

fn datum(namespace: &str, d: &Fields<'_>, now: i64) -> Result<(Key, i64, Datum), Refusal> {
    let invalid =
        |key: &str, what: &str| Refusal::new(Kind::InvalidValue, format!("The parameter {} {what}.", d.name(key)));
    let mut dimensions = d.dimensions()?;
    dimensions.sort();
    if dimensions.windows(2).any(|w| w[0].0 == w[1].0) {
        return Err(invalid("Dimensions", "names a dimension twice"));
    }
    let ts = d.time("Timestamp")?.unwrap_or(now);
    if ts < now - BACK_MS || ts > now + AHEAD_MS {
        return Err(invalid(
            "Timestamp",
            "must specify a time within the past two weeks and no more than two hours ahead",
        ));
    }
    let datum = match (d.float("Value")?, d.structure("StatisticValues")?, d.floats("Values")?) {
        (Some(value), None, None) => Datum::of(value, 1.0),
        (None, Some(s), None) => {
            let must = |key| s.float(key)?.ok_or_else(|| invalid(key, "is required"));
            Datum { n: must("SampleCount")?, sum: must("Sum")?, min: must("Minimum")?, max: must("Maximum")? }
        }
        (None, None, Some(values)) => many(d, &values, &invalid)?,
        (None, None, None) => {
            let message = format!("The parameter {} is required.", d.name("Value"));
            return Err(Refusal::new(Kind::MissingParameter, message));
        }
        _ => {
            let message = "The parameters Value, Values and StatisticValues are mutually exclusive.";
            return Err(Refusal::new(Kind::InvalidCombination, message));
        }
    };
    // AWS's own bounds: neither NaN nor infinity, nor anything past 2^360.
    let limit = 2_f64.powi(360);
    if [datum.n, datum.sum, datum.min, datum.max].iter().any(|x| !x.is_finite() || x.abs() > limit) || datum.n <= 0.0 {
        return Err(invalid("Value", "must be a finite number between -2^360 and 2^360"));
    }
    let key = Key { namespace: namespace.to_owned(), metric: d.label("MetricName")?.to_owned(), dimensions };
    Ok((key, ts.div_euclid(60_000) * 60_000, datum))
}

fn many(d: &Fields<'_>, values: &[f64], invalid: &impl Fn(&str, &str) -> Refusal) -> Result<Datum, Refusal> {
    let counts = d.floats("Counts")?.unwrap_or_else(|| vec![1.0; values.len()]);
    if values.is_empty() || values.len() > MOST_VALUES || counts.len() != values.len() {
        return Err(invalid("Values", "must have 1 to 150 values, and Counts as many"));
    }
    if counts.iter().any(|c| c.is_nan() || *c <= 0.0) {
        return Err(invalid("Counts", "must be positive"));
    }
    let mut all = values.iter().zip(counts).map(|(v, n)| Datum::of(*v, n));
    let first = all.next().unwrap_or(Datum::of(f64::NAN, 1.0));
    Ok(all.fold(first, |mut sum, d| {
        sum.add(d);
        sum
    }))
}
