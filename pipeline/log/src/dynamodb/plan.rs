//! Decides what an append writes: one transaction, all or none of it, only onto the log that was looked at.

use super::super::chain;
use super::super::envelope::Envelope;
use super::super::port::{AppendError, LogError, Recorded};
use super::item::{self, Item, Key};
use super::signs::{Head, Place, Tail};
use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::types::{Put, TransactWriteItem};

/// Most items of one transaction.
const MAX_ITEMS: usize = 100;
/// Items that a transaction has beside its events: the head, the end of the stream, and the lease that it is written under.
const OTHER_ITEMS: usize = 3;
/// Items of one event: in the order of all, in its stream, its id.
const ITEMS_OF_EVENT: usize = 3;
/// Most new events of one append.
pub(super) const MAX_EVENTS: usize = (MAX_ITEMS - OTHER_ITEMS) / ITEMS_OF_EVENT;
/// Longest item, in bytes; DynamoDB's own bound is 400 KiB.
const MAX_ITEM_BYTES: usize = 400_000;
/// Longest transaction, in bytes; DynamoDB's own bound is 4 MiB.
const MAX_TRANSACTION_BYTES: usize = 4_000_000;

/// What a transaction puts in one place.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Write {
    pub(super) item: Item,
    /// What must stand there before: an item with these attributes as the one put there had them; nothing where it is `None`.
    pub(super) onto: Option<(Item, &'static [&'static str])>,
}

/// What an append writes.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Plan {
    /// The new entries.
    pub(super) entries: Vec<Recorded>,
    /// Everything that is put, the head first.
    pub(super) writes: Vec<Write>,
}

/// Plans to append `fresh` events to a stream that ends at `tail`, in a log that ends at `head`; `mark` names the append.
///
/// # Errors
/// When one transaction cannot hold them, or an event cannot be written as JSON.
pub(super) fn plan(
    head: &Head,
    stream: &str,
    tail: Tail,
    fresh: &[&Envelope],
    mark: &str,
) -> Result<Plan, AppendError> {
    let too_large = |what: String| AppendError::TooLarge { stream: stream.to_owned(), what };
    let events = fresh.len();
    if events > MAX_EVENTS {
        return Err(too_large(format!(
            "{events} new events at once, and one transaction of DynamoDB holds at most {MAX_EVENTS}; append them in parts"
        )));
    }
    let entries = link(head, stream, tail, fresh)?;
    let Some(last) = entries.last() else { return Ok(Plan { entries, writes: Vec::new() }) };
    let new_head = Head { position: last.position, hash: last.hash.clone() };
    let new_tail = Tail { version: last.version, position: last.position };
    let mut writes = vec![
        Write { item: new_head.item(), onto: (head.position > 0).then(|| (head.item(), &["position", "hash"][..])) },
        Write { item: new_tail.item(stream), onto: (tail.version > 0).then(|| (tail.item(stream), &["version"][..])) },
    ];
    for entry in &entries {
        let id = &entry.envelope.id;
        let place = Place {
            stream: stream.to_owned(),
            version: entry.version,
            position: entry.position,
            mark: mark.to_owned(),
        };
        let of_all = item::entry(&Key::in_all(entry.position), entry)?;
        let of_stream = item::entry(&Key::in_stream(stream, entry.version), entry)?;
        let bytes = item::bytes(&of_all).max(item::bytes(&of_stream));
        if bytes > MAX_ITEM_BYTES {
            let what = format!(
                "event {id:?} takes {bytes} bytes, and one item of DynamoDB holds at most {MAX_ITEM_BYTES}; keep long texts \
                 outside the log"
            );
            return Err(too_large(what));
        }
        writes.extend([of_all, of_stream, place.item(id)].map(|item| Write { item, onto: None }));
    }
    let bytes: usize = writes.iter().map(|w| item::bytes(&w.item)).sum();
    if bytes > MAX_TRANSACTION_BYTES {
        return Err(too_large(format!(
            "its {events} new events take {bytes} bytes, and one transaction of DynamoDB holds at most \
             {MAX_TRANSACTION_BYTES}; append them in parts"
        )));
    }
    Ok(Plan { entries, writes })
}

/// Makes the entries that events become.
fn link(head: &Head, stream: &str, tail: Tail, fresh: &[&Envelope]) -> Result<Vec<Recorded>, LogError> {
    let mut previous_hash = head.hash.clone();
    let numbered = fresh.iter().zip(1..);
    let linked = numbered.map(|(envelope, n)| {
        let (position, version) = (head.position + n, tail.version + n);
        let hash = chain::link(&previous_hash, position, stream, version, envelope)
            .map_err(|e| LogError::unavailable("hash an entry", e))?;
        let previous_hash = std::mem::replace(&mut previous_hash, hash.clone());
        let (stream, envelope) = (stream.to_owned(), (*envelope).clone());
        Ok(Recorded { position, stream, version, envelope, previous_hash, hash })
    });
    linked.collect()
}

