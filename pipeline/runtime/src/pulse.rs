//! Signs of life of each part: a turn in which nothing moves for too long is told, with what it waits for.
//!
//! A thread that works for a part enters its pulse; each answer from outside, and each piece of work done, is a beat. A wait that is
//! bounded elsewhere, as each call of AWS is, ends by itself: the watch is for what nobody thought of, and for saying so early.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How long a turn may go without a sign of life, milliseconds: longer than any one answer takes, and short enough that whoever is on
/// call reads of it within two minutes.
pub const BOUND_MS: i64 = 80_000;

thread_local! {
    static CURRENT: RefCell<Option<Pulse>> = const { RefCell::new(None) };
}

/// Beats for the part that this thread works for, where it works for one.
pub fn beat() {
    CURRENT.with_borrow(|pulse| {
        if let Some(pulse) = pulse {
            pulse.beat();
        }
    });
}

/// Gives the pulse of the part that this thread works for, for threads that it starts.
pub fn current() -> Option<Pulse> {
    CURRENT.with_borrow(Clone::clone)
}

/// The pulse of one part; a clone shares it.
#[derive(Debug, Clone, Default)]
pub struct Pulse(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    beats: AtomicU64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    turn: Option<Turn>,
    /// What is waited for, in the order in which the waits began.
    waits: BTreeMap<u64, String>,
    next_wait: u64,
}

/// A turn as it was last looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Turn {
    /// Beats that had been seen.
    beats: u64,
    /// Since when there are no others, milliseconds.
    since_ms: i64,
    is_reported: bool,
}

impl Turn {
    /// Looks at the turn; says whether it is to be told that nothing has moved for too long.
    fn look(&mut self, beats: u64, now_ms: i64) -> bool {
        if beats != self.beats {
            *self = Self { beats, since_ms: now_ms, is_reported: false };
        }
        let is_news = !self.is_reported && now_ms - self.since_ms > BOUND_MS;
        self.is_reported |= is_news;
        is_news
    }
}

/// A wait, until it is dropped.
#[derive(Debug)]
pub struct Waiting {
    pulse: Pulse,
    id: u64,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.pulse.state().waits.remove(&self.id);
    }
}

impl Pulse {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets this thread beat for the part from now on.
    pub fn enter(&self) {
        CURRENT.set(Some(self.clone()));
    }

    /// Gives a sign of life.
    pub fn beat(&self) {
        self.0.beats.fetch_add(1, Ordering::Relaxed);
    }

    /// Says what is waited for, for as long as the guard lives.
    #[must_use]
    pub fn waits_for(&self, what: impl Into<String>) -> Waiting {
        let mut state = self.state();
        let id = state.next_wait;
        state.next_wait += 1;
        state.waits.insert(id, what.into());
        drop(state);
        Waiting { pulse: self.clone(), id }
    }

    /// Notes that a turn begins.
    pub fn begin(&self, now_ms: i64) {
        let beats = self.0.beats.load(Ordering::Relaxed);
        self.state().turn = Some(Turn { beats, since_ms: now_ms, is_reported: false });
    }

    /// Notes that the turn has ended.
    pub fn end(&self) {
        self.state().turn = None;
    }

    /// Looks at the turn, as a watch does every few seconds; gives what it waits for where that is to be told now.
    pub fn look(&self, now_ms: i64) -> Option<String> {
        let beats = self.0.beats.load(Ordering::Relaxed);
        let mut state = self.state();
        let is_news = state.turn.as_mut().is_some_and(|turn| turn.look(beats, now_ms));
        is_news.then(|| describe(&state.waits))
    }

    /// Gives how long there has been no sign of life, milliseconds; nothing between turns.
    pub fn still_ms(&self, now_ms: i64) -> i64 {
        let beats = self.0.beats.load(Ordering::Relaxed);
        let turn = self.state().turn.filter(|turn| turn.beats == beats);
        turn.map_or(0, |turn| (now_ms - turn.since_ms).max(0))
    }

    /// Says whether nothing has moved for too long.
    pub fn is_hung(&self, now_ms: i64) -> bool {
        self.still_ms(now_ms) > BOUND_MS
    }

    /// Says what is waited for, in words.
    pub fn waits(&self) -> String {
        describe(&self.state().waits)
    }
}

/// How many waits are named.
const NAMED: usize = 4;

fn describe(waits: &BTreeMap<u64, String>) -> String {
    let named: Vec<&str> = waits.values().take(NAMED).map(String::as_str).collect();
    match (named.is_empty(), waits.len().saturating_sub(NAMED)) {
        (true, _) => "its own work".to_owned(),
        (false, 0) => named.join(", "),
        (false, more) => format!("{} and {more} more", named.join(", ")),
    }
}

/// The pulses of all parts, by name; a clone shares them.
#[derive(Debug, Clone, Default)]
pub struct Pulses(Arc<Mutex<BTreeMap<&'static str, Pulse>>>);

impl Pulses {
    /// Gives the pulse of a part.
    pub fn of(&self, part: &'static str) -> Pulse {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(part).or_default().clone()
    }

    /// Gives every part's pulse.
    pub fn all(&self) -> Vec<(&'static str, Pulse)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().map(|(name, p)| (*name, p.clone())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_without_a_sign_of_life_is_told_once_with_what_it_waits_for() {
        let pulse = Pulse::default();
        assert_eq!(pulse.look(10 * BOUND_MS), None, "between turns nothing hangs");
        pulse.begin(0);
        let queue = pulse.waits_for("the queue https://sqs.eu-west-1.amazonaws.com/1/q");
        let bucket = pulse.waits_for("s3://fleet");
        assert_eq!((pulse.look(BOUND_MS), pulse.is_hung(BOUND_MS)), (None, false));
        drop(queue);
        assert!(pulse.is_hung(BOUND_MS + 1));
        assert_eq!(pulse.look(BOUND_MS + 1).as_deref(), Some("s3://fleet"));
        assert_eq!(pulse.look(BOUND_MS + 2), None, "it was told");
        drop(bucket);
        pulse.beat();
        assert_eq!(pulse.still_ms(BOUND_MS + 3), 0, "a beat ends it at once, before anybody looks");
        assert_eq!(pulse.look(BOUND_MS + 3), None);
        assert_eq!(pulse.look(2 * BOUND_MS + 4).as_deref(), Some("its own work"), "and the next silence is another");
        pulse.end();
        assert_eq!(pulse.still_ms(9 * BOUND_MS), 0);
    }

    #[test]
    fn a_thread_beats_for_the_part_that_it_entered_alone() {
        let pulses = Pulses::default();
        let (ingest, emit) = (pulses.of("ingest"), pulses.of("emit"));
        for pulse in [&ingest, &emit] {
            pulse.begin(0);
        }
        beat();
        let entered = emit.clone();
        std::thread::spawn(move || {
            entered.enter();
            beat();
        })
        .join()
        .unwrap();
        assert_eq!((ingest.still_ms(5), emit.still_ms(5)), (5, 0));
    }

    #[test]
    fn many_waits_are_counted_and_not_listed() {
        let pulse = Pulse::default();
        let waits: Vec<Waiting> = (0..7).map(|n| pulse.waits_for(format!("account {n}"))).collect();
        assert_eq!(pulse.waits(), "account 0, account 1, account 2, account 3 and 3 more");
        drop(waits);
        assert_eq!(pulse.waits(), "its own work");
    }
}
