//! Columns of the tables that are written as Parquet, and the stable names of closed lists.

use arrow_array::{ArrayRef, StringArray, TimestampMillisecondArray};
use arrow_schema::{DataType, TimeUnit};
use std::sync::Arc;

/// Milliseconds, UTC.
pub fn time_type() -> DataType {
    DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()))
}

pub fn time(values: impl Iterator<Item = i64>) -> ArrayRef {
    Arc::new(TimestampMillisecondArray::from_iter_values(values).with_timezone("UTC"))
}

pub fn text<S: AsRef<str>>(values: impl Iterator<Item = Option<S>>) -> ArrayRef {
    Arc::new(values.collect::<StringArray>())
}
