//! Makes the calls: each again when it failed for now, with waits by the injected clock, counted.

use super::call_error::{self, CallError};
use crate::stream::port::StreamError;
use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::config::Builder;
use aws_sdk_kinesis::config::retry::RetryConfig;
use aws_sdk_kinesis::config::timeout::TimeoutConfig;
use aws_sdk_kinesis::error::{ProvideErrorMetadata, SdkError};
use forewarn_runtime::aws::Aws;
use forewarn_runtime::backoff::{Backoff, TRIES};
use forewarn_runtime::context::RuntimeContext;
use forewarn_runtime::metrics::Call;
use std::time::Duration;

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(5);
/// How long a call may take.
const ATTEMPT: Duration = Duration::from_secs(30);

/// A call that failed for good.
#[derive(Debug)]
pub(super) struct Failed {
    /// What that means.
    pub(super) trouble: CallError,
    /// What to say.
    pub(super) error: StreamError,
}

impl From<Failed> for StreamError {
    fn from(failed: Failed) -> Self {
        failed.error
    }
}

/// The way to one stream.
#[derive(Debug)]
pub(super) struct Api {
    pub(super) aws: Aws,
    pub(super) client: Client,
    pub(super) stream: String,
    /// How the stream is called in messages and checkpoints: `kinesis:REGION:NAME`.
    pub(super) label: String,
    pub(super) ctx: RuntimeContext,
    backoff: Backoff,
}

impl Api {
    /// Prepares the way; nothing is called yet.
    pub(super) fn new(aws: Aws, stream: &str, ctx: RuntimeContext) -> Result<Self, StreamError> {
        let region = aws.region().map_err(|e| StreamError::unavailable(format!("kinesis:{stream}"), "reach AWS", e))?;
        let label = format!("kinesis:{region}:{stream}");
        // Tried again here, by the clock that we are handed, and counted: the SDK must not do so by itself.
        let config = Builder::from(aws.base())
            .retry_config(RetryConfig::disabled())
            .timeout_config(
                TimeoutConfig::builder().connect_timeout(CONNECT).operation_attempt_timeout(ATTEMPT).build(),
            )
            .build();
        let seed = ctx.clock.now_ms().unsigned_abs() ^ (u64::from(std::process::id()) << 32);
        let client = Client::from_conf(config);
        Ok(Self { aws, client, stream: stream.to_owned(), label, ctx, backoff: Backoff::seeded(seed) })
    }

    /// Prepares another way to the same stream, for another thread.
    pub(super) fn beside(&mut self) -> Self {
        let Self { aws, client, stream, label, ctx, backoff } = self;
        let seed = backoff.seed();
        let (aws, client, stream) = (aws.clone(), client.clone(), stream.clone());
        Self { aws, client, stream, label: label.clone(), ctx: ctx.clone(), backoff: Backoff::seeded(seed) }
    }

    /// Makes a call, again where it failed for now, at most [`TRIES`] times.
    pub(super) fn call<T, E, F>(
        &mut self,
        operation: &'static str,
        doing: &str,
        once: impl Fn(&Client) -> F,
    ) -> Result<T, Failed>
    where
        F: Future<Output = Result<T, SdkError<E>>>,
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        self.call_unless(|_| false, operation, doing, once)
    }

    /// Makes a call as [`Api::call`] does, but once where it was too much: whoever asked is to ask for less.
    pub(super) fn call_sized<T, E, F>(
        &mut self,
        operation: &'static str,
        doing: &str,
        once: impl Fn(&Client) -> F,
    ) -> Result<T, Failed>
    where
        F: Future<Output = Result<T, SdkError<E>>>,
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        self.call_unless(|trouble| trouble == CallError::Throttled, operation, doing, once)
    }

    fn call_unless<T, E, F>(
        &mut self,
        ends: impl Fn(CallError) -> bool,
        operation: &'static str,
        doing: &str,
        once: impl Fn(&Client) -> F,
    ) -> Result<T, Failed>
    where
        F: Future<Output = Result<T, SdkError<E>>>,
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let label = Call { service: "kinesis", operation };
        let mut failed = 0;
        loop {
            self.ctx.metrics.calls.get_or_create(&label).inc();
            let error = match self.aws.block_on(once(&self.client)) {
                Ok(answer) => {
                    self.ctx.metrics.answered(&label);
                    return Ok(answer);
                }
                Err(e) => e,
            };
            self.ctx.metrics.failed(&label);
            failed += 1;
            let trouble = call_error::of(&error);
            if trouble == CallError::Throttled {
                self.ctx.metrics.throttles.get_or_create(&label).inc();
            }
            let again =
                matches!(trouble, CallError::Throttled | CallError::Passing) && failed < TRIES && !ends(trouble);
            if !again || !self.wait(failed) {
                return Err(Failed { trouble, error: StreamError::unavailable(&self.label, doing, error) });
            }
            self.ctx.metrics.retries.get_or_create(&label).inc();
            tracing::debug!(operation, failed, error = %error, "calling again");
        }
    }

    /// Waits before an operation is called again after so many failures, and counts it; says whether the whole time has passed.
    pub(super) fn wait_and_count(&mut self, operation: &'static str, failed: u32) -> bool {
        self.ctx.metrics.retries.get_or_create(&Call { service: "kinesis", operation }).inc();
        self.wait(failed)
    }

    /// Waits after so many failures; says whether the whole time has passed.
    pub(super) fn wait(&mut self, failed: u32) -> bool {
        let ms = self.backoff.wait_ms(failed);
        self.ctx.clock.pause(ms, &self.ctx.stop)
    }
}
