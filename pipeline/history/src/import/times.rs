//! Reads the times of a Parquet column, whatever type they have.

use crate::NOT_INGESTED;
use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Date64Type, Float64Type, Int32Type, Int64Type, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType, UInt64Type,
};
use arrow_array::{Array, ArrowPrimitiveType, PrimitiveArray};
use arrow_schema::{DataType, TimeUnit};
use forewarn_runtime::time::{DAY_MS, epoch_ms, localise, parse_instant};
use jiff::tz::TimeZone;

/// Stands for a time that is null or does not read.
pub(super) const NO_TIME: i64 = NOT_INGESTED;

/// Says whether times can be read from a column of this type.
#[expect(clippy::wildcard_enum_match_arm, reason = "no other type is a time")]
pub(super) fn readable(kind: &DataType) -> bool {
    match kind {
        DataType::Timestamp(..)
        | DataType::Date32
        | DataType::Date64
        | DataType::Int32
        | DataType::Int64
        | DataType::UInt64
        | DataType::Float64
        | DataType::Utf8
        | DataType::LargeUtf8
        | DataType::Utf8View => true,
        DataType::Dictionary(_, value) => matches!(**value, DataType::Utf8 | DataType::LargeUtf8),
        _ => false,
    }
}

/// Reads a column as milliseconds; [`NO_TIME`] stands where there is none.
#[expect(clippy::wildcard_enum_match_arm, reason = "the types were checked before; what is left is text")]
pub(super) fn read(array: &dyn Array, zone: Option<&TimeZone>) -> Vec<i64> {
    let naive = matches!(array.data_type(), DataType::Timestamp(_, None) | DataType::Date32 | DataType::Date64);
    let mut times = match array.data_type() {
        DataType::Timestamp(TimeUnit::Second, _) => each::<TimestampSecondType>(array, |t| t.checked_mul(1000)),
        DataType::Timestamp(TimeUnit::Millisecond, _) => each::<TimestampMillisecondType>(array, Some),
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            each::<TimestampMicrosecondType>(array, |t| Some(t.div_euclid(1000)))
        }
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            each::<TimestampNanosecondType>(array, |t| Some(t.div_euclid(1_000_000)))
        }
        DataType::Date32 => each::<Date32Type>(array, |d| Some(i64::from(d) * DAY_MS)),
        DataType::Date64 => each::<Date64Type>(array, Some),
        DataType::Int32 => each::<Int32Type>(array, |t| epoch_ms(f64::from(t))),
        DataType::Int64 => each::<Int64Type>(array, whole_epoch),
        DataType::UInt64 => each::<UInt64Type>(array, |t| i64::try_from(t).ok().and_then(whole_epoch)),
        DataType::Float64 => each::<Float64Type>(array, epoch_ms),
        _ => {
            let read = |i: usize| text(array, i).and_then(|t| parse_instant(t, zone).ok()).unwrap_or(NO_TIME);
            return (0..array.len()).map(read).collect();
        }
    };
    if let (true, Some(zone)) = (naive, zone) {
        for t in times.iter_mut().filter(|t| **t != NO_TIME) {
            *t = localise("", *t, zone).unwrap_or(NO_TIME);
        }
    }
    times
}

/// Says why a row has no time.
pub(super) fn fault(array: &dyn Array, row: usize, zone: Option<&TimeZone>) -> String {
    if array.is_null(row) {
        return "the time is null".to_owned();
    }
    match (text(array, row), zone) {
        (Some(text), _) => match parse_instant(text, zone) {
            Err(e) => e.to_string(),
            Ok(t) => format!("the time {t} is out of range"),
        },
        (None, Some(zone)) if !matches!(array.data_type(), DataType::Timestamp(_, Some(_))) => format!(
            "the local time is out of range, or ambiguous or absent in zone {}",
            zone.iana_name().unwrap_or("given")
        ),
        (None, _) => "the time is out of range".to_owned(),
    }
}

fn whole_epoch(t: i64) -> Option<i64> {
    epoch_ms(t as f64)
}

fn each<T: ArrowPrimitiveType>(array: &dyn Array, to_ms: impl Fn(T::Native) -> Option<i64>) -> Vec<i64> {
    let array: &PrimitiveArray<T> = array.as_primitive();
    let read = |t: &T::Native| to_ms(*t).unwrap_or(NO_TIME);
    let mut times: Vec<i64> = array.values().iter().map(read).collect();
    if let Some(nulls) = array.nulls() {
        for (t, known) in times.iter_mut().zip(nulls.iter()) {
            *t = if known { *t } else { NO_TIME };
        }
    }
    times
}

#[expect(clippy::wildcard_enum_match_arm, reason = "no other type is text")]
fn text(array: &dyn Array, row: usize) -> Option<&str> {
    if array.is_null(row) {
        return None;
    }
    match array.data_type() {
        DataType::Utf8 => Some(array.as_string::<i32>().value(row)),
        DataType::LargeUtf8 => Some(array.as_string::<i64>().value(row)),
        DataType::Utf8View => Some(array.as_string_view().value(row)),
        _ => None,
    }
}
