//! Times as numbers and as text.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;

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

/// A time: milliseconds since 1970-01-01T00:00:00Z. People are shown RFC 3339.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(transparent)]
#[schemars(with = "i64")]
pub struct UnixMs(pub i64);

impl UnixMs {
    /// Before every other time.
    pub const MIN: Self = Self(i64::MIN);
    /// After every other time.
    pub const MAX: Self = Self(i64::MAX);

    /// Gives the time so many milliseconds later, at the latest the end of time.
    #[must_use]
    pub const fn plus(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// Gives the time so many milliseconds earlier, at the earliest the beginning of time.
    #[must_use]
    pub const fn minus(self, ms: i64) -> Self {
        Self(self.0.saturating_sub(ms))
    }

    /// Gives the milliseconds from an earlier time until this one; negative where that one is later.
    pub const fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
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
        assert_eq!((noon.plus(5).since(noon), UnixMs::MAX.plus(1)), (5, UnixMs::MAX));
    }
}
