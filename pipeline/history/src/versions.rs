//! Drops versions of a sample that say nothing new: late points are looked for by pulling the same again.

use super::key::NOT_INGESTED;
use forewarn_domain::time::CELL_MS;

/// A sample with everything that tells versions apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sample {
    /// Start of the period.
    pub ts: i64,
    /// When it was ingested; [`NOT_INGESTED`] where it does not say.
    pub ingested_at: i64,
    /// When it was imported, where an import brought it.
    pub imported_at: Option<i64>,
    /// The value's ordered bits.
    pub bits: u64,
}

impl Sample {
    fn is_dated(&self) -> bool {
        self.ingested_at != NOT_INGESTED
    }

    /// When it counts as made, as [`forewarn_rules::series::Series`] has it.
    fn made_at(&self, period_s: i32, delay_ms: i64) -> i64 {
        let natural = self.ts + i64::from(period_s) * 1000 + delay_ms;
        if self.is_dated() { self.ingested_at } else { self.imported_at.unwrap_or(natural) }
    }

    /// When it may be seen, as [`forewarn_rules::series::Series`] has it.
    fn available_at(&self, period_s: i32, delay_ms: i64) -> i64 {
        let cell_end = (self.ts.div_euclid(CELL_MS) * CELL_MS + CELL_MS).max(self.ts + i64::from(period_s) * 1000);
        if self.is_dated() { self.ingested_at.max(cell_end) } else { cell_end + delay_ms }
    }
}

