//! Times as numbers and as text.

use jiff::Timestamp;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt;

/// One hour, milliseconds.
pub const HOUR_MS: i64 = 3_600_000;

/// One day, milliseconds.
pub const DAY_MS: i64 = 24 * HOUR_MS;

const MINUTE_MS: i64 = 60_000;

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

/// A time: milliseconds since 1970-01-01T00:00:00Z. People are shown RFC 3339.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnixMs(pub i64);

impl UnixMs {
    /// Before every other time.
    pub const MIN: Self = Self(i64::MIN);
    /// After every other time.
    pub const MAX: Self = Self(i64::MAX);

    /// Gives the time so many milliseconds later, at the latest the end of time.
    #[must_use]
    pub const fn saturating_add(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// Gives the time so many milliseconds earlier, at the earliest the beginning of time.
    #[must_use]
    pub const fn saturating_sub(self, ms: i64) -> Self {
        Self(self.0.saturating_sub(ms))
    }

    /// Gives the midnight, UTC, with which its day begins.
    #[must_use]
    pub const fn start_of_day(self) -> Self {
        self.saturating_sub(self.0.rem_euclid(DAY_MS))
    }

    /// Gives the minutes since midnight, UTC: 0 to 1439.
    pub const fn minute_of_day(self) -> i64 {
        self.0.rem_euclid(DAY_MS) / MINUTE_MS
    }

    /// Gives the milliseconds from an earlier time until this one; negative where that one is later.
    pub const fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// Its schema is the number's own, in place: each field says which time it is.
impl JsonSchema for UnixMs {
    fn inline_schema() -> bool {
        i64::inline_schema()
    }

    fn schema_name() -> Cow<'static, str> {
        i64::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        i64::json_schema(generator)
    }
}

impl fmt::Display for UnixMs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&rfc3339(self.0))
    }
}

impl fmt::Debug for UnixMs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_number_for_programs_and_rfc_3339_for_people() {
        let noon = UnixMs(1_771_156_800_000);
        assert_eq!(noon.to_string(), "2026-02-15T12:00:00Z");
        assert_eq!(serde_json::to_string(&noon).unwrap(), "1771156800000");
        assert_eq!((noon.saturating_add(5).since(noon), UnixMs::MAX.saturating_add(1)), (5, UnixMs::MAX));
    }

    #[test]
    fn a_day_begins_at_midnight_before_1970_as_well() {
        let noon = UnixMs(1_771_156_800_000);
        assert_eq!((noon.start_of_day(), noon.minute_of_day()), (noon.saturating_sub(DAY_MS / 2), 720));
        assert_eq!((UnixMs(-1).start_of_day(), UnixMs(-1).minute_of_day()), (UnixMs(-DAY_MS), 1439));
    }
}
