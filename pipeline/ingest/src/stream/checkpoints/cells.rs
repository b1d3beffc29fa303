//! Keeps in a cell how far a consumer of a stream has come: one text for all shards, so that a checkpoint and its intent change together.

use super::{Standing, Standings};
use crate::stream::order::compare;
use crate::stream::port::{Checkpoints, Intent, StreamError};
use forewarn_runtime::cells::{CellError, Cells, update};
use forewarn_runtime::failpoint;
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The checkpoints of one consumer of one stream; threads and processes may share them.
#[derive(Debug)]
pub struct CellCheckpoints {
    cells: Arc<dyn Cells>,
    name: String,
    stream: String,
}

/// What is known of a shard.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Shard {
    #[serde(skip_serializing_if = "Option::is_none")]
    seq: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    ended: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    caught_up_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    intent: Option<Range>,
}

/// A range that is about to be dealt with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Range {
    first: String,
    last: String,
    name: String,
}

type Shards = BTreeMap<String, Shard>;

impl CellCheckpoints {
    /// Takes the checkpoints that `consumer` has of `stream`; nothing is read yet.
    pub fn new(cells: Arc<dyn Cells>, stream: &str, consumer: &str) -> Self {
        Self { cells, name: format!("checkpoints/{consumer}/{stream}"), stream: stream.to_owned() }
    }

    fn failed(&self, doing: &str) -> impl Fn(CellError) -> StreamError {
        let (stream, doing) = (self.stream.clone(), doing.to_owned());
        move |e| StreamError::unavailable(&stream, &doing, e)
    }

    fn read(&self) -> Result<Shards, CellError> {
        self.cells.get(&self.name)?.map_or_else(|| Ok(Shards::new()), |cell| decode(&self.name, &cell.text))
    }

    fn change(&self, doing: &str, shard: &str, change: impl Fn(&mut Shard)) -> Result<(), StreamError> {
        self.change_all(doing, |shards| change(shards.entry(shard.to_owned()).or_default()))
    }

    fn change_all(&self, doing: &str, change: impl Fn(&mut Shards)) -> Result<(), StreamError> {
        let on = |text: Option<&str>| {
            let before = text.map_or_else(|| Ok(Shards::new()), |text| decode(&self.name, text))?;
            let mut after = before.clone();
            change(&mut after);
            (after != before).then(|| serde_json::to_string(&after)).transpose().map_err(|e| unread(&self.name, e))
        };
        update(self.cells.as_ref(), &self.name, on).map_err(self.failed(doing))
    }
}

fn decode(name: &str, text: &str) -> Result<Shards, CellError> {
    serde_json::from_str(text).map_err(|e| unread(name, e))
}

fn unread(name: &str, e: serde_json::Error) -> CellError {
    CellError { place: name.to_owned(), doing: "read checkpoints", source: e.into() }
}

impl Checkpoints for CellCheckpoints {
    fn checkpoint(&self, shard: &str) -> Result<Option<String>, StreamError> {
        let shards = self.read().map_err(self.failed("read a checkpoint"))?;
        Ok(shards.get(shard).and_then(|s| s.seq.clone()))
    }

    fn intend(&self, intent: &Intent) -> Result<(), StreamError> {
        failpoint::point("archive.intend_begun");
        let Intent { shard, first, last, name } = intent.clone();
        let range = Range { first, last, name };
        self.change("write down what is about to be done", &shard, |s| s.intent = Some(range.clone()))?;
        failpoint::point("archive.intend_done");
        Ok(())
    }

    fn intents(&self) -> Result<Vec<Intent>, StreamError> {
        let shards = self.read().map_err(self.failed("read what was about to be done"))?;
        let intent = |(shard, s): (String, Shard)| {
            let Range { first, last, name } = s.intent?;
            Some(Intent { shard, first, last, name })
        };
        Ok(shards.into_iter().filter_map(intent).collect())
    }

    fn finish(&self, shard: &str, last: &str) -> Result<(), StreamError> {
        failpoint::point("archive.finish_begun");
        self.change("move a checkpoint", shard, |s| {
            // Two consumers of one name may overlap for a moment; the slower one takes nothing back.
            if s.seq.as_ref().is_none_or(|before| compare(before, last) == Ordering::Less) {
                s.seq = Some(last.to_owned());
            }
            // That of a later range belongs to whoever took over.
            if s.intent.as_ref().is_some_and(|intent| compare(&intent.last, last) != Ordering::Greater) {
                s.intent = None;
            }
        })?;
        failpoint::point("archive.finish_done");
        Ok(())
    }

    fn forget(&self, shard: &str) -> Result<(), StreamError> {
        self.change_all("forget a shard", |shards| drop(shards.remove(shard)))
    }
}

impl Standings for CellCheckpoints {
    fn standings(&self) -> Result<BTreeMap<String, Standing>, StreamError> {
        let shards = self.read().map_err(self.failed("read the checkpoints"))?;
        // What was only about to be done stands nowhere yet.
        let known = |s: &Shard| s.seq.is_some() || s.ended || s.caught_up_ms.is_some();
        let standing = |s: Shard| Standing { seq: s.seq, ended: s.ended, caught_up_ms: s.caught_up_ms };
        Ok(shards.into_iter().filter(|(_, s)| known(s)).map(|(id, s)| (id, standing(s))).collect())
    }

    fn end(&self, shard: &str) -> Result<(), StreamError> {
        self.change("note the end of a shard", shard, |s| s.ended = true)
    }

    fn forget_ended(&self, is_there: &dyn Fn(&str) -> bool) -> Result<(), StreamError> {
        self.change_all("forget shards that are gone", |shards| shards.retain(|id, s| !s.ended || is_there(id)))
    }

    fn caught_up(&self, shard: &str, at_ms: i64) -> Result<(), StreamError> {
        let doing = "note how far a shard was read";
        self.change(doing, shard, |s| s.caught_up_ms = Some(s.caught_up_ms.unwrap_or(0).max(at_ms)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use forewarn_runtime::cells::MemoryCells;

    #[test]
    fn who_was_overtaken_finishes_its_own_range_and_not_that_of_the_next() {
        let cells: Arc<dyn Cells> = Arc::new(MemoryCells::default());
        let (late, next) = (CellCheckpoints::new(Arc::clone(&cells), "s", "a"), CellCheckpoints::new(cells, "s", "a"));
        let intent = |first: &str, last: &str| Intent {
            shard: "0".to_owned(),
            first: first.to_owned(),
            last: last.to_owned(),
            name: "file".to_owned(),
        };
        late.intend(&intent("1", "5")).unwrap();
        next.finish("0", "5").unwrap();
        next.intend(&intent("6", "10")).unwrap();
        late.finish("0", "5").unwrap();
        assert_eq!(next.intents().unwrap(), [intent("6", "10")]);
    }
}
