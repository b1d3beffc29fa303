//! Keeps what prefixes of the log come to, so that who opens it folds only what came after the newest.
//!
//! A snapshot is claimed, written in parts, and only then said to be complete. One that is not complete, of a newer format, or not what
//! its hash says is passed over: the one before it serves, or the entries alone.

mod codec;

use super::super::checkpoint::{Checkpoint, Prefix};
use super::super::port::LogError;
use super::api::Api;
use super::call_error::CallError;
use super::item::{self, Item, Key, PK, n, number, s, text};
use super::pruned::{Pruned, Staged};
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use codec::Parts;

/// The version of snapshots; one of a later version is passed over.
const FORMAT: u64 = 1;
/// How many whole snapshots are kept.
const KEPT: usize = 2;
/// Most snapshots that are looked at at a time.
const LOOKED_AT: i32 = 20;

/// Gives the newest prefix that is kept whole; the checkpoint, or the beginning of the log, where there is none.
pub(super) fn newest(api: &Api) -> Result<Prefix, LogError> {
    Pruned::steady(api, |pruned| newest_after(api, pruned))
}

fn newest_after(api: &Api, pruned: Option<&Pruned>) -> Result<Prefix, LogError> {
    let from = pruned.map_or(0, |p| p.position);
    for item in listed(api)?.iter().filter(|i| number(i, item::SK).is_some_and(|at| at > from)) {
        match usable(api, item)? {
            Ok(prefix) => return Ok(prefix),
            Err(why) => tracing::warn!(position = number(item, item::SK), why, "a snapshot is passed over"),
        }
    }
    pruned.map_or_else(|| Ok(Prefix::default()), |p| Prefix::after(Some(&checkpoint(api, p)?)))
}

/// Gives the snapshots from the newest on.
fn listed(api: &Api) -> Result<Vec<Item>, LogError> {
    let answer = api.call("Query", "look for snapshots", |client| {
        client
            .query()
            .table_name(&api.table)
            .consistent_read(true)
            .key_condition_expression("#pk = :pk")
            .expression_attribute_names("#pk", PK)
            .expression_attribute_values(":pk", s(SNAPSHOT))
            .scan_index_forward(false)
            .limit(LOOKED_AT)
            .send()
    })?;
    Ok(answer.items.unwrap_or_default())
}

const SNAPSHOT: &str = "snapshot";

/// Reads a snapshot, or says why it cannot serve.
fn usable(api: &Api, item: &Item) -> Result<Result<Prefix, String>, LogError> {
    let Some((place, parts)) = text(item, "place").zip(number(item, "parts")) else {
        return Ok(Err("it was not written to the end".to_owned()));
    };
    let format = number(item, "format").unwrap_or(0);
    if format != FORMAT {
        return Ok(Err(format!("its format is {format}, and {FORMAT} is known")));
    }
    let Some(found) = parts_at(api, place, parts)? else { return Ok(Err("a part of it is missing".to_owned())) };
    if text(item, "sha256") != Some(&found.sha256) {
        return Ok(Err("it is not what its hash says".to_owned()));
    }
    let prefix = match codec::prefix(&found) {
        Ok(prefix) => prefix,
        Err(why) => return Ok(Err(why)),
    };
    let at = prefix.walk.position;
    let entry = api.get(&Key::in_all(at), "check a snapshot")?;
    let chained = entry.as_ref().and_then(|e| text(e, "hash")) == Some(&prefix.walk.hash);
    Ok(if chained { Ok(prefix) } else { Err(format!("entry {at} has another hash than it says")) })
}

/// Keeps what a prefix comes to, and forgets all but the newest.
pub(super) fn keep(api: &Api, prefix: &Prefix, writer: &str) -> Result<(), LogError> {
    let key = Key { pk: SNAPSHOT.to_owned(), sk: prefix.walk.position };
    let place = format!("{:020}-{writer}", prefix.walk.position);
    let claim = key.with([("place", s(&place)), ("claimed_ms", n(api.now_ms().unsigned_abs()))]);
    let claimed = api.call("PutItem", "claim a snapshot", |client| {
        let put = client.put_item().table_name(&api.table).set_item(Some(claim.clone()));
        put.condition_expression("attribute_not_exists(#pk)").expression_attribute_names("#pk", PK).send()
    });
    match claimed {
        Ok(_) => {}
        // Another writes it, or has.
        Err(failed) if failed.trouble == CallError::Refused => return Ok(()),
        Err(failed) => return Err(failed.into()),
    }
    write(api, &key, &place, prefix)?;
    let mut complete = 0;
    let listed = listed(api)?;
    // What is claimed may still be written, and counts for nothing.
    let rest = listed.iter().skip_while(|item| {
        complete += usize::from(item.contains_key("parts"));
        complete <= KEPT
    });
    forget(api, rest)
}

