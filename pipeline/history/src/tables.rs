//! Keeps the small tables beside the metrics: instances, events, incidents. Each is laid out by day, as the metrics are, so that of a
//! long history only the days that are wanted are read.
//!
//! What is known of instances is the exception: it is read whole, since an instance may not have changed for a year. A compaction
//! makes one file of all that, and keeps of it what differs.

use super::error::Result;
use super::instances::InstanceVersions;
use super::replacement::not_gone;
use super::rows::{EventKey, EventRow, IncidentRow, InstanceRow, TableRow};
use super::table_codec::{Table, for_each_batch_of};
use super::table_files::{EVER, TableFile, day_dir};
use super::{History, Writer};
use forewarn_runtime::time::DAY_MS;
use std::collections::BTreeMap;
use std::ops::{Range, RangeInclusive};

pub(super) const PREDICTIONS: &str = "predictions";

impl Writer<'_> {
    /// Adds what is known of instances. The same rows again change nothing.
    pub fn put_instances(&mut self, rows: &[InstanceRow]) -> Result<()> {
        self.put_rows(rows)
    }

    /// Adds what somebody tells of instances; what has no time at which it was seen counts as told at `now_ms`, unless the same was told
    /// last.
    pub fn import_instances(&mut self, mut rows: Vec<InstanceRow>, now_ms: i64) -> Result<()> {
        let known = self.history().instance_versions()?;
        rows.retain(|row| !known.was_told_last(row));
        for row in rows.iter_mut().filter(|r| r.seen_at.is_none()) {
            row.imported_at = Some(now_ms);
        }
        self.put_rows(&rows)
    }

    /// Adds events. The same rows again change nothing; those of days that were pruned stay away.
    pub fn put_events(&mut self, rows: &[EventRow]) -> Result<()> {
        let kept_from = self.history().kept_from()?.unwrap_or(i64::MIN);
        let kept: Vec<EventRow> = rows.iter().filter(|r| r.day() >= kept_from).cloned().collect();
        self.put_rows(&kept)
    }

    /// Adds incidents. The same rows again change nothing.
    pub fn put_incidents(&mut self, rows: &[IncidentRow]) -> Result<()> {
        self.put_rows(rows)
    }

    /// Writes a file for each day, named by its content.
    pub(super) fn put_rows<R: TableRow>(&mut self, rows: &[R]) -> Result<()> {
        for (day, rows) in by_day(rows.to_vec()) {
            let (name, bytes) = file_of(&rows)?;
            self.put_table_file(&format!("{}/{name}", day_dir(R::TABLE, day)), &bytes)?;
            forewarn_runtime::failpoint::point("tables.written");
        }
        Ok(())
    }
}

/// Parts rows by day, sorted, each once.
pub(super) fn by_day<R: TableRow>(rows: Vec<R>) -> BTreeMap<i64, Vec<R>> {
    let mut days: BTreeMap<i64, Vec<R>> = BTreeMap::new();
    for row in rows {
        days.entry(row.day()).or_default().push(row);
    }
    for rows in days.values_mut() {
        rows.sort();
        rows.dedup();
    }
    days
}

/// Gives the bytes of a file of these rows, and its name.
pub(super) fn file_of<R: TableRow>(rows: &[R]) -> Result<(String, Vec<u8>)> {
    let bytes = R::encode(rows)?;
    Ok((format!("{:016x}.parquet", xxhash_rust::xxh64::xxh64(&bytes, 0)), bytes))
}

impl History {
    /// Keeps the predictions of one time: `predictions/date=YYYY-MM-DD/NAME.parquet`, whole or not at all. The first file of a name stays:
    /// what was predicted is not rewritten afterwards. Gives the path, and whether it is new.
    ///
    /// No lock is needed: the name depends on what is predicted alone, and nothing else is touched.
    pub fn put_predictions(&self, as_of: i64, name: &str, bytes: Vec<u8>) -> Result<(String, bool)> {
        let path = format!("{}/{name}.parquet", day_dir(PREDICTIONS, as_of.div_euclid(DAY_MS)));
        let made = self.store().put_new(&path, bytes)?;
        Ok((path, made))
    }

    /// Reads what is known of instances, in all versions.
    pub fn instance_versions(&self) -> Result<InstanceVersions> {
        self.read_table::<InstanceRow, _>(&EVER, |files| Ok(InstanceVersions::of(self.instance_rows(&files)?)))
    }

