//! Reads every shard of a Kinesis stream from one process, parents before children, from durable checkpoints.

use super::api::Api;
use super::lineage::{self, Shard};
use super::page::{Page, Reading};
use crate::stream::checkpoints::{self, Standings};
use crate::stream::order::compare;
use crate::stream::port::{Checkpoints, Consumer, Lag, Limit, ShardBatch, Stored, StreamError};
use forewarn_runtime::aws::Aws;
use forewarn_runtime::context::RuntimeContext;
use forewarn_runtime::place::StatePlace;
use forewarn_runtime::pulse::{self, Pulse};
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Most pages of shards: a stream has thousands at most.
const MOST_LISTS: usize = 1_000;
/// How often it is written down that a shard has nothing new.
const NOTE_EVERY_MS: i64 = 600_000;
const HOUR_MS: i64 = 3_600_000;
/// Most shards that are read at the same time, each a page of at most 10 MB in memory.
const SIDE_BY_SIDE: usize = 8;

/// Reads a stream; places are decimal numbers in their order.
#[derive(Debug)]
pub struct KinesisConsumer {
    api: Api,
    checkpoints: Box<dyn Standings>,
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
    /// Prepares to read the stream called `stream` as the consumer called `name`, whose checkpoints are in a place; the stream is not
    /// called yet.
    ///
    /// # Errors
    /// When no region is known or the place cannot be opened.
    pub fn open(
        aws: Aws,
        stream: &str,
        name: &str,
        place: &StatePlace,
        ctx: RuntimeContext,
    ) -> Result<Self, StreamError> {
        let api = Api::new(aws, stream, ctx)?;
        let checkpoints = checkpoints::open(place, &api.label, name)?;
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
        self.checkpoints.forget_ended(&|id| shards.contains_key(id))?;
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
            if reading.drained && !self.ended.contains(id) && dealt_with(reading, self.checkpoints.as_ref(), id)? {
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

    /// Reads shards side by side, each until records come or there is nothing newer; gives the first that has records.
    fn poll(&mut self, shards: &[(String, bool)]) -> Result<Option<String>, StreamError> {
        let mut wanted = shards.to_vec();
        while !wanted.is_empty() {
            let jobs = self.take_readings(&wanted)?;
            let mut pages = Vec::with_capacity(jobs.len());
            for (job, page) in side_by_side(&mut self.api, jobs) {
                pages.push((job.id.clone(), job.closed, page));
                self.readings.insert(job.id, job.reading);
            }
            wanted.clear();
            for (id, closed, page) in pages {
                match page? {
                    Page::Records | Page::Empty | Page::Interrupted => {}
                    Page::CaughtUp => self.note_caught_up(&id)?,
                    Page::Gone => {
                        self.begin_again(&id)?;
                        wanted.push((id, closed));
                    }
                }
            }
        }
        let waits = |id: &str| self.readings.get(id).is_some_and(|r| !r.waiting.is_empty());
        Ok(shards.iter().map(|(id, _)| id).find(|id| waits(id)).cloned())
    }

    /// Takes out the readings of shards that are to be read.
    fn take_readings(&mut self, shards: &[(String, bool)]) -> Result<Vec<Job>, StreamError> {
        let mut jobs = Vec::new();
        for (id, closed) in shards {
            let reading = match self.readings.remove(id) {
                Some(reading) => reading,
                None => Reading::after(self.checkpoints.checkpoint(id)?),
            };
            if reading.drained || !reading.waiting.is_empty() {
                self.readings.insert(id.clone(), reading);
            } else {
                jobs.push(Job { id: id.clone(), closed: *closed, reading });
            }
        }
        Ok(jobs)
    }

    /// Writes down, now and then, that everything in a shard has been dealt with.
    fn note_caught_up(&mut self, id: &str) -> Result<(), StreamError> {
        let now_ms = self.api.ctx.clock.now_ms();
        let Some(reading) = self.readings.get_mut(id) else { return Ok(()) };
        if reading.noted_ms.is_none_or(|at| now_ms - at >= NOTE_EVERY_MS)
            && dealt_with(reading, self.checkpoints.as_ref(), id)?
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

/// A shard that is to be read.
struct Job {
    id: String,
    closed: bool,
    reading: Reading,
}

/// Reads each shard until records come or there is nothing newer, all at the same time: each takes five calls a second, and a call takes
/// its time.
fn side_by_side(api: &mut Api, jobs: Vec<Job>) -> Vec<(Job, Result<Page, StreamError>)> {
    fn read(mut job: Job, api: &mut Api) -> (Job, Result<Page, StreamError>) {
        loop {
            match job.reading.page(api, &job.id, job.closed) {
                Ok(Page::Empty) => {}
                page => return (job, page),
            }
        }
    }
    let mut jobs: VecDeque<Job> = jobs.into();
    let Some(first) = jobs.pop_front() else { return Vec::new() };
    let pulse = pulse::current();
    std::thread::scope(|scope| {
        let others: Vec<_> = jobs
            .into_iter()
            .map(|job| {
                let (mut api, pulse) = (api.beside(), pulse.clone());
                scope.spawn(move || {
                    // It beats for the part that waits for it.
                    pulse.iter().for_each(Pulse::enter);
                    read(job, &mut api)
                })
            })
            .collect();
        let mut read = vec![read(first, api)];
        for other in others {
            read.push(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        read
    })
}

/// Says whether everything that was read of a shard has been dealt with.
fn dealt_with(reading: &Reading, checkpoints: &dyn Standings, id: &str) -> Result<bool, StreamError> {
    if !reading.waiting.is_empty() {
        return Ok(false);
    }
    let Some(after) = &reading.after else { return Ok(true) };
    Ok(checkpoints.checkpoint(id)?.is_some_and(|done| compare(&done, after) != Ordering::Less))
}

impl Consumer for KinesisConsumer {
    /// Reads on. None also where the end of a parent has been read and not dealt with yet: finish what was read, and read again.
    fn read(&mut self, limit: Limit) -> Result<Option<ShardBatch>, StreamError> {
        // What was read comes first: pages of shards that were read side by side, and one that a limit cut.
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
            for some in view.chunks(SIDE_BY_SIDE) {
                if let Some(id) = self.poll(some)? {
                    return Ok(self.take(&id, limit));
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
        self.checkpoints.as_ref()
    }

    /// Does nothing: Kinesis forgets by age.
    fn trim(&mut self) -> Result<u64, StreamError> {
        Ok(0)
    }
}
