//! Decides what becomes of an entry that was refused: pure.

use super::plan::{ATTEMPTS, backoff_ms};
use crate::fault::{Fault, Remedy};

/// What becomes of an entry that was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is sent again after a wait, milliseconds.
    Again(u64),
    /// It is sent again in a call of its own, which says whether it was the reason that the whole call was refused.
    Alone,
    /// It is set aside: it will not be taken as it is, and the others go on.
    Park,
    /// It stays due, and with it what follows in its episode.
    Hold,
}

/// How an entry was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused<'a> {
    /// The entry's id, which spreads the waits.
    pub id: &'a str,
    pub fault: &'a Fault,
    /// How often it was tried by now.
    pub tried: u32,
    /// How many entries the call had, where it was refused as a whole; 1 where AWS spoke of this entry.
    pub call_entries: usize,
    /// Whether the bus took another entry since this one was first refused.
    pub bus_takes_others: bool,
}

impl Refused<'_> {
    /// Decides. An entry that fails as often as it is tried while the bus takes others is the reason itself, whatever its code; where
    /// nothing is taken the bus is, and throttling never speaks of an entry.
    pub fn verdict(&self) -> Verdict {
        match self.fault.remedy {
            Remedy::Park if self.call_entries > 1 => Verdict::Alone,
            Remedy::Park => Verdict::Park,
            Remedy::Retry if self.tried < ATTEMPTS => Verdict::Again(backoff_ms(self.tried, self.id)),
            Remedy::Retry if self.bus_takes_others && !self.fault.is_throttle() => Verdict::Park,
            Remedy::Retry | Remedy::Hold => Verdict::Hold,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(code: &str, tried: u32, call_entries: usize, bus_takes_others: bool) -> Verdict {
        let fault = Fault::of_entry(code, "said the double");
        Refused { id: "a", fault: &fault, tried, call_entries, bus_takes_others }.verdict()
    }

    #[test]
    fn an_unfit_entry_is_parked_once_it_is_known_which_it_is() {
        assert_eq!(verdict("MalformedDetail", 1, 1, false), Verdict::Park);
        assert_eq!(verdict("ValidationException", 1, 10, true), Verdict::Alone);
        assert_eq!(verdict("ValidationException", 2, 1, false), Verdict::Park);
    }

    #[test]
    fn what_people_must_allow_stays_due_however_often_it_is_refused() {
        for tried in [1, ATTEMPTS, 100 * ATTEMPTS] {
            assert_eq!(verdict("AccessDeniedException", tried, 1, true), Verdict::Hold);
            assert_eq!(verdict("ResourceNotFoundException", tried, 10, true), Verdict::Hold);
        }
    }

    #[test]
    fn what_never_comes_right_is_parked_only_where_the_bus_takes_others() {
        for code in ["InternalFailure", "NobodyKnowsThisCode"] {
            assert!(matches!(verdict(code, ATTEMPTS - 1, 1, true), Verdict::Again(ms) if ms > 0), "{code}");
            assert_eq!(verdict(code, ATTEMPTS, 1, true), Verdict::Park, "{code}");
            assert_eq!(verdict(code, ATTEMPTS, 1, false), Verdict::Hold, "{code}");
        }
        assert_eq!(verdict("ThrottlingException", ATTEMPTS, 1, true), Verdict::Hold, "throttling speaks of no entry");
    }
}
