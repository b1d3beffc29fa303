//! Decides which entries go into the next `PutRecords` call.
//!
//! Entries of a call succeed or fail one by one, in no order. So a call holds at most one entry of each key, and the next entry of a
//! key waits until the one before is in the stream: whatever fails or is put twice, the order of a key is kept.
//!
//! A call of which entries were refused is followed by one about as large as what was taken; calls grow again while all is taken.

use crate::stream::entry::Entry;
use forewarn_runtime::backoff::TRIES;
use std::collections::{BTreeMap, VecDeque};

/// Most entries in a call.
pub const MOST_ENTRIES: usize = 500;
/// Most bytes in a call, keys included.
pub const MOST_BYTES: usize = 5 << 20;

/// Entries that are still to be put.
#[derive(Debug)]
pub struct Rounds<'a> {
    /// Entries by key, in order.
    queues: Vec<Queue<'a>>,
    /// Queues that have entries left, in the order in which they are served.
    turn: VecDeque<usize>,
    given_up: usize,
    retried: u64,
    /// How large the next call may be.
    size: Size,
    /// Calls in a row of which nothing was taken.
    in_vain: u32,
}

/// Entries and bytes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Size {
    entries: usize,
    bytes: usize,
}

const MOST: Size = Size { entries: MOST_ENTRIES, bytes: MOST_BYTES };

impl Size {
    /// Says how large the next call may be after one of this size of which so much was taken.
    fn after(self, call: Self, taken: Self) -> Self {
        if taken == call {
            let grown = |now: usize, most: usize| (now + most / 100).min(most);
            return Self { entries: grown(self.entries, MOST.entries), bytes: grown(self.bytes, MOST.bytes) };
        }
        let shrunk = |taken: usize, call: usize| taken.max(call / 2).max(1);
        Self { entries: shrunk(taken.entries, call.entries), bytes: shrunk(taken.bytes, call.bytes) }
    }
}

#[derive(Debug)]
struct Queue<'a> {
    left: VecDeque<Entry<'a>>,
    /// How often the first one has failed.
    failed: u32,
}

/// The queues whose first entries go into a call, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Round(Vec<usize>);

impl<'a> Rounds<'a> {
    /// Sorts entries by key, keeping their order.
    pub fn new(entries: Vec<Entry<'a>>) -> Self {
        let mut places: BTreeMap<&str, usize> = BTreeMap::new();
        let mut queues: Vec<Queue<'a>> = Vec::new();
        for entry in entries {
            let at = *places.entry(entry.key).or_insert(queues.len());
            if at == queues.len() {
                queues.push(Queue { left: VecDeque::new(), failed: 0 });
            }
            queues[at].left.push_back(entry);
        }
        Self { turn: (0..queues.len()).collect(), queues, given_up: 0, retried: 0, size: MOST, in_vain: 0 }
    }

    /// Fills the next call; none where nothing is left.
    pub fn next(&self) -> Option<Round> {
        let (mut round, mut bytes) = (Vec::new(), 0);
        for &at in self.turn.iter().take(self.size.entries) {
            let Some(entry) = self.queues[at].left.front() else { continue };
            bytes += entry.data.len() + entry.key.len();
            if bytes > self.size.bytes && !round.is_empty() {
                break;
            }
            round.push(at);
        }
        (!round.is_empty()).then_some(Round(round))
    }

