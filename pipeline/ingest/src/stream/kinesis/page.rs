//! Reads one shard page by page: iterators, their expiry, the pace of five calls a second, and where it stands.

use super::api::{Api, Failed};
use super::call_error::CallError;
use crate::stream::port::{Stored, StreamError};
use aws_sdk_kinesis::types::{Record, ShardIteratorType};
use forewarn_runtime::backoff::TRIES;
use std::collections::VecDeque;

/// A shard takes five `GetRecords` calls a second.
const PACE_MS: i64 = 200;
/// Most records in a page.
const PAGE: i32 = 10_000;
/// Fewest that a page shrinks to.
const LEAST_PAGE: i32 = 100;
/// Empty pages in a row with nothing newer that end a closed shard whose iterators never do.
const QUIET_PAGES: u32 = 3;
/// Iterators in a row that may be too old at once before something else must be wrong.
const EXPIRED_IN_A_ROW: u32 = 5;

/// Where the reading of a shard stands.
#[derive(Debug)]
pub(super) struct Reading {
    /// The last record taken out, or the checkpoint at the beginning; none at the shard's beginning.
    pub(super) after: Option<String>,
    /// What was read and not taken out yet.
    pub(super) waiting: VecDeque<Stored>,
    /// Where the next call reads; none: an iterator must be got first.
    iterator: Option<String>,
    /// The record that the next page must begin with, if it is still kept.
    expected: Option<String>,
    /// Whether that record is wanted itself: it is the first of a range.
    wanted: bool,
    /// Pages in a row that showed nothing of a closed shard.
    quiet: u32,
    /// Whether the shard is closed and its end has been read.
    pub(super) drained: bool,
    /// How far the last page was behind the newest record, milliseconds.
    pub(super) behind_ms: Option<i64>,
    /// When the shard may be called again.
    next_call_ms: i64,
    /// Records asked for: fewer after a page was too much, then ever more again.
    page: i32,
    /// When it was last noted that everything has been dealt with.
    pub(super) noted_ms: Option<i64>,
}

/// What a page showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Page {
    Records,
    /// None, and there are more to come.
    Empty,
    /// None, and there is nothing newer at the moment.
    CaughtUp,
    /// None, since the wait was interrupted.
    Interrupted,
    /// What followed `after` may no longer be kept.
    Gone,
}

impl Default for Reading {
    fn default() -> Self {
        Self {
            after: None,
            waiting: VecDeque::new(),
            iterator: None,
            expected: None,
            wanted: false,
            quiet: 0,
            drained: false,
            behind_ms: None,
            next_call_ms: 0,
            page: PAGE,
            noted_ms: None,
        }
    }
}

/// Says how many records to ask for next: half as many after a page that was too much, a tenth of all more after one that was not.
fn page_after(page: i32, too_much: bool) -> i32 {
    if too_much { (page / 2).max(LEAST_PAGE) } else { (page + PAGE / 10).min(PAGE) }
}

impl Reading {
    /// Begins after a record.
    pub(super) fn after(seq: Option<String>) -> Self {
        Self { after: seq, ..Self::default() }
    }

    /// Begins again after a record, keeping the pace.
    pub(super) fn restart(&mut self, after: Option<String>) {
        let Self { next_call_ms, page, noted_ms, .. } = *self;
        *self = Self { after, next_call_ms, page, noted_ms, ..Self::default() };
    }

    /// Begins again with the first record of a range, which is wanted too.
    pub(super) fn restart_with(&mut self, first: &str) {
        self.restart(Some(first.to_owned()));
        self.wanted = true;
    }

