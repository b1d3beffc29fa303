//! Lists the files of a small table that count: those of a range of days, without what a compaction replaced or a pruning forgot.

use super::History;
use super::entry::Entry;
use super::error::Result;
use super::key::day_of_dir;
use super::replacement::listed_again;
use super::rows::{EventRow, TableRow};
use forewarn_runtime::time::format_day;
use std::ops::RangeInclusive;

/// All days.
pub(super) const EVER: RangeInclusive<i64> = i64::MIN..=i64::MAX;

/// A file of a small table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TableFile {
    pub(super) entry: Entry,
    /// The day of its directory; none right under the table's own, where they lay before tables were laid out by day.
    pub(super) day: Option<i64>,
}

/// Gives the directory of a table's day.
pub(super) fn day_dir(table: &str, day: i64) -> String {
    format!("{table}/date={}", format_day(day))
}

/// Reads the day of a table's file from its path; none where it is no file of a day of that table.
pub(super) fn day_of(table: &str, path: &str) -> Option<i64> {
    let rest = path.strip_prefix(table)?.strip_prefix('/')?;
    day_of_dir(rest.split_once('/')?.0)
}

impl History {
    /// Lists the files that count of a table and range of days, those without a day too, in the order of days and names.
    pub(super) fn table_files(&self, table: &str, days: &RangeInclusive<i64>) -> Result<Vec<TableFile>> {
        let kept_from = if table == EventRow::TABLE { self.kept_from()?.unwrap_or(i64::MIN) } else { i64::MIN };
        let days = (*days.start()).max(kept_from)..=*days.end();
        let within = |path: &str| day_of(table, path).is_some_and(|day| days.contains(&day));
        let list = || self.all_table_files(table, &days);
        listed_again(self.store(), &self.notes, list, |f| f.entry.path.as_str(), within)
    }

    /// Lists the files that lie there, those too that were replaced.
    pub(super) fn all_table_files(&self, table: &str, days: &RangeInclusive<i64>) -> Result<Vec<TableFile>> {
        let mut files = Vec::new();
        for entry in self.store().list(table)? {
            let name = entry.path.rsplit('/').next().unwrap_or_default();
            if name.starts_with(['.', '_']) || !name.ends_with(".parquet") {
                continue;
            }
            let day = day_of(table, &entry.path);
            if day.map_or(entry.path.len() == table.len() + 1 + name.len(), |day| days.contains(&day)) {
                files.push(TableFile { entry, day });
            }
        }
        files.sort_by(|a, b| (a.day, &a.entry.path).cmp(&(b.day, &b.entry.path)));
        Ok(files)
    }
}