impl Write {
    /// Writes it as DynamoDB has it.
    pub(super) fn put(&self, table: &str) -> Result<TransactWriteItem, BuildError> {
        let mut put = Put::builder().table_name(table).set_item(Some(self.item.clone()));
        match &self.onto {
            None => {
                let absent = put.condition_expression("attribute_not_exists(#pk)");
                put = absent.expression_attribute_names("#pk", item::PK);
            }
            Some((before, attributes)) => {
                let mut conditions = Vec::new();
                for name in *attributes {
                    // Some of the names are words of DynamoDB's own.
                    conditions.push(format!("#{name} = :{name}"));
                    put = put.expression_attribute_names(format!("#{name}"), *name);
                    if let Some(value) = before.get(*name) {
                        put = put.expression_attribute_values(format!(":{name}"), value.clone());
                    }
                }
                put = put.condition_expression(conditions.join(" AND "));
            }
        }
        Ok(TransactWriteItem::builder().put(put.build()?).build())
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::conformance::{check_chain, sample};
    use super::super::super::event::Event;
    use super::*;

    const EMPTY: Tail = Tail { version: 0, position: 0 };

    fn genesis() -> Head {
        Head { position: 0, hash: chain::GENESIS.to_owned() }
    }

    fn sealed(count: usize) -> Vec<Envelope> {
        (0..count).map(|n| sample(&n.to_string()).seal().unwrap()).collect()
    }

    fn refused(events: &[Envelope]) -> String {
        let error = plan(&genesis(), "a", EMPTY, &events.iter().collect::<Vec<_>>(), "m").unwrap_err();
        assert!(matches!(error, AppendError::TooLarge { .. }), "{error}");
        error.to_string()
    }

    /// An event with a summary so long.
    fn long(id: &str, length: usize) -> Envelope {
        let mut new = sample(id);
        if let Event::PolicyChanged(p) = &mut new.event {
            p.summary = "x".repeat(length);
        }
        new.seal().unwrap()
    }

    #[test]
    fn a_plan_goes_on_from_what_was_looked_at() {
        let events = sealed(3);
        let first = plan(&genesis(), "a", EMPTY, &events.iter().take(2).collect::<Vec<_>>(), "m").unwrap();
        let (head, tail) = (Head::read(Some(&first.writes[0].item), "t"), Tail::read(Some(&first.writes[1].item)));
        let (head, tail) = (head.unwrap(), tail.unwrap());
        assert_eq!((head.position, tail), (2, Tail { version: 2, position: 2 }));
        assert!(first.writes.iter().all(|w| w.onto.is_none()), "an empty log has nothing where it is written");
        let second = plan(&head, "a", tail, &[&events[2]], "m").unwrap();
        assert_eq!(second.writes.len(), 5);
        assert!(
            second.writes[..2].iter().all(|w| w.onto.is_some()) && second.writes[2..].iter().all(|w| w.onto.is_none())
        );
        check_chain(&[first.entries, second.entries].concat());
        let put = second.writes[0].put("t").unwrap().put.unwrap();
        assert_eq!(put.condition_expression(), Some("#position = :position AND #hash = :hash"));
        assert_eq!(put.expression_attribute_values().unwrap()[":position"], item::n(2));
    }

    #[test]
    fn what_one_transaction_cannot_hold_is_refused_with_the_bound() {
        let events = sealed(MAX_EVENTS + 1);
        let most = plan(&genesis(), "a", EMPTY, &events[1..].iter().collect::<Vec<_>>(), "m").unwrap();
        assert_eq!((MAX_EVENTS, most.writes.len()), (32, 98));
        assert!(refused(&events).contains("33 new events at once, and one transaction of DynamoDB holds at most 32"));
        assert!(refused(&[long("e", 400_000)]).contains("holds at most 400000"));
        let many: Vec<Envelope> = (0..6).map(|n| long(&n.to_string(), 390_000)).collect();
        assert!(refused(&many).contains("holds at most 4000000"));
        let fits = plan(&genesis(), "a", EMPTY, &many.iter().take(5).collect::<Vec<_>>(), "m").unwrap();
        assert_eq!(fits.entries.len(), 5);
    }
}
