//! Orders values of either sign and kind by integers.

/// Maps a value to an integer in the order of [`f64::total_cmp`], and back.
pub(super) fn total_order(value: f64) -> i64 {
    let bits = value.to_bits() as i64;
    bits ^ ((bits >> 63) as u64 >> 1) as i64
}

pub(super) fn from_total_order(bits: i64) -> f64 {
    f64::from_bits((bits ^ ((bits >> 63) as u64 >> 1) as i64) as u64)
}
