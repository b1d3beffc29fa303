//! Forgets the oldest entries of the log, leaving a checkpoint that can be verified.
//!
//! **Invariant:** the checkpoint takes the place of the one before, and an entry that names its hash is appended, in one transaction.
//! What it covers counts no more from then on, and is deleted from the oldest on: of each entry first its id and its copy in its stream,
//! last itself, by which the others are found. A crash at any point leaves a log that verifies; the next pruning goes on. Of two at once
//! the one that claimed last may publish: the other finds its claim gone.

use super::super::checkpoint::{Bound, STREAM};
use super::super::envelope::Envelope;
use super::super::port::{AppendError, Expected, LogError};
use super::super::report::PruneReport;
use super::api::Api;
use super::append::Append;
use super::item::{self, Item, Key, PK, SHARD, SK, n, number, s, text};
use super::plan::Write;
use super::pruned::{Pruned, Staged};
use super::{cursors, read, snapshot};
use forewarn_runtime::failpoint;
use jiff::Timestamp;
use std::collections::BTreeMap;

/// Entries read at a time.
const PAGE: usize = 500;
/// Entries deleted at a time.
const BATCH: i32 = 100;

/// Prunes; `mark` names this pruning and no other.
pub(super) fn prune(api: &Api, mark: String, before: Timestamp, now: Timestamp) -> Result<PruneReport, AppendError> {
    let place = format!("checkpoint-{mark}");
    let before_us = Staged::claimed(api)?;
    let claim = Staged::claim(&place);
    api.put(&claim, "claim the checkpoint")?;
    // From here on nobody publishes what was staged before.
    let old = Pruned::read(api)?;
    if let Some(unused) = before_us.filter(|place| old.as_ref().is_none_or(|p| p.staged.place != *place)) {
        snapshot::delete_parts(api, &unused)?;
    }
    if let Some(old) = &old {
        sweep_all(api, old)?;
        snapshot::forget_until(api, old.position)?;
    }
    let start = old.as_ref().map_or(0, |p| p.position);
    let checkpoint = old.as_ref().map(|p| snapshot::checkpoint(api, p)).transpose()?;
    let bound = Bound { before, reader: cursors::slowest(api)? };
    let (prefix, waits_for) = bound.fold(checkpoint.as_ref(), |after| read::after(api, after, PAGE))?;
    let left = |end: u64| Ok::<_, LogError>(read::head(api)?.position.saturating_sub(end));
    if prefix.walk.position <= start {
        return Ok(PruneReport { entries: 0, left: left(start)?, waits_for, checkpoint });
    }
    let new = prefix.checkpoint()?;
    let staged = snapshot::stage(api, &prefix, &place)?;
    failpoint::point("log.prune.staged");
    let entries = new.position - start;
    let event = bound.event(&new, entries, now).seal()?;
    let pruned = Pruned { position: new.position, hash: new.hash.clone(), swept: start, staged };
    let still_ours = Write { item: claim.clone(), onto: Some((claim, &["place"])) };
    let beside = [pruned.onto(old.as_ref()), still_ours];
    Append { api, stream: STREAM, expected: Expected::Any, sealed: &[event], beside: &beside, mark, guard: None }
        .run()?;
    failpoint::point("log.prune.published");
    sweep_all(api, &pruned)?;
    if let Some(old) = &old {
        snapshot::delete_parts(api, &old.staged.place)?;
    }
    snapshot::forget_until(api, new.position)?;
    Ok(PruneReport { entries, left: left(new.position)?, waits_for, checkpoint: Some(new) })
}

/// Deletes whatever a published checkpoint covers.
fn sweep_all(api: &Api, pruned: &Pruned) -> Result<(), LogError> {
    let mut swept = pruned.swept;
    while swept < pruned.position {
        swept = sweep(api, swept + 1, pruned.position)?;
        Pruned::swept(api, pruned.position, swept)?;
        failpoint::point("log.prune.deleted");
    }
    Ok(())
}

/// Deletes some entries from `first` on, none after `last`, and gives how far none is left.
fn sweep(api: &Api, first: u64, last: u64) -> Result<u64, LogError> {
    let pk = Key::in_all(first).pk;
    let end = last.min((first / SHARD) * SHARD + SHARD - 1);
    let answer = api.call("Query", "read entries that go", |client| {
        client
            .query()
            .table_name(&api.table)
            .consistent_read(true)
            .key_condition_expression("#pk = :pk AND #sk BETWEEN :first AND :last")
            .expression_attribute_names("#pk", PK)
            .expression_attribute_names("#sk", SK)
            .expression_attribute_values(":pk", s(&pk))
            .expression_attribute_values(":first", n(first))
            .expression_attribute_values(":last", n(end))
            .limit(BATCH)
            .send()
    })?;
    let mut streams: BTreeMap<&str, u64> = BTreeMap::new();
    let (mut elsewhere, mut own) = (Vec::new(), Vec::new());
    for found in answer.items() {
        own.extend(Key::of(found));
        let Some((stream, version)) = text(found, "stream").zip(number(found, "version")) else { continue };
        let until = streams.entry(stream).or_default();
        *until = (*until).max(version);
        elsewhere.push(Key::in_stream(stream, version));
        elsewhere.extend(id_of(found).map(|id| Key::of_id(&id)));
    }
    // Said first: a reader of the stream then knows why its beginning is missing.
    for (stream, version) in streams {
        api.raise(&Key::of_pruned(stream), "version", version, "say how far a stream is pruned")?;
    }
    api.delete_many(&elsewhere, "delete entries")?;
    let until = if answer.last_evaluated_key.is_some() { own.last().map_or(end, |key| key.sk) } else { end };
    api.delete_many(&own, "delete entries")?;
    Ok(until)
}

/// Gives the id of an entry's event; none where its envelope is not one, and its id then stays.
fn id_of(found: &Item) -> Option<String> {
    serde_json::from_str::<Envelope>(item::text(found, "envelope")?).ok().map(|e| e.id)
}
