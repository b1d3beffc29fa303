//! A shard of a fleet: the instances of some of a history's buckets.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// One of several shards, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Shard {
    number: u16,
    of: u16,
}

impl Shard {
    /// Every shard of so many.
    pub fn all(of: u16) -> impl Iterator<Item = Self> {
        (1..=of).map(move |number| Self { number, of })
    }

    /// How many shards there are.
    pub const fn of(self) -> u16 {
        self.of
    }

    /// Says whether a bucket belongs to it: each belongs to one.
    pub const fn has(self, bucket: u16) -> bool {
        bucket % self.of == self.number - 1
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once('/').and_then(|(n, of)| Some((n.parse().ok()?, of.parse().ok()?)));
        let shard = parts.map(|(number, of)| Self { number, of }).filter(|s| (1..=s.of).contains(&s.number));
        shard.ok_or_else(|| format!("`{text}` is no shard; write its number and how many there are, such as 2/4"))
    }
}

impl From<Shard> for String {
    fn from(shard: Shard) -> Self {
        shard.to_string()
    }
}

impl TryFrom<String> for Shard {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bucket_belongs_to_one_shard() {
        for of in [1, 3, 4, 16] {
            for bucket in 0..16 {
                assert_eq!(Shard::all(of).filter(|shard| shard.has(bucket)).count(), 1, "{bucket} of {of}");
            }
        }
    }

    #[test]
    fn a_shard_is_one_of_those_there_are() {
        assert_eq!("2/4".parse::<Shard>().unwrap().to_string(), "2/4");
        for text in ["0/4", "5/4", "1/0", "4", "a/b", "1/70000", ""] {
            assert!(text.parse::<Shard>().unwrap_err().contains("such as 2/4"), "{text}");
        }
    }
}
