//! Forgets metrics and events by age, and keeps a note of what was forgotten.
//!
//! **Invariant:** what lies in days before the last note's `kept_from` counts for no reader, deleted or not.

use super::error::{HistoryError, Result};
use super::key::Partition;
use super::manifest::pretty;
use super::replacement::Replacements;
use super::rows::{EventRow, TableRow};
use super::store::Store;
use super::table_files::day_of;
use super::{Writer, commit};
use forewarn_runtime::time::{DAY_MS, format_day, format_ms, parse_day};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

const NOTE: &str = "_pruned.json";

/// Notes kept, the newest: a history that is pruned each day has as many a year and a bit later.
const NOTES_KEPT: usize = 400;

/// One pruning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PruneNote {
    /// When it was done, RFC 3339.
    pub at: String,
    /// The first day that was kept.
    pub kept_from: String,
    /// First and last day that went.
    pub days: (String, String),
    /// Files that went.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// What a pruning did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct PruneReport {
    /// The first day that was kept.
    pub kept_from: String,
    /// Files deleted.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Writer<'_> {
    /// Deletes the metrics and events of days that ended before a time. The note is written first: from then on no reader counts them, and a
    /// crash in between leaves files that the next pruning deletes.
    pub fn prune(&mut self, older_than_ms: i64, now_ms: i64) -> Result<PruneReport> {
        let (report, days) = self.history().older_than(older_than_ms)?;
        let days = days.into_iter();
        if let (Some(first), Some(last)) = (days.clone().min(), days.max()) {
            let days = (format_day(first), format_day(last));
            let (at, kept_from) = (format_ms(now_ms), report.kept_from.clone());
            self.note(&PruneNote { at, kept_from, days, files: report.files, bytes: report.bytes })?;
        }
        self.delete_pruned()?;
        Ok(report)
    }

    /// Lets days count again that were pruned, from a time on, so that they can be imported anew. What is left of them goes first.
    pub fn keep_from(&mut self, from_ms: i64, now_ms: i64) -> Result<()> {
        let day = from_ms.div_euclid(DAY_MS);
        if self.history().kept_from()?.is_none_or(|kept| kept <= day) {
            return Ok(());
        }
        self.delete_pruned()?;
        let (at, kept_from) = (format_ms(now_ms), format_day(day));
        self.note(&PruneNote { at, days: (kept_from.clone(), kept_from.clone()), kept_from, files: 0, bytes: 0 })
    }

    fn note(&mut self, note: &PruneNote) -> Result<()> {
        let store = self.history().store();
        store.update(NOTE, |there| {
            let mut notes = there.map_or_else(|| Ok(Vec::new()), |bytes| decode(store, bytes))?;
            if notes.last() == Some(note) {
                return Ok(None);
            }
            notes.push(note.clone());
            let excess = notes.len().saturating_sub(NOTES_KEPT);
            notes.drain(..excess);
            pretty(&notes, NOTE).map(Some)
        })?;
        forewarn_runtime::failpoint::point("prune.noted");
        Ok(())
    }

    /// Deletes everything that lies in days that were pruned: what was replaced, then the output, then its note.
    fn delete_pruned(&mut self) -> Result<()> {
        let Some(kept_from) = self.history().kept_from()? else { return Ok(()) };
        let limit_ms = kept_from.saturating_mul(DAY_MS);
        let (history, store) = (self.history(), self.history().store());
        commit::forget_records(store, |r| r.range.is_some_and(|(from, _)| from < limit_ms))?;
        let metrics = history.all_metric_files(None, i64::MIN, limit_ms)?.into_iter().map(|f| f.entry.path);
        let mut paths: BTreeSet<String> = metrics.collect();
        // Events that have no day yet are pruned row by row, when a compaction gives them one.
        let events = history.all_table_files(EventRow::TABLE, &(i64::MIN..=kept_from - 1))?;
        paths.extend(events.into_iter().filter(|f| f.day.is_some()).map(|f| f.entry.path));
        let replaced = Replacements::load(store)?;
        let paths: BTreeSet<&str> = paths.iter().map(String::as_str).collect();
        let hidden = replaced.hidden(&paths);
        let (first, then): (Vec<&str>, Vec<&str>) = paths.iter().partition(|path| hidden.contains(*path));
        for path in first.into_iter().chain(then) {
            store.delete(path)?;
            forewarn_runtime::failpoint::point("prune.deleted");
        }
        let day = |output: &str| match Partition::from_path(output) {
            Some(partition) => Some(partition.day),
            None => day_of(EventRow::TABLE, output),
        };
        replaced.delete_where(store, |output| day(output).is_some_and(|day| day < kept_from))
    }
}

