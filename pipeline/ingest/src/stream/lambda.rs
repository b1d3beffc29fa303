//! What a Lambda function is handed by an event source mapping of Kinesis, and what it answers: the mapping is then the consumer, and
//! these are the only two things left to do.

mod base64;

use super::order::compare;
use super::port::{ShardBatch, Stored};
use forewarn_domain::id::is_name;
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::collections::BTreeMap;

/// Longest event: Lambda's 6 MB, and some room.
pub const MAX_EVENT_BYTES: usize = 8 << 20;
/// Most records that a mapping hands over at once.
pub const MAX_RECORDS: usize = 10_000;
/// Longest place: Kinesis writes up to 56 digits.
const MAX_SEQ: usize = 128;
/// 3000-01-01, seconds.
const LATEST_S: f64 = 32_503_680_000.0;

/// Explains why an event is none of a Kinesis stream.
#[derive(Debug, thiserror::Error)]
pub enum LambdaError {
    #[error("the event has {bytes} bytes, at most {MAX_EVENT_BYTES} are allowed")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// It has another form.
    #[error("this is no event of a Kinesis event source mapping; is the function's trigger the right one?")]
    Form(#[from] serde_json::Error),
    /// It has too many records.
    #[error("the event has {records} records, at most {MAX_RECORDS} are allowed; lower the mapping's batch size")]
    TooMany {
        /// How many.
        records: usize,
    },
    /// A record says what can't be.
    #[error("record {number} of the event: {what}")]
    Record {
        /// Which, from 1.
        number: usize,
        /// What is wrong with it.
        what: &'static str,
    },
}

#[derive(Deserialize)]
struct RawEvent {
    #[serde(rename = "Records")]
    records: Vec<RawRecord>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawRecord {
    event_source: String,
    #[serde(rename = "eventID")]
    event_id: String,
    kinesis: RawKinesis,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawKinesis {
    sequence_number: String,
    data: String,
    approximate_arrival_timestamp: Option<f64>,
}

/// Reads an event: the records of each shard, in order.
///
/// # Errors
/// When it is too long, has another form, or a record says what can't be. The records' own data may be anything: see
/// [`super::Record::decode`].
pub fn parse(event: &[u8]) -> Result<Vec<ShardBatch>, LambdaError> {
    if event.len() > MAX_EVENT_BYTES {
        return Err(LambdaError::TooLong { bytes: event.len() });
    }
    let raw: RawEvent = serde_json::from_slice(event)?;
    if raw.records.len() > MAX_RECORDS {
        return Err(LambdaError::TooMany { records: raw.records.len() });
    }
    let mut stretches: Vec<ShardBatch> = Vec::new();
    for (i, record) in raw.records.into_iter().enumerate() {
        let (shard, stored) = check(record).map_err(|what| LambdaError::Record { number: i + 1, what })?;
        let at = stretches.iter().position(|s| s.shard == shard).unwrap_or(stretches.len());
        if at == stretches.len() {
            stretches.push(ShardBatch { shard, records: Vec::new() });
        }
        let records = &mut stretches[at].records;
        if records.last().is_some_and(|last| compare(&last.seq, &stored.seq) != Ordering::Less) {
            return Err(LambdaError::Record { number: i + 1, what: "its sequence number is not after the one before" });
        }
        records.push(stored);
    }
    Ok(stretches)
}

fn check(record: RawRecord) -> Result<(String, Stored), &'static str> {
    if record.event_source != "aws:kinesis" {
        return Err("its eventSource is not aws:kinesis");
    }
    let seq = record.kinesis.sequence_number;
    if seq.is_empty() || seq.len() > MAX_SEQ || !seq.bytes().all(|b| b.is_ascii_digit()) {
        return Err("its sequenceNumber is no decimal number");
    }
    let shard = match record.event_id.split_once(':') {
        Some((shard, same)) if same == seq && shard.starts_with("shardId-") && is_name(shard) => shard.to_owned(),
        Some(_) | None => return Err("its eventID is not SHARD:SEQUENCENUMBER"),
    };
    let arrived_at = record.kinesis.approximate_arrival_timestamp;
    let arrived_at = arrived_at.filter(|s| (0.0..LATEST_S).contains(s)).map(|s| (s * 1000.0).round() as i64);
    let data = base64::decode(&record.kinesis.data).ok_or("its data is not base64")?;
    Ok((shard, Stored { seq, arrived_at, data }))
}

/// The first record of each shard that was not dealt with, collected for the answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Failures(BTreeMap<String, String>);

impl Failures {
    /// Notes that a record, and so every later one of its shard, is to be delivered again.
    pub fn note(&mut self, shard: &str, seq: &str) {
        let first = self.0.entry(shard.to_owned()).or_insert_with(|| seq.to_owned());
        if compare(seq, first) == Ordering::Less {
            seq.clone_into(first);
        }
    }

    /// Makes the answer to an event source mapping with `ReportBatchItemFailures`.
    pub fn response(&self) -> BatchResponse {
        let item = |seq: &String| BatchItemFailure { item_identifier: seq.clone() };
        BatchResponse { batch_item_failures: self.0.values().map(item).collect() }
    }
}

/// A partial batch response: everything before the first failure of a shard was dealt with.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchResponse {
    /// The first failure of each shard; none where all was dealt with.
    pub batch_item_failures: Vec<BatchItemFailure>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchItemFailure {
    /// The record's place.
    pub item_identifier: String,
}

#[cfg(test)]
mod tests;
