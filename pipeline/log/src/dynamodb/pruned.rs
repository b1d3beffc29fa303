//! Writes what stands in the place of pruned entries, and where the checkpoint is that says what they came to.

use super::super::port::LogError;
use super::api::Api;
use super::call_error::CallError;
use super::item::{Item, Key, n, number, s, text};
use super::plan::Write;

/// Where the parts of a checkpoint are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Staged {
    pub(super) place: String,
    pub(super) parts: u64,
    /// SHA-256 of the parts.
    pub(super) sha256: String,
}

impl Staged {
    /// Writes that a checkpoint is going to be written at a place, and at no other.
    pub(super) fn claim(place: &str) -> Item {
        Key { pk: CHECKPOINT.to_owned(), sk: 1 }.with([("place", s(place))])
    }

    /// Gives the place at which one was last written, published or not.
    pub(super) fn claimed(api: &Api) -> Result<Option<String>, LogError> {
        let item = api.get(&Key { pk: CHECKPOINT.to_owned(), sk: 1 }, "look for a staged checkpoint")?;
        Ok(item.as_ref().and_then(|i| text(i, "place")).map(str::to_owned))
    }
}

const CHECKPOINT: &str = "checkpoint";

/// What stands in the place of pruned entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pruned {
    /// The position of the last entry that counts no more.
    pub(super) position: u64,
    pub(super) hash: String,
    /// Up to where entries are deleted.
    pub(super) swept: u64,
    pub(super) staged: Staged,
}

impl Pruned {
    fn key() -> Key {
        Key { pk: CHECKPOINT.to_owned(), sk: 0 }
    }

    fn item(&self) -> Item {
        Self::key().with([
            ("position", n(self.position)),
            ("hash", s(&self.hash)),
            ("swept", n(self.swept)),
            ("place", s(&self.staged.place)),
            ("parts", n(self.staged.parts)),
            ("sha256", s(&self.staged.sha256)),
        ])
    }

    /// Reads what lies behind it; again where the log is pruned meanwhile, which takes away the parts of the checkpoint before.
    pub(super) fn steady<T>(
        api: &Api,
        mut read: impl FnMut(Option<&Self>) -> Result<T, LogError>,
    ) -> Result<T, LogError> {
        loop {
            let pruned = Self::read(api)?;
            let found = read(pruned.as_ref());
            if Self::read(api)?.map(|p| p.position) == pruned.map(|p| p.position) {
                return found;
            }
            tracing::info!("the log was pruned while it was read; it is read again");
        }
    }

    /// Writes it in the place of the one before, and only of that.
    pub(super) fn onto(&self, old: Option<&Self>) -> Write {
        Write { item: self.item(), onto: old.map(|old| (old.item(), &["position", "hash"][..])) }
    }

    /// Reads it; none where nothing was pruned.
    pub(super) fn read(api: &Api) -> Result<Option<Self>, LogError> {
        let Some(item) = api.get(&Self::key(), "read the checkpoint")? else { return Ok(None) };
        let found = || {
            Some(Self {
                position: number(&item, "position")?,
                hash: text(&item, "hash")?.to_owned(),
                swept: number(&item, "swept")?,
                staged: Staged {
                    place: text(&item, "place")?.to_owned(),
                    parts: number(&item, "parts")?,
                    sha256: text(&item, "sha256")?.to_owned(),
                },
            })
        };
        found().map(Some).ok_or_else(|| LogError::Corrupt {
            position: number(&item, "position").unwrap_or(0),
            what: "what stands in the place of pruned entries is not whole".to_owned(),
        })
    }

    /// Says that entries are deleted up to here, as long as it is the checkpoint at `position`.
    pub(super) fn swept(api: &Api, position: u64, swept: u64) -> Result<(), LogError> {
        let said = api.call("UpdateItem", "say what is deleted", |client| {
            client
                .update_item()
                .table_name(&api.table)
                .set_key(Some(Self::key().item()))
                .update_expression("SET #swept = :swept")
                .condition_expression("#position = :position AND #swept < :swept")
                .expression_attribute_names("#swept", "swept")
                .expression_attribute_names("#position", "position")
                .expression_attribute_values(":swept", n(swept))
                .expression_attribute_values(":position", n(position))
                .send()
        });
        match said {
            // Another pruning goes on with it, or has published a later one.
            Err(failed) if failed.trouble != CallError::Refused => Err(failed.into()),
            _ => Ok(()),
        }
    }
}
