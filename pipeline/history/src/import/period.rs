//! Infers a series' period as its most common gap, in constant memory for each series.

/// The periods that a gap is snapped to, seconds.
const PERIODS: [i32; 7] = [1, 5, 10, 30, 60, 300, 3600];

/// Borders between them, milliseconds: the geometric means of neighbours.
const BORDERS_MS: [i64; 6] = [2_236, 7_071, 17_321, 42_426, 134_164, 1_039_230];

/// The period of a series without a gap.
const DEFAULT_S: i32 = 300;

#[derive(Debug, Clone)]
struct Gaps {
    last: i64,
    counts: [u32; 7],
    unordered: bool,
}

const NONE_YET: Gaps = Gaps { last: i64::MIN, counts: [0; 7], unordered: false };

/// Counts the gaps of every series that states no period.
#[derive(Debug, Clone, Default)]
pub(super) struct GapTable {
    series: Vec<Option<Box<Gaps>>>,
}

impl GapTable {
    /// Adds the next series.
    pub(super) fn add(&mut self, infer: bool) {
        self.series.push(infer.then(|| Box::new(NONE_YET)));
    }

    /// Counts the gaps of samples in the order given.
    pub(super) fn count(&mut self, series: u32, ts: &[i64]) {
        let Some(Some(gaps)) = self.series.get_mut(series as usize) else { return };
        let (mut known, mut bin) = (0, 0);
        for &t in ts {
            let gap = if gaps.last == i64::MIN { 0 } else { t - gaps.last };
            gaps.last = t;
            if gap > 0 {
                if gap != known {
                    known = gap;
                    bin = BORDERS_MS.iter().take_while(|&&border| gap > border).count();
                }
                gaps.counts[bin] = gaps.counts[bin].saturating_add(1);
            } else if gap < 0 {
                gaps.unordered = true;
            }
        }
    }

    /// Says whether some series came out of order, so that its gaps mean nothing.
    pub(super) fn any_unordered(&self) -> bool {
        self.series.iter().flatten().any(|g| g.unordered)
    }

    /// Forgets all counts.
    pub(super) fn reset(&mut self) {
        for gaps in self.series.iter_mut().flatten() {
            **gaps = NONE_YET;
        }
    }

    /// Gives the period of a series: the most common, the shorter on a tie.
    pub(super) fn period(&self, series: usize) -> i32 {
        let Some(Some(gaps)) = self.series.get(series) else { return DEFAULT_S };
        let best = gaps
            .counts
            .iter()
            .zip(PERIODS)
            .fold((0, DEFAULT_S), |best, (&n, p)| if n > best.0 { (n, p) } else { best });
        best.1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn period_of(ts: &[i64]) -> i32 {
        let mut table = GapTable::default();
        table.add(true);
        table.count(0, ts);
        table.period(0)
    }

    #[test]
    fn the_most_common_gap_wins_and_snaps() {
        assert_eq!(period_of(&[]), 300);
        assert_eq!(period_of(&[5_000]), 300);
        assert_eq!(period_of(&[0, 60_000, 120_000, 3_720_000, 3_780_000]), 60);
        assert_eq!(period_of(&[0, 59_100, 119_900, 180_300]), 60);
        assert_eq!(period_of(&[0, 300_000, 600_000]), 300);
        assert_eq!(period_of(&[0, 900_000]), 300);
        assert_eq!(period_of(&[0, 3_600_000]), 3600);
        assert_eq!(period_of(&[0, 86_400_000]), 3600);
        assert_eq!(period_of(&[0, 1000, 2000]), 1);
        assert_eq!(period_of(&[0, 0, 0, 10_000]), 10);
    }

    #[test]
    fn going_back_in_time_is_noticed() {
        let mut table = GapTable::default();
        table.add(true);
        table.add(false);
        table.count(1, &[9, 3]);
        assert!(!table.any_unordered());
        table.count(0, &[9, 3]);
        assert!(table.any_unordered());
        table.reset();
        assert!(!table.any_unordered());
    }
}
