//! Columns that nobody knows, where they alone tell rows apart: they join the device.

use super::Rows;
use super::error::ImportError;
use super::merge::{Spilled, merge_partition};
use super::series::SeriesTable;
use crate::NOT_INGESTED;

/// How many such columns are looked at, by the order of the header.
pub(super) const MOST_COLUMNS: usize = 8;

/// Reads all inputs with such columns joined to the device.
pub(super) type ReadAll<'r> = dyn FnMut(&[String]) -> Result<(Rows, Spilled), ImportError> + 'r;

/// Reads all inputs, and where rows of one series and time contradict each other, again with the first unknown column that tells them
/// apart by itself, or with all of them where only together they do.
pub(super) fn read(read_all: &mut ReadAll<'_>) -> Result<(Rows, Spilled), ImportError> {
    let (rows, mut spilled) = read_all(&[])?;
    let unknown: Vec<String> = rows.unknown.iter().take(MOST_COLUMNS).cloned().collect();
    if unknown.is_empty() || !contradicts(&rows.table, &mut spilled)? {
        return Ok((rows, spilled));
    }
    drop((rows, spilled));
    let together = (unknown.len() > 1).then(|| unknown.clone());
    for joined in unknown.iter().map(|name| vec![name.clone()]).chain(together) {
        let (mut rows, mut spilled) = read_all(&joined)?;
        if !contradicts(&rows.table, &mut spilled)? && recurs(&rows.table) {
            rows.report.told_apart_by = joined;
            return Ok((rows, spilled));
        }
    }
    read_all(&[])
}

/// Says whether two rows of one series, time and version have different values.
fn contradicts(table: &SeriesTable, spilled: &mut Spilled) -> Result<bool, ImportError> {
    let mut found = false;
    for partition in spilled.partitions() {
        let mut last = (u32::MAX, 0, 0, 0.0_f64);
        merge_partition(spilled, table, partition, |series, ts, value, ingested| {
            for (i, (&t, &v)) in ts.iter().zip(value).enumerate() {
                let now = (series, t, ingested.get(i).copied().unwrap_or(NOT_INGESTED), v);
                found |= (last.0, last.1, last.2) == (now.0, now.1, now.2) && last.3.to_bits() != v.to_bits();
                last = now;
            }
            Ok(())
        })?;
        if found {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Says whether series have several rows: what is different in every row, such as a number of the row, tells no devices apart.
fn recurs(table: &SeriesTable) -> bool {
    let (series, rows) = table.rows().iter().filter(|n| **n > 0).fold((0, 0), |(s, r), n| (s + 1, r + n));
    rows >= 2 * series
}
