//! Columns of the tables that are written as Parquet, and the stable names of closed lists.

use arrow_array::{ArrayRef, StringArray, TimestampMillisecondArray};
use arrow_schema::{DataType, TimeUnit};
use forewarn_rules::prediction::{FailureType, Level};
use std::sync::Arc;

/// Milliseconds, UTC.
pub(crate) fn time_type() -> DataType {
    DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()))
}

pub(crate) fn time(values: impl Iterator<Item = i64>) -> ArrayRef {
    Arc::new(TimestampMillisecondArray::from_iter_values(values).with_timezone("UTC"))
}

pub(crate) fn text<S: AsRef<str>>(values: impl Iterator<Item = Option<S>>) -> ArrayRef {
    Arc::new(values.collect::<StringArray>())
}

/// True for the levels that foresee a failure.
pub(crate) const fn at_risk(level: Level) -> bool {
    matches!(level, Level::Low | Level::Medium | Level::High)
}

/// The name of a failure type, as in JSON.
pub(crate) const fn failure_name(failure: FailureType) -> &'static str {
    failure.name()
}
