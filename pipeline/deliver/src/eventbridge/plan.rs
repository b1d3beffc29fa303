//! Decides which entries the next call takes, and how long to wait before one is tried again.

use super::entry::{CALL_BYTES, CALL_ENTRIES, Entry};
use std::collections::BTreeSet;
use xxhash_rust::xxh64::xxh64;

/// How often an entry is tried.
pub const ATTEMPTS: u32 = 8;
/// The first wait, and the longest, milliseconds.
const WAITS_MS: (u64, u64) = (200, 20_000);

/// Chooses the entries of the next call, by index: in order, at most ten, within the call's size, and of each episode only the
/// first that is left. A later one waits, so that a failure of the first cannot let it overtake. One in `single` has a call of its own.
pub fn next_call(pending: &[Entry], single: &BTreeSet<String>) -> Vec<usize> {
    let (mut chosen, mut bytes, mut keys) = (Vec::new(), 0, BTreeSet::new());
    for (i, entry) in pending.iter().enumerate() {
        if chosen.len() == CALL_ENTRIES {
            break;
        }
        if single.contains(&entry.id) {
            if chosen.is_empty() {
                return vec![i];
            }
            break;
        }
        let fits = bytes + entry.bytes() <= CALL_BYTES;
        // An entry that waits for room holds back those of its episode as well.
        if keys.insert(&entry.key) && fits {
            bytes += entry.bytes();
            chosen.push(i);
        }
    }
    chosen
}

/// Gives the wait before the next try: it doubles, and half of it is spread by what is tried, so that many don't come at once.
pub fn backoff_ms(attempt: u32, id: &str) -> u64 {
    let whole = WAITS_MS.0.saturating_mul(1 << attempt.saturating_sub(1).min(16)).min(WAITS_MS.1);
    whole / 2 + xxh64(id.as_bytes(), u64::from(attempt)) % (whole / 2 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn entry(n: usize, key: u8, size: usize) -> Entry {
        Entry {
            id: n.to_string(),
            key: key.to_string(),
            source: "forewarn".to_owned(),
            detail_type: "Prediction Updated".to_owned(),
            time: "2026-02-15T06:00:00Z".to_owned(),
            detail: "x".repeat(size),
            resources: Vec::new(),
            trimmed: false,
        }
    }

    #[test]
    fn waits_grow_and_are_spread_and_bounded() {
        for attempt in 1..40 {
            let (a, b) = (backoff_ms(attempt, "a"), backoff_ms(attempt, "b"));
            assert!((100..=20_000).contains(&a) && a != b, "{attempt}: {a} {b}");
        }
        assert!(backoff_ms(1, "a") <= 200 && backoff_ms(8, "a") >= 10_000);
    }

    proptest! {
        #[test]
        fn calls_take_everything_within_limits_and_in_the_order_of_each_episode(
            entries in proptest::collection::vec((0u8..6, 1usize..245_000), 1..40)
        ) {
            let mut pending: Vec<Entry> =
                entries.iter().enumerate().map(|(n, (key, size))| entry(n, *key, *size)).collect();
            let all = pending.clone();
            let mut sent: Vec<Entry> = Vec::new();
            while !pending.is_empty() {
                let chosen = next_call(&pending, &BTreeSet::new());
                prop_assert!(!chosen.is_empty() && chosen.len() <= CALL_ENTRIES);
                prop_assert!(chosen.iter().map(|i| pending[*i].bytes()).sum::<usize>() <= CALL_BYTES);
                for i in chosen.into_iter().rev() {
                    // Within a call every episode stands once, so the order of removal says nothing.
                    sent.push(pending.remove(i));
                }
            }
            for key in 0u8..6 {
                let of = |list: &[Entry]| -> Vec<String> {
                    list.iter().filter(|e| e.key == key.to_string()).map(|e| e.id.clone()).collect()
                };
                prop_assert_eq!(of(&sent), of(&all));
            }
        }
    }
}
