//! Wakes the executor's function by a delayed message of SQS.

use crate::invocation::Wake;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::DisplayErrorContext;
use forewarn_events::sqs::region_of;
use forewarn_runtime::aws::Aws;

/// Wakes a function by a delayed message to a queue that invokes it.
#[derive(Debug)]
pub struct SqsWake {
    aws: Aws,
    client: Client,
    url: String,
}

impl SqsWake {
    /// Takes a queue by its URL, in the region that its URL names, else the own.
    pub fn new(aws: &Aws, url: &str) -> Self {
        let own = aws.base().region().map(|r| r.as_ref().to_owned()).unwrap_or_default();
        let config = aws.config(region_of(url).unwrap_or(&own), None);
        Self { aws: aws.clone(), client: Client::new(&config), url: url.to_owned() }
    }
}

impl Wake for SqsWake {
    fn after(&self, seconds: i32) -> Result<(), String> {
        let body = r#"{"wake": true}"#;
        let call = self.client.send_message().queue_url(&self.url).message_body(body).delay_seconds(seconds);
        match self.aws.block_on(call.send()) {
            Ok(_) => Ok(()),
            Err(e) => Err(format!("sqs:SendMessage to {}: {}", self.url, DisplayErrorContext(e))),
        }
    }
}
