//! The form `opentelemetry1.0`: messages `ExportMetricsServiceRequest`, each with its length before it.
//!
//! Fields and tags: opentelemetry-proto v1.0.0, `metrics.proto`, `common.proto`; attributes: "Amazon CloudWatch User Guide", translation
//! of metrics into OpenTelemetry 1.0.

pub(super) mod message;

use super::batch::Batches;
use super::{Halt, Point, period};
use forewarn_events::Reason;
use message::{KeyValue, Request, SummaryDataPoint};
use prost::Message;
use std::io::{BufRead, Read};

/// Longest message: a record of Firehose has 1,000 KiB at most, and a message lies in one.
const MAX_MESSAGE: u64 = 4 << 20;
/// Longest length, as protobuf writes it.
const MAX_VARINT: u32 = 10;

pub(super) fn read(plain: &mut impl BufRead, batches: &mut Batches<'_>) -> Result<(), Halt> {
    let mut record = 0;
    while let Some(message) = next_message(plain)? {
        match Request::decode(message.as_slice()) {
            Ok(request) => points(&request, &mut record, batches)?,
            Err(e) => {
                record += 1;
                batches.tally.skip(record, Reason::Damaged { what: format!("protobuf: {e}") });
            }
        }
    }
    Ok(())
}

/// Reads a message by the length before it; none at the end.
fn next_message(plain: &mut impl BufRead) -> Result<Option<Vec<u8>>, Halt> {
    let broken = |what: &str| Err(Halt::Broken(Reason::Damaged { what: format!("protobuf: {what}") }));
    let mut length = 0_u64;
    for n in 0..MAX_VARINT {
        let Some(&byte) = plain.fill_buf()?.first() else {
            return if n == 0 { Ok(None) } else { broken("it ends in the length of a message") };
        };
        plain.consume(1);
        length |= u64::from(byte & 0x7f).checked_shl(7 * n).unwrap_or(0);
        if byte & 0x80 == 0 {
            if length > MAX_MESSAGE {
                return broken(&format!("a message of {length} bytes, at most {MAX_MESSAGE} are taken"));
            }
            let mut message = Vec::new();
            plain.by_ref().take(length).read_to_end(&mut message)?;
            let is_whole = message.len() as u64 == length;
            return if is_whole { Ok(Some(message)) } else { broken("it ends within a message") };
        }
    }
    broken("the length of a message has no end")
}

fn points(request: &Request, record: &mut u64, batches: &mut Batches<'_>) -> Result<(), Halt> {
    for resource in &request.resource_metrics {
        let attributes = resource.resource.as_ref().map_or(&[][..], |r| &r.attributes);
        let account = text(attributes, "cloud.account.id").unwrap_or("unknown");
        let region = text(attributes, "cloud.region").unwrap_or("unknown");
        let metrics = resource.scope_metrics.iter().flat_map(|s| &s.metrics);
        for point in metrics.filter_map(|m| m.summary.as_ref()).flat_map(|s| &s.data_points) {
            *record += 1;
            match of_point(account, region, point) {
                Ok(point) => batches.add(*record, &point)?,
                Err(reason) => batches.tally.skip(*record, reason),
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
    let period_s = period::between(point.start_time_unix_nano, point.time_unix_nano).unwrap_or(period::USUAL_S);
    let start = match point.start_time_unix_nano {
        0 => {
            let end = i64::try_from(point.time_unix_nano).unwrap_or(i64::MAX);
            end.saturating_sub(i64::from(period_s) * 1_000_000_000)
        }
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
        period_s: Some(period_s),
        max,
        sum: point.sum,
        count: point.count as f64,
    })
}

fn text<'a>(attributes: &'a [KeyValue], key: &str) -> Option<&'a str> {
    attributes.iter().find(|a| a.key == key).and_then(KeyValue::text)
}
