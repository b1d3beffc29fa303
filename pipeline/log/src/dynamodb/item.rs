//! Writes what the log holds as items of the table, and reads them back.
//!
//! | what | pk | sk | attributes |
//! |---|---|---|---|
//! | entry, in the order of all | `all#{position / 1000}` | position | `position, stream, version, envelope, previous_hash, hash` |
//! | entry, in its stream | `stream#NAME` | version | the same |
//! | end of a stream | `stream#NAME` | 0 | `version, position` of its last entry |
//! | id of an event | `id#ID` | 0 | `stream, version, position` of its entry, and the `mark` of the append that wrote it |
//! | head of the log | `head` | 0 | `position, hash` of the last entry, and the `format` of all this |
//! | cursor | `cursor#NAME` | 0 | `position` |
//! | names of all cursors | `cursors` | 0 | `names` |
//! | checkpoint of a pruned log | `checkpoint` | 0 | `position, hash` of the last entry that counts no more, where it is (`place, parts, sha256`), and up to where entries are deleted (`swept`) |
//! | checkpoint that is written | `checkpoint` | 1 | its `place` |
//! | how far a stream is pruned | `pruned#STREAM` | 0 | `version` |
//! | snapshot | `snapshot` | position | its `place`; once it is complete, its `format, parts, sha256`, and the `hash` of its entry |
//! | part of either | `snapshot#PLACE` | from 0 | `body`: compressed lines of JSON |
//! | cell | `cell#NAME` | 0 | `text`, `revision`, and the `mark` of the put that made it so |

use super::super::chain;
use super::super::port::{LogError, Recorded};
use super::super::walk;
use aws_sdk_dynamodb::types::AttributeValue;
use std::collections::HashMap;

/// An item, or the key of one.
pub(super) type Item = HashMap<String, AttributeValue>;

/// The attribute that is the partition key.
pub(super) const PK: &str = "pk";
/// The attribute that is the sort key.
pub(super) const SK: &str = "sk";
/// How many positions share a partition.
pub(super) const SHARD: u64 = 1000;
/// The version of the layout above.
pub(super) const FORMAT: u64 = 1;

/// Where an item is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    /// The partition.
    pub(super) pk: String,
    /// The place in it.
    pub(super) sk: u64,
}

impl Key {
    /// Where the head of the log is.
    pub(super) fn head() -> Self {
        Self { pk: "head".to_owned(), sk: 0 }
    }

    /// Where an entry is in the order of all.
    pub(super) fn in_all(position: u64) -> Self {
        Self { pk: format!("all#{}", position / SHARD), sk: position }
    }

    /// Where an entry is in its stream; version 0 is where the stream's end is kept.
    pub(super) fn in_stream(stream: &str, version: u64) -> Self {
        Self { pk: format!("stream#{stream}"), sk: version }
    }

    /// Where an event's id is.
    pub(super) fn of_id(id: &str) -> Self {
        Self { pk: format!("id#{id}"), sk: 0 }
    }

    /// Where it is said how far a stream is pruned.
    pub(super) fn of_pruned(stream: &str) -> Self {
        Self { pk: format!("pruned#{stream}"), sk: 0 }
    }

    /// Where a cursor is.
    pub(super) fn of_cursor(name: &str) -> Self {
        Self { pk: format!("cursor#{name}"), sk: 0 }
    }

    /// Where a cell is.
    pub(super) fn of_cell(name: &str) -> Self {
        Self { pk: format!("cell#{name}"), sk: 0 }
    }

    /// Reads the key of an item.
    pub(super) fn of(item: &Item) -> Option<Self> {
        Some(Self { pk: text(item, PK)?.to_owned(), sk: number(item, SK)? })
    }

    /// Writes it as an item without further attributes.
    pub(super) fn item(&self) -> Item {
        self.with([])
    }

