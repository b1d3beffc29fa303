//! The form `opentelemetry1.0`: messages `ExportMetricsServiceRequest`, each with its length before it.
//!
//! Fields and tags: opentelemetry-proto v1.0.0, `metrics.proto`, `common.proto`; attributes: "Amazon CloudWatch User Guide", translation
//! of metrics into OpenTelemetry 1.0.

pub(super) mod message;

use super::batch::Batches;
use super::{PERIOD_S, Point};
use forewarn_events::Reason;
use message::{KeyValue, Request, SummaryDataPoint};
use prost::Message;

pub(super) fn read(mut plain: &[u8], batches: &mut Batches) -> Result<(), Reason> {
    let broken = |e: prost::DecodeError| Reason::Damaged { what: format!("protobuf: {e}") };
    while !plain.is_empty() {
        let request = Request::decode_length_delimited(&mut plain).map_err(broken)?;
        for resource in &request.resource_metrics {
            let attributes = resource.resource.as_ref().map_or(&[][..], |r| &r.attributes);
            let account = text(attributes, "cloud.account.id").unwrap_or("unknown");
            let region = text(attributes, "cloud.region").unwrap_or("unknown");
            let metrics = resource.scope_metrics.iter().flat_map(|s| &s.metrics);
            for point in metrics.filter_map(|m| m.summary.as_ref()).flat_map(|s| &s.data_points) {
                batches.add(&of_point(account, region, point)?)?;
            }
        }
    }
    Ok(())
}

fn of_point<'a>(account: &'a str, region: &'a str, point: &'a SummaryDataPoint) -> Result<Point<'a>, Reason> {
    let need =
        |key: &str| text(&point.attributes, key).ok_or_else(|| Reason::Missing { path: format!("attributes.{key}") });
    let dimensions = point.attributes.iter().find(|a| a.key == "Dimensions").and_then(KeyValue::list).unwrap_or(&[]);
    let dimensions = dimensions.iter().filter_map(|d| Some((d.key.as_str(), d.text()?))).collect();
    let period_ns = i64::from(PERIOD_S) * 1_000_000_000;
    let start = match point.start_time_unix_nano {
        0 => i64::try_from(point.time_unix_nano).unwrap_or(i64::MAX).saturating_sub(period_ns),
        start => i64::try_from(start).unwrap_or(i64::MAX),
    };
    #[expect(clippy::float_cmp, reason = "the quantile of the greatest value is exactly one")]
    let max = point.quantile_values.iter().find(|q| q.quantile == 1.0).map(|q| q.value);
    Ok(Point {
        account,
        region,
        namespace: need("Namespace")?,
        metric: need("MetricName")?,
        dimensions,
        ts: start.div_euclid(1_000_000),
        max,
        sum: point.sum,
        count: point.count as f64,
    })
}

fn text<'a>(attributes: &'a [KeyValue], key: &str) -> Option<&'a str> {
    attributes.iter().find(|a| a.key == key).and_then(KeyValue::text)
}
