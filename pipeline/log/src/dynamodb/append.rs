//! Appends: looks at the log, plans onto what was seen, and writes only if it is still so; otherwise looks again.
//!
//! One look is one `TransactGetItems`, so head, stream and ids are those of one moment. What happened while an answer was lost shows at
//! the next look: an id that bears this append's mark was written by it.

use super::super::envelope::Envelope;
use super::super::port::{AppendError, Appended, Expected, LogError, Recorded};
use super::api::{Api, Failed};
use super::call_error::CallError;
use super::cells;
use super::item::{Item, Key};
use super::plan::{Plan, Write, plan};
use super::read;
use super::signs::{Head, Place, Tail};
use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::types::{Get, ItemResponse, TransactGetItem};
use forewarn_runtime::lease::{Guard, LeaseError};
use std::collections::{BTreeMap, BTreeSet};

/// How often an append is begun again because another writer came first.
const TURNS: u32 = 30;
/// How long an append may take before it is not begun again, milliseconds.
const PATIENCE_MS: i64 = 60_000;
/// Most items of one look.
const LOOK: usize = 100;

/// One append, however often it is begun.
pub(super) struct Append<'a> {
    pub(super) api: &'a Api,
    pub(super) stream: &'a str,
    pub(super) expected: Expected,
    pub(super) sealed: &'a [Envelope],
    /// What is written in the same transaction, where anything new is.
    pub(super) beside: &'a [Write],
    /// Names this append and no other, in at most 32 ASCII characters.
    pub(super) mark: String,
    /// The lease under which it is made.
    pub(super) guard: Option<Guard>,
}

/// What an append sees of the log.
struct Seen {
    head: Head,
    tail: Tail,
    /// Where its events are that were written before, by id.
    known: BTreeMap<String, Place>,
}

/// How one turn ended.
enum Turn {
    Done(Appended),
    /// Another transaction was in the way, or a condition failed on a log that ended there.
    Overtaken(Option<Head>),
}

/// Explains why an append was given up though nothing is wrong.
#[derive(Debug, thiserror::Error)]
#[error("other writers came first {0} times")]
struct Overtaken(u32);

