//! The records of the stream, and their versioned, compressed form.
//!
//! A record is `fw`, the version byte, then a zstd frame of postcard. Its decompressed size is bounded, and everything in it is
//! checked when it is read: a stream is shared, and what stands in it is not trusted.

use forewarn_domain::id::is_name;
use forewarn_log::envelope::{Envelope, MAX_DATA_BYTES};
use serde::{Deserialize, Serialize};
use std::cell::RefCell;
use std::io::Read;
use zstd::zstd_safe::{DCtx, ResetDirective, get_error_name};

/// Longest encoded record: the 1 MiB of Kinesis, less the longest partition key.
pub const MAX_ENCODED: usize = (1 << 20) - 512;
/// Longest record once decompressed.
pub const MAX_DECODED: usize = 16 << 20;
/// The newest version that is read.
const VERSION: u8 = 2;
/// The version of what every forewarn reads.
const FIRST: u8 = 1;
/// Fast, and samples shrink four times already.
const ZSTD_LEVEL: i32 = 1;

/// Samples of one series, in order of time.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SeriesBlock {
    /// `CloudWatch` namespace.
    pub namespace: String,
    /// Metric name.
    pub metric: String,
    /// Statistic.
    pub stat: String,
    /// What of the instance is measured, such as `path=/data`.
    pub device: Option<String>,
    /// Length of a period in seconds, positive.
    pub period_s: i32,
    /// Starts of the periods, milliseconds UTC, strictly ascending.
    pub ts: Vec<i64>,
    /// Values, as many as `ts`, all finite.
    pub values: Vec<f64>,
}

/// Samples of one instance that were pulled together.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SampleBatch {
    /// Account id, or `unknown`.
    pub account: String,
    /// Region, or `unknown`.
    pub region: String,
    pub instance_id: String,
    /// When the producer had them, milliseconds; none for a backfill, whose samples count as available when they were due.
    pub ingested_at: Option<i64>,
    pub series: Vec<SeriesBlock>,
}

/// What was seen of an instance beside its metrics.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct InstanceSeen {
    /// Account id, or `unknown`.
    pub account: String,
    /// Region, or `unknown`.
    pub region: String,
    pub instance_id: String,
    /// What it is a copy of.
    pub workload: Option<String>,
    /// EC2 instance type.
    pub instance_type: Option<String>,
    /// When it was launched, milliseconds.
    pub launched_at: Option<i64>,
    /// When it was seen, milliseconds.
    pub seen_at: i64,
    /// How it may spend CPU credits, `standard` or `unlimited`, where that was told; a record with it is of version 2.
    #[serde(skip)]
    pub cpu_credits: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Record {
    Samples(SampleBatch),
    /// One event of the log.
    Event(Box<Envelope>),
    Instance(InstanceSeen),
}

/// Explains why a record cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// It is not one of ours.
    #[error("not a forewarn record: it begins with {0:02x?}")]
    Foreign(Vec<u8>),
    /// A newer forewarn wrote it.
    #[error("record version {0} is newer than {VERSION}, the newest this forewarn knows; upgrade forewarn")]
    Newer(u8),
    #[error("the record has {bytes} bytes {form}, at most {most} are allowed")]
    TooLong {
        /// Its length, or more than is allowed.
        bytes: usize,
        /// `encoded` or `decompressed`.
        form: &'static str,
        /// What is allowed.
        most: usize,
    },
    /// Its compression or its form is broken.
    #[error("the record is damaged: {0}")]
    Damaged(String),
    /// Something in it may not be.
    #[error("the record says what can't be: {0}")]
    Invalid(String),
}

#[derive(Serialize, Deserialize)]
struct WireSeries<'a> {
    namespace: &'a str,
    metric: &'a str,
    stat: &'a str,
    device: Option<&'a str>,
    period_s: i32,
    /// Starts and lengths of runs without a gap.
    runs: Vec<(i64, u32)>,
    values: Vec<f64>,
}

#[derive(Serialize, Deserialize)]
enum Wire<'a> {
    Samples {
        account: &'a str,
        region: &'a str,
        instance_id: &'a str,
        ingested_at: Option<i64>,
        #[serde(borrow)]
        series: Vec<WireSeries<'a>>,
    },
    /// JSON: postcard can't carry values of any shape.
    Event(&'a str),
    Instance(InstanceSeen),
    /// As before, and how it may spend CPU credits.
    InstanceWithCredits(InstanceSeen, &'a str),
}

impl Wire<'_> {
    /// The first version that has it.
    const fn version(&self) -> u8 {
        match self {
            Wire::Samples { .. } | Wire::Event(_) | Wire::Instance(_) => FIRST,
            Wire::InstanceWithCredits(..) => VERSION,
        }
    }
}

impl Record {
    /// Gives what records are partitioned by: the instance, or what an event is about.
    pub fn partition_key(&self) -> &str {
        match self {
            Self::Samples(batch) => &batch.instance_id,
            Self::Event(envelope) => {
                envelope.data.get("instance_id").and_then(serde_json::Value::as_str).unwrap_or(&envelope.subject)
            }
            Self::Instance(seen) => &seen.instance_id,
        }
    }

