//! The event source as a Lambda function: a batch of SQS messages in, those to be given again out.

use super::doc::{Doc, json};
use super::reason::Reason;
use serde::Serialize;

/// Longest batch that Lambda hands over: 6 MB.
const MAX_BATCH: usize = 6 << 20;
/// Deepest nesting of a batch: bodies are text in it.
const MAX_DEPTH: usize = 16;
/// Most messages in a batch.
const MAX_MESSAGES: usize = 10_000;

/// A message of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    pub id: String,
    pub body: String,
    /// The ARN of its queue, or topic.
    pub queue: String,
}

/// What Lambda is told: the messages to be given again. All others are deleted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Response {
    pub batch_item_failures: Vec<Failure>,
}

/// A message to be given again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// Its id.
    pub item_identifier: String,
}

/// Reads a batch as the event source mapping hands it over.
///
/// # Errors
/// When it is no batch of SQS messages: nothing can be said of single messages then.
pub fn messages(batch: &[u8]) -> Result<Vec<Message>, Reason> {
    let value = json(batch, MAX_BATCH, MAX_DEPTH)?;
    let records = Doc::root(&value).need("Records")?.list(MAX_MESSAGES)?;
    let message = |record: &Doc<'_>| {
        Ok(Message {
            id: record.need("messageId")?.name()?.to_owned(),
            body: record.need("body")?.text()?.to_owned(),
            queue: record.maybe("eventSourceARN").map_or(Ok("sqs"), |q| q.name())?.to_owned(),
        })
    };
    records.iter().map(message).collect()
}

/// Reads the notifications by which SNS invokes a function.
///
/// # Errors
/// When one is damaged.
pub fn notifications(event: &[u8]) -> Result<Vec<Message>, Reason> {
    let value = json(event, MAX_BATCH, MAX_DEPTH)?;
    let records = Doc::root(&value).need("Records")?.list(MAX_MESSAGES)?;
    let message = |record: &Doc<'_>| {
        let sns = record.need("Sns")?;
        Ok(Message {
            id: sns.need("MessageId")?.name()?.to_owned(),
            body: sns.need("Message")?.text()?.to_owned(),
            queue: sns.need("TopicArn")?.name()?.to_owned(),
        })
    };
    records.iter().map(message).collect()
}
