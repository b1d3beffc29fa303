//! Ids that depend on what they name alone.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::borrow::Borrow;
use std::fmt;
use std::ops::Deref;
use std::str::FromStr;

/// Writes bytes in hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    let digit = |n: u8| char::from(b"0123456789abcdef"[usize::from(n)]);
    bytes.iter().flat_map(|b| [digit(b >> 4), digit(b & 15)]).collect()
}

/// Gives 32 hexadecimal digits of the SHA-256 of parts, kept apart by a byte that none contains.
pub fn digest(parts: &[&str]) -> String {
    let mut out = hex(&Sha256::digest(parts.join("\0").as_bytes()));
    out.truncate(32);
    out
}

/// Gives the SHA-256 of bytes in hexadecimal.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Makes the id of an event from its type and what it is about, the same each time.
///
/// The first 128 bits of SHA-256 over the parts, each with its length before it, in hexadecimal.
pub fn event_id(type_: &str, parts: &[&str]) -> String {
    let measured: Vec<String> =
        std::iter::once(&type_).chain(parts).map(|part| format!("{}:{part}", part.len())).collect();
    let mut hex = sha256_hex(measured.join("|").as_bytes());
    hex.truncate(32);
    hex
}

/// Longest id, source, stream or subject, in bytes.
pub const MAX_NAME_BYTES: usize = 512;

/// Says whether `name` may stand as an id, source, subject or stream.
pub fn is_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= MAX_NAME_BYTES && !name.chars().any(char::is_control)
}

/// Names one instance: an EC2 instance id, or whatever stands in its place in imported data. 1 to 512 bytes, no control characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct InstanceId(String);

/// A text that names no instance.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an instance id has 1 to {MAX_NAME_BYTES} bytes without control characters, not {0:?}")]
pub struct InvalidInstanceId(pub String);

impl InstanceId {
    /// Gives the id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for InstanceId {
    type Error = InvalidInstanceId;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if is_name(&text) { Ok(Self(text)) } else { Err(InvalidInstanceId(text.chars().take(80).collect())) }
    }
}

impl FromStr for InstanceId {
    type Err = InvalidInstanceId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.to_owned().try_into()
    }
}

impl From<InstanceId> for String {
    fn from(id: InstanceId) -> Self {
        id.0
    }
}

impl Deref for InstanceId {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for InstanceId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for InstanceId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl PartialEq<str> for InstanceId {
    fn eq(&self, other: &str) -> bool {
        self.0 == other
    }
}

impl PartialEq<&str> for InstanceId {
    fn eq(&self, other: &&str) -> bool {
        self.0 == *other
    }
}

impl fmt::Display for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_id_is_a_name() {
        assert_eq!("i-0123".parse::<InstanceId>().unwrap(), "i-0123");
        assert!("".parse::<InstanceId>().is_err() && "i\n".parse::<InstanceId>().is_err());
        assert!("x".repeat(513).parse::<InstanceId>().is_err());
        assert!(serde_json::from_str::<InstanceId>("\"\"").is_err());
        assert_eq!(serde_json::to_string(&"i-1".parse::<InstanceId>().unwrap()).unwrap(), "\"i-1\"");
    }
}
