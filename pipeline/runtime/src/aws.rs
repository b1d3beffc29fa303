//! Reaches AWS: the SDK's configuration for each account and region, and a runtime to call it from blocking code.

use aws_config::sts::AssumeRoleProvider;
use aws_config::timeout::TimeoutConfig;
use aws_config::{ConfigLoader, SdkConfig};
use aws_credential_types::provider::ProvideCredentials;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Runtime;

/// Longest wait for a connection.
const CONNECT: Duration = Duration::from_secs(3);
/// Longest wait for one answer whole: a long poll of SQS takes twenty seconds.
const ATTEMPT: Duration = Duration::from_secs(30);
/// Longest wait for a call with what the SDK tries again.
const CALL: Duration = Duration::from_secs(75);

/// Explains why AWS cannot be reached at all.
#[derive(Debug, thiserror::Error)]
pub enum AwsError {
    /// The runtime did not start.
    #[error("cannot start the network runtime")]
    Runtime(#[source] std::io::Error),
    /// There are no credentials.
    #[error("no AWS credentials found; set AWS_PROFILE, log in, or give the machine a role")]
    NoCredentials,
    /// There is no region.
    #[error("no AWS region is set; give --regions, set AWS_REGION, or put a region into the profile")]
    NoRegion,
    /// There is no such role name.
    #[error("role {0:?} is no role ARN, such as arn:aws:iam::123456789012:role/forewarn-read")]
    Role(String),
}

/// A role to take on in another account.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Role {
    pub arn: String,
    /// The external id that its trust policy asks for.
    pub external_id: Option<String>,
}

impl Role {
    /// Gives the account that the role is in: the fifth part of its ARN.
    ///
    /// # Errors
    /// When that is no account id.
    pub fn account(&self) -> Result<&str, AwsError> {
        let account = self.arn.split(':').nth(4).filter(|a| a.len() == 12 && a.bytes().all(|b| b.is_ascii_digit()));
        account.ok_or_else(|| AwsError::Role(self.arn.clone()))
    }
}

/// The way to AWS. Its calls block: they are made from threads, never from inside an async task.
#[derive(Debug, Clone)]
pub struct Aws {
    runtime: Arc<Runtime>,
    base: SdkConfig,
}

impl Aws {
    /// Loads what the SDK finds in environment, profile and machine; nothing is called yet.
    ///
    /// # Errors
    /// When the runtime does not start.
    pub fn load() -> Result<Self, AwsError> {
        Self::load_with(|loader| loader)
    }

    /// Loads as [`Aws::load`] does, with some of it said here: another endpoint, a region, keys.
    ///
    /// # Errors
    /// When the runtime does not start.
    pub fn load_with(say: impl FnOnce(ConfigLoader) -> ConfigLoader) -> Result<Self, AwsError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("aws")
            .enable_all()
            .build()
            .map_err(AwsError::Runtime)?;
        let bounded = aws_config::defaults(aws_config::BehaviorVersion::latest()).timeout_config(timeouts());
        let base = runtime.block_on(say(bounded).load());
        Ok(Self { runtime: Arc::new(runtime), base })
    }

    /// The configuration of the own account in its own region.
    pub fn base(&self) -> &SdkConfig {
        &self.base
    }

    /// The region that the environment or the profile names.
    ///
    /// # Errors
    /// When none does.
    pub fn region(&self) -> Result<&str, AwsError> {
        self.base.region().map(AsRef::as_ref).ok_or(AwsError::NoRegion)
    }

    /// Makes the configuration for a region, and for another account where a role is given.
    pub fn config(&self, region: &str, role: Option<&Role>) -> SdkConfig {
        let region = aws_config::Region::new(region.to_owned());
        let mut builder = self.base.to_builder().region(region.clone());
        if let Some(role) = role {
            let mut provider =
                AssumeRoleProvider::builder(&role.arn).configure(&self.base).region(region).session_name("forewarn");
            if let Some(id) = &role.external_id {
                provider = provider.external_id(id);
            }
            let provider = self.block_on(provider.build());
            builder =
                builder.credentials_provider(aws_credential_types::provider::SharedCredentialsProvider::new(provider));
        }
        builder.build()
    }

    /// Checks that there are credentials.
    ///
    /// # Errors
    /// When there are none.
    pub fn check_credentials(&self, config: &SdkConfig) -> Result<(), AwsError> {
        let provider = config.credentials_provider().ok_or(AwsError::NoCredentials)?;
        self.block_on(provider.provide_credentials()).map(|_| ()).map_err(|_| AwsError::NoCredentials)
    }

    /// Runs a future to its end, which is a sign of life of the part that this thread works for.
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        let output = self.runtime.block_on(future);
        crate::pulse::beat();
        output
    }
}

/// Gives the bounds of every call of every client: an endpoint that accepts and says nothing holds nobody for ever.
fn timeouts() -> TimeoutConfig {
    let bounds = TimeoutConfig::builder().connect_timeout(CONNECT).operation_attempt_timeout(ATTEMPT);
    bounds.operation_timeout(CALL).build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_names_its_account() {
        let role = |arn: &str| Role { arn: arn.to_owned(), external_id: None };
        assert_eq!(role("arn:aws:iam::123456789012:role/read").account().unwrap(), "123456789012");
        assert!(role("read").account().is_err());
    }
}
