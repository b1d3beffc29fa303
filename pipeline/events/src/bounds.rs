//! How long and how much of what was set aside is kept.

/// Bounds of what was set aside; of what lies beyond one of them the oldest goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Longest time, milliseconds.
    pub age_ms: i64,
    /// Most bytes.
    pub bytes: u64,
}

impl Bounds {
    /// Keeps everything.
    pub const NONE: Self = Self { age_ms: i64::MAX, bytes: u64::MAX };

    /// Says how many of so many pieces go, given the oldest first, each with the time at which it was set aside and its length.
    pub fn going(self, pieces: &[(i64, u64)], now_ms: i64) -> usize {
        let mut bytes = 0_u64;
        let fits = pieces.iter().rev().take_while(|(at, length)| {
            bytes = bytes.saturating_add(*length);
            bytes <= self.bytes && now_ms.saturating_sub(*at) <= self.age_ms
        });
        pieces.len() - fits.count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_go_by_age_and_by_bytes() {
        let pieces = [(10, 5), (20, 5), (30, 5)];
        assert_eq!(Bounds::NONE.going(&pieces, 1_000_000), 0);
        assert_eq!(Bounds { age_ms: 15, ..Bounds::NONE }.going(&pieces, 35), 1);
        assert_eq!(Bounds { bytes: 10, ..Bounds::NONE }.going(&pieces, 35), 1);
        assert_eq!(Bounds { bytes: 4, ..Bounds::NONE }.going(&pieces, 35), 3);
        assert_eq!(Bounds { age_ms: 0, bytes: 0 }.going(&[], 35), 0);
    }
}
