//! Remembers the last stretch of a series that was sent, so that looking for late points doesn't send the others again.
//!
//! Losing it costs repetition and nothing else: what comes twice is found by its key.

use super::window::Window;

/// Most periods that are remembered.
const MOST: usize = 20_000;

/// The values of one stretch, by period; NaN where there was none.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Tail {
    from: i64,
    step: i64,
    values: Vec<f64>,
}

impl Tail {
    /// Remembers the points of a stretch.
    pub(super) fn of(ts: &[i64], values: &[f64], stretch: Window, period_s: i32) -> Self {
        let step = i64::from(period_s) * 1000;
        let slots = usize::try_from((stretch.to - stretch.from) / step).unwrap_or(0).min(MOST);
        let from = stretch.to - slots as i64 * step;
        let mut tail = Self { from, step, values: vec![f64::NAN; slots] };
        let begin = ts.partition_point(|t| *t < from);
        for (&t, &v) in ts.iter().zip(values).skip(begin) {
            if let Some(slot) = tail.slot(t) {
                tail.values[slot] = v;
            }
        }
        tail
    }

    fn slot(&self, ts: i64) -> Option<usize> {
        let offset = ts - self.from;
        if self.step <= 0 || offset < 0 || offset % self.step != 0 {
            return None;
        }
        usize::try_from(offset / self.step).ok().filter(|i| *i < self.values.len())
    }

    /// Says whether exactly this point was sent.
    pub(super) fn holds(&self, ts: i64, value: f64) -> bool {
        self.slot(ts).is_some_and(|i| self.values[i].to_bits() == value.to_bits())
    }

    /// Takes away the points that were sent; gives how many.
    pub(super) fn strip(&self, ts: &mut Vec<i64>, values: &mut Vec<f64>) -> u64 {
        let before = ts.len();
        let mut keep = 0;
        for i in 0..before {
            if !self.holds(ts[i], values[i]) {
                ts.swap(keep, i);
                values.swap(keep, i);
                keep += 1;
            }
        }
        ts.truncate(keep);
        values.truncate(keep);
        (before - keep) as u64
    }

    /// Writes it as bytes: start, step, values.
    pub(super) fn encode(&self) -> Vec<u8> {
        let head = self.from.to_le_bytes().into_iter().chain(self.step.to_le_bytes());
        head.chain(self.values.iter().flat_map(|v| v.to_le_bytes())).collect()
    }

    /// Reads it; bytes that make no sense are an empty memory.
    pub(super) fn decode(bytes: &[u8]) -> Self {
        let (words, rest) = bytes.as_chunks::<8>();
        match words {
            [from, step, values @ ..] if rest.is_empty() && values.len() <= MOST => Self {
                from: i64::from_le_bytes(*from),
                step: i64::from_le_bytes(*step),
                values: values.iter().map(|v| f64::from_le_bytes(*v)).collect(),
            },
            _ => Self::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_new_or_different_is_left() {
        let tail = Tail::of(&[0, 60_000, 180_000], &[9.0, 1.0, 3.0], Window { from: 60_000, to: 240_000 }, 60);
        let tail = Tail::decode(&tail.encode());
        let (mut ts, mut values) = (vec![0, 60_000, 120_000, 180_000, 240_000], vec![9.0, 1.0, 2.0, 3.5, 4.0]);
        assert_eq!(tail.strip(&mut ts, &mut values), 1);
        assert_eq!((ts, values), (vec![0, 120_000, 180_000, 240_000], vec![9.0, 2.0, 3.5, 4.0]));
    }

    #[test]
    fn damage_is_forgetting() {
        for bytes in [vec![], vec![1; 7], vec![255; 16], vec![0; 17]] {
            assert!(!Tail::decode(&bytes).holds(0, 0.0), "{bytes:?}");
        }
        let long = Tail::of(&[], &[], Window { from: 0, to: i64::MAX / 2 }, 1);
        assert_eq!(long.values.len(), MOST);
    }
}
