//! What checking, rebuilding and pruning a log find and do, wherever the log is kept.

use super::checkpoint::Checkpoint;
use super::table::Table;
use serde::Serialize;
use std::collections::BTreeMap;

/// The first thing found wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// The entry; 0 when it is about the file.
    pub position: u64,
    /// What is wrong.
    pub what: String,
}

/// Says what a check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VerifyReport {
    /// Entries checked and found good.
    pub entries: u64,
    /// What stands in the place of pruned entries; null where none were.
    pub checkpoint: Option<Checkpoint>,
    /// Streams seen.
    pub streams: u64,
    /// The hash of the last good entry; keep it elsewhere to notice a shortened log.
    pub hash: String,
    /// Entries of types that this forewarn does not know.
    pub unknown: BTreeMap<String, u64>,
    /// The first thing found wrong; null when all is well.
    pub fault: Option<Fault>,
}

/// The first row that was not what the log says.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    pub table: Table,
    /// The row's key.
    pub key: String,
    /// What stood there; null for nothing, a text for something that was no row.
    pub was: Option<serde_json::Value>,
    /// What the log says; null for nothing.
    pub now: Option<serde_json::Value>,
}

/// Says what a rebuild found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RebuildReport {
    /// Entries replayed.
    pub entries: u64,
    /// Rows of each table.
    pub rows: BTreeMap<&'static str, u64>,
    /// Entries of types that this forewarn does not know.
    pub unknown: BTreeMap<String, u64>,
    /// True when every table was what the log says.
    pub identical: bool,
    /// How many rows were not.
    pub differences: u64,
    /// The first of them.
    pub first_difference: Option<Difference>,
}

impl RebuildReport {
    /// Notes a row that was not what the log says; both as JSON texts.
    pub(super) fn differs(&mut self, table: Table, key: &str, was: Option<&str>, now: Option<&str>) {
        self.differences += 1;
        self.identical = false;
        self.first_difference.get_or_insert_with(|| {
            let shown = |text: Option<&str>| {
                text.map(|t| serde_json::from_str(t).unwrap_or_else(|_| serde_json::Value::String(t.to_owned())))
            };
            Difference { table, key: key.to_owned(), was: shown(was), now: shown(now) }
        });
    }
}

impl Default for RebuildReport {
    /// Says that nothing was replayed and nothing differed.
    fn default() -> Self {
        Self {
            entries: 0,
            rows: BTreeMap::new(),
            unknown: BTreeMap::new(),
            identical: true,
            differences: 0,
            first_difference: None,
        }
    }
}

/// Says what a pruning did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PruneReport {
    /// Entries that went.
    pub entries: u64,
    /// Entries that are left, the one that names the checkpoint included.
    pub left: u64,
    /// The reader that has not come further, where one kept older entries from going.
    pub waits_for: Option<String>,
    /// What stands in the place of all pruned entries; null where none ever went.
    pub checkpoint: Option<Checkpoint>,
}
