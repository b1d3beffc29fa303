//! Rounds over many accounts, some of which are denied, say nothing, or take too long.

use super::*;
use crate::source::breaker::Position;

const MINUTE: i64 = 60_000;

/// Accounts beside the own one, which are all in the same world.
fn accounts(stand: &mut Fixture, names: &[&str], world: World) -> Arc<Mutex<World>> {
    let world = Arc::new(Mutex::new(world));
    for name in names {
        let place = stand.place(name, &world);
        stand.places.insert(0, place);
    }
    world
}

#[test]
fn places_that_say_nothing_take_no_slot_from_others_and_are_given_up_soon() {
    let mut stand = Fixture::new(1);
    let all = points(T - 3 * HOUR, T, 0);
    stand.world.lock().unwrap().series.insert(cpu(0), all.clone());
    // More than there are slots, and before the one that answers.
    let names = ["a", "b", "c", "d", "e", "f"];
    accounts(&mut stand, &names, World { hangs: Some(70_000), ..World::default() });
    let heard = Arc::new(Heard::default());
    stand.watch = Some(Arc::clone(&heard));
    stand.to(T + STEP);
    let report = stand.round(FOLLOW);
    let (own, hung) = report.places.split_last().unwrap();
    assert!(own.complete && hung.iter().all(|p| p.error.as_ref().unwrap().contains("no answer")), "{report:?}");
    stand.assert_put(&all);
    // One clock serves all of them: what each takes alone is a few minutes.
    assert!(
        report.ended_at - report.began_at <= 6 * 6 * MINUTE,
        "{} min",
        (report.ended_at - report.began_at) / MINUTE
    );
    let heard = heard.0.lock().unwrap();
    let last = |label: &str| heard.iter().rev().find(|h| h.0 == label).unwrap().1;
    assert!(names.iter().all(|n| last(n) == PlaceEvent::Failed) && last("own") == PlaceEvent::Pulled, "{heard:?}");
    assert!(names.iter().all(|n| heard.contains(&((*n).to_owned(), PlaceEvent::Silent))));
}

#[test]
fn an_account_that_is_denied_is_asked_ever_more_rarely_across_restarts_and_made_up_for() {
    let mut stand = Fixture::new(1);
    let all = points(T - 3 * HOUR, T + 14 * HOUR, 0);
    stand.world.lock().unwrap().series.insert(cpu(0), all.clone());
    stand.to(T + STEP);
    stand.round(FOLLOW);
    stand.world.lock().unwrap().denied = true;
    let mut positions = Vec::new();
    for hour in 1..10 {
        stand.to(T + hour * HOUR + STEP);
        // Each round opens the state anew, as a restart does.
        let report = stand.round(FOLLOW);
        assert!(!report.complete);
        positions.push(report.places[0].error.as_ref().unwrap().contains("not asked"));
    }
    assert_eq!(positions, [false, false, false, true, false, true, true, true, false]);
    let failing = crate::source::state::failing(stand.dir.path()).unwrap().unwrap();
    assert_eq!((failing.len(), failing[0].label.as_str(), failing[0].breaker.failures), (1, "own", 5));
    stand.world.lock().unwrap().denied = false;
    stand.to(T + 12 * HOUR + STEP);
    assert!(stand.round(FOLLOW).places[0].error.as_ref().unwrap().contains("asked again from"));
    stand.to(T + 15 * HOUR + STEP);
    let report = stand.round(FOLLOW);
    assert_eq!((report.complete, report.places[0].breaker), (true, Position::Closed), "{report:?}");
    stand.assert_put(&all);
}

#[test]
fn a_half_open_place_is_tried_with_one_call() {
    let mut stand = Fixture::new(1);
    stand.world.lock().unwrap().series.insert(cpu(0), points(T - 3 * HOUR, T, 0));
    stand.world.lock().unwrap().hangs = Some(70_000);
    for hour in 0..2 {
        stand.to(T + hour * HOUR + STEP);
        assert!(!stand.round(FOLLOW).complete);
    }
    stand.to(T + 3 * HOUR + STEP);
    let report = stand.round(FOLLOW);
    assert_eq!((report.tally.describe_calls, report.tally.list_calls, report.tally.retries), (1, 0, 0), "{report:?}");
}

#[test]
fn a_round_that_takes_too_long_keeps_what_it_has_and_goes_on_next_time() {
    let mut stand = Fixture::new(1);
    let all = points(T - 3 * HOUR, T + 2 * HOUR, 0);
    stand.world.lock().unwrap().series.insert(cpu(0), all.clone());
    stand.deadline_ms = Some(10 * MINUTE);
    stand.to(T + STEP);
    assert!(stand.round(FOLLOW).complete);
    stand.to(T + HOUR + STEP);
    stand.world.lock().unwrap().storm = Some((T + HOUR, T + HOUR + STEP + 15 * MINUTE));
    let report = stand.round(FOLLOW);
    assert!(report.places[0].error.as_ref().unwrap().contains("not done after 1"), "{report:?}");
    assert!(report.ended_at - report.began_at < 12 * MINUTE);
    stand.to(T + 2 * HOUR + STEP);
    assert!(stand.round(FOLLOW).complete);
    stand.assert_put(&all);
}

#[test]
fn a_listing_with_more_pages_than_are_read_says_what_is_left_off() {
    let mut stand = Fixture::new(1);
    stand.world.lock().unwrap().series.insert(cpu(0), points(T - 6 * HOUR, T - HOUR, 0));
    stand.world.lock().unwrap().endless = true;
    let report = stand.round(Mode::Once { range: Window { from: T - 6 * HOUR, to: T - HOUR } });
    assert!(report.complete && !report.is_whole(), "{report:?}");
    assert!(report.places[0].listings_cut > 0);
    assert!(report.places[0].gaps()[0].contains("more than 1000 pages"), "{:?}", report.places[0].gaps());
}
