use super::otlp::message::{
    AnyValue, KeyValue, KeyValueList, Metric, Request, Resource, ResourceMetrics, ScopeMetrics, Summary,
    SummaryDataPoint, ValueAtQuantile,
};
use super::*;
use prost::Message;
use std::io::Write;

const I: &str = "i-0123456789abcdef0";
const TS: i64 = 1_771_135_200_000;

fn line(namespace: &str, metric: &str, dimensions: &str) -> String {
    format!(
        r#"{{"metric_stream_name":"s","account_id":"123456789012","region":"eu-west-1","namespace":"{namespace}","metric_name":"{metric}","dimensions":{dimensions},"timestamp":{TS},"value":{{"max":3.0,"min":0.0,"sum":4.0,"count":2.0}},"unit":"Percent"}}"#
    ) + "\n"
}

/// Metric, stat, device and value of every series.
fn series_of(readings: &Readings) -> Vec<(String, String, Option<String>, f64)> {
    let series = readings.batches.iter().flat_map(|b| &b.series);
    series.map(|s| (s.metric.clone(), s.stat.clone(), s.device.clone(), s.values[0])).collect()
}

fn text(key: &str, value: &str) -> KeyValue {
    let value = AnyValue { string_value: Some(value.to_owned()), kvlist_value: None };
    KeyValue { key: key.to_owned(), value: Some(value) }
}

fn request(metric: &str) -> Request {
    let list = KeyValueList { values: vec![text("InstanceId", I)] };
    let dimensions = AnyValue { string_value: None, kvlist_value: Some(list) };
    let point = SummaryDataPoint {
        start_time_unix_nano: TS as u64 * 1_000_000,
        time_unix_nano: (TS as u64 + 60_000) * 1_000_000,
        count: 2,
        sum: 4.0,
        quantile_values: vec![
            ValueAtQuantile { quantile: 0.0, value: 0.0 },
            ValueAtQuantile { quantile: 1.0, value: 3.0 },
        ],
        attributes: vec![
            text("Namespace", "AWS/EC2"),
            text("MetricName", metric),
            KeyValue { key: "Dimensions".to_owned(), value: Some(dimensions) },
        ],
    };
    let metric =
        Metric { name: format!("amazonaws.com/AWS/EC2/{metric}"), summary: Some(Summary { data_points: vec![point] }) };
    let attributes = vec![text("cloud.account.id", "123456789012"), text("cloud.region", "eu-west-1")];
    let resource = ResourceMetrics {
        resource: Some(Resource { attributes }),
        scope_metrics: vec![ScopeMetrics { metrics: vec![metric] }],
    };
    Request { resource_metrics: vec![resource] }
}

#[test]
fn json_lines_become_samples_with_the_statistic_that_the_signal_needs() {
    let raw = [
        line("AWS/EC2", "StatusCheckFailed_System", &format!(r#"{{"InstanceId":"{I}"}}"#)),
        line("CWAgent", "net_drop_in", &format!(r#"{{"InstanceId":"{I}","interface":"eth0"}}"#)),
        line(
            "CWAgent",
            "disk_used_percent",
            &format!(r#"{{"InstanceId":"{I}","path":"/data","device":"x","fstype":"xfs"}}"#),
        ),
        line("AWS/EBS", "VolumeQueueLength", r#"{"VolumeId":"vol-0123456789abcdef0"}"#),
        line("AWS/Lambda", "Errors", "{}"),
    ]
    .concat();
    let readings = read(raw.as_bytes(), 7).unwrap();
    let series_of = series_of(&readings);
    let series_of: Vec<_> = series_of.iter().map(|(m, s, d, v)| (m.as_str(), s.as_str(), d.as_deref(), *v)).collect();
    assert_eq!(
        series_of,
        [
            ("StatusCheckFailed_System", "Maximum", None, 3.0),
            ("disk_used_percent", "Average", Some("path=/data"), 2.0),
            ("net_drop_in", "Sum", Some("interface=eth0"), 4.0),
        ]
    );
    assert_eq!((readings.unread, readings.of_no_instance), (1, 1));
    let batch = &readings.batches[0];
    assert_eq!((batch.instance_id.as_str(), batch.account.as_str(), batch.ingested_at), (I, "123456789012", Some(7)));
    assert_eq!((batch.series[0].ts.as_slice(), batch.series[0].period_s), (&[TS][..], 60));
}

#[test]
fn both_forms_plain_or_packed_say_the_same() {
    let json = line("AWS/EC2", "CPUUtilization", &format!(r#"{{"InstanceId":"{I}"}}"#));
    let otlp = request("CPUUtilization").encode_length_delimited_to_vec();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&otlp).unwrap();
    let expected = read(json.as_bytes(), 7).unwrap();
    assert_eq!(series_of(&expected)[0].3.to_bits(), 2.0_f64.to_bits());
    assert_eq!(read(&otlp, 7).unwrap(), expected);
    assert_eq!(read(&gzip.finish().unwrap(), 7).unwrap(), expected);
    assert_eq!(read(&[otlp.clone(), otlp].concat(), 7).unwrap(), expected, "the same twice is the same");
}

#[test]
fn the_wire_is_opentelemetrys_byte_for_byte() {
    // Derived by hand from the tags: its length, then resource_metrics{scope_metrics{metrics{summary{data_points{count, sum}}}}}.
    let hex = "1c 0a1a 1218 1216 5a14 0a12 21 0200000000000000 29 0000000000001040";
    let bytes: Vec<u8> = hex
        .split_whitespace()
        .collect::<String>()
        .as_bytes()
        .chunks(2)
        .map(|d| u8::from_str_radix(std::str::from_utf8(d).unwrap(), 16).unwrap())
        .collect();
    let point = SummaryDataPoint { count: 2, sum: 4.0, ..SummaryDataPoint::default() };
    let metric = Metric { summary: Some(Summary { data_points: vec![point] }), ..Metric::default() };
    let scope = ScopeMetrics { metrics: vec![metric] };
    let resource = ResourceMetrics { resource: None, scope_metrics: vec![scope] };
    assert_eq!(Request { resource_metrics: vec![resource] }.encode_length_delimited_to_vec(), bytes);
    assert_eq!(read(&bytes, 7).unwrap_err().to_string(), "attributes.Namespace is missing");
}

#[test]
fn a_broken_object_gives_its_reason_and_nothing_else() {
    let fine = line("AWS/EC2", "CPUUtilization", &format!(r#"{{"InstanceId":"{I}"}}"#));
    let reason = |raw: &[u8]| read(raw, 7).unwrap_err().name();
    assert_eq!(reason(&[fine.as_bytes(), b"{\"account_id\":"].concat()), "not_json");
    assert_eq!(reason(&[fine.as_bytes(), b"{\xff}"].concat()), "not_utf8");
    assert_eq!(reason(fine.replace(I, "i-1").as_bytes()), "bad_id");
    assert_eq!(reason(fine.replace(&TS.to_string(), "-5").as_bytes()), "bad_time");
    let otlp = request("CPUUtilization").encode_length_delimited_to_vec();
    assert_eq!(reason(&otlp[..otlp.len() - 1]), "damaged");
    assert_eq!(reason(&[0x1f, 0x8b, 8, 0]), "damaged");
    assert_eq!(read(b"", 7).unwrap(), Readings::default());
}
