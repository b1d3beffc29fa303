//! Says when a round may be held: once what was due has been pulled and archived, or will not come, or when waiting longer helps nobody.

use forewarn_ingest::source::watch::{PlaceEvent, PlaceKey, PlaceWatch};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How long a round waits for its data at most, milliseconds: what is late then is late for everybody.
pub const PATIENCE_MS: i64 = 15 * 60_000;

/// How far pulling and archiving have come, account by account and region by region.
#[derive(Debug)]
pub struct Gate {
    progress: Mutex<Progress>,
}

#[derive(Debug)]
struct Progress {
    /// Of each place the last that was heard, and when; none where nothing was.
    places: BTreeMap<PlaceKey, Option<(PlaceEvent, i64)>>,
    archived_from: i64,
    /// Whether places are still to be named.
    unknown: bool,
}

impl Gate {
    /// Starts with nothing done; where nothing is pulled here, nothing is waited for.
    pub fn new(pulls: bool) -> Self {
        let progress = Progress { places: BTreeMap::new(), archived_from: i64::MIN, unknown: pulls };
        Self { progress: Mutex::new(progress) }
    }

    fn lock(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes which places are pulled.
    pub fn expect(&self, places: impl IntoIterator<Item = PlaceKey>) {
        let mut progress = self.lock();
        progress.places = places.into_iter().map(|place| (place, None)).collect();
        progress.unknown = false;
    }

    /// Notes that the stream was found empty by a drain that began then.
    pub fn archived(&self, begun: i64) {
        self.lock().archived_from = begun;
    }

    /// Says whether the round of `slot` may be held: of each place, what came after its hour is archived, or nothing will come; or
    /// patience is over.
    pub fn opens(&self, slot: i64, hour: i64, now: i64) -> bool {
        now >= slot && (now >= slot + PATIENCE_MS || self.lock().is_settled(hour))
    }
}

impl PlaceWatch for Gate {
    fn heard(&self, place: &PlaceKey, event: PlaceEvent, now: i64) {
        self.lock().places.insert(place.clone(), Some((event, now)));
    }
}

impl Progress {
    /// Says whether nothing is waited for: a place that failed, or says nothing, holds nobody up; one that is merely late does.
    fn is_settled(&self, hour: i64) -> bool {
        let heard = |at: Option<(PlaceEvent, i64)>| at.filter(|(_, at)| *at >= hour);
        !self.unknown
            && self.places.values().all(|place| match heard(*place) {
                Some((PlaceEvent::Pulled, at)) => self.archived_from >= at,
                Some((PlaceEvent::Failed | PlaceEvent::Silent, _)) => true,
                Some((PlaceEvent::Answers, _)) | None => false,
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;
    const OFFSET: i64 = 600_000;

    fn place(n: usize) -> PlaceKey {
        PlaceKey { label: format!("arn:aws:iam::{n:012}:role/read"), region: "eu-central-1".to_owned() }
    }

    fn gate(places: usize) -> Gate {
        let gate = Gate::new(true);
        gate.expect((0..places).map(place));
        gate
    }

    #[test]
    fn a_round_waits_for_its_hour_but_not_for_ever() {
        let (hour, slot) = (HOUR, HOUR + OFFSET);
        let gate = gate(1);
        assert!(!gate.opens(slot, hour, slot));
        gate.heard(&place(0), PlaceEvent::Pulled, hour + 10);
        assert!(!gate.opens(slot, hour, slot), "pulled, but not archived");
        gate.archived(hour + 20);
        assert!(gate.opens(slot, hour, slot));
        assert!(!gate.opens(slot, hour, slot - 1), "before its time");
        assert!(!gate.opens(slot + HOUR, hour + HOUR, slot + HOUR), "the next hour");
        assert!(gate.opens(slot + HOUR, hour + HOUR, slot + HOUR + PATIENCE_MS));
        assert!(Gate::new(false).opens(slot, hour, slot));
        assert!(!Gate::new(true).opens(slot, hour, slot), "nobody has said yet what is pulled");
    }

    #[test]
    fn one_denied_account_of_fifty_and_a_silent_one_hold_nobody_up() {
        let (hour, slot) = (HOUR, HOUR + OFFSET);
        let gate = gate(50);
        for n in 2..50 {
            gate.heard(&place(n), PlaceEvent::Pulled, hour + n as i64);
        }
        gate.heard(&place(0), PlaceEvent::Failed, hour + 5);
        gate.archived(hour + 60);
        assert!(!gate.opens(slot, hour, slot), "one is merely late");
        gate.heard(&place(1), PlaceEvent::Silent, hour + 70);
        assert!(gate.opens(slot, hour, slot));
        // It answers after all: what it brings is waited for.
        gate.heard(&place(1), PlaceEvent::Answers, hour + 75);
        assert!(!gate.opens(slot, hour, slot));
        gate.heard(&place(1), PlaceEvent::Pulled, hour + 80);
        assert!(!gate.opens(slot, hour, slot));
        gate.archived(hour + 90);
        assert!(gate.opens(slot, hour, slot));
        assert!(!gate.opens(slot + HOUR, hour + HOUR, slot + HOUR), "what failed before says nothing of the next hour");
    }

    #[test]
    fn where_all_fail_nothing_is_waited_for() {
        let gate = gate(2);
        (0..2).for_each(|n| gate.heard(&place(n), PlaceEvent::Failed, HOUR));
        assert!(gate.opens(HOUR + OFFSET, HOUR, HOUR + OFFSET));
    }
}