/// Keeps it in the place of one that is not what the log says.
pub(super) fn replace(api: &Api, prefix: &Prefix, writer: &str) -> Result<(), LogError> {
    let key = Key { pk: SNAPSHOT.to_owned(), sk: prefix.walk.position };
    let before = api.get(&key, "look for snapshots")?;
    write(api, &key, &format!("{:020}-{writer}", prefix.walk.position), prefix)?;
    match before.as_ref().and_then(|item| text(item, "place")) {
        Some(place) => delete_parts(api, place),
        None => Ok(()),
    }
}

/// Writes its parts, and then that it is complete.
fn write(api: &Api, key: &Key, place: &str, prefix: &Prefix) -> Result<(), LogError> {
    let parts = codec::encode(prefix)?;
    put_parts(api, place, &parts)?;
    let complete = key.with([
        ("place", s(place)),
        ("format", n(FORMAT)),
        ("parts", n(parts.parts.len() as u64)),
        ("sha256", s(&parts.sha256)),
        ("hash", s(&prefix.walk.hash)),
    ]);
    api.put(&complete, "complete a snapshot")
}

/// Forgets snapshots that a pruning has passed, whatever state they are in.
pub(super) fn forget_until(api: &Api, position: u64) -> Result<(), LogError> {
    forget(api, listed(api)?.iter().filter(|i| number(i, item::SK).is_some_and(|at| at <= position)))
}

/// Deletes snapshots: first that they are there, then their parts.
fn forget<'a>(api: &Api, items: impl Iterator<Item = &'a Item>) -> Result<(), LogError> {
    for item in items {
        let Some(key) = Key::of(item) else { continue };
        if let Some(place) = text(item, "place") {
            delete_parts(api, place)?;
        }
        api.delete_many(&[key], "forget a snapshot")?;
    }
    Ok(())
}

/// Writes a checkpoint at a place that is claimed; nothing looks at it yet.
pub(super) fn stage(api: &Api, prefix: &Prefix, place: &str) -> Result<Staged, LogError> {
    let parts = codec::encode(prefix)?;
    put_parts(api, place, &parts)?;
    Ok(Staged { place: place.to_owned(), parts: parts.parts.len() as u64, sha256: parts.sha256 })
}

/// Reads the checkpoint of a pruned log.
pub(super) fn checkpoint(api: &Api, pruned: &Pruned) -> Result<Checkpoint, LogError> {
    let corrupt = |what: &str| LogError::Corrupt { position: pruned.position, what: what.to_owned() };
    let found = parts_at(api, &pruned.staged.place, pruned.staged.parts)?;
    let found = found.ok_or_else(|| corrupt("a part of the checkpoint is missing"))?;
    if found.sha256 != pruned.staged.sha256 {
        return Err(corrupt("the checkpoint is not the one that the log names: it was altered"));
    }
    let checkpoint =
        codec::checkpoint(&found).map_err(|why| corrupt(&format!("the checkpoint cannot be read: {why}")))?;
    if (checkpoint.position, &checkpoint.hash) != (pruned.position, &pruned.hash) {
        return Err(corrupt("the checkpoint is of another entry"));
    }
    Ok(checkpoint)
}

fn part(place: &str, part: u64) -> Key {
    Key { pk: format!("snapshot#{place}"), sk: part }
}

fn put_parts(api: &Api, place: &str, parts: &Parts) -> Result<(), LogError> {
    for (body, at) in parts.parts.iter().zip(0..) {
        let item = part(place, at).with([("body", AttributeValue::B(Blob::new(body.clone())))]);
        api.put(&item, "write a part of a snapshot")?;
    }
    Ok(())
}

/// Reads the parts at a place; none where one is missing.
fn parts_at(api: &Api, place: &str, count: u64) -> Result<Option<Parts>, LogError> {
    let mut bodies = Vec::new();
    for at in 0..count {
        let item = api.get(&part(place, at), "read a part of a snapshot")?;
        let body = item.and_then(|mut item| item.remove("body"));
        let body = body.and_then(|b| if let AttributeValue::B(blob) = b { Some(blob.into_inner()) } else { None });
        match body {
            Some(body) => bodies.push(body),
            None => return Ok(None),
        }
    }
    Ok(Some(Parts::read(bodies)))
}

/// Deletes whatever parts there are at a place.
pub(super) fn delete_parts(api: &Api, place: &str) -> Result<(), LogError> {
    let pk = part(place, 0).pk;
    loop {
        let answer = api.call("Query", "forget a snapshot", |client| {
            client
                .query()
                .table_name(&api.table)
                .key_condition_expression("#pk = :pk")
                .projection_expression("#pk, #sk")
                .expression_attribute_names("#pk", PK)
                .expression_attribute_names("#sk", item::SK)
                .expression_attribute_values(":pk", s(&pk))
                .send()
        })?;
        let keys: Vec<Key> = answer.items().iter().filter_map(Key::of).collect();
        api.delete_many(&keys, "forget a snapshot")?;
        if answer.last_evaluated_key.is_none() {
            return Ok(());
        }
    }
}
