//! Times as numbers and as text.

use jiff::Timestamp;

/// One hour, milliseconds.
pub const HOUR_MS: i64 = 3_600_000;

/// One cell of the grid that samples are put on, milliseconds.
pub const CELL_MS: i64 = 300_000;

/// Gives a time as a timestamp; one beyond what can be written is the nearest that can.
pub fn timestamp(ms: i64) -> Timestamp {
    let nearest = if ms < 0 { Timestamp::MIN } else { Timestamp::MAX };
    Timestamp::from_millisecond(ms).unwrap_or(nearest)
}

/// Writes milliseconds since the epoch as RFC 3339, UTC, in whole seconds.
pub fn rfc3339(ms: i64) -> String {
    timestamp(ms).strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