impl Append<'_> {
    pub(super) fn run(&self) -> Result<Appended, AppendError> {
        if self.sealed.is_empty() {
            return Ok(Appended { entries: Vec::new(), written: 0 });
        }
        let (mut turn, mut refused) = (0, None);
        let begun = self.api.now_ms();
        loop {
            turn += 1;
            match self.turn(turn, refused.as_ref())? {
                Turn::Done(appended) => return Ok(appended),
                Turn::Overtaken(head) => refused = head,
            }
            tracing::debug!(stream = self.stream, turn, "another writer came first");
            let last = turn == TURNS || self.api.now_ms() - begun > PATIENCE_MS;
            if last || !self.api.give_way(turn) {
                return Err(LogError::unavailable(self.api.doing("append"), Overtaken(turn)).into());
            }
        }
    }

    /// Looks, plans and writes once; `refused` is the head onto which a condition failed the last time.
    fn turn(&self, turn: u32, refused: Option<&Head>) -> Result<Turn, AppendError> {
        let seen = match self.look() {
            Ok(seen) => seen,
            Err(failed) if failed.is_overtaken() => return Ok(Turn::Overtaken(None)),
            Err(failed) => return Err(failed.error.into()),
        };
        let fresh = self.fresh(&seen.known);
        // Read before anything is written: what is damaged stops the append, not its answer.
        let before = self.recorded(&seen.known)?;
        if fresh.is_empty() {
            return Ok(Turn::Done(self.appended(&seen.known, before, Vec::new())));
        }
        let actual = seen.tail.version;
        if !self.expected.allows(actual) {
            return Err(AppendError::Conflict { stream: self.stream.to_owned(), expected: self.expected, actual });
        }
        if refused == Some(&seen.head) {
            if !self.beside.is_empty() {
                let what = "what was to change with it was changed by another; begin again";
                return Err(LogError::unavailable(self.api.doing("append"), what).into());
            }
            // Nobody came first, and yet something stands where nothing should.
            let what = "the log ends before it, but an item of it, or of its stream or id, is there".to_owned();
            return Err(LogError::Corrupt { position: seen.head.position + 1, what }.into());
        }
        let mut plan = plan(&seen.head, self.stream, seen.tail, &fresh, &self.mark)?;
        plan.writes.extend(self.beside.iter().cloned());
        match self.write(&plan, turn) {
            Ok(()) => Ok(Turn::Done(self.appended(&seen.known, before, plan.entries))),
            Err(failed) if failed.trouble == CallError::Refused => {
                self.check_guard()?;
                Ok(Turn::Overtaken(Some(seen.head)))
            }
            Err(failed) if failed.is_overtaken() => Ok(Turn::Overtaken(None)),
            Err(failed) => Err(failed.error.into()),
        }
    }

    /// Gives the events that are not in the log, each once, in order.
    fn fresh(&self, known: &BTreeMap<String, Place>) -> Vec<&Envelope> {
        let mut seen = BTreeSet::new();
        self.sealed.iter().filter(|e| !known.contains_key(&e.id) && seen.insert(&e.id)).collect()
    }

    /// Sees where the log and the stream end, and which ids are known. Ids beyond the first hundred items are looked up later than the
    /// ends, so that what is written meanwhile makes the plan fail, not the answer wrong.
    fn look(&self) -> Result<Seen, Failed> {
        let ids: BTreeSet<&str> = self.sealed.iter().map(|e| e.id.as_str()).collect();
        let ends = [Key::head(), Key::in_stream(self.stream, 0)];
        let keys: Vec<Key> = ends.into_iter().chain(ids.iter().map(|id| Key::of_id(id))).collect();
        let mut items = Vec::with_capacity(keys.len());
        for part in keys.chunks(LOOK) {
            items.extend(self.read_at_once(part)?);
        }
        let mut items = items.into_iter();
        let head = Head::read(items.next().flatten().as_ref(), &self.api.label)?;
        let tail = Tail::read(items.next().flatten().as_ref())?;
        let mut known = BTreeMap::new();
        for (id, item) in ids.into_iter().zip(items) {
            if let Some(item) = item {
                known.insert(id.to_owned(), Place::read(&item)?);
            }
        }
        Ok(Seen { head, tail, known })
    }

    /// Reads items as they stood at one moment, in the order of the keys.
    fn read_at_once(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, Failed> {
        let doing = "look where to append";
        let get = |key: &Key| {
            let get = Get::builder().table_name(&self.api.table).set_key(Some(key.item())).build()?;
            Ok(TransactGetItem::builder().get(get).build())
        };
        let gets = keys.iter().map(get).collect::<Result<Vec<_>, BuildError>>();
        let gets = gets.map_err(|e| LogError::unavailable(self.api.doing(doing), e))?;
        let answer = self.api.call("TransactGetItems", doing, |client| {
            client.transact_get_items().set_transact_items(Some(gets.clone())).send()
        })?;
        let items: Vec<Option<Item>> = answer.responses.into_iter().flatten().map(item_of).collect();
        if items.len() != keys.len() {
            let what = format!("DynamoDB answered for {} items of {}", items.len(), keys.len());
            return Err(LogError::unavailable(self.api.doing(doing), what).into());
        }
        Ok(items)
    }

    /// Writes all of a plan or nothing. The token makes DynamoDB take a call that is made again for the same.
    fn write(&self, plan: &Plan, turn: u32) -> Result<(), Failed> {
        let doing = "append";
        let puts = plan.writes.iter().map(|w: &Write| w.put(&self.api.table)).collect::<Result<Vec<_>, _>>();
        let unbuilt = |e| LogError::unavailable(self.api.doing(doing), e);
        let mut puts = puts.map_err(unbuilt)?;
        if let Some(guard) = &self.guard {
            puts.push(cells::check(guard, &self.api.table).map_err(unbuilt)?);
        }
        let token = format!("{}-{turn}", self.mark);
        self.api.call("TransactWriteItems", doing, |client| {
            let call = client.transact_write_items().client_request_token(&token);
            call.set_transact_items(Some(puts.clone())).send()
        })?;
        Ok(())
    }

    /// Fails where the lease was taken over meanwhile.
    fn check_guard(&self) -> Result<(), LogError> {
        let Some(guard) = &self.guard else { return Ok(()) };
        if cells::holds(guard, self.api)? {
            return Ok(());
        }
        Err(LogError::unavailable(self.api.doing("append"), LeaseError::Lost { name: guard.cell.clone() }))
    }

    /// Reads the entries of ids that are known.
    fn recorded(&self, known: &BTreeMap<String, Place>) -> Result<Vec<Recorded>, LogError> {
        let entries = read::at(self.api, known.values().map(|p| p.position).collect())?;
        let found: BTreeSet<&str> = entries.iter().map(|e| e.envelope.id.as_str()).collect();
        match known.iter().find(|(id, _)| !found.contains(id.as_str())) {
            None => Ok(entries),
            Some((id, place)) => {
                let what = format!("id {id:?} leads to it, but it has another");
                Err(LogError::Corrupt { position: place.position, what })
            }
        }
    }

    /// Gives the entries in the order of the request: those that were there as they were recorded, and those written now.
    fn appended(&self, known: &BTreeMap<String, Place>, before: Vec<Recorded>, new: Vec<Recorded>) -> Appended {
        // What bears our mark was written by an earlier turn, whose answer was lost.
        let written = new.len() + known.values().filter(|p| p.mark == self.mark).count();
        let by_id: BTreeMap<String, Recorded> =
            before.into_iter().chain(new).map(|e| (e.envelope.id.clone(), e)).collect();
        Appended { entries: self.sealed.iter().filter_map(|e| by_id.get(&e.id)).cloned().collect(), written }
    }
}

fn item_of(response: ItemResponse) -> Option<Item> {
    // An item that is not there comes as an empty one, or as none.
    response.item.filter(|item| !item.is_empty())
}
