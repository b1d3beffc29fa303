//! Writes the signs by which entries are found: the head of the log, the end of each stream, the place of each id.

use super::super::chain;
use super::super::port::LogError;
use super::item::{FORMAT, Item, Key, n, number, s, text};

/// The last entry of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Head {
    /// Its position; 0 for an empty log.
    pub(super) position: u64,
    pub(super) hash: String,
}

impl Head {
    /// Writes it.
    pub(super) fn item(&self) -> Item {
        Key::head().with([("position", n(self.position)), ("hash", s(&self.hash)), ("format", n(FORMAT))])
    }

    /// Reads it; `table` is what the log is called.
    pub(super) fn read(item: Option<&Item>, table: &str) -> Result<Self, LogError> {
        let Some(item) = item else { return Ok(Self { position: 0, hash: chain::GENESIS.to_owned() }) };
        let foreign = |what: String| LogError::Foreign { path: table.to_owned(), what };
        let format = number(item, "format").ok_or_else(|| foreign("its head names no format".to_owned()))?;
        if format > FORMAT {
            let what = format!("written by a newer forewarn (format {format}, known {FORMAT}); upgrade forewarn");
            return Err(foreign(what));
        }
        let (position, hash) = (number(item, "position"), text(item, "hash"));
        let Some((position, hash)) = position.zip(hash) else {
            return Err(LogError::Corrupt { position: 0, what: "the head of the log says no position".to_owned() });
        };
        Ok(Self { position, hash: hash.to_owned() })
    }
}

/// The end of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Tail {
    /// The version of its last entry; 0 where there is none.
    pub(super) version: u64,
    /// The position of its last entry.
    pub(super) position: u64,
}

impl Tail {
    /// Writes the end of `stream`.
    pub(super) fn item(self, stream: &str) -> Item {
        Key::in_stream(stream, 0).with([("version", n(self.version)), ("position", n(self.position))])
    }

    pub(super) fn read(item: Option<&Item>) -> Result<Self, LogError> {
        let Some(item) = item else { return Ok(Self::default()) };
        let found = number(item, "version").zip(number(item, "position"));
        found.map(|(version, position)| Self { version, position }).ok_or_else(|| LogError::Corrupt {
            position: number(item, "position").unwrap_or(0),
            what: "the end of its stream says no version".to_owned(),
        })
    }
}

/// Where the entry of an id is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) stream: String,
    pub(super) version: u64,
    /// The position among all.
    pub(super) position: u64,
    /// Names the append that wrote it.
    pub(super) mark: String,
}

impl Place {
    /// Writes where the entry of `id` is.
    pub(super) fn item(&self, id: &str) -> Item {
        Key::of_id(id).with([
            ("stream", s(&self.stream)),
            ("version", n(self.version)),
            ("position", n(self.position)),
            ("mark", s(&self.mark)),
        ])
    }

    pub(super) fn read(item: &Item) -> Result<Self, LogError> {
        let found = || {
            Some(Self {
                stream: text(item, "stream")?.to_owned(),
                version: number(item, "version")?,
                position: number(item, "position")?,
                mark: text(item, "mark")?.to_owned(),
            })
        };
        found().ok_or_else(|| LogError::Corrupt {
            position: number(item, "position").unwrap_or(0),
            what: "what its id says of its place is not whole".to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_read_back_and_nothing_there_is_an_empty_log() {
        let head = Head { position: 7, hash: "ab".to_owned() };
        assert_eq!(Head::read(Some(&head.item()), "t").unwrap(), head);
        assert_eq!(Head::read(None, "t").unwrap(), Head { position: 0, hash: chain::GENESIS.to_owned() });
        let tail = Tail { version: 3, position: 9 };
        assert_eq!(Tail::read(Some(&tail.item("a"))).unwrap(), tail);
        assert_eq!(Tail::read(None).unwrap(), Tail::default());
        let place = Place { stream: "a".to_owned(), version: 3, position: 9, mark: "m".to_owned() };
        assert_eq!(Place::read(&place.item("e")).unwrap(), place);
        let mut newer = head.item();
        newer.insert("format".to_owned(), n(FORMAT + 1));
        let error = Head::read(Some(&newer), "t").unwrap_err();
        assert!(error.to_string().contains("upgrade forewarn"), "{error}");
    }
}
