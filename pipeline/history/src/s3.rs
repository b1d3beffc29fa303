//! Opens S3 with the credentials that the AWS SDK would use.

use super::error::{HistoryError, Result};
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use object_store::aws::{AmazonS3Builder, AwsCredential};
use object_store::{ClientOptions, CredentialProvider, ObjectStore, RetryConfig};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// Longest wait for a connection.
const CONNECT: Duration = Duration::from_secs(3);
/// Longest wait for one object whole.
const REQUEST: Duration = Duration::from_mins(2);
/// Nothing is tried again after this.
const RETRY: Duration = Duration::from_mins(1);

/// The variables that name another endpoint, the more specific first, as the AWS SDKs read them.
const ENDPOINTS: [&str; 2] = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"];

/// Opens a bucket. Plain HTTP is allowed only towards an endpoint that the environment names so.
pub(super) async fn open(location: &str, bucket: &str) -> Result<Arc<dyn ObjectStore>> {
    let config = aws_config::defaults(aws_config::BehaviorVersion::latest()).load().await;
    let Some(provider) = config.credentials_provider() else {
        let why = "no AWS credentials found; set AWS_PROFILE, log in, or give the machine a role".to_owned();
        return Err(HistoryError::Location { location: location.to_owned(), why });
    };
    let region = config.region().map_or_else(|| "us-east-1".to_owned(), ToString::to_string);
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(bucket)
        .with_region(region)
        .with_client_options(ClientOptions::new().with_connect_timeout(CONNECT).with_timeout(REQUEST))
        .with_retry(RetryConfig { retry_timeout: RETRY, ..RetryConfig::default() })
        .with_credentials(Arc::new(Bridge(provider)));
    let endpoint = ENDPOINTS.iter().find_map(|name| std::env::var(name).ok().filter(|v| !v.is_empty()));
    if let Some(url) = endpoint {
        builder = builder.with_allow_http(url.starts_with("http://")).with_endpoint(url);
    }
    let built = builder.build();
    let store = built.map_err(|source| HistoryError::Remote { action: "open", path: location.to_owned(), source })?;
    Ok(Arc::new(store))
}

/// Hands the SDK's credentials, refreshed when they expire, to the object store.
#[derive(Debug)]
struct Bridge(SharedCredentialsProvider);

impl CredentialProvider for Bridge {
    type Credential = AwsCredential;

    fn get_credential<'a, 'b>(
        &'a self,
    ) -> Pin<Box<dyn Future<Output = object_store::Result<Arc<AwsCredential>>> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        Box::pin(async move {
            let found = self.0.provide_credentials().await;
            let found = found.map_err(|e| object_store::Error::Generic { store: "S3", source: Box::new(e) })?;
            Ok(Arc::new(AwsCredential {
                key_id: found.access_key_id().to_owned(),
                secret_key: found.secret_access_key().to_owned(),
                token: found.session_token().map(str::to_owned),
            }))
        })
    }
}
