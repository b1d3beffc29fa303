//! Keeps a stream in memory, in as many shards as one likes: for tests, and for a run that keeps nothing.

use super::entry::entries;
use super::order::compare;
use super::port::{Checkpoints, Consumer, Intent, Lag, Limit, Producer, PutReport, ShardBatch, Stored, StreamError};
use super::record::Record;
use forewarn_runtime::context::RuntimeContext;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use xxhash_rust::xxh64::xxh64;

const NAME: &str = "memory";

/// A stream in memory; a clone is the same stream.
#[derive(Debug, Clone)]
pub struct MemoryStream {
    held: Arc<Mutex<MemoryState>>,
    ctx: RuntimeContext,
}

#[derive(Debug, Default)]
struct MemoryState {
    shards: Vec<Vec<Stored>>,
    /// Records that were trimmed, by shard.
    trimmed: Vec<usize>,
    consumers: BTreeMap<String, Known>,
}

/// What is remembered of one consumer.
#[derive(Debug, Default)]
struct Known {
    checkpoints: BTreeMap<String, String>,
    intents: BTreeMap<String, Intent>,
}

impl MemoryStream {
    /// Makes an empty stream.
    pub fn new(shards: usize, ctx: RuntimeContext) -> Self {
        let shards = shards.max(1);
        let held = MemoryState { shards: vec![Vec::new(); shards], trimmed: vec![0; shards], ..MemoryState::default() };
        Self { held: Arc::new(Mutex::new(held)), ctx }
    }

    /// Makes a producer.
    pub fn producer(&self) -> MemoryProducer {
        MemoryProducer(self.clone())
    }

    /// Makes the consumer called `name`; what it has dealt with and meant to do is remembered by the stream.
    pub fn consumer(&self, name: &str) -> MemoryConsumer {
        self.lock().consumers.entry(name.to_owned()).or_default();
        let checkpoints = MemoryCheckpoints { stream: self.clone(), consumer: name.to_owned() };
        MemoryConsumer { checkpoints, read_to: BTreeMap::new(), next: 0 }
    }

    fn lock(&self) -> MutexGuard<'_, MemoryState> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Puts records into memory.
#[derive(Debug)]
pub struct MemoryProducer(MemoryStream);

impl Producer for MemoryProducer {
    fn put(&mut self, records: &[Record]) -> Result<PutReport, StreamError> {
        let encoded = entries(NAME, records)?;
        let now_ms = self.0.ctx.clock.now_ms();
        let mut held = self.0.lock();
        let shards = held.shards.len() as u64;
        let mut report = PutReport { calls: u64::from(!encoded.is_empty()), ..PutReport::default() };
        for entry in encoded {
            let shard = (xxh64(entry.key.as_bytes(), 0) % shards) as usize;
            let seq = (held.trimmed[shard] + held.shards[shard].len() + 1).to_string();
            report.records += 1;
            report.bytes += entry.data.len() as u64;
            held.shards[shard].push(Stored { seq, arrived_at: Some(now_ms), data: entry.data });
        }
        self.0.ctx.metrics.stream_put.inc_by(report.records);
        Ok(report)
    }
}

/// Reads the shards in turn.
#[derive(Debug)]
pub struct MemoryConsumer {
    checkpoints: MemoryCheckpoints,
    read_to: BTreeMap<usize, usize>,
    next: usize,
}

impl MemoryConsumer {
    fn place(text: &str) -> Result<usize, StreamError> {
        let what = || format!("{text:?} is no place in this stream");
        text.parse().map_err(|_| StreamError::Foreign { path: NAME.to_owned(), what: what() })
    }

    /// Gives the number of a shard's last record that was dealt with, 0 where there is none.
    fn done(&self, shard: usize) -> Result<usize, StreamError> {
        self.checkpoints.checkpoint(&shard.to_string())?.map_or(Ok(0), |seq| Self::place(&seq))
    }
}

impl Consumer for MemoryConsumer {
    fn read(&mut self, limit: Limit) -> Result<Option<ShardBatch>, StreamError> {
        let shards = self.checkpoints.stream.lock().shards.len();
        for turn in 0..shards {
            let shard = (self.next + turn) % shards;
            let after = match self.read_to.get(&shard) {
                Some(seq) => *seq,
                None => self.done(shard)?,
            };
            let held = self.checkpoints.stream.lock();
            let skip = after.saturating_sub(held.trimmed[shard]);
            let mut bytes = 0_usize;
            let within = |(i, r): &(usize, &Stored)| {
                bytes = bytes.saturating_add(r.data.len());
                *i == 0 || (*i < limit.records && bytes <= limit.bytes)
            };
            let waiting = held.shards[shard].iter().skip(skip).enumerate();
            let records: Vec<Stored> = waiting.take_while(within).map(|(_, r)| r.clone()).collect();
            if !records.is_empty() {
                self.read_to.insert(shard, after.max(held.trimmed[shard]) + records.len());
                self.next = (shard + 1) % shards;
                return Ok(Some(ShardBatch { shard: shard.to_string(), records }));
            }
        }
        Ok(None)
    }

