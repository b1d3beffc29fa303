//! Defines the ports of the stream: what any stream must do, whatever it is kept in.

use super::record::Record;
use std::error::Error as StdError;

/// Explains why the stream did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    /// The stream failed or refused for now; trying again may help.
    #[error("stream {stream}: cannot {doing}")]
    Unavailable {
        stream: String,
        /// What was tried.
        doing: String,
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// Some records were not taken, however often they were tried; the others were. Putting all again is safe.
    #[error("stream {stream}: {given_up} of {records} records were given up after {tries} tries: {why}")]
    GivenUp {
        stream: String,
        /// How many were not taken.
        given_up: usize,
        /// How many there were.
        records: usize,
        /// How often each was tried.
        tries: u32,
        /// What the stream said last.
        why: String,
    },
    /// A record cannot be put: mend what made it.
    #[error("stream {stream}: a record cannot be put")]
    Record {
        stream: String,
        /// What is wrong with it.
        #[source]
        source: super::record::RecordError,
    },
    /// Records between checkpoint and now are gone: the consumer was away for longer than the stream keeps them.
    #[error(
        "stream {stream}, shard {shard}: what follows {after} is no longer kept; ingest that time again, then run `forewarn archive --past-lost`"
    )]
    Lost {
        stream: String,
        shard: String,
        /// The last position that was read.
        after: String,
    },
    /// The place is another program's, or a newer forewarn's.
    #[error("{path}: {what}")]
    Foreign {
        /// The file or stream.
        path: String,
        what: String,
    },
}

impl StreamError {
    /// Wraps what a store said.
    pub fn unavailable(
        stream: impl Into<String>,
        doing: impl Into<String>,
        source: impl Into<Box<dyn StdError + Send + Sync>>,
    ) -> Self {
        Self::Unavailable { stream: stream.into(), doing: doing.into(), source: source.into() }
    }
}

/// Says what a put did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct PutReport {
    /// Encoded records that are in the stream now; a record too large for one is split.
    pub records: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Entries that were put again because the stream refused them at first.
    pub retried: u64,
    /// Calls made.
    pub calls: u64,
}

/// Puts records.
pub trait Producer: Send + std::fmt::Debug {
    /// Puts records; when it returns, all of them are durable. Records with one partition key keep their order, within a call and
    /// from one call to the next.
    ///
    /// # Errors
    /// When any record is not in the stream. Putting all of them again is safe: what comes twice is found by its key.
    fn put(&mut self, records: &[Record]) -> Result<PutReport, StreamError>;
}

/// One record as the stream holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// The place in the shard, as the stream writes it; [`Consumer`] says how places are ordered.
    pub seq: String,
    /// When it arrived, milliseconds, as far as the stream says.
    pub arrived_at: Option<i64>,
    /// The encoded record: see [`Record::decode`]. It may be anything; what can't be decoded is the reader's to set aside.
    pub data: Vec<u8>,
}

/// Records of one shard, in order, without gaps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShardBatch {
    pub shard: String,
    /// The records, at least one.
    pub records: Vec<Stored>,
}

/// How much one read gives at most; a read always gives at least one record where one is waiting.
#[derive(Debug, Clone, Copy)]
pub struct Limit {
    pub records: usize,
    /// Encoded bytes.
    pub bytes: usize,
}

/// How far a consumer is behind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Lag {
    /// Records waiting, where the stream can say.
    pub records: Option<u64>,
    /// Age of the oldest record waiting, milliseconds, where the stream can say.
    pub millis: Option<i64>,
}

/// Reads the shards of a stream, each in order. One consumer of a name reads a stream at a time.
pub trait Consumer: Send + std::fmt::Debug {
    /// Reads on, from where the last read ended; the first read of a shard starts after its checkpoint. None where nothing is waiting
    /// at the moment. Children of a shard are not read before their parents have been read to the end *and* checkpointed.
    ///
    /// # Errors
    /// When the stream fails for good; what passes (a throttle, an expired iterator, a lost reply) is dealt with inside.
    fn read(&mut self, limit: Limit) -> Result<Option<ShardBatch>, StreamError>;

    /// Reads exactly the records from `first` to `last`, both included, of a shard again, and goes on after `last`.
    ///
    /// # Errors
    /// As [`Consumer::read`], and [`StreamError::Lost`] where they are no longer kept.
    fn read_range(&mut self, shard: &str, first: &str, last: &str) -> Result<ShardBatch, StreamError>;

    /// Forgets what was read since the last checkpoints, so that the next read starts there again.
    fn rewind(&mut self);

    /// Says how far this consumer is behind.
    ///
    /// # Errors
    /// When the stream cannot be asked.
    fn lag(&mut self) -> Result<Lag, StreamError>;

    /// Gives the durable checkpoints of this consumer.
    fn checkpoints(&self) -> &dyn Checkpoints;

    /// Lets the stream forget what every consumer has dealt with, where that is ours to do.
    ///
    /// # Errors
    /// When the stream fails.
    fn trim(&mut self) -> Result<u64, StreamError>;
}

/// A range of a shard that a consumer is about to deal with.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Intent {
    pub shard: String,
    /// First record.
    pub first: String,
    /// Last record.
    pub last: String,
    /// What the consumer calls the work.
    pub name: String,
}

/// Remembers, durably, how far a consumer has come and what it was about to do.
pub trait Checkpoints: Send + Sync + std::fmt::Debug {
    /// Gives the last record of a shard that has been dealt with.
    ///
    /// # Errors
    /// When the store fails.
    fn checkpoint(&self, shard: &str) -> Result<Option<String>, StreamError>;

    /// Writes down a range before it is dealt with; there is at most one for each shard.
    ///
    /// # Errors
    /// When the store fails.
    fn intend(&self, intent: &Intent) -> Result<(), StreamError>;

    /// Gives what was written down and not finished, by shard.
    ///
    /// # Errors
    /// When the store fails.
    fn intents(&self) -> Result<Vec<Intent>, StreamError>;

    /// Moves the checkpoint of a shard to `last` and takes its intent away, in one step.
    ///
    /// # Errors
    /// When the store fails.
    fn finish(&self, shard: &str, last: &str) -> Result<(), StreamError>;

    /// Forgets everything about a shard, so that it is read from the oldest record that is kept: what an operator does once what was
    /// lost has been ingested again.
    ///
    /// # Errors
    /// When the store fails.
    fn forget(&self, shard: &str) -> Result<(), StreamError>;
}
