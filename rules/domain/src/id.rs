//! Ids that depend on what they name alone.

use sha2::{Digest, Sha256};

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
