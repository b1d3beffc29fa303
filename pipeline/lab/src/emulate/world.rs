//! What a world is: instances with their series, and the points of each.

use crate::simulate::{Event, Incident};
use std::fmt::Debug;

/// What of an instance a series measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Device {
    /// The instance as a whole.
    Whole,
    /// A file system, by where it is mounted.
    Path(&'static str),
    Volume,
}

/// One series of an instance, and the statistic that it is kept by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Probe {
    pub(super) namespace: &'static str,
    pub(super) metric: &'static str,
    pub(super) stat: &'static str,
    pub(super) device: Device,
}

/// What is known of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct EmulatedInstance {
    pub(super) id: String,
    pub(super) volume: String,
    pub(super) image: String,
    pub(super) instance_type: &'static str,
    /// The Auto Scaling group.
    pub(super) group: Option<String>,
    pub(super) launched_at: i64,
    pub(super) terminated_at: Option<i64>,
}

/// One stored point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Point {
    /// Start of its period, milliseconds.
    pub(super) ts: i64,
    pub(super) value: f64,
    /// How long after the end of its period it becomes known, milliseconds.
    pub(super) late_ms: i64,
}

/// The range of time that a world has points for, and their period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::struct_field_names, reason = "the unit belongs to each name")]
pub(super) struct Span {
    /// First period, milliseconds; a multiple of the step.
    pub(super) start_ms: i64,
    /// End of the last period.
    pub(super) end_ms: i64,
    pub(super) step_ms: i64,
}

/// Instances and their points. Everything depends on the seed and the arguments alone.
pub(super) trait World: Send + Sync + Debug {
    /// The range of time.
    fn span(&self) -> Span;

    /// Number of instances.
    fn instances(&self) -> usize;

    /// Describes instance `i`.
    fn machine(&self, i: usize) -> EmulatedInstance;

    /// The series of instance `i`.
    fn probes(&self, i: usize) -> &[Probe];

    /// The times of the first and the last point of a series; none where it has no points.
    fn extent(&self, i: usize, k: usize) -> Option<(i64, i64)>;

    /// Appends the points of a series with `from <= ts < to`, in order of time.
    fn read(&self, i: usize, k: usize, from: i64, to: i64, out: &mut Vec<Point>);

    /// What AWS has scheduled for instance `i`, by when it was announced.
    fn scheduled(&self, _: usize) -> &[Event] {
        &[]
    }

    /// The failures of instance `i`.
    fn incidents(&self, _: usize) -> &[Incident] {
        &[]
    }
}

/// Makes an id that holds its number, so that it is found without a search.
pub(super) fn id(prefix: &str, i: usize, bits: u64) -> String {
    format!("{prefix}-0{i:06x}{:010x}", bits >> 24)
}

/// Reads the number back from an id.
pub(super) fn index(id: &str) -> Option<usize> {
    let (_, hex) = id.split_once('-')?;
    let digits = hex.get(1..7)?;
    let plain = hex.len() == 17 && hex.bytes().all(|b| b.is_ascii_hexdigit());
    if plain { usize::from_str_radix(digits, 16).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_holds_its_number() {
        assert_eq!(index(&id("i", 0xABCDE, u64::MAX)), Some(0xABCDE));
        assert_eq!(index(&id("vol", 7, 1 << 40)), Some(7));
        for bad in ["", "i-", "i-0", "i-0zzzzzz0000000000", "i-0123é67890abcdef", "i-0123456789"] {
            assert_eq!(index(bad), None, "{bad}");
        }
    }
}
