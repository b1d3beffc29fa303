use super::*;
use crate::cells::MemoryCells;
use crate::clock::ManualClock;

fn in_cells(clock: &Arc<ManualClock>) -> Leases {
    let shared: Arc<dyn Clock> = Arc::<ManualClock>::clone(clock);
    Leases::Cells { cells: Arc::new(MemoryCells::default()), holder: "a".to_owned(), clock: shared }
}

#[test]
fn directory_and_cells_conform() {
    let dirs: std::cell::RefCell<Vec<tempfile::TempDir>> = std::cell::RefCell::default();
    let make = || {
        dirs.borrow_mut().push(tempfile::tempdir().unwrap());
        Leases::Dir(dirs.borrow().last().unwrap().path().to_owned())
    };
    conformance::run(make, Leases::clone);
    let clock = Arc::new(ManualClock::at(5));
    conformance::run(|| in_cells(&clock), Leases::clone);
}

#[test]
fn a_lease_of_a_process_that_was_killed_runs_out_and_the_next_has_another_epoch() {
    let clock = Arc::new(ManualClock::at(1_000));
    let leases = in_cells(&clock);
    let killed = leases.take("analyze").unwrap();
    clock.advance(FOR_MS - 1);
    let LeaseError::HeldElsewhere { holder, until, .. } = leases.take("analyze").unwrap_err() else { panic!("held") };
    assert_eq!((holder.as_str(), until.as_str()), ("a", "1970-01-01T00:01:01Z"));
    clock.advance(1);
    let next = leases.take("analyze").unwrap();
    assert_ne!(killed.guard(), next.guard(), "a store tells them apart");
    assert!(matches!(killed.check(), Err(LeaseError::Lost { .. })));
    // Whoever lost it takes nothing from who has it.
    drop(killed);
    next.check().unwrap();
    assert!(leases.take("analyze").is_err());
}

#[test]
fn a_lease_that_ran_out_and_that_nobody_took_goes_on() {
    let clock = Arc::new(ManualClock::at(0));
    let leases = in_cells(&clock);
    let slow = leases.take("analyze").unwrap();
    clock.advance(10 * FOR_MS);
    slow.check().unwrap();
    assert!(leases.take("analyze").is_err(), "it holds again");
}
