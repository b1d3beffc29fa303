//! Gathers the records of one range by series.

use crate::stream::{InstanceSeen, Intent, Record, RecordError, SampleBatch, SeriesBlock, Stored};
use forewarn_history::{NOT_INGESTED, SeriesKey};
use forewarn_log::envelope::Envelope;
use std::collections::BTreeMap;
use xxhash_rust::xxh64::Xxh64;

/// Samples of one series that came together.
#[derive(Debug)]
pub(super) struct SeriesChunk {
    pub(super) ingested_at: i64,
    pub(super) ts: Vec<i64>,
    pub(super) values: Vec<f64>,
}

/// Everything in a range of one shard.
#[derive(Default)]
pub(super) struct RangeBuffer {
    pub(super) series: BTreeMap<SeriesKey, Vec<SeriesChunk>>,
    pub(super) events: Vec<(Box<Envelope>, Option<i64>)>,
    pub(super) instances: Vec<InstanceSeen>,
    pub(super) records: u64,
    pub(super) unreadable: u64,
    samples: usize,
    bytes: usize,
    ends: Option<(String, String)>,
    content: Xxh64,
}

impl RangeBuffer {
    /// Takes a record in; gives it back, with the reason, where it can't be read. One that a newer forewarn wrote is no part of the
    /// range.
    pub(super) fn add(&mut self, stored: Stored) -> Result<(), (Stored, RecordError)> {
        let record = match Record::decode(&stored.data) {
            Err(newer @ RecordError::Newer(_)) => return Err((stored, newer)),
            decoded => decoded,
        };
        self.records += 1;
        self.bytes += stored.data.len();
        self.content.update(&(stored.data.len() as u64).to_le_bytes());
        self.content.update(&stored.data);
        match &mut self.ends {
            Some((_, last)) => last.clone_from(&stored.seq),
            None => self.ends = Some((stored.seq.clone(), stored.seq.clone())),
        }
        match record {
            Ok(Record::Samples(batch)) => self.add_samples(batch),
            Ok(Record::Event(envelope)) => self.events.push((envelope, stored.arrived_at)),
            Ok(Record::Instance(seen)) => self.instances.push(seen),
            Err(error) => {
                self.unreadable += 1;
                return Err((stored, error));
            }
        }
        Ok(())
    }

    /// Samples and encoded bytes so far.
    pub(super) fn size(&self) -> (usize, usize) {
        (self.samples, self.bytes)
    }

    /// The last record.
    pub(super) fn last(&self) -> &str {
        self.ends.as_ref().map_or("", |(_, last)| last)
    }

    /// Says whether it begins and ends with these records.
    pub(super) fn is_from_to(&self, first: &str, last: &str) -> bool {
        self.ends.as_ref().is_some_and(|ends| (ends.0.as_str(), ends.1.as_str()) == (first, last))
    }

    /// What is to be written down before anything is made of this; none where there is no record.
    ///
    /// The name depends on the records themselves too: a stream that begins anew, or goes back to a backup, counts from the same
    /// places again, and other records there are another range.
    pub(super) fn intent(&self, shard: &str) -> Option<Intent> {
        let (first, last) = self.ends.clone()?;
        let content = self.content.digest();
        let range = format!("{}:{shard}|{}:{first}|{}:{last}|{content:016x}", shard.len(), first.len(), last.len());
        let mut name = forewarn_domain::id::sha256_hex(range.as_bytes());
        name.truncate(32);
        Some(Intent { shard: shard.to_owned(), first, last, name: format!("archive-{name}") })
    }

    fn add_samples(&mut self, batch: SampleBatch) {
        let SampleBatch { account, region, instance_id, ingested_at, series } = batch;
        for block in series.into_iter().filter(|b| !b.ts.is_empty()) {
            let SeriesBlock { namespace, metric, stat, device, period_s, ts, values } = block;
            let key = SeriesKey {
                instance_id: instance_id.clone(),
                namespace,
                metric,
                stat,
                device,
                account: account.clone(),
                region: region.clone(),
                period_s,
            };
            self.samples += ts.len();
            let piece = SeriesChunk { ingested_at: ingested_at.unwrap_or(NOT_INGESTED), ts, values };
            self.series.entry(key).or_default().push(piece);
        }
    }
}
