//! Reads CloudWatch Metric Streams as Firehose delivers them: JSON lines, or OpenTelemetry 1.0 protobuf, plain or gzip.
//!
//! An object is read whole before anything of it is put: one that is broken is set aside, and nothing of it is kept.

mod batch;
mod json;
mod otlp;

use crate::stream::SampleBatch;
use forewarn_events::Reason;
use std::io::Read;

/// Longest object once unpacked; Firehose buffers at most 128 MiB.
pub const MAX_BYTES: usize = 256 << 20;
/// The period of a metric stream, seconds.
pub const PERIOD_S: i32 = 60;
/// How every gzip file begins.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// What was read.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Readings {
    /// The samples, by instance.
    pub batches: Vec<SampleBatch>,
    /// Datapoints that no signal reads.
    pub unread: u64,
    /// Datapoints of something that is no instance, such as a volume whose instance is not known.
    pub of_no_instance: u64,
}

/// One datapoint as either form has it.
#[derive(Debug, Clone, PartialEq)]
struct Point<'a> {
    account: &'a str,
    region: &'a str,
    namespace: &'a str,
    metric: &'a str,
    dimensions: Vec<(&'a str, &'a str)>,
    /// Start of the period, milliseconds.
    ts: i64,
    max: Option<f64>,
    sum: f64,
    count: f64,
}

/// Reads an object; `ingested_at` is when it arrived, milliseconds.
///
/// # Errors
/// The first reason why it can't be read: nothing of it is given then.
pub fn read(raw: &[u8], ingested_at: i64) -> Result<Readings, Reason> {
    let unpacked;
    let plain = if raw.starts_with(&GZIP) {
        unpacked = gunzip(raw)?;
        &unpacked
    } else {
        raw
    };
    if plain.len() > MAX_BYTES {
        return Err(Reason::Oversized { bytes: plain.len(), most: MAX_BYTES });
    }
    let mut batches = batch::Batches::new(ingested_at);
    // The length before a message is followed by a tag, which is no quotation mark.
    let start = plain.trim_ascii_start();
    if start.starts_with(b"{\"") {
        json::read(plain, &mut batches)?;
    } else if !start.is_empty() {
        otlp::read(plain, &mut batches)?;
    }
    Ok(batches.finish())
}

fn gunzip(raw: &[u8]) -> Result<Vec<u8>, Reason> {
    let mut plain = Vec::new();
    let broken = |e: std::io::Error| Reason::Damaged { what: format!("gzip: {e}") };
    flate2::read::MultiGzDecoder::new(raw).take(MAX_BYTES as u64 + 1).read_to_end(&mut plain).map_err(broken)?;
    Ok(plain)
}

#[cfg(test)]
mod tests;
