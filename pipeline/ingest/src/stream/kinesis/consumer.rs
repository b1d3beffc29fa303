//! Reads every shard of a Kinesis stream from one process, parents before children, from durable checkpoints.

use super::api::Api;
use super::lineage::{self, Shard};
use super::page::{Page, Reading};
use crate::stream::checkpoints::SqliteCheckpoints;
use crate::stream::order::compare;
use crate::stream::port::{Checkpoints, Consumer, Lag, Limit, ShardBatch, Stored, StreamError};
use forewarn_runtime::aws::Aws;
use forewarn_runtime::context::RuntimeContext;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Most pages of shards: a stream has thousands at most.
const MOST_LISTS: usize = 1_000;
/// How often it is written down that a shard has nothing new.
const NOTE_EVERY_MS: i64 = 600_000;
const HOUR_MS: i64 = 3_600_000;

/// Reads a stream; places are decimal numbers in their order.
#[derive(Debug)]
pub struct KinesisConsumer {
    api: Api,
    checkpoints: SqliteCheckpoints,
    /// The shards as last listed; none before the first read.
    shards: Option<BTreeMap<String, Shard>>,
    readings: BTreeMap<String, Reading>,
    ended: BTreeSet<String>,
    /// The shard that was read last: the next one comes next.
    last: String,
}

/// What is looked at again when nothing was found: the shards that may be read, and which of them are closed.
type View = Vec<(String, bool)>;

impl KinesisConsumer {
    /// Prepares to read the stream called `stream` as the consumer called `name`, whose checkpoints are in the file at `path`; the
    /// stream is not called yet.
    ///
    /// # Errors
    /// When no region is known or the file cannot be opened.
    pub fn open(aws: Aws, stream: &str, name: &str, path: &Path, ctx: RuntimeContext) -> Result<Self, StreamError> {
        let api = Api::new(aws, stream, ctx)?;
        let checkpoints = SqliteCheckpoints::open(path, &api.label, name)?;
        let (readings, ended, last) = (BTreeMap::new(), BTreeSet::new(), String::new());
        Ok(Self { api, checkpoints, shards: None, readings, ended, last })
    }

    /// Lists the shards again.
    fn refresh(&mut self) -> Result<(), StreamError> {
        let (mut shards, mut token) = (BTreeMap::new(), None::<String>);
        for _ in 0..MOST_LISTS {
            let stream = self.api.stream.clone();
            let answer = self.api.call("ListShards", "list the shards", |client| {
                // The token stands for the stream.
                let name = token.is_none().then(|| stream.clone());
                client.list_shards().set_stream_name(name).set_next_token(token.clone()).send()
            })?;
            for shard in answer.shards.unwrap_or_default() {
                let closed = shard.sequence_number_range.is_some_and(|r| r.ending_sequence_number.is_some());
                let parents = [shard.parent_shard_id, shard.adjacent_parent_shard_id].into_iter().flatten().collect();
                shards.insert(shard.shard_id, Shard { parents, closed });
            }
            token = answer.next_token.filter(|t| !t.is_empty());
            if token.is_none() {
                break;
            }
        }
        let standings = self.checkpoints.standings()?;
        if let Some((shard, standing)) = lineage::vanished(&shards, &standings) {
            return Err(self.lost(shard, standing.seq.as_deref()));
        }
        self.ended = standings.into_iter().filter(|(_, s)| s.ended).map(|(id, _)| id).collect();
        self.shards = Some(shards);
        Ok(())
    }

    fn lost(&self, shard: &str, after: Option<&str>) -> StreamError {
        StreamError::Lost {
            stream: self.api.label.clone(),
            shard: shard.to_owned(),
            after: after.unwrap_or("its beginning").to_owned(),
        }
    }

    /// Notes the end of shards that were read to it and dealt with, so that their children may be read.
    fn note_ends(&mut self) -> Result<(), StreamError> {
        for (id, reading) in &self.readings {
            if reading.drained && !self.ended.contains(id) && dealt_with(reading, &self.checkpoints, id)? {
                self.checkpoints.end(id)?;
                self.ended.insert(id.clone());
            }
        }
        self.readings.retain(|id, _| !self.ended.contains(id));
        Ok(())
    }

    /// Gives the shards that may be read, the one after the last read first.
    fn view(&self) -> View {
        let Some(shards) = &self.shards else { return Vec::new() };
        let ready = lineage::readable(shards, &self.ended);
        let (later, earlier): (Vec<String>, Vec<String>) = ready.into_iter().partition(|id| *id > self.last);
        let closed = |id: String| (shards.get(&id).is_some_and(|s| s.closed), id);
        later.into_iter().chain(earlier).map(closed).map(|(closed, id)| (id, closed)).collect()
    }

    /// Reads a shard until records come or there is nothing newer; says whether records came.
    fn poll(&mut self, id: &str, closed: bool) -> Result<bool, StreamError> {
        if !self.readings.contains_key(id) {
            let after = self.checkpoints.checkpoint(id)?;
            self.readings.insert(id.to_owned(), Reading::after(after));
        }
        loop {
            let Some(reading) = self.readings.get_mut(id).filter(|r| !r.drained) else { return Ok(false) };
            match reading.page(&mut self.api, id, closed)? {
                Page::Records => return Ok(true),
                Page::Empty => {}
                Page::Interrupted => return Ok(false),
                Page::CaughtUp => {
                    self.note_caught_up(id)?;
                    return Ok(false);
                }
                Page::Gone => self.begin_again(id)?,
            }
        }
    }

