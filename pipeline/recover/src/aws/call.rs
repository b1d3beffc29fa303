//! Calls of AWS, and what a failed one tells: whether it had no effect for sure, or nobody knows.

use super::super::ports::StepOutcome;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{Region, SdkConfig};
use aws_sdk_ec2::error::{ProvideErrorMetadata, SdkError};
use forewarn_runtime::telemetry::causes;
use forewarn_runtime::time::real_duration;

/// How long one call may take, milliseconds: a step makes six at most, and has a minute.
const CALL_MS: u64 = 10_000;
/// How long it may take until somebody answers at all, milliseconds.
const CONNECT_MS: u64 = 3_000;
/// How long many reads may take together, milliseconds.
const TOGETHER_MS: u64 = 50_000;

/// Codes by which AWS says that it did nothing, though some come as a server's error.
const REFUSALS: [&str; 12] = [
    "InsufficientInstanceCapacity",
    "InsufficientHostCapacity",
    "InsufficientReservedInstanceCapacity",
    "InsufficientAddressCapacity",
    "InsufficientVolumeCapacity",
    "RequestLimitExceeded",
    "Throttling",
    "ThrottlingException",
    "RequestThrottled",
    "TooManyRequestsException",
    "ServiceUnavailable",
    "Unavailable",
];

/// Why AWS did not do what it was asked, and whether it may have done it all the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CallError {
    /// AWS's code; empty where AWS did not answer.
    pub(super) code: String,
    /// What was called and what came of it, in words.
    pub(super) words: String,
    /// Whether it had no effect, for sure.
    pub(super) definitely_not_applied: bool,
}

impl CallError {
    /// Says what `SDK` gave for a call such as `ec2:StopInstances`.
    #[expect(clippy::wildcard_enum_match_arm, reason = "the SDK may learn to fail in further ways")]
    pub(super) fn of<E>(call: &str, e: &SdkError<E>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        match e {
            SdkError::ServiceError(s) => {
                let code = s.err().code().unwrap_or_default().to_owned();
                let message = s.err().message().unwrap_or("no reason given");
                let definitely_not_applied = !s.raw().status().is_server_error() || REFUSALS.contains(&code.as_str());
                Self { words: format!("{call}: {code}: {message}"), code, definitely_not_applied }
            }
            SdkError::ConstructionFailure(_) => Self::silent(call, &causes(e), true),
            other => Self::silent(call, &causes(other), false),
        }
    }

    fn silent(call: &str, why: &str, definitely_not_applied: bool) -> Self {
        Self { code: String::new(), words: format!("{call}: {why}"), definitely_not_applied }
    }

    /// Says whether nobody answered, or nobody who could.
    fn is_silence(&self) -> bool {
        self.code.is_empty() || matches!(self.code.as_str(), "ServiceUnavailable" | "Unavailable" | "InternalFailure")
    }

    /// Gives what it tells of the step that made the call.
    pub(super) fn outcome(self) -> StepOutcome {
        if self.definitely_not_applied { StepOutcome::Failed(self.words) } else { StepOutcome::Unknown(self.words) }
    }

    /// Gives the same where earlier calls of the step may have had an effect: of that a failed read tells nothing.
    pub(super) fn unknown(self) -> StepOutcome {
        StepOutcome::Unknown(self.words)
    }
}

/// For reads, of which it does not matter whether they arrived.
impl From<CallError> for String {
    fn from(error: CallError) -> Self {
        error.words
    }
}

/// Waits for a call, such as `ec2:StopInstances`.
pub(super) async fn ask<T, E>(call: &str, sent: impl Future<Output = Result<T, SdkError<E>>>) -> Result<T, CallError>
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    sent.await.map_err(|e| CallError::of(call, &e))
}

/// Waits for many reads together, as long as what asks for them may take.
pub(super) async fn bounded<T>(reads: impl Future<Output = T>) -> Result<T, String> {
    let read = tokio::time::timeout(real_duration(TOGETHER_MS), reads).await;
    read.map_err(|_| format!("AWS took more than {} s to answer", TOGETHER_MS / 1000))
}

/// Takes the SDK's own retries away: a call without a token must not be made twice unseen; and bounds its time.
pub(super) fn without_retries(config: &SdkConfig) -> SdkConfig {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(real_duration(CONNECT_MS))
        .operation_timeout(real_duration(CALL_MS))
        .build();
    config.to_builder().retry_config(RetryConfig::disabled()).timeout_config(timeouts).build()
}

/// Regions that are asked who we are when the own one does not answer.
const OTHERS: [&str; 2] = ["us-east-1", "eu-west-1"];

/// Asks who we are: the own region, and others where that is dark.
pub(super) async fn account(config: &SdkConfig) -> Result<String, String> {
    let own = ask_account(config).await;
    if own.as_ref().is_err_and(CallError::is_silence) {
        for region in OTHERS {
            let there = config.to_builder().region(Region::new(region)).build();
            if let Ok(account) = ask_account(&there).await {
                return Ok(account);
            }
        }
    }
    Ok(own?)
}

async fn ask_account(config: &SdkConfig) -> Result<String, CallError> {
    const CALL: &str = "sts:GetCallerIdentity";
    let reply = ask(CALL, aws_sdk_sts::Client::new(config).get_caller_identity().send()).await?;
    reply.account.ok_or_else(|| CallError::silent(CALL, "the reply names no account", true))
}
