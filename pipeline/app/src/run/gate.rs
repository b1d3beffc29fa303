//! Says when a round may be held: once the hour has been pulled and archived, or when waiting longer helps nobody.

use std::sync::atomic::{AtomicI64, Ordering};

/// How long a round waits for its data at most, milliseconds: what is late then is late for everybody.
pub const PATIENCE_MS: i64 = 15 * 60_000;

/// How far pulling and archiving have come.
#[derive(Debug)]
pub struct Gate {
    pulled_at: AtomicI64,
    archived_from: AtomicI64,
    pulls: bool,
}

impl Gate {
    /// Starts with nothing done; where nothing is pulled here, nothing is waited for.
    pub fn new(pulls: bool) -> Self {
        Self { pulled_at: AtomicI64::new(i64::MIN), archived_from: AtomicI64::new(i64::MIN), pulls }
    }

    /// Notes that everything due was pulled, and when.
    pub fn pulled(&self, now: i64) {
        self.pulled_at.store(now, Ordering::SeqCst);
    }

    /// Notes that the stream was found empty by a drain that began then.
    pub fn archived(&self, begun: i64) {
        self.archived_from.store(begun, Ordering::SeqCst);
    }

    /// Says whether the round of `slot` may be held: the pull that came after its hour is archived, or patience is over.
    pub fn opens(&self, slot: i64, hour: i64, now: i64) -> bool {
        let pulled = self.pulled_at.load(Ordering::SeqCst);
        let archived = self.archived_from.load(Ordering::SeqCst);
        now >= slot && (!self.pulls || (pulled >= hour && archived >= pulled) || now >= slot + PATIENCE_MS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_waits_for_its_hour_but_not_for_ever() {
        let (hour, slot) = (1_000_000, 1_600_000);
        let gate = Gate::new(true);
        assert!(!gate.opens(slot, hour, slot));
        gate.pulled(hour + 10);
        assert!(!gate.opens(slot, hour, slot), "pulled, but not archived");
        gate.archived(hour + 20);
        assert!(gate.opens(slot, hour, slot));
        assert!(!gate.opens(slot, hour, slot - 1), "before its time");
        assert!(!gate.opens(slot + 3_600_000, hour + 3_600_000, slot + 3_600_000), "the next hour");
        assert!(gate.opens(slot + 3_600_000, hour + 3_600_000, slot + 3_600_000 + PATIENCE_MS));
        assert!(Gate::new(false).opens(slot, hour, slot));
    }
}