    /// Encodes the record, as several where one would be too long, in order.
    ///
    /// # Errors
    /// When something in it may not be, or an event alone is too long.
    pub fn encode(&self) -> Result<Vec<Vec<u8>>, RecordError> {
        self.check()?;
        let mut out = Vec::new();
        match self {
            Self::Samples(batch) => encode_samples(batch, &mut out)?,
            Self::Event(envelope) => {
                let text = serde_json::to_string(envelope).map_err(|e| RecordError::Damaged(e.to_string()))?;
                out.push(pack(&Wire::Event(&text))?.ok_or_else(|| too_long(text.len(), "encoded", MAX_ENCODED))?);
            }
            Self::Instance(seen) => {
                out.extend(pack(&match &seen.cpu_credits {
                    None => Wire::Instance(seen.clone()),
                    Some(credits) => Wire::InstanceWithCredits(seen.clone(), credits),
                })?);
            }
        }
        Ok(out)
    }

    /// Decodes a record and checks it.
    ///
    /// # Errors
    /// When the bytes are no record, it is too long once decompressed, or something in it may not be.
    pub fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        let [b'f', b'w', version, body @ ..] = bytes else {
            return Err(RecordError::Foreign(bytes.iter().copied().take(8).collect()));
        };
        if !(FIRST..=VERSION).contains(version) {
            return Err(RecordError::Newer(*version));
        }
        let plain = decompressed(body)?;
        let wire: Wire<'_> = postcard::from_bytes(&plain).map_err(|e| RecordError::Damaged(e.to_string()))?;
        let record = match wire {
            Wire::Samples { account, region, instance_id, ingested_at, series } => Self::Samples(SampleBatch {
                account: account.to_owned(),
                region: region.to_owned(),
                instance_id: instance_id.to_owned(),
                ingested_at,
                series: series.into_iter().map(SeriesBlock::from_wire).collect::<Result<_, _>>()?,
            }),
            Wire::Event(text) => {
                Self::Event(serde_json::from_str(text).map_err(|e| RecordError::Invalid(e.to_string()))?)
            }
            Wire::Instance(seen) => Self::Instance(seen),
            Wire::InstanceWithCredits(seen, credits) => {
                Self::Instance(InstanceSeen { cpu_credits: Some(credits.to_owned()), ..seen })
            }
        };
        record.check()?;
        Ok(record)
    }

    fn check(&self) -> Result<(), RecordError> {
        let invalid = |what: String| Err(RecordError::Invalid(what));
        let name = |field: &str, text: &str| {
            if is_name(text) { Ok(()) } else { Err(RecordError::Invalid(format!("{field} is no name: {text:?}"))) }
        };
        match self {
            Self::Samples(batch) => {
                for (field, text) in
                    [("account", &batch.account), ("region", &batch.region), ("instance_id", &batch.instance_id)]
                {
                    name(field, text)?;
                }
                batch.series.iter().try_for_each(SeriesBlock::check)
            }
            Self::Event(envelope) => {
                if envelope.data.to_string().len() > MAX_DATA_BYTES {
                    return invalid("the event's data is too long".to_owned());
                }
                envelope.check().map_err(|e| RecordError::Invalid(e.to_string()))
            }
            Self::Instance(seen) => {
                name("instance_id", &seen.instance_id)?;
                seen.cpu_credits.as_deref().map_or(Ok(()), |credits| name("cpu_credits", credits))
            }
        }
    }
}

impl SampleBatch {
    /// Counts the samples.
    pub fn samples(&self) -> usize {
        self.series.iter().map(|s| s.ts.len()).sum()
    }

    fn with(&self, series: Vec<SeriesBlock>) -> Self {
        Self {
            account: self.account.clone(),
            region: self.region.clone(),
            instance_id: self.instance_id.clone(),
            ingested_at: self.ingested_at,
            series,
        }
    }

    /// Cuts the batch in two, between series or in the middle of the only one.
    fn halves(&self) -> Option<(Self, Self)> {
        if let [only] = self.series.as_slice() {
            let mid = only.ts.len() / 2;
            let part = |ts: &[i64], values: &[f64]| SeriesBlock {
                ts: ts.to_vec(),
                values: values.to_vec(),
                namespace: only.namespace.clone(),
                metric: only.metric.clone(),
                stat: only.stat.clone(),
                device: only.device.clone(),
                period_s: only.period_s,
            };
            return (mid > 0).then(|| {
                let (a, b) = (part(&only.ts[..mid], &only.values[..mid]), part(&only.ts[mid..], &only.values[mid..]));
                (self.with(vec![a]), self.with(vec![b]))
            });
        }
        let (a, b) = self.series.split_at(self.series.len() / 2);
        (!a.is_empty()).then(|| (self.with(a.to_vec()), self.with(b.to_vec())))
    }
}

