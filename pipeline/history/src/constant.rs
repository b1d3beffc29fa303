//! What the statistics of a row group alone say of a column.

use super::schema::{DEVICE, PERIOD, TEXT_COLUMNS, TS};
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::statistics::Statistics;

/// The one value that a column has throughout a row group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Constant {
    /// Null in every row.
    Null,
    Text(String),
    Number(i64),
}

/// Finds, from the statistics alone, that a column is constant in a row group.
pub(crate) fn constant(group: &RowGroupMetaData, column: usize) -> Option<Constant> {
    let stats = group.columns().get(column)?.statistics()?;
    let nulls = stats.null_count_opt()?;
    if nulls == group.num_rows() as u64 {
        return Some(Constant::Null);
    }
    if nulls != 0 || !stats.min_is_exact() || !stats.max_is_exact() {
        return None;
    }
    if column < TEXT_COLUMNS.len() {
        let (min, max) = (stats.min_bytes_opt()?, stats.max_bytes_opt()?);
        return (min == max).then(|| std::str::from_utf8(min).ok().map(|t| Constant::Text(t.to_owned())))?;
    }
    let (min, max) = number_range(stats)?;
    (min == max).then_some(Constant::Number(min))
}

#[expect(clippy::wildcard_enum_match_arm, reason = "no other type is a whole number")]
pub(crate) fn number_range(stats: &Statistics) -> Option<(i64, i64)> {
    match stats {
        Statistics::Int32(s) => Some((i64::from(*s.min_opt()?), i64::from(*s.max_opt()?))),
        Statistics::Int64(s) => Some((*s.min_opt()?, *s.max_opt()?)),
        _ => None,
    }
}

/// Gives the first and last time of a row group, where its statistics say.
pub(crate) fn time_range(group: &RowGroupMetaData) -> Option<(i64, i64)> {
    number_range(group.column(TS).statistics()?)
}

/// Gives the constant text of a column that was not read; none is null.
pub(crate) fn constant_text(group: &RowGroupMetaData, column: usize) -> Result<Option<String>, String> {
    match constant(group, column) {
        Some(Constant::Text(text)) => Ok(Some(text)),
        Some(Constant::Null) if column == DEVICE => Ok(None),
        Some(Constant::Null | Constant::Number(_)) | None => {
            Err(format!("column `{}` has nulls", TEXT_COLUMNS[column]))
        }
    }
}

/// Gives the constant period where it was not read.
pub(crate) fn constant_period(group: &RowGroupMetaData) -> Result<i32, String> {
    match constant(group, PERIOD) {
        Some(Constant::Number(n)) => i32::try_from(n).map_err(|_| "period_s is out of range".to_owned()),
        Some(Constant::Null | Constant::Text(_)) | None => Err("column `period_s` has nulls".to_owned()),
    }
}

/// Gives the constant time of a column that was not read; none where every row is null, or the file has no such column.
pub(crate) fn constant_time(group: &RowGroupMetaData, column: usize) -> Option<i64> {
    match constant(group, column) {
        Some(Constant::Number(n)) => Some(n),
        Some(Constant::Null | Constant::Text(_)) | None => None,
    }
}