impl super::History {
    /// Says what [`Writer::prune`] would delete.
    pub fn prunable(&self, older_than_ms: i64) -> Result<PruneReport> {
        self.older_than(older_than_ms).map(|(report, _)| report)
    }

    /// Counts the files of days that ended before a time; also gives the day of each.
    fn older_than(&self, older_than_ms: i64) -> Result<(PruneReport, Vec<i64>)> {
        let first_kept = older_than_ms.div_euclid(DAY_MS);
        let metrics = self.metric_files(None, i64::MIN, first_kept.saturating_mul(DAY_MS))?;
        let events = self.table_files(EventRow::TABLE, &(i64::MIN..=first_kept - 1))?;
        let of_events = events.iter().filter_map(|f| Some((f.day?, f.entry.size)));
        let (days, sizes): (Vec<i64>, Vec<u64>) =
            metrics.iter().map(|f| (f.partition.day, f.entry.size)).chain(of_events).unzip();
        let (files, bytes) = (days.len() as u64, sizes.iter().sum());
        Ok((PruneReport { kept_from: format_day(first_kept), files, bytes }, days))
    }

    /// Says in words why there is nothing in a history without samples, and what to do.
    pub fn why_empty(&self) -> Result<String> {
        Ok(match self.pruned()?.last() {
            None => "the history is empty; import something first".to_owned(),
            Some(note) => format!(
                "nothing is left in the history: everything before {} was pruned at {}; import what is newer",
                note.kept_from, note.at
            ),
        })
    }

    /// Says in words which time the history holds, or why it holds none.
    pub fn held(&self) -> Result<String> {
        Ok(match self.time_range()? {
            None => self.why_empty()?,
            Some((first, last)) => {
                format!(
                    "the history holds {} to {}",
                    forewarn_runtime::time::format_ms(first),
                    forewarn_runtime::time::format_ms(last)
                )
            }
        })
    }

    /// Gives the first day, since 1970-01-01, that was not pruned; none where nothing was. What lies before does not count.
    pub fn kept_from(&self) -> Result<Option<i64>> {
        let Some(note) = self.pruned()?.pop() else { return Ok(None) };
        let bad = || HistoryError::Json {
            path: self.store().describe(NOTE),
            why: format!("kept_from is `{}`, expected a day such as 2026-01-31", note.kept_from),
        };
        parse_day(&note.kept_from).map(Some).ok_or_else(bad)
    }

    /// Refuses samples of days that were pruned.
    pub(super) fn refuse_pruned(&self, range: Option<(i64, i64)>) -> Result<()> {
        let (Some((first, _)), Some(kept_from)) = (range, self.kept_from()?) else { return Ok(()) };
        let day = first.div_euclid(DAY_MS);
        if day >= kept_from {
            return Ok(());
        }
        let (first, day, kept_from) = (format_ms(first), format_day(day), format_day(kept_from));
        Err(HistoryError::Pruned { location: self.location(), first, day, kept_from })
    }

    /// Reads the notes of what was pruned, oldest first.
    pub fn pruned(&self) -> Result<Vec<PruneNote>> {
        self.store().read(NOTE)?.map_or_else(|| Ok(Vec::new()), |bytes| decode(self.store(), &bytes))
    }
}

fn decode(store: &Store, bytes: &[u8]) -> Result<Vec<PruneNote>> {
    let bad = |e: serde_json::Error| HistoryError::Json { path: store.describe(NOTE), why: e.to_string() };
    serde_json::from_slice(bytes).map_err(bad)
}
