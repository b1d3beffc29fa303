//! Mixes numbers, so that anything about a world is a function of the seed and of what it is asked for.

/// The golden ratio in 64 bits, which spreads successive numbers (Steele, Lea and Flood, Fast Splittable Pseudorandom Number
/// Generators, OOPSLA 2014).
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// Mixes a number: the finaliser of `SplitMix64` (Steele, Lea and Flood, 2014).
pub(super) const fn mix(x: u64) -> u64 {
    let z = x.wrapping_add(GOLDEN);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Mixes two numbers; their order counts.
pub(super) const fn mix2(a: u64, b: u64) -> u64 {
    mix(a ^ b.wrapping_mul(GOLDEN))
}

/// Gives a number in `[0, 1)` from mixed bits.
pub(super) fn unit(bits: u64) -> f64 {
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mixing_is_pinned_to_splitmix64() {
        // The first outputs of SplitMix64 from the state 0, as its authors' C code gives them.
        assert_eq!(mix(0), 0xE220_A839_7B1D_CDAF);
        assert_eq!(mix(GOLDEN), 0x6E78_9E6A_A1B9_65F4);
    }

    #[test]
    fn units_fill_the_interval_evenly() {
        let mut tenths = [0_u32; 10];
        for i in 0..10_000 {
            tenths[(unit(mix2(7, i)) * 10.0) as usize] += 1;
        }
        assert!(tenths.iter().all(|n| (900..1100).contains(n)), "{tenths:?}");
    }
}
