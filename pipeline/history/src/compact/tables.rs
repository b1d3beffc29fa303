//! Compacts the small tables: what lies there without a day is laid out by day, then the files of each day become one. What is
//! known of instances becomes one file in all.

use super::super::entry::Entry;
use super::super::error::Result;
use super::super::instances::InstanceVersions;
use super::super::rows::{EventRow, IncidentRow, InstanceRow, TableRow};
use super::super::table_files::{EVER, TableFile, day_dir};
use super::super::tables::{by_day, file_of};
use super::super::{History, Writer};
use super::{CompactOptions, CompactReport, MADE, compaction_id};
use forewarn_runtime::failpoint;
use forewarn_runtime::time::DAY_MS;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;

/// Files without a day that are laid out at a time.
const MOVED_AT_ONCE: usize = 500;

impl Writer<'_> {
    pub(super) fn compact_tables(&self, options: &CompactOptions, report: &mut CompactReport) -> Result<()> {
        self.lay_out_by_day::<EventRow>(options, report)?;
        self.lay_out_by_day::<IncidentRow>(options, report)?;
        self.compact_days::<EventRow>(options, report)?;
        self.compact_days::<IncidentRow>(options, report)?;
        self.gather_instances(options, report)
    }

    /// Lays out by day what lies right under the table's directory, where it was written before tables had days.
    fn lay_out_by_day<R: TableRow>(&self, options: &CompactOptions, report: &mut CompactReport) -> Result<()> {
        let flat: Vec<TableFile> =
            self.history().table_files(R::TABLE, &EVER)?.into_iter().filter(|f| f.day.is_none()).collect();
        for files in flat.chunks(MOVED_AT_ONCE) {
            let mut days = by_day::<R>(read(self.history(), files)?);
            if R::TABLE == EventRow::TABLE {
                days = days.split_off(&self.history().kept_from()?.unwrap_or(i64::MIN));
            }
            let mut made = Vec::new();
            for (day, rows) in days {
                let (name, bytes) = file_of(&rows)?;
                made.push((format!("{}/{name}", day_dir(R::TABLE, day)), bytes));
            }
            count(report, files, made.iter().map(|(_, bytes)| bytes));
            let Some((last, bytes)) = made.pop() else {
                // All of it was pruned.
                files.iter().try_for_each(|f| self.history().store().delete(&f.entry.path))?;
                continue;
            };
            // Until the last one is placed, what is read twice is the same row twice; from then on the note hides the old ones.
            for (path, bytes) in made {
                self.history().store().create(&path, &bytes)?;
                failpoint::point("compact.laid_out");
            }
            let id = compaction_id(files.iter().map(|f| &f.entry).chain([&Entry { path: last.clone(), size: 0 }]));
            let old = files.iter().map(|f| f.entry.path.clone()).collect();
            self.replace(&id, last.clone(), old, options, |store| store.create(&last, &bytes))?;
        }
        Ok(())
    }

    /// Makes one file of those of each day.
    fn compact_days<R: TableRow>(&self, options: &CompactOptions, report: &mut CompactReport) -> Result<()> {
        let mut days: BTreeMap<i64, Vec<TableFile>> = BTreeMap::new();
        for file in self.history().table_files(R::TABLE, &before(options))? {
            if let Some(day) = file.day {
                days.entry(day).or_default().push(file);
            }
        }
        for (day, files) in days {
            report.partitions += 1;
            let files = options.of_day(day, files, |f| f.entry.size);
            if files.len() > 1 {
                let mut rows: Vec<R> = read(self.history(), &files)?;
                let all = rows.len();
                rows.sort();
                rows.dedup();
                report.rows_read += all as u64;
                report.duplicates_dropped += (all - rows.len()) as u64;
                self.put_compacted(day, &files, &rows, options, report)?;
            }
        }
        Ok(())
    }

    /// Makes one file of everything that is known of instances, with the versions that differ and that somebody can ask for.
    fn gather_instances(&self, options: &CompactOptions, report: &mut CompactReport) -> Result<()> {
        let history = self.history();
        let files = history.table_files(InstanceRow::TABLE, &before(options))?;
        report.partitions += u64::from(!files.is_empty());
        let rows = history.instance_rows(&files)?;
        let all = rows.len();
        let mut versions = InstanceVersions::of(rows);
        if let Some(kept_from) = history.kept_from()? {
            versions = versions.from(kept_from.saturating_mul(DAY_MS));
        }
        let rows: Vec<InstanceRow> = versions.rows().cloned().collect();
        let (dated, flat): (Vec<&TableFile>, Vec<&TableFile>) = files.iter().partition(|f| f.day.is_some());
        if flat.is_empty() && dated.len() < 2 && rows.len() == all {
            return Ok(());
        }
        report.rows_read += all as u64;
        report.duplicates_dropped += (all - rows.len()) as u64;
        let days = dated.iter().filter_map(|f| f.day).chain(rows.iter().map(TableRow::day));
        let Some(day) = days.max() else { return Ok(()) };
        self.put_compacted(day, &files, &rows, options, report)
    }

    fn put_compacted<R: TableRow>(
        &self,
        day: i64,
        files: &[TableFile],
        rows: &[R],
        options: &CompactOptions,
        report: &mut CompactReport,
    ) -> Result<()> {
        let (name, bytes) = file_of(rows)?;
        report.compacted += 1;
        count(report, files, std::iter::once(&bytes));
        let id = compaction_id(files.iter().map(|f| &f.entry)) + name.trim_end_matches(".parquet");
        let output = format!("{}/{MADE}{id}.parquet", day_dir(R::TABLE, day));
        let old = files.iter().map(|f| f.entry.path.clone()).collect();
        failpoint::point("compact.staged");
        self.replace(&id, output.clone(), old, options, |store| store.create(&output, &bytes))
    }
}

/// The days that a compaction may touch.
fn before(options: &CompactOptions) -> RangeInclusive<i64> {
    i64::MIN..=options.before_ms.map_or(i64::MAX, |at| at.saturating_sub(1).div_euclid(DAY_MS))
}

fn read<R: TableRow>(history: &History, files: &[TableFile]) -> Result<Vec<R>> {
    let mut rows = Vec::new();
    history.each_row(files, |table, i| {
        rows.push(R::decode(table, i)?);
        Ok(())
    })?;
    Ok(rows)
}

fn count<'a>(report: &mut CompactReport, files: &[TableFile], made: impl Iterator<Item = &'a Vec<u8>>) {
    report.files_before += files.len() as u64;
    report.bytes_before += files.iter().map(|f| f.entry.size).sum::<u64>();
    for bytes in made {
        report.files_after += 1;
        report.bytes_after += bytes.len() as u64;
    }
}
