//! Columns that nobody knows, where they alone tell rows apart: they join the device.

use super::Rows;
use super::error::ImportError;
use super::merge::{Spilled, merge_partition};
use super::series::SeriesTable;
use crate::NOT_INGESTED;

/// How many such columns are looked at, in the order in which they appear.
pub(super) const MOST_COLUMNS: usize = 8;

/// Reads all inputs with such columns joined to the device.
pub(super) type ReadAll<'r> = dyn FnMut(&[String]) -> Result<(Rows, Spilled), ImportError> + 'r;

/// Reads all inputs, and where rows of one series and time contradict each other, again with the first unknown column that tells them
/// apart by itself, or with all of them where only together they do.
pub(super) fn read(read_all: &mut ReadAll<'_>) -> Result<(Rows, Spilled), ImportError> {
    let (rows, spilled) = read_all(&[])?;
    let unknown = rows.unknown.clone();
    if unknown.is_empty() || !contradicts(&rows.table, &spilled)? {
        return Ok((rows, spilled));
    }
    drop((rows, spilled));
    let together = (unknown.len() > 1).then(|| unknown.clone());
    for joined in unknown.iter().map(|name| vec![name.clone()]).chain(together) {
        let (mut rows, spilled) = read_all(&joined)?;
        if !contradicts(&rows.table, &spilled)? && recurs(&rows.table) {
            rows.report.told_apart_by = joined;
            return Ok((rows, spilled));
        }
    }
    read_all(&[])
}

/// Says whether two rows of one series, time and version have different values.
fn contradicts(table: &SeriesTable, spilled: &Spilled) -> Result<bool, ImportError> {
    let mut file = spilled.open()?;
    for partition in spilled.partitions() {
        let (mut same_time, mut found) = (SameTime::default(), 0);
        merge_partition((spilled, &mut file), table, partition, |series, ts, value, ingested| {
            found += same_time.contradictions(series, ts, value, ingested);
            Ok(())
        })?;
        if found > 0 {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Remembers the row before, as rows come in the order of files: those of one series, time and version follow each other.
#[derive(Debug, Default)]
pub(super) struct SameTime {
    last: Option<(u32, i64, i64, u64)>,
}

impl SameTime {
    /// Counts the samples that say otherwise than the one before them of the same series, time and version.
    pub(super) fn contradictions(&mut self, series: u32, ts: &[i64], value: &[f64], ingested: &[i64]) -> u64 {
        let mut found = 0;
        for (i, (&t, v)) in ts.iter().zip(value).enumerate() {
            let now = (series, t, ingested.get(i).copied().unwrap_or(NOT_INGESTED), v.to_bits());
            found += u64::from(self.last.is_some_and(|l| (l.0, l.1, l.2) == (now.0, now.1, now.2) && l.3 != now.3));
            self.last = Some(now);
        }
        found
    }
}

/// Says whether series have several rows: what is different in every row, such as a number of the row, tells no devices apart.
fn recurs(table: &SeriesTable) -> bool {
    let (series, rows) = table.rows().iter().filter(|n| **n > 0).fold((0, 0), |(s, r), n| (s + 1, r + n));
    rows >= 2 * series
}