    /// Writes down, now and then, that everything in a shard has been dealt with.
    fn note_caught_up(&mut self, id: &str) -> Result<(), StreamError> {
        let now_ms = self.api.ctx.clock.now_ms();
        let Some(reading) = self.readings.get_mut(id) else { return Ok(()) };
        if reading.noted_ms.is_none_or(|at| now_ms - at >= NOTE_EVERY_MS) && dealt_with(reading, &self.checkpoints, id)?
        {
            self.checkpoints.caught_up(id, now_ms)?;
            reading.noted_ms = Some(now_ms);
        }
        Ok(())
    }

    /// Goes on with the oldest record that is kept where nothing can have been missed.
    fn begin_again(&mut self, id: &str) -> Result<(), StreamError> {
        let stream = self.api.stream.clone();
        let answer = self.api.call("DescribeStreamSummary", "ask how long it keeps records", |client| {
            client.describe_stream_summary().stream_name(&stream).send()
        })?;
        let hours = answer.stream_description_summary.map_or(0, |s| s.retention_period_hours);
        let caught_up = self.checkpoints.standings()?.get(id).and_then(|s| s.caught_up_ms);
        let now_ms = self.api.ctx.clock.now_ms();
        let reading = self.readings.entry(id.to_owned()).or_default();
        if lineage::may_have_missed(caught_up, i64::from(hours) * HOUR_MS, now_ms) {
            let after = reading.after.clone();
            return Err(self.lost(id, after.as_deref()));
        }
        reading.restart(None);
        Ok(())
    }

    /// Takes what is waiting of a shard, within a limit.
    fn take(&mut self, id: &str, limit: Limit) -> Option<ShardBatch> {
        let reading = self.readings.get_mut(id)?;
        let (mut records, mut bytes) = (Vec::new(), 0_usize);
        while let Some(next) = reading.waiting.front() {
            bytes = bytes.saturating_add(next.data.len());
            if !records.is_empty() && (records.len() >= limit.records || bytes > limit.bytes) {
                break;
            }
            records.extend(reading.waiting.pop_front());
        }
        reading.after = Some(records.last()?.seq.clone());
        id.clone_into(&mut self.last);
        Some(ShardBatch { shard: id.to_owned(), records })
    }
}

/// Says whether everything that was read of a shard has been dealt with.
fn dealt_with(reading: &Reading, checkpoints: &SqliteCheckpoints, id: &str) -> Result<bool, StreamError> {
    if !reading.waiting.is_empty() {
        return Ok(false);
    }
    let Some(after) = &reading.after else { return Ok(true) };
    Ok(checkpoints.checkpoint(id)?.is_some_and(|done| compare(&done, after) != Ordering::Less))
}

impl Consumer for KinesisConsumer {
    /// Reads on. None also where the end of a parent has been read and not dealt with yet: finish what was read, and read again.
    fn read(&mut self, limit: Limit) -> Result<Option<ShardBatch>, StreamError> {
        // A page that a limit cut comes first: at most one is held.
        let held = self.readings.iter().find(|(_, r)| !r.waiting.is_empty()).map(|(id, _)| id.clone());
        if let Some(id) = held {
            return Ok(self.take(&id, limit));
        }
        if self.shards.is_none() {
            self.refresh()?;
        }
        loop {
            self.note_ends()?;
            let view = self.view();
            for (id, closed) in &view {
                if self.poll(id, *closed)? {
                    return Ok(self.take(id, limit));
                }
            }
            if self.api.ctx.stop.is_raised() {
                return Ok(None);
            }
            // Splits and merges show only here.
            self.refresh()?;
            self.note_ends()?;
            if self.view() == view {
                return Ok(None);
            }
        }
    }

    fn read_range(&mut self, shard: &str, first: &str, last: &str) -> Result<ShardBatch, StreamError> {
        let mut reading = self.readings.remove(shard).unwrap_or_default();
        reading.restart_with(first);
        let mut records: Vec<Stored> = Vec::new();
        loop {
            let page = reading.page(&mut self.api, shard, false)?;
            records.extend(reading.waiting.drain(..));
            if let Some(at) = records.iter().position(|r| compare(&r.seq, last) != Ordering::Less) {
                records.truncate(at + 1);
                break;
            }
            if let Some(newest) = records.last() {
                reading.after = Some(newest.seq.clone());
            }
            match page {
                Page::Records | Page::Empty => {}
                Page::Interrupted => {
                    return Err(StreamError::unavailable(&self.api.label, "read a range again", "interrupted"));
                }
                Page::CaughtUp | Page::Gone => return Err(self.lost(shard, Some(first))),
            }
        }
        if records.first().is_none_or(|r| r.seq != first) || records.last().is_none_or(|r| r.seq != last) {
            return Err(self.lost(shard, Some(first)));
        }
        reading.restart(Some(last.to_owned()));
        self.readings.insert(shard.to_owned(), reading);
        Ok(ShardBatch { shard: shard.to_owned(), records })
    }

    fn rewind(&mut self) {
        self.readings.clear();
    }

    /// Gives how far the shard that is furthest behind was, as of its last page.
    fn lag(&mut self) -> Result<Lag, StreamError> {
        let millis = self.readings.values().filter_map(|r| r.behind_ms).max();
        Ok(Lag { records: None, millis })
    }

    fn checkpoints(&self) -> &dyn Checkpoints {
        &self.checkpoints
    }

    /// Does nothing: Kinesis forgets by age.
    fn trim(&mut self) -> Result<u64, StreamError> {
        Ok(0)
    }
}
