//! A queue of SQS.

use super::queue::{Queue, QueueError, Received};
use aws_config::SdkConfig;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::{DisplayErrorContext, SdkError};
use aws_sdk_sqs::types::{DeleteMessageBatchRequestEntry, MessageSystemAttributeName};
use forewarn_runtime::aws::Aws;

/// Messages that SQS gives at most at once.
const MOST: i32 = 10;

/// A queue of SQS; its calls block.
#[derive(Debug)]
pub struct SqsQueue {
    aws: Aws,
    client: Client,
    url: String,
    wait_s: i32,
}

impl SqsQueue {
    /// Takes a queue by its URL; a receive waits for up to `wait_s` seconds, at most 20.
    pub fn new(aws: Aws, config: &SdkConfig, url: &str, wait_s: i32) -> Self {
        Self { client: Client::new(config), aws, url: url.to_owned(), wait_s: wait_s.clamp(0, 20) }
    }

    /// Takes every queue of a comma-separated list of URLs, each in the region that its URL names, else the own.
    pub fn each(aws: &Aws, urls: &str, wait_s: i32) -> Vec<Box<dyn Queue>> {
        let urls: Vec<&str> = urls.split(',').map(str::trim).filter(|u| !u.is_empty()).collect();
        // Several queues are asked in turn: none may hold up the others for long.
        let wait_s = if urls.len() > 1 { wait_s.min(2) } else { wait_s };
        let own = aws.base().region().map(|r| r.as_ref().to_owned()).unwrap_or_default();
        let queue = |url: &str| -> Box<dyn Queue> {
            let config = aws.config(region_of(url).unwrap_or(&own), None);
            Box::new(Self::new(aws.clone(), &config, url, wait_s))
        };
        urls.into_iter().map(queue).collect()
    }

    fn failed<E>(&self, doing: &'static str, e: SdkError<E>) -> QueueError
    where
        E: std::error::Error + Send + Sync + 'static,
    {
        let source = format!("{}", DisplayErrorContext(e)).into();
        QueueError { queue: self.url.clone(), doing, source }
    }
}

/// Gives the region in a URL such as `https://sqs.eu-west-1.amazonaws.com/123456789012/forewarn`.
pub fn region_of(url: &str) -> Option<&str> {
    let host = url.split("://").nth(1)?.split('/').next()?;
    host.contains(".amazonaws.com").then(|| host.strip_prefix("sqs.")?.split('.').next()).flatten()
}

impl Queue for SqsQueue {
    fn name(&self) -> &str {
        &self.url
    }

    fn receive(&mut self) -> Result<Vec<Received>, QueueError> {
        let call = self.client.receive_message().queue_url(&self.url).max_number_of_messages(MOST);
        let call = call.message_system_attribute_names(MessageSystemAttributeName::SentTimestamp);
        let reply = self.aws.block_on(call.wait_time_seconds(self.wait_s).send());
        let reply = reply.map_err(|e| self.failed("receive", e))?;
        // A message without a receipt could never be deleted; SQS gives none such.
        let message = |m: aws_sdk_sqs::types::Message| {
            let sent =
                m.attributes.as_ref().and_then(|a| a.get(&MessageSystemAttributeName::SentTimestamp)?.parse().ok());
            let id = m.message_id.unwrap_or_default();
            Some(Received { id, receipt: m.receipt_handle?, body: m.body.unwrap_or_default(), sent_at: sent })
        };
        Ok(reply.messages.unwrap_or_default().into_iter().filter_map(message).collect())
    }

    fn delete(&mut self, receipts: &[String]) -> Result<Vec<String>, QueueError> {
        let mut left = Vec::new();
        for page in receipts.chunks(MOST as usize) {
            let mut entries = Vec::with_capacity(page.len());
            for (n, receipt) in page.iter().enumerate() {
                let entry = DeleteMessageBatchRequestEntry::builder().id(n.to_string()).receipt_handle(receipt).build();
                let failed = |e| QueueError { queue: self.url.clone(), doing: "delete", source: Box::new(e) };
                entries.push(entry.map_err(failed)?);
            }
            let call = self.client.delete_message_batch().queue_url(&self.url).set_entries(Some(entries));
            let reply = self.aws.block_on(call.send()).map_err(|e| self.failed("delete", e))?;
            let index = |e: &aws_sdk_sqs::types::BatchResultErrorEntry| e.id().parse::<usize>().ok();
            left.extend(reply.failed().iter().filter_map(index).filter_map(|n| page.get(n)).cloned());
        }
        Ok(left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_is_read_from_the_url() {
        assert_eq!(region_of("https://sqs.eu-west-1.amazonaws.com/123456789012/q"), Some("eu-west-1"));
        assert_eq!(region_of("http://127.0.0.1:5000/123456789012/q"), None);
        assert_eq!(region_of("q"), None);
    }
}
