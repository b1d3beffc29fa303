//! Chains entries by hash, so that a changed, missing or reordered entry shows.
//!
//! `hash(n) = SHA-256(hash(n-1) || canonical(entry n))`, both hashes in lower-case hexadecimal, where the entry is the
//! object `{"envelope", "position", "stream", "version"}`. Canonical JSON has its keys sorted by code point and no
//! white space; numbers and strings are written as `serde_json` writes them.

use super::envelope::Envelope;
use forewarn_domain::id::sha256_hex;
use serde_json::{Map, Value, json};

/// What the first entry is chained to.
pub const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// Sorts the keys of every object, however deep.
pub fn canonical(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut pairs: Vec<(&String, &Value)> = map.iter().collect();
            pairs.sort_unstable_by_key(|(key, _)| *key);
            Value::Object(pairs.into_iter().map(|(k, v)| (k.clone(), canonical(v))).collect::<Map<_, _>>())
        }
        Value::Array(items) => Value::Array(items.iter().map(canonical).collect()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

/// Writes an envelope as canonical JSON.
///
/// # Errors
/// When it cannot be written as JSON.
pub fn canonical_text(envelope: &Envelope) -> Result<String, serde_json::Error> {
    Ok(canonical(&serde_json::to_value(envelope)?).to_string())
}

/// Gives the hash of the entry that follows the one with the hash `previous`.
///
/// # Errors
/// When the envelope cannot be written as JSON.
pub fn link(
    previous: &str,
    position: u64,
    stream: &str,
    version: u64,
    envelope: &Envelope,
) -> Result<String, serde_json::Error> {
    let envelope = serde_json::to_value(envelope)?;
    let entry = json!({ "envelope": envelope, "position": position, "stream": stream, "version": version });
    Ok(sha256_hex(format!("{previous}{}", canonical(&entry)).as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answer() {
        // FIPS 180-4 example, one block.
        assert_eq!(sha256_hex(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn canonical_form_ignores_the_order_of_keys() {
        let a: Value = serde_json::from_str(r#"{"b":[{"y":1,"x":2.5}],"a":null}"#).unwrap();
        let b: Value = serde_json::from_str(r#"{ "a": null, "b": [ { "x": 2.5, "y": 1 } ] }"#).unwrap();
        assert_eq!(canonical(&a).to_string(), r#"{"a":null,"b":[{"x":2.5,"y":1}]}"#);
        assert_eq!(canonical(&a).to_string(), canonical(&b).to_string());
    }
}