/// Sorts the samples of one series and drops what repeats a value that was known before; gives how many went.
///
/// What was known at any time stays the same: of versions that all say the same, the one that was available first stays, and beside
/// an import the first that was known live; where values differ, one that repeats the value before it goes, if both were known live or neither was.
pub fn keep_versions(samples: &mut Vec<Sample>, period_s: i32, delay_ms: i64) -> usize {
    let before = samples.len();
    if samples.is_sorted_by(|a, b| a.ts < b.ts) {
        return 0;
    }
    samples.sort_unstable();
    samples.dedup();
    let mut kept: Vec<Sample> = Vec::with_capacity(samples.len());
    for versions in samples.chunk_by_mut(|a, b| a.ts == b.ts) {
        if versions.iter().all(|v| v.bits == versions[0].bits) {
            // One that was known live stays beside an import: another import counts against it from then on only.
            let first = |dated| {
                let of_kind = versions.iter().filter(move |v| v.is_dated() == dated);
                // An import before one of which nothing is known: it counts against what may yet come of that kind.
                of_kind.map(|v| (v.available_at(period_s, delay_ms), v.imported_at.is_none(), *v)).min()
            };
            let (live, other) = (first(true), first(false));
            let other = other.filter(|other| live.is_none_or(|live| other.0 < live.0));
            kept.extend([other, live].into_iter().flatten().map(|(.., v)| v));
            continue;
        }
        versions.sort_unstable_by_key(|v| (v.made_at(period_s, delay_ms), v.imported_at, v.bits));
        let from = kept.len();
        kept.push(versions[0]);
        let says = |v: &Sample| (v.bits, v.is_dated(), v.imported_at.is_some());
        kept.extend(versions.windows(2).filter(|w| says(&w[0]) != says(&w[1])).map(|w| w[1]));
        kept[from..].sort_unstable();
    }
    *samples = kept;
    before - samples.len()
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
    use forewarn_domain::signal::{Reading, Signal};
    use forewarn_domain::time::HOUR_MS;
    use forewarn_rules::grid::{Combine, GridBuilder};
    use forewarn_rules::series::Series;
    use proptest::prelude::*;

    const DELAY: i64 = 300_000;

    /// What an analysis sees of samples at a time, as the rules' own series has it.
    fn seen(samples: &[Sample], period_s: i32, as_of: i64) -> Vec<u64> {
        let mut series = Series::new(Signal::Memory, Reading::AsIs, "mem_used_percent", "Average", None, period_s);
        for s in samples {
            series.extend(&[s.ts], &[s.bits as f64], Some(&[s.ingested_at]), s.imported_at);
        }
        let (is_unique_sorted, span) = (series.normalise(DELAY), 0..HOUR_MS);
        let mut cells = Vec::new();
        let mut grid = GridBuilder::new(&span, Combine::Mean);
        series.cells_at(&span, as_of, DELAY, is_unique_sorted, &mut grid, &mut cells);
        cells.into_iter().map(f64::to_bits).collect()
    }

    /// A version of the n-th period that came within three million milliseconds from a time on.
    fn version(from: i64) -> impl Strategy<Value = Sample> {
        let ingested_at = prop_oneof![Just(NOT_INGESTED), from..from + 3_000_000];
        let imported_at = proptest::option::of(from + 1_000_000..from + 3_000_000);
        (0_i64..3, ingested_at, imported_at, 0_u64..3).prop_map(|(n, ingested_at, imported_at, bits)| Sample {
            ts: n,
            ingested_at,
            imported_at,
            bits,
        })
    }

    proptest! {
        #[test]
        fn ordered_bits_sort_as_total_cmp_and_read_back(a in any::<f64>(), b in any::<f64>()) {
            prop_assert_eq!(ordered_bits(a).cmp(&ordered_bits(b)), a.total_cmp(&b));
            prop_assert_eq!(from_ordered_bits(ordered_bits(a)).to_bits(), a.to_bits());
        }

        /// Also where more comes live or is imported after a compaction, and is compacted with what that left.
        #[test]
        fn what_was_known_at_any_time_stays_the_same(
            all in proptest::collection::vec(version(0), 0..24),
            more in proptest::collection::vec(version(3_000_000).prop_filter("it says when it came", |s| s.is_dated() || s.imported_at.is_some()), 0..12),
            period_s in prop_oneof![Just(60), Just(300), Just(900)],
            as_of in 0_i64..7_000_000,
        ) {
            let placed = |s: Sample| Sample { ts: s.ts * i64::from(period_s) * 1000, ..s };
            let (all, more): (Vec<_>, Vec<_>) = (all.into_iter().map(placed).collect(), more.into_iter().map(placed).collect());
            let mut kept = all.clone();
            let dropped = keep_versions(&mut kept, period_s, DELAY);
            prop_assert_eq!(kept.len() + dropped, all.len());
            prop_assert!(kept.is_sorted());
            prop_assert_eq!(seen(&kept, period_s, as_of), seen(&all, period_s, as_of));
            kept.extend(&more);
            let everything: Vec<Sample> = all.into_iter().chain(more).collect();
            prop_assert_eq!(seen(&kept, period_s, as_of), seen(&everything, period_s, as_of));
            keep_versions(&mut kept, period_s, DELAY);
            prop_assert_eq!(seen(&kept, period_s, as_of), seen(&everything, period_s, as_of));
        }
    }

    #[test]
    fn a_point_pulled_or_imported_again_and_again_is_one_point() {
        let sample = |ts, ingested_at, bits| Sample { ts, ingested_at, imported_at: None, bits };
        let import = |at, bits| Sample { imported_at: Some(at), ..sample(0, NOT_INGESTED, bits) };
        let mut samples =
            vec![sample(0, 900_000, 7), sample(0, 700_000, 7), sample(0, NOT_INGESTED, 7), sample(300_000, 900_000, 8)];
        assert_eq!(keep_versions(&mut samples, 300, DELAY), 1);
        assert_eq!(samples, vec![sample(0, NOT_INGESTED, 7), sample(0, 700_000, 7), sample(300_000, 900_000, 8)]);
        let mut beside = vec![import(1_000_000, 7), sample(0, 900_000, 7), sample(0, 700_000, 7)];
        assert_eq!(keep_versions(&mut beside, 300, DELAY), 1);
        assert_eq!(beside, vec![import(1_000_000, 7), sample(0, 700_000, 7)]);
        let mut imports = vec![import(2_000_000, 7), import(1_000_000, 7), import(3_000_000, 8), import(4_000_000, 8)];
        assert_eq!(keep_versions(&mut imports, 300, DELAY), 2);
        assert_eq!(imports, vec![import(1_000_000, 7), import(3_000_000, 8)]);
    }
}
