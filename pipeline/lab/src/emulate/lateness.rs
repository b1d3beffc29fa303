//! How late points come: a pure function of the series and the time of the point.

use super::hash::{mix2, unit};

/// Which share of the points comes late, and how late at most.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Late {
    /// Share of the points.
    pub share: f64,
    /// The longest delay, milliseconds; the shortest is a minute, and orders of magnitude between them are alike.
    pub most_ms: i64,
}

impl Default for Late {
    fn default() -> Self {
        Self { share: 0.0, most_ms: 7_200_000 }
    }
}

/// The shortest delay of a late point.
const LEAST_MS: f64 = 60_000.0;

impl Late {
    /// Gives how long after the end of its period a point becomes known.
    pub(super) fn of(self, seed: u64, series: u64, ts: i64) -> i64 {
        if self.share <= 0.0 {
            return 0;
        }
        let bits = mix2(mix2(seed ^ 0x1A7E, series), ts as u64);
        if unit(bits) >= self.share {
            return 0;
        }
        let range = (self.most_ms as f64 / LEAST_MS).max(1.0);
        (LEAST_MS * range.powf(unit(mix2(bits, 1)))) as i64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_asked_share_is_late_and_no_later_than_asked() {
        let late = Late { share: 0.1, most_ms: 3_600_000 };
        let all: Vec<i64> = (0..20_000).map(|t| late.of(3, 9, t * 300_000)).filter(|ms| *ms > 0).collect();
        assert!((1800..2200).contains(&all.len()), "{}", all.len());
        assert!(all.iter().all(|ms| (60_000..=3_600_000).contains(ms)));
        let short = all.iter().filter(|ms| **ms < 464_758).count();
        assert!(
            (all.len() * 45 / 100..all.len() * 55 / 100).contains(&short),
            "half below the geometric mean: {short}"
        );
        assert_eq!(Late::default().of(3, 9, 0), 0);
    }
}
