//! Remembers which recovery is to be looked at when, and hands each to one worker at a time.

use std::collections::{BTreeMap, BTreeSet};

/// What is to be done, and when.
#[derive(Debug, Default)]
pub struct DueQueue {
    due: BTreeSet<(i64, String)>,
    at: BTreeMap<String, i64>,
    busy: BTreeSet<String>,
    /// Those that something happened to while a worker had them.
    again: BTreeSet<String>,
    /// Those that wait for a person, and are only looked at to remind them.
    reminders: BTreeSet<String>,
}

impl DueQueue {
    /// Asks for a look at a time, milliseconds; an earlier wish stands.
    pub fn put(&mut self, id: &str, at_ms: i64) {
        if self.busy.contains(id) {
            self.again.insert(id.to_owned());
            return;
        }
        self.reminders.remove(id);
        if let Some(before) = self.at.get(id).copied() {
            if before <= at_ms {
                return;
            }
            self.due.remove(&(before, id.to_owned()));
        }
        self.at.insert(id.to_owned(), at_ms);
        self.due.insert((at_ms, id.to_owned()));
    }

    /// Hands out the first that is due.
    pub fn take(&mut self, now_ms: i64) -> Option<String> {
        let first = self.due.first().filter(|(at, _)| *at <= now_ms)?.clone();
        self.due.remove(&first);
        self.at.remove(&first.1);
        self.reminders.remove(&first.1);
        self.busy.insert(first.1.clone());
        Some(first.1)
    }

    /// Takes one back, to be looked at again at a time; none: when something happens to it.
    pub fn give_back(&mut self, id: &str, at_ms: Option<i64>) {
        self.busy.remove(id);
        if self.again.remove(id) {
            self.put(id, i64::MIN);
        } else if let Some(at) = at_ms {
            self.put(id, at);
        }
    }

    /// Takes one back that waits for a person, to be looked at again at a time all the same.
    pub fn remind(&mut self, id: &str, at_ms: i64) {
        let is_touched = self.again.contains(id);
        self.give_back(id, Some(at_ms));
        if !is_touched {
            self.reminders.insert(id.to_owned());
        }
    }

    /// Gives the time of the first wish, milliseconds.
    pub fn next(&self) -> Option<i64> {
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
    use super::DueQueue;

    #[test]
    fn the_earliest_wish_stands_and_one_at_work_is_not_handed_out_twice() {
        let mut due_queue = DueQueue::default();
        due_queue.put("a", 10);
        due_queue.put("a", 20);
        due_queue.put("b", 5);
        assert_eq!(due_queue.next(), Some(5));
        assert_eq!(due_queue.take(4), None);
        assert_eq!(due_queue.take(100).as_deref(), Some("b"));
        due_queue.put("b", 1);
        assert_eq!(due_queue.take(100).as_deref(), Some("a"));
        assert_eq!(due_queue.take(100), None);
        // Something happened to b meanwhile: it is looked at at once, whatever its worker said.
        due_queue.give_back("b", Some(1_000));
        assert_eq!(due_queue.take(0).as_deref(), Some("b"));
        due_queue.give_back("b", None);
        due_queue.give_back("a", Some(7));
        assert_eq!((due_queue.next(), due_queue.len()), (Some(7), 1));
    }

    #[test]
    fn what_waits_for_a_person_is_no_work_until_something_happens_to_it() {
        let mut due_queue = DueQueue::default();
        due_queue.put("a", 1);
        assert!(due_queue.has_work());
        due_queue.take(1);
        due_queue.remind("a", 100);
        assert_eq!((due_queue.next(), due_queue.has_work()), (Some(100), false));
        due_queue.put("a", 50);
        assert_eq!((due_queue.next(), due_queue.has_work()), (Some(50), true));
        due_queue.take(50);
        due_queue.put("a", 60);
        due_queue.remind("a", 100);
        assert!(due_queue.has_work(), "something happened to it meanwhile");
    }
}
