//! Puts records into a Kinesis stream, round by round.

use super::api::Api;
use super::call_error::CallError;
use super::rounds::Rounds;
use crate::stream::entry::{Entry, entries};
use crate::stream::port::{Producer, PutReport, StreamError};
use crate::stream::record::Record;
use aws_sdk_kinesis::operation::put_records::PutRecordsOutput;
use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::PutRecordsRequestEntry;
use forewarn_domain::id::sha256_hex;
use forewarn_runtime::aws::Aws;
use forewarn_runtime::backoff::TRIES;
use forewarn_runtime::context::RuntimeContext;
use forewarn_runtime::failpoint;

/// Longest partition key, in characters.
const LONGEST_KEY: usize = 256;

/// Puts records into a stream, partitioned by key.
#[derive(Debug)]
pub struct KinesisProducer {
    api: Api,
}

impl KinesisProducer {
    /// Prepares to put into the stream called `stream`; nothing is called yet.
    ///
    /// # Errors
    /// When no region is known.
    pub fn open(aws: Aws, stream: &str, ctx: RuntimeContext) -> Result<Self, StreamError> {
        Ok(Self { api: Api::new(aws, stream, ctx)? })
    }

    /// Makes one call, and gives which of its entries are in the stream, and why another is not.
    fn call(&mut self, batch: &[&Entry<'_>]) -> Result<(Vec<bool>, Option<String>), StreamError> {
        let request = batch.iter().map(|e| self.request(e)).collect::<Result<Vec<_>, _>>()?;
        let stream = self.api.stream.clone();
        failpoint::point("ingest.put_call");
        let answer = self.api.call_sized("PutRecords", "put records", |client| {
            client.put_records().stream_name(&stream).set_records(Some(request.clone())).send()
        });
        failpoint::point("ingest.put_answered");
        match answer {
            Ok(answer) => Ok(fates(&answer, batch.len())),
            // All of it was too much: as if each entry had been refused.
            Err(e) if e.trouble == CallError::Throttled => {
                Ok((vec![false; batch.len()], Some(forewarn_runtime::telemetry::causes(&e.error))))
            }
            Err(e) => Err(e.into()),
        }
    }

    fn request(&self, entry: &Entry<'_>) -> Result<PutRecordsRequestEntry, StreamError> {
        let built = PutRecordsRequestEntry::builder()
            .partition_key(partition_key(entry.key))
            .data(Blob::new(entry.data.clone()))
            .build();
        built.map_err(|e| StreamError::unavailable(&self.api.label, "put records", e))
    }
}

impl Producer for KinesisProducer {
    fn put(&mut self, records: &[Record]) -> Result<PutReport, StreamError> {
        let mut report = PutReport::default();
        let mut rounds = Rounds::new(entries(&self.api.label, records)?);
        let (mut why, mut stopped) = (String::new(), false);
        while let Some(round) = rounds.next().filter(|_| !stopped) {
            let batch = rounds.entries(&round);
            let (put, refusal) = self.call(&batch)?;
            report.calls += 1;
            let before = report.records;
            for (entry, _) in batch.iter().zip(&put).filter(|(_, put)| **put) {
                report.records += 1;
                report.bytes += entry.data.len() as u64;
            }
            self.api.ctx.metrics.stream_put.inc_by(report.records - before);
            why = refusal.unwrap_or(why);
            let worst = rounds.settle(&round, &put);
            stopped = worst > 0 && !self.api.wait(worst);
        }
        report.retried = rounds.retried();
        let metrics = &self.api.ctx.metrics;
        metrics.stream_retried.inc_by(report.retried);
        let left = rounds.given_up() + rounds.left();
        if left == 0 {
            return Ok(report);
        }
        metrics.stream_given_up.inc_by(left as u64);
        Err(StreamError::GivenUp {
            stream: self.api.label.clone(),
            given_up: left,
            records: left + report.records as usize,
            tries: TRIES,
            why: if stopped { format!("interrupted; {why}") } else { why },
        })
    }
}

/// Kinesis takes keys of 1 to 256 characters; any other is put under its hash.
fn partition_key(key: &str) -> String {
    if key.is_empty() || key.chars().count() > LONGEST_KEY { sha256_hex(key.as_bytes()) } else { key.to_owned() }
}

/// Reads which entries are in the stream; an entry that the answer says nothing of counts as refused.
fn fates(answer: &PutRecordsOutput, entries: usize) -> (Vec<bool>, Option<String>) {
    let mut put: Vec<bool> =
        answer.records().iter().map(|r| r.error_code().is_none() && r.sequence_number().is_some()).collect();
    put.resize(entries, false);
    let refusal = answer
        .records()
        .iter()
        .find(|r| r.error_code().is_some())
        .map(|r| format!("{}: {}", r.error_code().unwrap_or_default(), r.error_message().unwrap_or_default()));
    (put, refusal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_kinesis_does_not_take_are_hashed() {
        assert_eq!(partition_key("i-1"), "i-1");
        assert_eq!(partition_key("").len(), 64);
        assert_eq!(partition_key(&"é".repeat(256)), "é".repeat(256));
        assert_eq!(partition_key(&"é".repeat(257)).len(), 64);
    }

    #[test]
    fn an_entry_without_an_answer_is_not_put() {
        let answer = PutRecordsOutput::builder().set_records(Some(vec![])).build().unwrap();
        assert_eq!(fates(&answer, 2).0, [false, false]);
    }
}
