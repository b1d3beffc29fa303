//! Calls of AWS, and what a failed one tells: whether it had no effect for sure, or nobody knows.

use super::super::hands::Reply;
use crate::aws::Aws;
use crate::telemetry::causes;
use crate::time::real_duration;
use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_ec2::error::{ProvideErrorMetadata, SdkError};

/// How long one call may take, milliseconds: a step makes six at most, and has a minute.
const CALL_MS: u64 = 10_000;
/// How long it may take until somebody answers at all, milliseconds.
const CONNECT_MS: u64 = 3_000;

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

/// A call that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trouble {
    /// AWS's code; empty where AWS did not answer.
    pub(super) code: String,
    /// What was called and what came of it, in words.
    pub(super) words: String,
    /// Whether it had no effect, for sure.
    pub(super) certain: bool,
}

impl Trouble {
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
                let certain = !s.raw().status().is_server_error() || REFUSALS.contains(&code.as_str());
                Self { words: format!("{call}: {code}: {message}"), code, certain }
            }
            SdkError::ConstructionFailure(_) => Self::silent(call, &causes(e), true),
            other => Self::silent(call, &causes(other), false),
        }
    }

    fn silent(call: &str, why: &str, certain: bool) -> Self {
        Self { code: String::new(), words: format!("{call}: {why}"), certain }
    }

    /// Makes it a step's reply.
    pub(super) fn reply(self) -> Reply {
        if self.certain { Reply::Failed(self.words) } else { Reply::Unknown(self.words) }
    }
}

/// Takes the SDK's own retries away: a call without a token must not be made twice unseen; and bounds its time.
pub(super) fn without_retries(config: &SdkConfig) -> SdkConfig {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(real_duration(CONNECT_MS))
        .operation_timeout(real_duration(CALL_MS))
        .build();
    config.to_builder().retry_config(RetryConfig::disabled()).timeout_config(timeouts).build()
}

/// Asks who we are.
pub(super) fn account(aws: &Aws, config: &SdkConfig) -> Result<String, String> {
    let reply = aws.block_on(aws_sdk_sts::Client::new(config).get_caller_identity().send());
    let reply = reply.map_err(|e| Trouble::of("sts:GetCallerIdentity", &e).words)?;
    reply.account.ok_or_else(|| "the reply names no account".to_owned())
}
