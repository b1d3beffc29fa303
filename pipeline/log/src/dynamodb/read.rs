//! Reads entries in order, and never past one that is missing.
//!
//! What a transaction wrote may come into sight item by item, so a query can show an entry and not yet the one before it. A reader
//! therefore takes entries only up to the first gap; it looks again where it got none though the log goes on, and if the gap stays,
//! an entry is missing.

use super::super::port::{LogError, Recorded};
use super::api::Api;
use super::item::{self, Item, Key, PK, SHARD, SK};
use super::pruned::Pruned;
use super::signs::{Head, Tail};
use std::collections::BTreeSet;

/// Most entries asked for at a time.
const PAGE: usize = 1000;
/// How often a gap is looked at before it counts as one: a transaction comes into sight within milliseconds.
const LOOKS: u32 = 6;

/// Entries without a gap.
#[derive(Debug, Default)]
pub(super) struct Run {
    /// What was found, in order.
    pub(super) entries: Vec<Recorded>,
    /// Why it ends before its time.
    pub(super) damage: Option<LogError>,
}

impl Run {
    fn whole(self) -> Result<Vec<Recorded>, LogError> {
        self.damage.map_or(Ok(self.entries), Err)
    }
}

/// Reads all streams from position `first` on, which is not pruned, at most `limit` entries.
pub(super) fn all(api: &Api, first: u64, limit: usize) -> Result<Run, LogError> {
    let goes_on = || Ok((head(api)?.position >= first).then(|| (first, "it is missing".to_owned())));
    settled(api, || across(api, first, limit), goes_on)
}

/// Reads all streams after a position, at most `limit` entries.
pub(super) fn after(api: &Api, position: u64, limit: usize) -> Result<Vec<Recorded>, LogError> {
    let Some(first) = position.checked_add(1).filter(|_| limit > 0) else { return Ok(Vec::new()) };
    let run = across(api, first, limit)?;
    if run.damage.is_some() || !run.entries.is_empty() {
        return run.whole();
    }
    if head(api)?.position < first {
        return Ok(Vec::new());
    }
    // The log goes on, so what is not there was pruned, or is missing.
    let pruned = Pruned::read(api)?.map_or(0, |p| p.position);
    all(api, first.max(pruned + 1), limit)?.whole()
}

/// Reads a stream from a version on, at most `limit` entries.
pub(super) fn stream(api: &Api, stream: &str, from_version: u64, limit: usize) -> Result<Vec<Recorded>, LogError> {
    let first = from_version.max(1);
    if limit == 0 {
        return Ok(Vec::new());
    }
    let found = run(api, &Key::in_stream(stream, first), limit)?;
    if found.damage.is_some() || !found.entries.is_empty() {
        return found.whole();
    }
    if tail(api, stream)?.version < first {
        return Ok(Vec::new());
    }
    let pruned = api.get(&Key::of_pruned(stream), "read how far a stream is pruned")?;
    let first = first.max(pruned.and_then(|item| item::number(&item, "version")).unwrap_or(0) + 1);
    let goes_on = || {
        let tail = tail(api, stream)?;
        let missing = || (tail.position, format!("version {first} of its stream {stream:?} is missing"));
        Ok((tail.version >= first).then(missing))
    };
    settled(api, || run(api, &Key::in_stream(stream, first), limit), goes_on)?.whole()
}

/// Reads the entries at these positions, in order.
pub(super) fn at(api: &Api, mut positions: BTreeSet<u64>) -> Result<Vec<Recorded>, LogError> {
    let mut entries = Vec::with_capacity(positions.len());
    while let Some(&first) = positions.first() {
        let in_a_row = positions.iter().zip(first..).take_while(|(at, next)| **at == *next).count();
        let found = all(api, first, in_a_row)?.whole()?;
        if found.is_empty() {
            return Err(LogError::Corrupt {
                position: first,
                what: "an id leads to it, but the log ends before".to_owned(),
            });
        }
        for entry in found {
            positions.remove(&entry.position);
            entries.push(entry);
        }
    }
    Ok(entries)
}

/// Reads the head of the log.
pub(super) fn head(api: &Api) -> Result<Head, LogError> {
    Head::read(api.get(&Key::head(), "read the head")?.as_ref(), &api.label)
}

/// Reads the end of a stream.
pub(super) fn tail(api: &Api, stream: &str) -> Result<Tail, LogError> {
    Tail::read(api.get(&Key::in_stream(stream, 0), "read a stream's length")?.as_ref())
}

/// Looks until there is something, or `goes_on` says that there is nothing to come; where neither ends it, that is the damage.
fn settled(
    api: &Api,
    look: impl Fn() -> Result<Run, LogError>,
    goes_on: impl Fn() -> Result<Option<(u64, String)>, LogError>,
) -> Result<Run, LogError> {
    let mut looks = 0;
    loop {
        let run = look()?;
        if run.damage.is_some() || !run.entries.is_empty() {
            return Ok(run);
        }
        let Some((position, what)) = goes_on()? else { return Ok(run) };
        looks += 1;
        if looks == LOOKS {
            return Ok(Run { damage: Some(LogError::Corrupt { position, what }), ..run });
        }
        if !api.give_way(looks) {
            return Err(LogError::unavailable(api.doing("read entries"), "it was interrupted"));
        }
    }
}

/// Reads partition after partition of the order of all.
fn across(api: &Api, first: u64, limit: usize) -> Result<Run, LogError> {
    let mut found = Run::default();
    let mut next = first;
    loop {
        let part = run(api, &Key::in_all(next), limit - found.entries.len())?;
        let read = part.entries.len() as u64;
        found.entries.extend(part.entries);
        found.damage = part.damage;
        // The last position of a partition is followed by the first of the next one.
        let to_its_end = read == SHARD - next % SHARD;
        if found.damage.is_some() || !to_its_end || found.entries.len() >= limit {
            return Ok(found);
        }
        next += read;
    }
}

/// Reads one partition from a key on, as far as its entries follow each other.
fn run(api: &Api, first: &Key, limit: usize) -> Result<Run, LogError> {
    let mut found = Run::default();
    let mut next = first.sk;
    let mut start: Option<Item> = None;
    loop {
        let page = i32::try_from((limit - found.entries.len()).min(PAGE)).unwrap_or(i32::MAX);
        let answer = api.call("Query", "read entries", |client| {
            client
                .query()
                .table_name(&api.table)
                .consistent_read(true)
                .key_condition_expression("#pk = :pk AND #sk >= :first")
                .expression_attribute_names("#pk", PK)
                .expression_attribute_names("#sk", SK)
                .expression_attribute_values(":pk", item::s(&first.pk))
                .expression_attribute_values(":first", item::n(first.sk))
                .set_exclusive_start_key(start.clone())
                .limit(page)
                .send()
        })?;
        for item in answer.items() {
            if item::number(item, SK) != Some(next) {
                return Ok(found);
            }
            match item::recorded(item) {
                Ok(entry) => found.entries.push(entry),
                Err(damage) => return Ok(Run { damage: Some(damage), ..found }),
            }
            next = next.saturating_add(1);
        }
        start = answer.last_evaluated_key;
        if start.is_none() || found.entries.len() >= limit {
            return Ok(found);
        }
    }
}
