//! A probability as a type.

use serde::{Deserialize, Serialize};

/// A number in [0, 1].
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Probability(f64);

/// Says that a number is no probability.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error("{0} is not a probability: give a number from 0 to 1")]
pub struct NotAProbability(pub f64);

impl Probability {
    /// Certainty that it does not happen.
    pub const ZERO: Self = Self(0.0);

    /// Returns the number.
    pub const fn get(self) -> f64 {
        self.0
    }

    /// Returns the log-odds.
    pub fn logit(self) -> f64 {
        crate::stats::logit(self.0)
    }
}

impl TryFrom<f64> for Probability {
    type Error = NotAProbability;

    fn try_from(value: f64) -> Result<Self, NotAProbability> {
        if (0.0..=1.0).contains(&value) { Ok(Self(value)) } else { Err(NotAProbability(value)) }
    }
}

impl From<Probability> for f64 {
    fn from(value: Probability) -> Self {
        value.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::de::IntoDeserializer;
    use serde::de::value::{Error, F64Deserializer};

    #[test]
    fn only_zero_to_one_is_a_probability() {
        for bad in [-1e-9, 1.0 + 1e-9, f64::NAN, f64::INFINITY] {
            assert!(Probability::try_from(bad).is_err(), "{bad}");
        }
        assert!(NotAProbability(2.0).to_string().contains("from 0 to 1"));
    }

    #[test]
    fn reading_one_checks_it() {
        let read = |x: f64| {
            let source: F64Deserializer<Error> = x.into_deserializer();
            Probability::deserialize(source)
        };
        assert_eq!(read(0.5).unwrap(), Probability::try_from(0.5).unwrap());
        assert!(read(1.5).unwrap_err().to_string().contains("1.5 is not a probability"));
    }
}
