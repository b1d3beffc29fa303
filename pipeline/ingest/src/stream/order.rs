//! Orders places in a shard, as every adapter writes them: decimal numbers of any length, with or without leading zeros.

use std::cmp::Ordering;

/// Compares two places as numbers; what is no number is compared as text.
pub fn compare(a: &str, b: &str) -> Ordering {
    match (digits(a), digits(b)) {
        (Some(x), Some(y)) => x.len().cmp(&y.len()).then_with(|| x.cmp(y)),
        _ => a.cmp(b),
    }
}

/// Gives a number's digits without leading zeros.
fn digits(text: &str) -> Option<&str> {
    (!text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.trim_start_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_longer_than_any_integer_are_compared() {
        let long = "49590338271490256608559692538361571095921575989136588898";
        assert_eq!(compare(long, "7"), Ordering::Greater);
        assert_eq!(compare("0007", "7"), Ordering::Equal);
        assert_eq!(compare("", "7"), Ordering::Less);
    }

    proptest! {
        #[test]
        fn padding_changes_nothing(a: u64, b: u64, pad in 0_usize..30) {
            prop_assert_eq!(compare(&format!("{a:0pad$}"), &b.to_string()), a.cmp(&b));
        }
    }
}
