//! Says in code what every place of leases must do; each runs [`run`].

use super::{LeaseError, Leases};

/// Runs every check; `make` gives a fresh place each time, `again` the same place as another process sees it.
///
/// # Panics
/// When the place does not do what is demanded.
pub fn run(make: impl Fn() -> Leases, again: impl Fn(&Leases) -> Leases) {
    let place = make();
    let other = again(&place);
    let first = place.take("ingest").expect("a free lease is taken");
    for whoever in [&place, &other] {
        let refused = whoever.take("ingest").expect_err("it is held");
        assert!(matches!(refused, LeaseError::AlreadyHeld { .. } | LeaseError::HeldElsewhere { .. }), "{refused}");
    }
    drop(other.take("analyze").expect("parts do not stand in each other's way"));
    first.check().expect("it is held still");
    drop(first);
    let second = other.take("ingest").expect("what was given back is free at once");
    second.check().expect("it is held");
}