    /// Gives the entries of a round, in order.
    pub fn entries(&self, round: &Round) -> Vec<&Entry<'a>> {
        round.0.iter().filter_map(|at| self.queues[*at].left.front()).collect()
    }

    /// Takes note of which entries of a round are in the stream. A key whose first entry has failed too often is given up as a whole:
    /// what follows must not come before it. Gives how often the least lucky of the others has failed.
    pub fn settle(&mut self, round: &Round, put: &[bool]) -> u32 {
        let size = |at: &usize| self.queues[*at].left.front().map_or(0, |e| e.data.len() + e.key.len());
        let (mut call, mut taken) = (Size { entries: 0, bytes: 0 }, Size { entries: 0, bytes: 0 });
        for (i, at) in round.0.iter().enumerate() {
            call = Size { entries: call.entries + 1, bytes: call.bytes + size(at) };
            if put.get(i) == Some(&true) {
                taken = Size { entries: taken.entries + 1, bytes: taken.bytes + size(at) };
            }
        }
        self.size = self.size.after(call, taken);
        // Entries that wait for their turn have not failed yet, however long the stream has taken nothing.
        self.in_vain = if taken.entries == 0 { self.in_vain + 1 } else { 0 };
        let mut worst = self.in_vain;
        self.turn.drain(..round.0.len());
        for (i, &at) in round.0.iter().enumerate() {
            let queue = &mut self.queues[at];
            if put.get(i) == Some(&true) {
                queue.left.pop_front();
                queue.failed = 0;
            } else {
                queue.failed += 1;
                if queue.failed >= TRIES {
                    self.given_up += queue.left.len();
                    queue.left.clear();
                } else {
                    self.retried += 1;
                    worst = worst.max(queue.failed);
                }
            }
            if !queue.left.is_empty() {
                self.turn.push_back(at);
            }
        }
        if self.in_vain >= TRIES {
            self.given_up += self.left();
            self.queues.iter_mut().for_each(|queue| queue.left.clear());
            self.turn.clear();
        }
        worst
    }

    /// Counts the entries that were given up.
    pub fn given_up(&self) -> usize {
        self.given_up
    }

    /// Counts the entries that are still to be put.
    pub fn left(&self) -> usize {
        self.queues.iter().map(|q| q.left.len()).sum()
    }

    /// Counts the entries that were put again.
    pub fn retried(&self) -> u64 {
        self.retried
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KEYS: [&str; 5] = ["a", "b", "c", "d", "e"];

    fn entries(keys: &[usize], bytes: usize) -> Vec<Entry<'static>> {
        let data = |n: usize| [&(n as u32).to_be_bytes()[..], &vec![0; bytes]].concat();
        keys.iter().enumerate().map(|(n, k)| Entry { key: KEYS[*k], data: data(n) }).collect()
    }

    proptest! {
        /// Any entry may fail, and any call's answer may be lost after it took effect in part or whole.
        #[test]
        fn each_key_keeps_its_order_whatever_fails(
            keys in proptest::collection::vec(0..KEYS.len(), 0..60),
            fates in proptest::collection::vec((any::<u8>(), any::<u8>(), any::<bool>()), 400),
        ) {
            let all = entries(&keys, 0);
            let mut rounds = Rounds::new(all.clone());
            let (mut stream, mut fates): (Vec<Entry<'_>>, _) = (Vec::new(), fates.into_iter());
            while let Some(round) = rounds.next() {
                let call: Vec<Entry<'_>> = rounds.entries(&round).into_iter().cloned().collect();
                let distinct: std::collections::BTreeSet<&str> = call.iter().map(|e| e.key).collect();
                prop_assert_eq!(distinct.len(), call.len(), "one entry of a key in a call");
                let (put, answered) = match fates.next() {
                    // Entries of one call land in any order: last first is the worst.
                    Some((bits, _, lost)) => ((0..call.len()).map(|i| bits >> (i % 8) & 1 == 1).collect(), !lost),
                    None => (vec![true; call.len()], true),
                };
                stream.extend(call.iter().zip(&put).rev().filter(|(_, put)| **put).map(|(e, _)| e.clone()));
                rounds.settle(&round, &if answered { put } else { vec![false; call.len()] });
            }
            for key in KEYS {
                let of = |entries: &[Entry<'_>]| -> Vec<Vec<u8>> {
                    let mut seen = std::collections::BTreeSet::new();
                    let of_key = entries.iter().filter(|e| e.key == key).map(|e| e.data.clone());
                    of_key.filter(|d| seen.insert(d.clone())).collect()
                };
                let (expected, found) = (of(&all), of(&stream));
                // What was given up is missing at the end, never in the middle.
                prop_assert_eq!(&found[..], &expected[..found.len()]);
                prop_assert!(found.len() == expected.len() || rounds.given_up() > 0);
            }
        }
    }

    #[test]
    fn calls_stay_within_the_limits_of_entries_and_bytes() {
        let names: Vec<String> = (0..1200).map(|n| format!("key-{n}")).collect();
        let many = names.iter().map(|key| Entry { key, data: vec![0; 10] }).collect();
        let mut rounds = Rounds::new(many);
        let mut sizes = Vec::new();
        while let Some(round) = rounds.next() {
            sizes.push(rounds.entries(&round).len());
            rounds.settle(&round, &vec![true; round.0.len()]);
        }
        assert_eq!(sizes, [500, 500, 200]);
        let rounds = Rounds::new(entries(&[0, 1, 2, 3, 4], (1 << 20) - 600));
        assert_eq!(rounds.next().unwrap().0.len(), 5);
        let rounds = Rounds::new(entries(&[0, 1, 2, 3, 4], (1 << 20) + 1));
        assert_eq!(rounds.next().unwrap().0.len(), 4);
    }

    /// What a shard takes in a second, as AWS says it.
    const SHARD_BYTES: f64 = 1_048_576.0;

    /// Puts entries of distinct keys into one shard, which takes a second's worth at once and refuses what is beyond, by the clock of the
    /// waits; gives what was given up, the entries refused, and the sizes of the calls.
    fn into_one_shard(entries: usize, bytes: usize) -> (usize, u64, Vec<usize>) {
        let names: Vec<String> = (0..entries).map(|n| format!("key-{n}")).collect();
        let mut rounds = Rounds::new(names.iter().map(|key| Entry { key, data: vec![0; bytes] }).collect());
        let mut backoff = forewarn_runtime::backoff::Backoff::seeded(7);
        let (mut room, mut sizes) = (SHARD_BYTES, Vec::new());
        while let Some(round) = rounds.next() {
            let call = rounds.entries(&round);
            sizes.push(call.len());
            let fates: Vec<bool> = call
                .iter()
                .map(|e| {
                    let fits = room >= e.data.len() as f64;
                    room -= if fits { e.data.len() as f64 } else { 0.0 };
                    fits
                })
                .collect();
            let worst = rounds.settle(&round, &fates);
            // A call takes its time too.
            let ms = 20 + if worst > 0 { backoff.wait_ms(worst) } else { 0 };
            room = (room + SHARD_BYTES * ms as f64 / 1000.0).min(SHARD_BYTES);
        }
        (rounds.given_up(), rounds.retried(), sizes)
    }

    #[test]
    fn a_shard_that_is_full_gets_smaller_calls_and_loses_nothing() {
        let (given_up, refused, sizes) = into_one_shard(6_000, 8_000);
        assert_eq!(given_up, 0, "what only has to wait is not given up");
        assert!(refused < 6_000, "{refused} entries were refused of 6,000: each was sent twice and more");
        assert!(sizes.iter().skip(3).any(|n| *n < 150), "calls shrink: {:?}", &sizes[..20]);
        assert!(*sizes.iter().skip(10).max().unwrap() > sizes[10], "and grow again: {sizes:?}");
    }

    #[test]
    fn a_stream_that_takes_nothing_is_given_up_after_as_many_calls_as_an_entry() {
        let names: Vec<String> = (0..2_000).map(|n| format!("key-{n}")).collect();
        let mut rounds = Rounds::new(names.iter().map(|key| Entry { key, data: vec![0; 10] }).collect());
        let mut waits = Vec::new();
        while let Some(round) = rounds.next() {
            waits.push(rounds.settle(&round, &[]));
        }
        assert_eq!((rounds.given_up(), rounds.left()), (2_000, 0));
        assert_eq!(waits, (1..=TRIES).collect::<Vec<_>>(), "each wait is longer than the one before");
    }

    #[test]
    fn a_key_that_always_fails_is_given_up_and_the_others_are_not() {
        let mut rounds = Rounds::new(entries(&[0, 0, 1, 1], 0));
        let mut put = 0;
        while let Some(round) = rounds.next() {
            let fate: Vec<bool> = rounds.entries(&round).iter().map(|e| e.key == "b").collect();
            put += fate.iter().filter(|f| **f).count();
            rounds.settle(&round, &fate);
        }
        assert_eq!((put, rounds.given_up(), rounds.retried()), (2, 2, u64::from(TRIES) - 1));
    }
}
