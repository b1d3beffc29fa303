//! Takes the wrapping off: an SQS message, and an SNS notification in it.

use super::doc::{Doc, json};
use super::reason::Reason;
use super::{MAX_BYTES, MAX_DEPTH};
use serde_json::Value;

/// Wrappings that are taken off at most: SQS around SNS around EventBridge.
const LAYERS: usize = 2;

/// Parses a message and gives the event in it.
pub fn unwrap(raw: &[u8]) -> Result<Value, Reason> {
    let mut value = json(raw, MAX_BYTES, MAX_DEPTH)?;
    for _ in 0..LAYERS {
        let Some(inner) = wrapped(&value)? else { break };
        value = json(inner.as_bytes(), MAX_BYTES, MAX_DEPTH)?;
    }
    Ok(value)
}

/// Gives the text that a wrapping carries; none where the value is no wrapping.
fn wrapped(value: &Value) -> Result<Option<&str>, Reason> {
    let doc = Doc::root(value);
    if doc.maybe("detail-type").is_some() {
        return Ok(None);
    }
    if let (Some(_), Some(message)) = (doc.maybe("TopicArn"), doc.maybe("Message")) {
        return message.text().map(Some);
    }
    let body = doc.maybe("Body").or_else(|| doc.maybe("body"));
    body.map(|b| b.text()).transpose()
}
