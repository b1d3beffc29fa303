//! What was read of an object, and what was not.

use forewarn_events::Reason;
use std::collections::BTreeMap;

/// Skipped points that are named one by one; more of them are counted.
const NAMED: usize = 10;

/// A point that was skipped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OddPoint {
    /// The record in its object, from 1: a line, or a datapoint of OpenTelemetry.
    pub record: u64,
    pub reason: Reason,
}

/// Counts of an object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Samples handed on.
    pub samples: u64,
    /// Datapoints that no signal reads.
    pub unread: u64,
    /// Datapoints of something that is no instance, such as a volume whose instance is not known.
    pub of_no_instance: u64,
    /// Points skipped, by the name of the reason.
    pub skipped: BTreeMap<&'static str, u64>,
    /// The first of them.
    pub first_skipped: Vec<OddPoint>,
    /// Why what follows in the object, or all of it, can't be read; none where it was read to its end.
    pub broken: Option<Reason>,
}

impl Tally {
    pub(super) fn skip(&mut self, record: u64, reason: Reason) {
        *self.skipped.entry(reason.name()).or_default() += 1;
        if self.first_skipped.len() < NAMED {
            self.first_skipped.push(OddPoint { record, reason });
        }
    }

    /// Why nothing of the object could be taken although something should have been; none otherwise.
    pub fn nothing_taken(&self) -> Option<&Reason> {
        if self.samples + self.unread + self.of_no_instance > 0 {
            return None;
        }
        self.broken.as_ref().or_else(|| self.first_skipped.first().map(|p| &p.reason))
    }

    /// Why the object is incomplete: it breaks off, or nothing of it could be taken.
    pub fn incomplete(&self) -> Option<&Reason> {
        self.broken.as_ref().or_else(|| self.nothing_taken())
    }
}
