//! Drops versions of a sample that say nothing new: late points are looked for by pulling the same again.

use super::key::NOT_INGESTED;
use forewarn_domain::time::CELL_MS;

/// A sample with everything that tells versions apart: start of the period, when it was ingested, the value's ordered bits.
pub type Sample = (i64, i64, u64);

/// Sorts the samples of one series and drops what repeats a value that was known before; gives how many went.
///
/// What was known at any time stays the same: of versions that all say the same, the one that was available first stays; where
/// values differ, one that repeats the value before it goes.
pub fn keep_versions(samples: &mut Vec<Sample>, period_s: i32, delay_ms: i64) -> usize {
    let before = samples.len();
    if samples.is_sorted_by(|a, b| a.0 < b.0) {
        return 0;
    }
    samples.sort_unstable();
    samples.dedup();
    let mut kept = 0;
    let mut from = 0;
    while from < samples.len() {
        let ts = samples[from].0;
        let to = from + samples[from..].iter().take_while(|s| s.0 == ts).count();
        let versions = &samples[from..to];
        if versions.iter().all(|v| v.2 == versions[0].2) {
            let first = versions.iter().copied().min_by_key(|v| (available(*v, period_s, delay_ms), v.1));
            if let Some(first) = first {
                samples[kept] = first;
                kept += 1;
            }
        } else {
            // Where a version doesn't say when it came, the order of all is not certain: each stays.
            let dated = samples[from].1 != NOT_INGESTED;
            let mut last = None;
            for i in from..to {
                let repeats = dated && last.replace(samples[i].2) == Some(samples[i].2);
                if !repeats {
                    samples[kept] = samples[i];
                    kept += 1;
                }
            }
        }
        from = to;
    }
    samples.truncate(kept);
    before - kept
}

/// When a version may be seen, as [`forewarn_rules::series::Series`] has it.
fn available((ts, ingested, _): Sample, period_s: i32, delay_ms: i64) -> i64 {
    let cell_end = (ts.div_euclid(CELL_MS) * CELL_MS + CELL_MS).max(ts + i64::from(period_s) * 1000);
    if ingested == NOT_INGESTED { cell_end + delay_ms } else { ingested.max(cell_end) }
}

/// Maps a value to bits that sort as [`f64::total_cmp`] does.
pub fn ordered_bits(value: f64) -> u64 {
    let bits = value.to_bits();
    if bits >> 63 == 1 { !bits } else { bits | (1 << 63) }
}

/// Maps the bits back.
pub fn from_ordered_bits(bits: u64) -> f64 {
    f64::from_bits(if bits >> 63 == 1 { bits & !(1 << 63) } else { !bits })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DELAY: i64 = 300_000;

    /// What is known at a time: of the versions available then, the newest, the greater value on a tie.
    fn known(samples: &[Sample], ts: i64, as_of: i64) -> Option<u64> {
        let seen = samples.iter().filter(|s| s.0 == ts && available(**s, 300, DELAY) <= as_of);
        let made = |s: &Sample| if s.1 == NOT_INGESTED { ts + 300_000 + DELAY } else { s.1 };
        seen.max_by_key(|s| (made(s), s.2)).map(|s| s.2)
    }

    proptest! {
        #[test]
        fn ordered_bits_sort_as_total_cmp_and_read_back(a in any::<f64>(), b in any::<f64>()) {
            prop_assert_eq!(ordered_bits(a).cmp(&ordered_bits(b)), a.total_cmp(&b));
            prop_assert_eq!(from_ordered_bits(ordered_bits(a)).to_bits(), a.to_bits());
        }

        #[test]
        fn what_was_known_at_any_time_stays_the_same(
            versions in proptest::collection::vec((0_i64..3, prop_oneof![Just(NOT_INGESTED), 0_i64..3_000_000], 0_u64..3), 0..24),
            as_of in 0_i64..4_000_000,
        ) {
            let all: Vec<Sample> = versions.iter().map(|v| (v.0 * 300_000, v.1, v.2)).collect();
            let mut kept = all.clone();
            let dropped = keep_versions(&mut kept, 300, DELAY);
            prop_assert_eq!(kept.len() + dropped, all.len());
            prop_assert!(kept.is_sorted());
            for ts in [0, 300_000, 600_000] {
                prop_assert_eq!(known(&kept, ts, as_of), known(&all, ts, as_of));
            }
        }
    }

    #[test]
    fn a_point_pulled_again_and_again_is_one_point() {
        let mut samples = vec![(0, 900_000, 7), (0, 700_000, 7), (0, NOT_INGESTED, 7), (300_000, 900_000, 8)];
        assert_eq!(keep_versions(&mut samples, 300, DELAY), 2);
        assert_eq!(samples, vec![(0, NOT_INGESTED, 7), (300_000, 900_000, 8)]);
    }
}