    fn read_range(&mut self, shard: &str, first: &str, last: &str) -> Result<ShardBatch, StreamError> {
        let (number, from, to) = (Self::place(shard)?, Self::place(first)?, Self::place(last)?);
        let held = self.checkpoints.stream.lock();
        let kept = |n: usize| {
            let gone = held.trimmed.get(number)?;
            held.shards[number].get(n.checked_sub(gone + 1)?).cloned()
        };
        let records: Option<Vec<Stored>> = (from..=to).map(kept).collect();
        let records = records.filter(|r| !r.is_empty()).ok_or_else(|| StreamError::Lost {
            stream: NAME.to_owned(),
            shard: shard.to_owned(),
            after: from.saturating_sub(1).to_string(),
        })?;
        drop(held);
        self.read_to.insert(number, to);
        Ok(ShardBatch { shard: shard.to_owned(), records })
    }

    fn rewind(&mut self) {
        self.read_to.clear();
    }

    fn lag(&mut self) -> Result<Lag, StreamError> {
        let (mut records, mut millis) = (0, 0);
        let now_ms = self.checkpoints.stream.ctx.clock.now_ms();
        let shards = self.checkpoints.stream.lock().shards.len();
        for shard in 0..shards {
            let done = self.done(shard)?;
            let held = self.checkpoints.stream.lock();
            let waiting = &held.shards[shard][done.saturating_sub(held.trimmed[shard])..];
            records += waiting.len() as u64;
            let age = waiting.first().and_then(|r| r.arrived_at).map_or(0, |at| now_ms - at);
            millis = millis.max(age);
        }
        Ok(Lag { records: Some(records), millis: Some(millis) })
    }

    fn checkpoints(&self) -> &dyn Checkpoints {
        &self.checkpoints
    }

    fn trim(&mut self) -> Result<u64, StreamError> {
        let mut held = self.checkpoints.stream.lock();
        let mut gone = 0;
        for shard in 0..held.shards.len() {
            let name = shard.to_string();
            let passed =
                held.consumers.values().map(|k| k.checkpoints.get(&name).map_or(Ok(0), |seq| Self::place(seq)));
            let passed = passed.collect::<Result<Vec<_>, _>>()?.into_iter().min().unwrap_or(0);
            let count = passed.saturating_sub(held.trimmed[shard]).min(held.shards[shard].len());
            held.shards[shard].drain(..count);
            held.trimmed[shard] += count;
            gone += count as u64;
        }
        Ok(gone)
    }
}

/// What the stream remembers of one consumer.
#[derive(Debug)]
struct MemoryCheckpoints {
    stream: MemoryStream,
    consumer: String,
}

impl MemoryCheckpoints {
    fn with<T>(&self, act: impl FnOnce(&mut Known) -> T) -> T {
        act(self.stream.lock().consumers.entry(self.consumer.clone()).or_default())
    }
}

impl Checkpoints for MemoryCheckpoints {
    fn checkpoint(&self, shard: &str) -> Result<Option<String>, StreamError> {
        Ok(self.with(|known| known.checkpoints.get(shard).cloned()))
    }

    fn intend(&self, intent: &Intent) -> Result<(), StreamError> {
        self.with(|known| known.intents.insert(intent.shard.clone(), intent.clone()));
        Ok(())
    }

    fn intents(&self) -> Result<Vec<Intent>, StreamError> {
        Ok(self.with(|known| known.intents.values().cloned().collect()))
    }

    fn finish(&self, shard: &str, last: &str) -> Result<(), StreamError> {
        self.with(|known| {
            let seq = known.checkpoints.entry(shard.to_owned()).or_insert_with(|| last.to_owned());
            if compare(seq, last) == Ordering::Less {
                last.clone_into(seq);
            }
            known.intents.remove(shard);
        });
        Ok(())
    }

    fn forget(&self, shard: &str) -> Result<(), StreamError> {
        self.with(|known| {
            known.checkpoints.remove(shard);
            known.intents.remove(shard);
        });
        Ok(())
    }
}