    /// Reads the rows of files of instances; of those without a day only what was written last counts.
    pub(super) fn instance_rows(&self, files: &[TableFile]) -> Result<Vec<InstanceRow>> {
        let (dated, flat): (Vec<_>, Vec<_>) = files.iter().cloned().partition(|f| f.day.is_some());
        let mut rows = self.last_of_flat(&flat)?;
        self.each_row(&dated, |table, i| {
            rows.push(InstanceRow::decode(table, i)?);
            Ok(())
        })?;
        Ok(rows)
    }

    /// Reads what is known of instances now, by id.
    pub fn instances(&self) -> Result<BTreeMap<String, InstanceRow>> {
        let versions = self.instance_versions()?;
        Ok(versions.ids().filter_map(|id| Some((id.to_owned(), versions.at(id, i64::MAX)?))).collect())
    }

    /// Reads all events, sorted, each once.
    pub fn events(&self) -> Result<Vec<EventRow>> {
        self.events_in(i64::MIN..i64::MAX, |_| true)
    }

    /// Reads the events of a range of time that are wanted, sorted, each once; only the files of its days are opened.
    pub fn events_in(&self, range: Range<i64>, wanted: impl Fn(EventKey<'_>) -> bool) -> Result<Vec<EventRow>> {
        let kept_from = self.kept_from()?.map_or(i64::MIN, |day| day.saturating_mul(DAY_MS));
        self.rows_in(range.start.max(kept_from)..range.end, |table, i| {
            let (instance_id, kind) = (table.needed_str("instance_id", i)?, table.needed_str("kind", i)?);
            Ok(wanted(EventKey { instance_id, ts: table.needed_time("ts", i)?, kind }))
        })
    }

    /// Reads all incidents, sorted, each once.
    pub fn incidents(&self) -> Result<Vec<IncidentRow>> {
        self.incidents_in(i64::MIN..i64::MAX)
    }

    /// Reads the incidents that began in a range of time, sorted, each once; only the files of its days are opened.
    pub fn incidents_in(&self, range: Range<i64>) -> Result<Vec<IncidentRow>> {
        self.rows_in(range, |_, _| Ok(true))
    }

    /// Gives the first day of which incidents are known, the time of its midnight; none where none is known.
    pub fn incidents_since(&self) -> Result<Option<i64>> {
        let files = self.table_files(IncidentRow::TABLE, &EVER)?;
        match files.first() {
            // Files of before tables were laid out by day say it by their rows alone.
            Some(TableFile { day: None, .. }) => {
                Ok(self.incidents()?.iter().map(|i| i.ts.div_euclid(DAY_MS) * DAY_MS).min())
            }
            first => Ok(first.and_then(|file| file.day).map(|day| day * DAY_MS)),
        }
    }

    fn rows_in<R: TableRow>(
        &self,
        range: Range<i64>,
        wanted: impl Fn(&Table<'_>, usize) -> Result<bool>,
    ) -> Result<Vec<R>> {
        let days = range.start.div_euclid(DAY_MS)..=range.end.saturating_sub(1).div_euclid(DAY_MS);
        let mut found: Vec<R> = self.read_table::<R, _>(&days, |files| {
            let mut found = Vec::new();
            self.each_row(&files, |table, i| {
                if range.contains(&table.needed_time("ts", i)?) && wanted(table, i)? {
                    found.push(R::decode(table, i)?);
                }
                Ok(())
            })?;
            Ok(found)
        })?;
        found.sort();
        found.dedup();
        Ok(found)
    }

    /// Lists a table and reads it; again where a file has gone since it was listed.
    fn read_table<R: TableRow, T>(
        &self,
        days: &RangeInclusive<i64>,
        mut read: impl FnMut(Vec<TableFile>) -> Result<T>,
    ) -> Result<T> {
        not_gone(|| read(self.table_files(R::TABLE, days)?))
    }

    /// Reads the files that lay there before instances had versions: the newest file speaks for an instance that several name.
    pub(super) fn last_of_flat(&self, files: &[TableFile]) -> Result<Vec<InstanceRow>> {
        let mut last = BTreeMap::new();
        self.each_row(files, |table, i| {
            let row = InstanceRow::decode(table, i)?;
            last.insert(row.instance_id.clone(), row);
            Ok(())
        })?;
        Ok(last.into_values().collect())
    }

    pub(super) fn each_row(
        &self,
        files: &[TableFile],
        mut take: impl FnMut(&Table<'_>, usize) -> Result<()>,
    ) -> Result<()> {
        for file in files {
            for_each_batch_of(self, &file.entry, |table| (0..table.rows()).try_for_each(|i| take(table, i)))?;
        }
        Ok(())
    }
}
