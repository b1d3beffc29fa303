//! Remembers which recovery is to be looked at when, and hands each to one worker at a time.

use forewarn_domain::time::UnixMs;
use std::collections::{BTreeMap, BTreeSet};

/// What is to be done, and when.
#[derive(Debug, Default)]
pub struct DueQueue {
    due: BTreeSet<(UnixMs, String)>,
    at: BTreeMap<String, UnixMs>,
    busy: BTreeSet<String>,
    /// Those that something happened to while a worker had them.
    again: BTreeSet<String>,
    /// Those that wait for a person, and are only looked at to remind them.
    reminders: BTreeSet<String>,
}

impl DueQueue {
    /// Asks for a look at a time; an earlier wish stands.
    pub fn put(&mut self, id: &str, at: UnixMs) {
        if self.busy.contains(id) {
            self.again.insert(id.to_owned());
            return;
        }
        self.reminders.remove(id);
        if let Some(before) = self.at.get(id).copied() {
            if before <= at {
                return;
            }
            self.due.remove(&(before, id.to_owned()));
        }
        self.at.insert(id.to_owned(), at);
        self.due.insert((at, id.to_owned()));
    }

    /// Hands out the first that is due.
    pub fn take(&mut self, now: UnixMs) -> Option<String> {
        let first = self.due.first().filter(|(at, _)| *at <= now)?.clone();
        self.due.remove(&first);
        self.at.remove(&first.1);
        self.reminders.remove(&first.1);
        self.busy.insert(first.1.clone());
        Some(first.1)
    }

    /// Takes one back, to be looked at again at a time; none: when something happens to it.
    pub fn give_back(&mut self, id: &str, at: Option<UnixMs>) {
        self.busy.remove(id);
        if self.again.remove(id) {
            self.put(id, UnixMs::MIN);
        } else if let Some(at) = at {
            self.put(id, at);
        }
    }

    /// Takes one back that waits for a person, to be looked at again at a time all the same.
    pub fn remind(&mut self, id: &str, at: UnixMs) {
        let is_touched = self.again.contains(id);
        self.give_back(id, Some(at));
        if !is_touched {
            self.reminders.insert(id.to_owned());
        }
    }

    /// Gives the time of the first wish.
    pub fn next(&self) -> Option<UnixMs> {
        self.due.first().map(|(at, _)| *at)
    }

    /// Gives those that are to be looked at again.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.at.keys().map(String::as_str)
    }

    /// Says whether something is to be done without a person.
    pub fn has_work(&self) -> bool {
        self.due.iter().any(|(_, id)| !self.reminders.contains(id))
    }

    /// Says whether a worker has one.
    pub fn is_busy(&self) -> bool {
        !self.busy.is_empty()
    }

    /// Counts the wishes.
    pub fn len(&self) -> usize {
        self.due.len()
    }

    /// Says whether nothing is wished for.
    pub fn is_empty(&self) -> bool {
        self.due.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::{DueQueue, UnixMs};

    #[test]
    fn the_earliest_wish_stands_and_one_at_work_is_not_handed_out_twice() {
        let mut due_queue = DueQueue::default();
        due_queue.put("a", UnixMs(10));
        due_queue.put("a", UnixMs(20));
        due_queue.put("b", UnixMs(5));
        assert_eq!(due_queue.next(), Some(UnixMs(5)));
        assert_eq!(due_queue.take(UnixMs(4)), None);
        assert_eq!(due_queue.take(UnixMs(100)).as_deref(), Some("b"));
        due_queue.put("b", UnixMs(1));
        assert_eq!(due_queue.take(UnixMs(100)).as_deref(), Some("a"));
        assert_eq!(due_queue.take(UnixMs(100)), None);
        // Something happened to b meanwhile: it is looked at at once, whatever its worker said.
        due_queue.give_back("b", Some(UnixMs(1_000)));
        assert_eq!(due_queue.take(UnixMs(0)).as_deref(), Some("b"));
        due_queue.give_back("b", None);
        due_queue.give_back("a", Some(UnixMs(7)));
        assert_eq!((due_queue.next(), due_queue.len()), (Some(UnixMs(7)), 1));
    }

    #[test]
    fn what_waits_for_a_person_is_no_work_until_something_happens_to_it() {
        let mut due_queue = DueQueue::default();
        due_queue.put("a", UnixMs(1));
        assert!(due_queue.has_work());
        due_queue.take(UnixMs(1));
        due_queue.remind("a", UnixMs(100));
        assert_eq!((due_queue.next(), due_queue.has_work()), (Some(UnixMs(100)), false));
        due_queue.put("a", UnixMs(50));
        assert_eq!((due_queue.next(), due_queue.has_work()), (Some(UnixMs(50)), true));
        due_queue.take(UnixMs(50));
        due_queue.put("a", UnixMs(60));
        due_queue.remind("a", UnixMs(100));
        assert!(due_queue.has_work(), "something happened to it meanwhile");
    }
}
