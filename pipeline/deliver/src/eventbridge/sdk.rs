//! Calls `PutEvents` through the SDK.

use super::entry::Entry;
use super::{EventBridgeBus, Fault, PutEvents};
use crate::fault::Remedy;
use crate::memory::BusMemory;
use aws_sdk_eventbridge::config::retry::RetryConfig;
use aws_sdk_eventbridge::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_eventbridge::primitives::{DateTime, DateTimeFormat};
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use aws_sdk_eventbridge::{Client, Config};
use forewarn_runtime::aws::{Aws, AwsError};
use forewarn_runtime::clock::Clock;
use forewarn_runtime::interrupt::Interrupt;
use forewarn_runtime::metrics::Metrics;
use std::sync::Arc;

/// The SDK's client for one bus.
#[derive(Debug)]
pub struct SdkPutEvents {
    aws: Aws,
    client: Client,
    bus: String,
}

impl EventBridgeBus<SdkPutEvents> {
    /// Opens a bus by name or ARN; nothing is called yet. An ARN says the region, otherwise the SDK's own is taken.
    ///
    /// # Errors
    /// When there is no region.
    pub fn open(
        aws: &Aws,
        bus: &str,
        clock: Arc<dyn Clock>,
        stop: Interrupt,
        metrics: Arc<Metrics>,
        memory: Box<dyn BusMemory>,
    ) -> Result<Self, AwsError> {
        let region = match region_of(bus) {
            Some(region) => region,
            None => aws.region()?,
        };
        // Retries are ours: they are counted, and the clock is one that is handed in.
        let config: Config = aws_sdk_eventbridge::config::Builder::from(&aws.config(region, None))
            .retry_config(RetryConfig::disabled())
            .build();
        let put = SdkPutEvents { aws: aws.clone(), client: Client::from_conf(config), bus: bus.to_owned() };
        Ok(Self::new(bus.to_owned(), put, clock, stop, metrics, memory))
    }
}

/// Gives the region that a bus's ARN names.
pub fn region_of(bus: &str) -> Option<&str> {
    bus.strip_prefix("arn:")?.split(':').nth(2).filter(|r| !r.is_empty())
}

impl PutEvents for SdkPutEvents {
    fn put(&mut self, entries: &[&Entry]) -> Result<Vec<Option<Fault>>, Fault> {
        let mut call = self.client.put_events();
        for entry in entries {
            let time = DateTime::from_str(&entry.time, DateTimeFormat::DateTime).map_err(|e| Fault {
                code: "InvalidTime".to_owned(),
                message: e.to_string(),
                remedy: Remedy::Park,
            })?;
            let entry = PutEventsRequestEntry::builder()
                .event_bus_name(&self.bus)
                .source(&entry.source)
                .detail_type(&entry.detail_type)
                .time(time)
                .detail(&entry.detail)
                .set_resources(Some(entry.resources.clone()))
                .build();
            call = call.entries(entry);
        }
        let reply = self.aws.block_on(call.send()).map_err(|e| fault(&e))?;
        let of = |e: &aws_sdk_eventbridge::types::PutEventsResultEntry| {
            e.error_code().map(|code| Fault::of_entry(code, e.error_message().unwrap_or("no reason given")))
        };
        Ok(reply.entries().iter().map(of).collect())
    }
}

/// Says what became of a call: what AWS answered decides whether to try again, and what never got through is tried again.
#[expect(clippy::wildcard_enum_match_arm, reason = "the SDK may add kinds, and what never got through is one case")]
fn fault<E: ProvideErrorMetadata + std::error::Error + 'static>(e: &SdkError<E>) -> Fault {
    let message = aws_sdk_eventbridge::error::DisplayErrorContext(e).to_string();
    match e {
        SdkError::ServiceError(s) => {
            let fault = Fault::of_call(s.err().code().unwrap_or("ServiceError"), s.err().message().unwrap_or(&message));
            let failed = s.raw().status().is_server_error();
            Fault { remedy: if failed { Remedy::Retry } else { fault.remedy }, ..fault }
        }
        SdkError::ConstructionFailure(_) => Fault { code: "Construction".to_owned(), message, remedy: Remedy::Hold },
        SdkError::ResponseError(_) => Fault { code: "UnreadableReply".to_owned(), message, remedy: Remedy::Retry },
        _ => {
            // Without credentials no try will help.
            let remedy = if message.contains("credentials") { Remedy::Hold } else { Remedy::Retry };
            Fault { code: "Unreachable".to_owned(), message, remedy }
        }
    }
}
