//! Asks CloudWatch itself, over the SDK. The SDK tries nothing twice: the limiter is to see every throttle.

use super::api::{ApiError, DataRequest, ListRequest, MetricApi, MetricName, MetricPage, Points, Standing};
use super::api::{DataPage, MAX_POINTS, Query};
use super::classify::{ErrorDetails, classify};
use super::offset::Offset;
use aws_config::SdkConfig;
use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::config::retry::RetryConfig;
use aws_sdk_cloudwatch::config::timeout::TimeoutConfig;
use aws_sdk_cloudwatch::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{
    Dimension, Metric, MetricDataQuery, MetricDataResult, MetricStat, RecentlyActive, ScanBy, StatusCode,
};
use forewarn_runtime::aws::Aws;
use forewarn_runtime::clock::Clock;
use forewarn_runtime::time::real_duration;
use std::sync::Arc;
use std::time::Duration;

/// How long a connection may take, milliseconds.
const CONNECT_MS: u64 = 10_000;
/// How long a reply may take, milliseconds.
const REPLY_MS: u64 = 60_000;
/// The least of both, however quick the clock is: the other end goes by the real one.
const LEAST: Duration = Duration::from_secs(2);

/// CloudWatch of one account in one region.
#[derive(Debug)]
pub struct CloudWatch {
    aws: Aws,
    client: Client,
    offset: Offset,
}

impl CloudWatch {
    /// Makes a client.
    pub fn new(aws: &Aws, config: &SdkConfig, clock: Arc<dyn Clock>) -> Self {
        let offset = Offset::new(clock);
        let config = aws_sdk_cloudwatch::config::Builder::from(config)
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts())
            .interceptor(offset.clone())
            .build();
        Self { aws: aws.clone(), client: Client::from_conf(config), offset }
    }
}

/// Gives the timeouts of every call.
pub(super) fn timeouts() -> TimeoutConfig {
    let bound = |ms| real_duration(ms).max(LEAST);
    TimeoutConfig::builder()
        .connect_timeout(bound(CONNECT_MS))
        .read_timeout(bound(REPLY_MS))
        .operation_attempt_timeout(bound(REPLY_MS) + bound(CONNECT_MS))
        .build()
}

/// Names an error of the SDK.
pub(super) fn named<E: ProvideErrorMetadata>(error: &SdkError<E>, operation: &'static str) -> ApiError {
    match error {
        SdkError::ServiceError(e) => {
            let said = ErrorDetails {
                status: Some(e.raw().status().as_u16()),
                code: e.err().code(),
                message: e.err().message(),
            };
            classify(said, operation)
        }
        SdkError::ConstructionFailure(_) => {
            ApiError::Denied { operation, why: "the request could not be signed: there are no credentials".to_owned() }
        }
        SdkError::TimeoutError(_) => ApiError::Silent("no reply in time".to_owned()),
        SdkError::ResponseError(e) => {
            ApiError::Passing(format!("the reply can't be read (HTTP status {})", e.raw().status().as_u16()))
        }
        SdkError::DispatchFailure(e) => {
            let why = e.as_connector_error().map_or_else(|| "no credentials".to_owned(), |c| deepest(c));
            ApiError::Silent(why)
        }
        // The SDK may learn to fail in further ways.
        _ => ApiError::Passing("the SDK failed".to_owned()),
    }
}

/// Gives the last cause of an error, which says most about a connection.
fn deepest(error: &dyn std::error::Error) -> String {
    let mut at = error;
    while let Some(source) = at.source() {
        at = source;
    }
    at.to_string()
}

impl MetricApi for CloudWatch {
    fn list_metrics(&self, request: &ListRequest<'_>) -> Result<MetricPage, ApiError> {
        let call = self
            .client
            .list_metrics()
            .namespace(request.namespace)
            .set_metric_name(request.metric.map(str::to_owned))
            .set_recently_active(request.recently_active.then_some(RecentlyActive::Pt3H))
            .set_next_token(request.token.clone());
        let reply = self.aws.block_on(call.send()).map_err(|e| named(&e, "cloudwatch:ListMetrics"))?;
        Ok(MetricPage {
            metrics: reply.metrics.unwrap_or_default().into_iter().filter_map(name).collect(),
            next: reply.next_token.filter(|t| !t.is_empty()),
        })
    }

    fn get_metric_data(&self, request: &DataRequest<'_>) -> Result<DataPage, ApiError> {
        let call = self
            .client
            .get_metric_data()
            .start_time(DateTime::from_millis(request.from))
            .end_time(DateTime::from_millis(request.to))
            .scan_by(ScanBy::TimestampDescending)
            .max_datapoints(MAX_POINTS as i32)
            .set_metric_data_queries(Some(request.queries.iter().enumerate().map(|(i, q)| query(i, q)).collect()))
            .set_next_token(request.token.clone());
        let reply = self.aws.block_on(call.send()).map_err(|e| named(&e, "cloudwatch:GetMetricData"))?;
        Ok(DataPage {
            results: reply.metric_data_results.unwrap_or_default().into_iter().filter_map(points).collect(),
            next: reply.next_token.filter(|t| !t.is_empty()),
        })
    }

    fn clock_offset_ms(&self) -> Option<i64> {
        self.offset.millis()
    }
}

fn name(metric: Metric) -> Option<MetricName> {
    let mut dimensions: Vec<(String, String)> =
        metric.dimensions.unwrap_or_default().into_iter().filter_map(|d| Some((d.name?, d.value?))).collect();
    dimensions.sort();
    Some(MetricName { namespace: metric.namespace?, metric: metric.metric_name?, dimensions })
}

fn query(i: usize, q: &Query<'_>) -> MetricDataQuery {
    let dimensions = q.metric.dimensions.iter().map(|(n, v)| Dimension::builder().name(n).value(v).build()).collect();
    let metric = Metric::builder()
        .namespace(&q.metric.namespace)
        .metric_name(&q.metric.metric)
        .set_dimensions(Some(dimensions))
        .build();
    let stat = MetricStat::builder().metric(metric).period(q.period_s).stat(q.stat).build();
    MetricDataQuery::builder().id(format!("q{i}")).metric_stat(stat).return_data(true).build()
}

fn points(result: MetricDataResult) -> Option<Points> {
    let query = result.id?.strip_prefix('q')?.parse().ok()?;
    let standing = match result.status_code {
        None | Some(StatusCode::Complete) => Standing::Complete,
        Some(StatusCode::PartialData) => Standing::Partial,
        Some(StatusCode::Forbidden) => Standing::Refused,
        // An internal error; and whatever AWS adds is no promise that everything is there.
        Some(_) => Standing::Failed,
    };
    let millis = |t: DateTime| t.secs().saturating_mul(1000).saturating_add(i64::from(t.subsec_nanos() / 1_000_000));
    let ts = result.timestamps.unwrap_or_default().into_iter().map(millis).collect();
    Some(Points { query, ts, values: result.values.unwrap_or_default(), standing })
}
