//! Asks an application whether it is well.

use super::super::AwsRecovery;
use super::super::commands::probe;
use bytes::Bytes;
use forewarn_recovery::facts::Read;
use forewarn_runtime::time::real_duration;
use http::Uri;
use http_body_util::Empty;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

/// How long an application may take to answer, milliseconds.
const ANSWER_MS: u64 = 3_000;
/// How long between two questions, milliseconds.
const BETWEEN_MS: u64 = 500;

/// What is asked, and from where.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Probe {
    /// From here.
    Here(Uri),
    /// From the instance itself.
    There(String),
}

impl Probe {
    /// Reads an endpoint; `{host}` in it is the instance's private address.
    pub(super) fn new(endpoint: &str, private_ip: Option<&str>) -> Result<Self, String> {
        let has_host = endpoint.contains("{host}");
        let Some(ip) = private_ip.or((!has_host).then_some("")) else {
            return Err(format!("{endpoint} can't be asked: the instance has no private address"));
        };
        let asked = endpoint.replace("{host}", ip);
        let uri: Uri = asked.parse().map_err(|e| format!("health endpoint {asked}: {e}"))?;
        let host = uri.host().ok_or_else(|| format!("health endpoint {asked}: it names no host"))?;
        if !has_host && ["localhost", "127.0.0.1", "[::1]"].contains(&host) {
            return Ok(Self::There(asked));
        }
        if uri.scheme_str() != Some("http") {
            return Err(format!("health endpoint {asked}: only http:// can be asked from here"));
        }
        Ok(Self::Here(uri))
    }

    /// Asks so many times in a row; the first that fails ends it.
    pub(super) async fn passes(&self, aws: &AwsRecovery, instance: &str, times: usize) -> Read<bool> {
        match self {
            Self::Here(uri) => Read::Known(answers(uri, times).await),
            Self::There(endpoint) => there(aws, instance, endpoint, times).await,
        }
    }
}

/// Localhost is the instance's own, and is asked there; the first answer that is not well ends it.
async fn there(aws: &AwsRecovery, instance: &str, endpoint: &str, times: usize) -> Read<bool> {
    for _ in 1..times {
        let answer = probe(aws, instance, endpoint).await;
        if answer != Read::Known(true) {
            return answer;
        }
    }
    probe(aws, instance, endpoint).await
}

async fn answers(uri: &Uri, times: usize) -> bool {
    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
    for n in 0..times {
        if n > 0 {
            tokio::time::sleep(real_duration(BETWEEN_MS)).await;
        }
        if !answers_once(&client, uri).await {
            return false;
        }
    }
    true
}

async fn answers_once(client: &Client<HttpConnector, Empty<Bytes>>, uri: &Uri) -> bool {
    let answer = tokio::time::timeout(real_duration(ANSWER_MS), client.get(uri.clone())).await;
    matches!(answer, Ok(Ok(response)) if response.status().is_success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_asked_from_here_or_there() {
        let here = |text: &str| Probe::Here(text.parse().unwrap());
        assert_eq!(Probe::new("http://{host}:8080/health", Some("10.0.0.7")), Ok(here("http://10.0.0.7:8080/health")));
        assert_eq!(Probe::new("http://app.internal/", None), Ok(here("http://app.internal/")));
        let local = "http://localhost:8080/health";
        assert_eq!(Probe::new(local, Some("10.0.0.7")), Ok(Probe::There(local.to_owned())));
        for bad in ["https://{host}/", "{host}", "/health", "http://", "ftp://app/"] {
            assert!(Probe::new(bad, Some("10.0.0.7")).is_err(), "{bad}");
        }
        assert!(Probe::new("http://{host}/", None).is_err());
    }
}
