//! Takes an object of a metric stream into the stream, and refers to what of it can't be read in the dead letters.

use super::{ReadError, read_object};
use crate::stream::{Producer, Record, StreamError};
use forewarn_events::dead::{DeadError, DeadLetter, DeadLetters};
use forewarn_runtime::metrics::{Metrics, Reason};
use std::collections::BTreeMap;
use std::io::{self, Read};

/// The part of the work, as in metrics.
pub const PART: &str = "metric-stream";

/// Explains why an object could not be dealt with; it is taken again.
#[derive(Debug, thiserror::Error)]
pub enum ObjectError {
    /// It could not be fetched.
    #[error("cannot read {uri}")]
    Fetch {
        uri: String,
        #[source]
        source: io::Error,
    },
    #[error(transparent)]
    Stream(#[from] StreamError),
    #[error(transparent)]
    Dead(#[from] DeadError),
}

/// An object, as dead letters and logs name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ObjectName<'a> {
    /// Its path or URI.
    pub uri: &'a str,
    pub bytes: u64,
    pub etag: Option<&'a str>,
}

/// What became of objects.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct TakeReport {
    /// Objects looked at.
    pub files: u64,
    pub samples: u64,
    /// Datapoints that no signal reads.
    pub unread: u64,
    /// Datapoints of something that is no instance.
    pub of_no_instance: u64,
    /// Datapoints skipped because they say what can't be, by the reason's name.
    pub skipped: BTreeMap<&'static str, u64>,
    /// Objects that can't be read to their end; the dead letters refer to them.
    pub dead: u64,
    /// Of these the ones of which nothing could be taken.
    pub nothing_taken: u64,
}

/// Where objects go.
#[derive(Debug)]
pub struct Taking<'a> {
    pub producer: &'a mut dyn Producer,
    pub dead: &'a dyn DeadLetters,
    pub metrics: &'a Metrics,
    pub report: TakeReport,
}

impl Taking<'_> {
    /// Takes an object that arrived at `ingested_at`: when it returns, what can be read is in the stream, and what can't is referred to,
    /// durably. The same object with the same `ingested_at` puts the same records again.
    ///
    /// # Errors
    /// When the object can't be fetched, or stream or dead letters fail.
    pub fn take(&mut self, object: ObjectName<'_>, raw: impl Read, ingested_at: i64) -> Result<(), ObjectError> {
        let producer = &mut *self.producer;
        let mut put = |batches: Vec<_>| {
            let records: Vec<Record> = batches.into_iter().map(Record::Samples).collect();
            producer.put(&records).map(drop)
        };
        let tally = read_object(raw, ingested_at, &mut put).map_err(|e| match e {
            ReadError::Fetch(source) => ObjectError::Fetch { uri: object.uri.to_owned(), source },
            ReadError::Stream(e) => e.into(),
        })?;
        for odd in &tally.first_skipped {
            tracing::warn!(file = object.uri, record = odd.record, "a point was skipped: {}", odd.reason);
        }
        for (reason, points) in &tally.skipped {
            *self.report.skipped.entry(reason).or_default() += points;
            self.metrics.skipped_points.get_or_create(&Reason { reason }).inc_by(*points);
        }
        if let Some(reason) = tally.incomplete() {
            let letter = DeadLetter::of_object(reason, object.uri, object.bytes, object.etag, ingested_at);
            if self.dead.keep(&letter)? {
                self.metrics.dead_letter(PART);
            }
            self.report.dead += 1;
            self.report.nothing_taken += u64::from(tally.nothing_taken().is_some());
            let samples = tally.samples;
            tracing::warn!(file = object.uri, samples, "not all of it could be read: {reason}");
        }
        self.report.files += 1;
        self.report.samples += tally.samples;
        self.report.unread += tally.unread;
        self.report.of_no_instance += tally.of_no_instance;
        self.metrics.samples.inc_by(tally.samples);
        Ok(())
    }
}