impl SeriesBlock {
    fn check(&self) -> Result<(), RecordError> {
        let invalid = |what: &str| Err(RecordError::Invalid(format!("{} {}: {what}", self.namespace, self.metric)));
        let named = [&self.namespace, &self.metric, &self.stat].into_iter().chain(&self.device).all(|t| is_name(t));
        match () {
            () if !named => invalid("a name is empty, too long, or holds control characters"),
            () if self.ts.len() != self.values.len() => invalid("as many times as values are needed"),
            () if self.period_s <= 0 || self.period_s > 86_400 => invalid("the period must be 1 to 86,400 seconds"),
            () if !self.ts.is_sorted_by(|a, b| a < b) => invalid("times must ascend"),
            () if self.ts.first().is_some_and(|t| *t < 0)
                || self.ts.last().is_some_and(|t| *t > 32_503_680_000_000) =>
            {
                invalid("a time is not between 1970 and 2999")
            }
            () if self.values.iter().any(|v| !v.is_finite()) => invalid("a value is not finite"),
            () => Ok(()),
        }
    }

    fn to_wire(&self) -> WireSeries<'_> {
        let step = i64::from(self.period_s) * 1000;
        let mut runs: Vec<(i64, u32)> = Vec::new();
        for &ts in &self.ts {
            match runs.last_mut() {
                Some((start, n)) if *start + i64::from(*n) * step == ts => *n += 1,
                _ => runs.push((ts, 1)),
            }
        }
        WireSeries {
            namespace: &self.namespace,
            metric: &self.metric,
            stat: &self.stat,
            device: self.device.as_deref(),
            period_s: self.period_s,
            runs,
            values: self.values.clone(),
        }
    }

    fn from_wire(wire: WireSeries<'_>) -> Result<Self, RecordError> {
        let points: u64 = wire.runs.iter().map(|r| u64::from(r.1)).sum();
        if points != wire.values.len() as u64 || wire.period_s <= 0 {
            return Err(RecordError::Invalid(format!("{points} times for {} values", wire.values.len())));
        }
        let step = i64::from(wire.period_s) * 1000;
        let mut ts = Vec::with_capacity(wire.values.len());
        for (start, n) in wire.runs {
            let last = i64::from(n).checked_mul(step).and_then(|span| start.checked_add(span));
            if last.is_none() {
                return Err(RecordError::Invalid("a time overflows".to_owned()));
            }
            ts.extend((0..i64::from(n)).map(|i| start + i * step));
        }
        Ok(Self {
            namespace: wire.namespace.to_owned(),
            metric: wire.metric.to_owned(),
            stat: wire.stat.to_owned(),
            device: wire.device.map(str::to_owned),
            period_s: wire.period_s,
            ts,
            values: wire.values,
        })
    }
}

thread_local! {
    /// What decompression works in: making it takes longer than a record of an event.
    static DECODER: RefCell<DCtx<'static>> = RefCell::new(DCtx::create());
}

/// Decompresses what is at most [`MAX_DECODED`] bytes then.
fn decompressed(body: &[u8]) -> Result<Vec<u8>, RecordError> {
    let damaged = |e: std::io::Error| RecordError::Damaged(e.to_string());
    let mut plain = Vec::new();
    DECODER.with_borrow_mut(|context| {
        // A record that was damaged leaves it within a frame.
        context
            .reset(ResetDirective::SessionOnly)
            .map_err(|code| RecordError::Damaged(get_error_name(code).to_owned()))?;
        let decoder = zstd::stream::read::Decoder::with_context(body, context);
        decoder.take(MAX_DECODED as u64 + 1).read_to_end(&mut plain).map_err(damaged)
    })?;
    if plain.len() > MAX_DECODED {
        return Err(too_long(plain.len(), "decompressed", MAX_DECODED));
    }
    Ok(plain)
}

fn too_long(bytes: usize, form: &'static str, most: usize) -> RecordError {
    RecordError::TooLong { bytes, form, most }
}

fn encode_samples(batch: &SampleBatch, out: &mut Vec<Vec<u8>>) -> Result<(), RecordError> {
    let packed = pack(&Wire::Samples {
        account: &batch.account,
        region: &batch.region,
        instance_id: &batch.instance_id,
        ingested_at: batch.ingested_at,
        series: batch.series.iter().map(SeriesBlock::to_wire).collect(),
    })?;
    if let Some(bytes) = packed {
        out.push(bytes);
        return Ok(());
    }
    let (a, b) = batch.halves().ok_or_else(|| too_long(MAX_ENCODED + 1, "encoded", MAX_ENCODED))?;
    encode_samples(&a, out)?;
    encode_samples(&b, out)
}

/// Packs a record; none where it is too long in either form.
fn pack(wire: &Wire<'_>) -> Result<Option<Vec<u8>>, RecordError> {
    let damaged = |e: &dyn std::fmt::Display| RecordError::Damaged(e.to_string());
    let plain = postcard::to_allocvec(wire).map_err(|e| damaged(&e))?;
    if plain.len() > MAX_DECODED {
        return Ok(None);
    }
    let mut bytes = vec![b'f', b'w', wire.version()];
    bytes.extend(zstd::bulk::compress(&plain, ZSTD_LEVEL).map_err(|e| damaged(&e))?);
    Ok((bytes.len() <= MAX_ENCODED).then_some(bytes))
}

#[cfg(test)]
mod tests;
