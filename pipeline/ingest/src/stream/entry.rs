//! Turns records into what is put: encoded entries with their partition keys, all before the first one is put.

use super::port::StreamError;
use super::record::Record;

/// One encoded record and the key that keeps its order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry<'a> {
    /// The partition key.
    pub key: &'a str,
    /// The encoded record.
    pub data: Vec<u8>,
}

/// Encodes records for the stream that is called `stream`; a record too large for one entry becomes several, in order.
///
/// # Errors
/// When a record cannot be put; then none should be.
pub fn entries<'a>(stream: &str, records: &'a [Record]) -> Result<Vec<Entry<'a>>, StreamError> {
    let mut out = Vec::with_capacity(records.len());
    for record in records {
        let encoded = record.encode().map_err(|source| StreamError::Record { stream: stream.to_owned(), source })?;
        out.extend(encoded.into_iter().map(|data| Entry { key: record.partition_key(), data }));
    }
    Ok(out)
}