    /// Reads one page. `closed` says whether nothing more is put into the shard.
    pub(super) fn page(&mut self, api: &mut Api, shard: &str, closed: bool) -> Result<Page, StreamError> {
        let (mut expired, mut too_much) = (0, 0);
        while expired < EXPIRED_IN_A_ROW {
            let wait = (self.next_call_ms - api.ctx.clock.now_ms()).clamp(0, PACE_MS);
            if !api.ctx.clock.pause(wait.unsigned_abs(), &api.ctx.stop) {
                return Ok(Page::Interrupted);
            }
            let iterator = match self.iterator.take() {
                Some(iterator) => iterator,
                None => match self.locate(api, shard) {
                    Ok(iterator) => iterator,
                    Err(e) if e.trouble == CallError::NoSuchPlace && self.after.is_some() => return Ok(Page::Gone),
                    Err(e) => return Err(e.into()),
                },
            };
            let page = self.page;
            let answer = api.call_sized("GetRecords", "read records", |client| {
                client.get_records().shard_iterator(&iterator).limit(page).send()
            });
            self.next_call_ms = api.ctx.clock.now_ms() + PACE_MS;
            let throttled = answer.as_ref().is_err_and(|e| e.trouble == CallError::Throttled);
            if throttled || answer.is_ok() {
                self.page = page_after(page, throttled);
            }
            match answer {
                Ok(answer) => {
                    self.iterator = answer.next_shard_iterator.filter(|i| !i.is_empty());
                    self.behind_ms = answer.millis_behind_latest;
                    return Ok(self.take(answer.records, closed));
                }
                // From the last record on, with a new one.
                Err(e) if e.trouble == CallError::Expired => expired += 1,
                Err(e) if throttled && too_much + 1 < TRIES => {
                    too_much += 1;
                    self.iterator = Some(iterator);
                    if !api.wait_and_count("GetRecords", too_much) {
                        return Ok(Page::Interrupted);
                    }
                    tracing::debug!(shard, error = %e.error, records = self.page, "asking for less");
                }
                Err(e) => return Err(e.into()),
            }
        }
        let what = "its iterators expire as soon as they are made; is this machine's clock right?";
        Err(StreamError::unavailable(&api.label, format!("read shard {shard}"), what))
    }

    /// Gets an iterator. It starts *at* the last record, not after it: when that comes first again, nothing between is missing.
    fn locate(&mut self, api: &mut Api, shard: &str) -> Result<String, Failed> {
        let newest = self.waiting.back().map(|r| r.seq.clone()).or_else(|| self.after.clone());
        let stream = api.stream.clone();
        let answer = api.call("GetShardIterator", &format!("find a place in shard {shard}"), |client| {
            let call = client.get_shard_iterator().stream_name(&stream).shard_id(shard);
            match &newest {
                Some(seq) => {
                    call.shard_iterator_type(ShardIteratorType::AtSequenceNumber).starting_sequence_number(seq).send()
                }
                None => call.shard_iterator_type(ShardIteratorType::TrimHorizon).send(),
            }
        })?;
        self.expected = newest;
        answer.shard_iterator.ok_or_else(|| Failed {
            trouble: CallError::Lasting,
            error: StreamError::unavailable(&api.label, "find a place", "the answer has no iterator"),
        })
    }

    fn take(&mut self, records: Vec<Record>, closed: bool) -> Page {
        let mut records: VecDeque<Stored> = records.into_iter().map(stored).collect();
        let at_tip = records.is_empty() && (self.iterator.is_none() || self.behind_ms.unwrap_or(0) == 0);
        if let Some(expected) = self.expected.take() {
            if records.front().is_some_and(|r| r.seq == expected) {
                if !std::mem::take(&mut self.wanted) {
                    records.pop_front();
                }
            } else if !records.is_empty() || at_tip {
                self.iterator = None;
                return Page::Gone;
            } else {
                self.expected = Some(expected);
            }
        }
        // No next iterator: closed, and this was the last page. Some servers give one for ever; then several pages in a row with
        // nothing newer are the end of a shard that was known to be closed before they were read.
        self.quiet = if closed && at_tip { self.quiet + 1 } else { 0 };
        self.drained = self.iterator.is_none() || self.quiet >= QUIET_PAGES;
        if records.is_empty() {
            return if self.drained || (at_tip && !closed) { Page::CaughtUp } else { Page::Empty };
        }
        self.waiting.append(&mut records);
        Page::Records
    }
}

fn stored(record: Record) -> Stored {
    Stored {
        seq: record.sequence_number,
        arrived_at: record.approximate_arrival_timestamp.and_then(|t| t.to_millis().ok()),
        data: record.data.into_inner(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_that_was_too_much_is_halved_and_grows_again() {
        let pages = [true, true, false, false].into_iter().scan(PAGE, |page, too_much| {
            *page = page_after(*page, too_much);
            Some(*page)
        });
        assert_eq!(pages.collect::<Vec<_>>(), [5_000, 2_500, 3_500, 4_500]);
        assert_eq!((page_after(LEAST_PAGE, true), page_after(PAGE, false)), (LEAST_PAGE, PAGE));
    }
}
