//! Decides which shards may be read: a shard that was made by a split or a merge is not read before its parents have been dealt with,
//! so that the order of each key is kept across them.

use crate::stream::checkpoints::Standing;
use std::collections::{BTreeMap, BTreeSet};

/// A shard as the stream lists it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shard {
    /// The shards it was made from: none, one (a split), or two (a merge).
    pub parents: Vec<String>,
    /// Whether nothing more is put into it.
    pub closed: bool,
}

/// Gives the shards that may be read now, in order: those not dealt with to their end whose parents all are. A parent that is no longer
/// listed is past its retention.
pub fn readable(shards: &BTreeMap<String, Shard>, ended: &BTreeSet<String>) -> Vec<String> {
    let free = |shard: &Shard| shard.parents.iter().all(|p| ended.contains(p) || !shards.contains_key(p));
    shards.iter().filter(|(id, shard)| !ended.contains(*id) && free(shard)).map(|(id, _)| id.clone()).collect()
}

/// Gives a shard that was being read and is no longer listed: it went past its retention before all of it was dealt with.
pub fn vanished<'a>(
    shards: &BTreeMap<String, Shard>,
    standings: &'a BTreeMap<String, Standing>,
) -> Option<(&'a str, &'a Standing)> {
    let gone = standings.iter().find(|(id, standing)| !standing.ended && !shards.contains_key(*id));
    gone.map(|(id, standing)| (id.as_str(), standing))
}

/// Says whether records may have been missed where the last one dealt with is no longer kept: not when everything that had arrived was
/// dealt with so lately that whatever came since must still be kept.
pub fn may_have_missed(caught_up_ms: Option<i64>, retention_ms: i64, now_ms: i64) -> bool {
    caught_up_ms.is_none_or(|at| at < now_ms.saturating_sub(retention_ms))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shard(parents: &[&str], closed: bool) -> Shard {
        Shard { parents: parents.iter().map(|p| (*p).to_owned()).collect(), closed }
    }

    fn set(ids: &[&str]) -> BTreeSet<String> {
        ids.iter().map(|id| (*id).to_owned()).collect()
    }

    #[test]
    fn children_wait_for_both_parents() {
        let shards: BTreeMap<String, Shard> =
            [("0", shard(&[], true)), ("1", shard(&[], true)), ("2", shard(&["0", "1"], false))]
                .map(|(id, s)| (id.to_owned(), s))
                .into();
        assert_eq!(readable(&shards, &set(&[])), ["0", "1"]);
        assert_eq!(readable(&shards, &set(&["0"])), ["1"]);
        assert_eq!(readable(&shards, &set(&["0", "1"])), ["2"]);
        let expired: BTreeMap<String, Shard> = [("2".to_owned(), shard(&["0", "1"], false))].into();
        assert_eq!(readable(&expired, &set(&[])), ["2"], "parents past their retention are not waited for");
        let known = |ended| BTreeMap::from([("1".to_owned(), Standing { ended, ..Standing::default() })]);
        assert_eq!(vanished(&expired, &known(false)).map(|v| v.0), Some("1"));
        assert_eq!(vanished(&expired, &known(true)), None);
    }

    #[test]
    fn an_idle_shard_is_not_a_loss() {
        assert!(!may_have_missed(Some(90), 20, 100));
        assert!(may_have_missed(Some(70), 20, 100));
        assert!(may_have_missed(None, 20, 100));
    }

    /// A stream of 16 hash keys that is split and merged while it is written to.
    #[derive(Default)]
    struct Model {
        shards: BTreeMap<String, Shard>,
        open: Vec<(String, std::ops::Range<u8>)>,
        records: BTreeMap<String, Vec<(u8, usize)>>,
    }

    impl Model {
        fn add(&mut self, parents: &[String], range: std::ops::Range<u8>) {
            let id = format!("{:03}", self.shards.len());
            for parent in parents {
                self.shards.get_mut(parent).unwrap().closed = true;
            }
            self.shards.insert(id.clone(), Shard { parents: parents.to_vec(), closed: false });
            self.open.push((id, range));
            self.open.sort_by_key(|(_, r)| r.start);
        }

        fn act(&mut self, what: u8, arg: u8, n: usize) {
            let i = arg as usize % self.open.len();
            let (id, range) = self.open[i].clone();
            match what % 8 {
                0 if range.len() > 1 => {
                    self.open.remove(i);
                    let mid = range.start + range.len() as u8 / 2;
                    self.add(std::slice::from_ref(&id), range.start..mid);
                    self.add(&[id], mid..range.end);
                }
                1 if i + 1 < self.open.len() => {
                    let (other, next) = self.open.remove(i + 1);
                    self.open.remove(i);
                    self.add(&[id, other], range.start..next.end);
                }
                _ => {
                    let key = arg % 16;
                    let (id, _) = self.open.iter().find(|(_, r)| r.contains(&key)).unwrap();
                    self.records.entry(id.clone()).or_default().push((key, n));
                }
            }
        }
    }

    proptest! {
        #[test]
        fn keys_keep_their_order_across_splits_and_merges(
            acts in proptest::collection::vec((any::<u8>(), any::<u8>()), 0..200),
            picks in proptest::collection::vec(any::<u8>(), 300),
        ) {
            let mut model = Model::default();
            model.add(&[], 0..16);
            for (n, (what, arg)) in acts.iter().enumerate() {
                model.act(*what, *arg, n);
            }
            let (mut ended, mut read, mut picks) = (BTreeSet::new(), Vec::new(), picks.into_iter().cycle());
            loop {
                // The readers of a node take the shards in any order.
                let ready = readable(&model.shards, &ended);
                if ready.is_empty() {
                    break;
                }
                let id = &ready[picks.next().unwrap() as usize % ready.len()];
                read.extend(model.records.remove(id).unwrap_or_default());
                ended.insert(id.clone());
            }
            prop_assert!(model.records.is_empty(), "nothing is left unread");
            for key in 0..16 {
                let of_key: Vec<usize> = read.iter().filter(|(k, _)| *k == key).map(|(_, n)| *n).collect();
                prop_assert!(of_key.is_sorted(), "key {}: {:?}", key, of_key);
            }
        }
    }
}
