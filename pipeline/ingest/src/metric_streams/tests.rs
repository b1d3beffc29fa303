use super::otlp::message::{
    AnyValue, KeyValue, KeyValueList, Metric, Request, Resource, ResourceMetrics, ScopeMetrics, Summary,
    SummaryDataPoint, ValueAtQuantile,
};
use super::*;
use forewarn_events::Reason;
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
    let readings = read(raw.as_bytes(), 7);
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
    assert_eq!((readings.tally.unread, readings.tally.of_no_instance), (1, 1));
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
    let expected = read(json.as_bytes(), 7);
    assert_eq!(series_of(&expected)[0].3.to_bits(), 2.0_f64.to_bits());
    assert_eq!(read(&otlp, 7), expected);
    assert_eq!(read(&gzip.finish().unwrap(), 7), expected);
    assert_eq!(read(&[otlp.clone(), otlp].concat(), 7), expected, "the same twice is the same");
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
    assert_eq!(read(&bytes, 7).tally.nothing_taken().unwrap().to_string(), "attributes.Namespace is missing");
}

/// A sound line, `odd`, and a sound line of a minute later.
fn document_with(odd: &[u8]) -> Vec<u8> {
    let fine = line("AWS/EC2", "CPUUtilization", &format!(r#"{{"InstanceId":"{I}"}}"#));
    let later = fine.replace(&TS.to_string(), &(TS + 60_000).to_string());
    [fine.as_bytes(), odd, b"\n", later.as_bytes()].concat()
}

#[test]
fn an_odd_point_is_skipped_and_counted_and_every_other_one_is_taken() {
    let fine = line("AWS/EC2", "CPUUtilization", &format!(r#"{{"InstanceId":"{I}"}}"#));
    let odd = [
        ("not_json", b"{\"account_id\":".to_vec()),
        ("not_utf8", b"{\xff}".to_vec()),
        ("bad_id", fine.trim().replace(I, "i-1").into_bytes()),
        ("bad_time", fine.trim().replace(&TS.to_string(), "-5").into_bytes()),
        ("bad_value", fine.trim().replace("4.0", "1e308").replace("2.0", "1e-308").into_bytes()),
        ("bad_value", fine.trim().replace("eu-west-1", "eu\\u0000").into_bytes()),
        ("oversized", vec![b'x'; 100_000]),
    ];
    for (reason, odd) in odd {
        let Readings { batches, tally } = read(&document_with(&odd), 7);
        assert_eq!(batches[0].series[0].ts, [TS, TS + 60_000], "{reason}");
        assert_eq!((tally.samples, tally.skipped.get(reason)), (2, Some(&1)), "{reason}: {tally:?}");
        assert_eq!((tally.first_skipped[0].record, tally.incomplete()), (2, None));
    }
}

#[test]
fn an_odd_point_of_opentelemetry_is_skipped_as_one_of_json_is() {
    let fine = request("CPUUtilization").encode_length_delimited_to_vec();
    let mut nameless = request("CPUUtilization");
    nameless.resource_metrics[0].scope_metrics[0].metrics[0].summary.as_mut().unwrap().data_points[0]
        .attributes
        .clear();
    let mut early = request("CPUUtilization");
    let point = &mut early.resource_metrics[0].scope_metrics[0].metrics[0].summary.as_mut().unwrap().data_points[0];
    (point.start_time_unix_nano, point.time_unix_nano) = (u64::MAX, 0);
    for (reason, odd) in [
        ("missing", nameless.encode_length_delimited_to_vec()),
        ("bad_time", early.encode_length_delimited_to_vec()),
        ("damaged", vec![3, 0x0a, 0x7f, 0]),
    ] {
        let Readings { batches, tally } = read(&[&odd, &fine[..]].concat(), 7);
        assert_eq!((batches.len(), tally.samples, tally.skipped.get(reason)), (1, 1, Some(&1)), "{reason}: {tally:?}");
        assert_eq!((tally.first_skipped[0].record, tally.incomplete()), (1, None));
    }
}

#[test]
fn what_comes_before_the_place_where_an_object_breaks_off_is_taken() {
    let otlp = request("CPUUtilization").encode_length_delimited_to_vec();
    let other = request("StatusCheckFailed").encode_length_delimited_to_vec();
    let cut = read(&[&otlp[..], &other[..other.len() - 1]].concat(), 7).tally;
    assert_eq!((cut.samples, cut.broken.as_ref().map(Reason::name), cut.nothing_taken()), (1, Some("damaged"), None));
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(&document_with(b"").repeat(2000)).unwrap();
    let packed = packed.finish().unwrap();
    let cut = read(&packed[..packed.len() - 9], 7).tally;
    assert_eq!((cut.samples, cut.broken.as_ref().map(Reason::name)), (2, Some("damaged")));
}

#[test]
fn of_an_object_that_is_none_nothing_is_taken_and_the_reason_is_said() {
    let fine = line("AWS/EC2", "CPUUtilization", &format!(r#"{{"InstanceId":"{I}"}}"#));
    let otlp = request("CPUUtilization").encode_length_delimited_to_vec();
    let reason = |raw: &[u8]| read(raw, 7).tally.nothing_taken().map(Reason::name);
    assert_eq!(reason(fine.replace(I, "i-1").as_bytes()), Some("bad_id"));
    assert_eq!(reason(&otlp[..otlp.len() - 1]), Some("damaged"));
    assert_eq!(reason(&[0x1f, 0x8b, 8, 0]), Some("damaged"));
    assert_eq!(reason(b"Not Found"), Some("not_json"));
    assert_eq!(read(b"", 7), Readings::default());
}

#[test]
fn an_object_without_end_is_cut_off_and_what_came_before_is_taken() {
    let long = [vec![b'x'; 1 << 20], vec![b'\n']].concat();
    let fine = document_with(b"");
    let raw = std::io::Read::chain(fine.as_slice(), Endless { line: &long, at: 0 });
    let tally = read_object(raw, 7, &mut |_| Ok(())).unwrap();
    assert_eq!((tally.samples, tally.broken.as_ref().map(Reason::name)), (2, Some("oversized")));
    assert!(tally.skipped["oversized"] <= MAX_BYTES >> 20);
}

/// The same bytes for ever.
struct Endless<'a> {
    line: &'a [u8],
    at: usize,
}

impl std::io::Read for Endless<'_> {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        let n = buf.len().min(self.line.len() - self.at);
        buf[..n].copy_from_slice(&self.line[self.at..self.at + n]);
        self.at = (self.at + n) % self.line.len();
        Ok(n)
    }
}

#[test]
fn an_object_that_cannot_be_fetched_is_no_broken_object() {
    struct Reset;
    impl std::io::Read for Reset {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::ConnectionReset.into())
        }
    }
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(&document_with(b"")).unwrap();
    let packed = packed.finish().unwrap();
    for begin in [&document_with(b"")[..40], &packed[..20]] {
        let read = read_object(std::io::Read::chain(begin, Reset), 7, &mut |_| Ok(()));
        assert!(matches!(read, Err(ReadError::Fetch(e)) if e.kind() == std::io::ErrorKind::ConnectionReset));
    }
}

#[test]
fn points_have_the_period_that_their_records_say() {
    let mut five = request("CPUUtilization");
    let point = &mut five.resource_metrics[0].scope_metrics[0].metrics[0].summary.as_mut().unwrap().data_points[0];
    point.time_unix_nano = (TS as u64 + 300_000) * 1_000_000;
    let periods = |raw: &[u8]| -> Vec<i32> { read(raw, 7).batches[0].series.iter().map(|s| s.period_s).collect() };
    assert_eq!(periods(&five.encode_length_delimited_to_vec()), [300]);
    assert_eq!(periods(&request("CPUUtilization").encode_length_delimited_to_vec()), [60]);
    // JSON has no period; points of a high-resolution metric lie closer together than a minute.
    let fine = line("AWS/EC2", "CPUUtilization", &format!(r#"{{"InstanceId":"{I}"}}"#));
    let at = |ms: i64| fine.replace(&TS.to_string(), &(TS + ms).to_string());
    assert_eq!(periods([at(0), at(10_000), at(20_000)].concat().as_bytes()), [10]);
    assert_eq!(periods([at(0), at(1_000)].concat().as_bytes()), [1]);
    assert_eq!(periods([at(0), at(300_000)].concat().as_bytes()), [60]);
}