    /// Writes an item that is here.
    pub(super) fn with<const N: usize>(&self, attributes: [(&str, AttributeValue); N]) -> Item {
        let key = [(PK, s(&self.pk)), (SK, n(self.sk))];
        key.into_iter().chain(attributes).map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

/// Makes a text.
pub(super) fn s(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

/// Makes a number.
pub(super) fn n(number: u64) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

/// Reads a text.
pub(super) fn text<'a>(item: &'a Item, name: &str) -> Option<&'a str> {
    item.get(name)?.as_s().ok().map(String::as_str)
}

/// Reads a whole number.
pub(super) fn number(item: &Item, name: &str) -> Option<u64> {
    item.get(name)?.as_n().ok()?.parse().ok()
}

/// Writes an entry at one of its two places.
pub(super) fn entry(key: &Key, entry: &Recorded) -> Result<Item, LogError> {
    let envelope =
        chain::canonical_text(&entry.envelope).map_err(|e| LogError::unavailable("write an event as JSON", e))?;
    Ok(key.with([
        ("position", n(entry.position)),
        ("stream", s(&entry.stream)),
        ("version", n(entry.version)),
        ("envelope", s(&envelope)),
        ("previous_hash", s(&entry.previous_hash)),
        ("hash", s(&entry.hash)),
    ]))
}

/// Reads an entry; one that does not say what its hash says, or stands in another's place, is damaged.
pub(super) fn recorded(item: &Item) -> Result<Recorded, LogError> {
    let key = Key::of(item);
    let position = number(item, "position").or(key.as_ref().map(|k| k.sk)).unwrap_or(0);
    let damaged = |what: String| LogError::Corrupt { position, what };
    let of = |name: &str| text(item, name).ok_or_else(|| damaged(format!("its attribute {name} is missing")));
    let version = number(item, "version").ok_or_else(|| damaged("its attribute version is no number".to_owned()))?;
    let entry = Recorded {
        position,
        stream: of("stream")?.to_owned(),
        version,
        envelope: serde_json::from_str(of("envelope")?)
            .map_err(|e| damaged(format!("its envelope is not one: {e}")))?,
        previous_hash: of("previous_hash")?.to_owned(),
        hash: of("hash")?.to_owned(),
    };
    if let Some(what) = walk::hash_fault(&entry) {
        return Err(damaged(what));
    }
    let places = [Key::in_all(position), Key::in_stream(&entry.stream, version)];
    match key {
        Some(key) if places.contains(&key) => Ok(entry),
        key => {
            let at = key.map_or_else(String::new, |k| format!(" {} {}", k.pk, k.sk));
            // A reader of all looks for it where it stands, not where it says that it should.
            let position = number(item, SK).filter(|_| at.starts_with(" all#")).unwrap_or(position);
            Err(LogError::Corrupt { position, what: format!("entry {} stands in its place{at}", entry.position) })
        }
    }
}

/// Gives how long an item is as DynamoDB counts, rounded up: names and values in UTF-8, a number by its digits.
pub(super) fn bytes(item: &Item) -> usize {
    // Texts and numbers are all that is ever written here.
    let value = |v: &AttributeValue| v.as_s().map_or_else(|_| v.as_n().map_or(0, |n| n.len() + 1), String::len);
    item.iter().map(|(name, v)| name.len() + value(v)).sum()
}

#[cfg(test)]
mod tests {
    use super::super::super::conformance::sample;
    use super::*;
    use proptest::prelude::*;

    fn linked(id: &str, stream: &str, version: u64, position: u64) -> Recorded {
        let envelope = sample(id).seal().unwrap();
        let hash = chain::link(chain::GENESIS, position, stream, version, &envelope).unwrap();
        let previous_hash = chain::GENESIS.to_owned();
        Recorded { position, stream: stream.to_owned(), version, envelope, previous_hash, hash }
    }

    proptest! {
        #[test]
        fn entries_read_back_from_either_place(
            id in "[a-zä-ö\"\\\\#/]{1,40}", stream in "[a-z#/ü]{1,40}", version in 1u64.., position in 1u64..,
        ) {
            let written = linked(&id, &stream, version, position);
            for key in [Key::in_all(position), Key::in_stream(&stream, version)] {
                let item = entry(&key, &written).unwrap();
                prop_assert_eq!(Key::of(&item), Some(key));
                prop_assert_eq!(recorded(&item).unwrap(), written.clone());
            }
        }
    }

    #[test]
    fn an_altered_or_moved_entry_is_damaged_at_its_place() {
        let good = entry(&Key::in_all(5), &linked("e", "a", 2, 5)).unwrap();
        let damage = |name: &str, value: AttributeValue| {
            let mut item = good.clone();
            item.insert(name.to_owned(), value);
            let Err(LogError::Corrupt { position, what }) = recorded(&item) else { panic!("{name} may be altered") };
            (position, what)
        };
        let envelope = text(&good, "envelope").unwrap().replace("sample e", "sample f");
        let (position, what) = damage("envelope", s(&envelope));
        assert!(position == 5 && what.contains("it was altered"), "{what}");
        assert!(damage("envelope", s("{")).1.contains("not one"));
        assert!(damage("stream", s("b")).1.contains("it was altered"));
        assert!(damage("hash", n(5)).1.contains("hash is missing"));
        assert_eq!(damage(SK, n(6)), (6, "entry 5 stands in its place all#0 6".to_owned()));
    }
}
