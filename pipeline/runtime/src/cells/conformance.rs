//! Says in code what every [`Cells`] must do; each adapter, ours or another's, runs [`run`].

use super::{Cell, Cells, update};
use std::thread;

/// Runs every check; `make` gives a fresh, empty store each time.
///
/// # Panics
/// When the store does not do what the port demands.
pub fn run<C: Cells>(make: impl Fn() -> C) {
    a_cell_is_put_on_what_was_seen(&make());
    one_of_many_puts(&make());
    changes_of_many_are_all_made(&make());
}

fn a_cell_is_put_on_what_was_seen(cells: &impl Cells) {
    let read = |name: &str| cells.get(name).expect("a cell reads");
    let put = |text: &str, seen: Option<&Cell>| cells.put("a/b c", text, seen).expect("a cell is put");
    assert_eq!(read("a/b c"), None);
    assert!(put("one", None));
    assert!(!put("other", None), "a cell that is there is not made again");
    let one = read("a/b c").expect("it is there");
    assert_eq!((one.text.as_str(), one.revision), ("one", 1));
    assert!(put("one", Some(&one)), "the same text again is a change");
    assert!(!put("late", Some(&one)), "what was seen is no longer so");
    let two = read("a/b c").expect("it is there");
    assert_eq!((two.text.as_str(), two.revision), ("one", 2));
    assert!(!cells.put("other", "x", Some(&two)).expect("a cell is put"), "a cell that is not there was not seen");
    assert_eq!(read("other"), None);
    assert!(put("", Some(&two)), "a text may be empty");
    assert_eq!(read("a/b c").map(|cell| cell.text), Some(String::new()));
}

fn one_of_many_puts(cells: &impl Cells) {
    for round in 0..5_u32 {
        let seen = cells.get("race").expect("a cell reads");
        let race = |n: u32| cells.put("race", &format!("{round} {n}"), seen.as_ref()).expect("a cell is put");
        let won = thread::scope(|scope| {
            let racers: Vec<_> = (0..4).map(|n| scope.spawn(move || race(n))).collect();
            racers.into_iter().map(|t| t.join().expect("it ends")).filter(|won| *won).count()
        });
        assert_eq!(won, 1, "exactly one puts in round {round}");
    }
}

fn changes_of_many_are_all_made(cells: &impl Cells) {
    let add = || {
        let one =
            |text: Option<&str>| Ok(Some((text.map_or(0, |t| t.parse::<u32>().expect("a number")) + 1).to_string()));
        (0..5).for_each(|_| update(cells, "count", one).expect("a change is made"));
    };
    thread::scope(|scope| (0..3).for_each(|_| drop(scope.spawn(add))));
    assert_eq!(cells.get("count").expect("a cell reads").map(|cell| cell.text).as_deref(), Some("15"));
}
