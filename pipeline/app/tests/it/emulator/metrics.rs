//! Listing and reading: every metric once, every point once, its value to the bit.

use super::*;
use aws_sdk_cloudwatch::types::{DimensionFilter, MetricDatum, ScanBy, StandardUnit, StatusCode};
use std::collections::BTreeSet;

#[test]
fn a_listing_gives_every_metric_once_across_pages_and_filters_narrow_it() {
    let world = Options { instances: 150, ..options() };
    let s = Served::start(&world, START + 2 * DAY);
    let all = list_all(&s, false);
    let unique: BTreeSet<String> = all.iter().map(|m| format!("{m:?}")).collect();
    assert_eq!((all.len(), unique.len()), (150 * 9, 150 * 9));
    assert_eq!(s.emulator.stats()["calls"]["ListMetrics"], 3);
    let recent = list_all(&s, true);
    assert!(recent.len() < all.len() && recent.len() > all.len() / 2, "{}", recent.len());
    let disk = |name: &str, value: Option<&str>| {
        let filter = DimensionFilter::builder().name(name).set_value(value.map(str::to_owned)).build();
        let request = s.client().list_metrics().namespace("CWAgent").metric_name("disk_used_percent");
        s.block_on(request.dimensions(filter).send()).unwrap().metrics().to_vec()
    };
    assert_eq!(disk("path", None).len(), 300);
    assert_eq!(disk("path", Some("/data")).len(), 150);
    assert_eq!(disk("VolumeId", None).len(), 0);
    let id = dimension(&all[0], "InstanceId").unwrap();
    assert_eq!(disk("InstanceId", Some(id)).len(), 2);
    s.clock.advance(15 * DAY);
    assert!(list_all(&s, false).is_empty(), "two weeks after the last point");
}

/// Reads metrics in calls of `many` queries, following tokens; points by query, in the order given.
fn read(s: &Served, metrics: &[Metric], many: usize, newest_first: bool) -> Vec<Vec<(i64, u64)>> {
    let client = s.client();
    let scan = if newest_first { ScanBy::TimestampDescending } else { ScanBy::TimestampAscending };
    let mut out = vec![Vec::new(); metrics.len()];
    for (chunk, some) in metrics.chunks(many).enumerate() {
        let queries = some.iter().enumerate().map(|(n, m)| query(chunk * many + n, m, 300, "Average")).collect();
        let mut request = client.get_metric_data().set_metric_data_queries(Some(queries)).scan_by(scan.clone());
        request = request.start_time(at(START)).end_time(at(START + 2 * DAY));
        loop {
            let reply = s.block_on(request.clone().send()).unwrap();
            for result in reply.metric_data_results() {
                let n: usize = result.id().unwrap()[1..].parse().unwrap();
                let times = result.timestamps().iter().map(|t| t.to_millis().unwrap());
                out[n].extend(times.zip(result.values().iter().map(|v| v.to_bits())));
                let done = result.status_code() == Some(&StatusCode::Complete);
                assert!(done || result.status_code() == Some(&StatusCode::PartialData));
                assert!(done || reply.next_token().is_some());
            }
            match reply.next_token() {
                Some(token) => request = request.next_token(token),
                None => break,
            }
        }
    }
    out
}

/// What the truth calls a listed metric.
fn key(metric: &Metric) -> (String, String, Option<String>) {
    let name = metric.metric_name().unwrap().to_owned();
    match (dimension(metric, "InstanceId"), dimension(metric, "VolumeId")) {
        (Some(id), _) => (id.to_owned(), name, dimension(metric, "path").map(|p| format!("path={p}"))),
        (None, Some(volume)) => (String::new(), name, Some(format!("volume={volume}"))),
        (None, None) => panic!("{metric:?} names nothing"),
    }
}

/// Checks that what was read is the truth, each point once.
fn same(truth: &Truth, metrics: &[Metric], read: &[Vec<(i64, u64)>]) {
    let by_volume: BTreeMap<_, _> = truth
        .iter()
        .map(|((i, m, d), points)| {
            let volume = d.as_deref().is_some_and(|d| d.starts_with("volume="));
            ((if volume { String::new() } else { i.clone() }, m.clone(), d.clone()), points)
        })
        .collect();
    assert_eq!(by_volume.len(), metrics.len());
    for (metric, points) in metrics.iter().zip(read) {
        assert!(by_volume[&key(metric)] == points, "{metric:?}");
    }
}

#[test]
fn values_are_the_truth_to_the_bit_in_either_order() {
    let s = Served::start(&options(), START + 3 * DAY);
    let (truth, metrics) = (truth(&s), list_all(&s, false));
    let ascending = read(&s, &metrics, 500, false);
    same(&truth, &metrics, &ascending);
    let mut descending = read(&s, &metrics, 500, true);
    assert!(descending.iter().all(|points| points.windows(2).all(|w| w[0].0 > w[1].0)));
    for points in &mut descending {
        points.reverse();
    }
    same(&truth, &metrics, &descending);
    // 360 metrics of up to 576 points are more than a call may give.
    assert_eq!((s.stat("queries"), s.stat("partials") > 0), (720, true));
}

#[test]
fn partial_replies_go_on_until_every_point_was_given_once() {
    let faults = Faults { partial: 0.8, ..Faults::default() };
    let s = Served::start(&Options { faults, ..options() }, START + 3 * DAY);
    let (truth, metrics) = (truth(&s), list_all(&s, false));
    same(&truth, &metrics, &read(&s, &metrics, 60, false));
    let mut descending = read(&s, &metrics, 60, true);
    for points in &mut descending {
        points.reverse();
    }
    same(&truth, &metrics, &descending);
    assert!(s.stat("partials") > 10, "{}", s.stat("partials"));
}

#[test]
fn longer_periods_fold_what_is_stored() {
    let s = Served::start(&Options { gaps: false, ..options() }, START + 3 * DAY);
    let truth = truth(&s);
    let metric = list_all(&s, false)
        .into_iter()
        .find(|m| key(m).1 == "CPUUtilization" && truth.get(&key(m)).is_some_and(|points| points.len() == 576))
        .unwrap();
    let hour = |stat: &str| {
        let request = s.client().get_metric_data().metric_data_queries(query(0, &metric, 3600, stat));
        let request = request.start_time(at(START + DAY)).end_time(at(START + DAY + 1));
        let reply = s.block_on(request.send()).unwrap();
        let result = &reply.metric_data_results()[0];
        assert_eq!(result.timestamps(), [at(START + DAY)]);
        result.values()[0]
    };
    let stored: Vec<f64> = truth[&key(&metric)]
        .iter()
        .filter(|(ts, _)| (START + DAY..START + DAY + 60 * MINUTE).contains(ts))
        .map(|(_, bits)| f64::from_bits(*bits))
        .collect();
    let sum: f64 = stored.iter().sum();
    assert_eq!(stored.len(), 12);
    assert!((hour("Sum") - sum).abs() < 1e-9 && (hour("Average") - sum / 12.0).abs() < 1e-9);
    assert!((hour("SampleCount") - 12.0).abs() < 1e-9);
    assert!((hour("Maximum") - stored.iter().copied().fold(f64::MIN, f64::max)).abs() < 1e-12);
    assert!((hour("Minimum") - stored.iter().copied().fold(f64::MAX, f64::min)).abs() < 1e-12);
}

#[test]
fn what_is_not_over_or_late_is_not_there_yet_and_what_is_old_is_gone() {
    let late = Late { share: 0.3, most_ms: 120 * MINUTE };
    let s = Served::start(&Options { gaps: false, late, ..options() }, START + DAY + 7 * MINUTE);
    let truth = truth(&s);
    let metric = list_all(&s, true).into_iter().find(|m| key(m).1 == "mem_used_percent").unwrap();
    let points = &truth[&key(&metric)];
    let read = || read(&s, std::slice::from_ref(&metric), 1, false).remove(0);
    let now = read();
    assert!(now.iter().all(|p| points.contains(p) && p.0 + 5 * MINUTE <= START + DAY + 7 * MINUTE));
    let due = points.iter().filter(|p| p.0 + 5 * MINUTE <= START + DAY + 7 * MINUTE).count();
    let missing = due - now.len();
    assert!(missing > 2 && missing < 20, "{missing} of {due} are still to come");
    s.clock.advance(DAY + 120 * MINUTE);
    assert_eq!(&read(), points);
    s.clock.advance(61 * DAY);
    assert!(read().len() < points.len(), "five minutes are kept for 63 days");
    s.clock.advance(3 * DAY);
    assert!(read().is_empty());
}

#[test]
fn what_is_put_is_listed_and_read_back() {
    let now = START + DAY;
    let s = Served::start(&options(), now);
    let client = s.client();
    let datum = |name: &str| {
        let dimension = Dimension::builder().name("InstanceId").value("i-1").build();
        MetricDatum::builder().metric_name(name).dimensions(dimension).unit(StandardUnit::Percent)
    };
    // Large enough that the SDK compresses it.
    let many = (0..900).map(|m| datum("app").value(f64::from(m)).timestamp(at(now - i64::from(m) * MINUTE)).build());
    let put = client.put_metric_data().namespace("App").set_metric_data(Some(many.collect()));
    s.block_on(put.send()).unwrap();
    let twice = datum("app").value(100.0).timestamp(at(now)).build();
    s.block_on(client.put_metric_data().namespace("App").metric_data(twice).send()).unwrap();
    assert_eq!(s.stat("put"), 901);
    let listed = || {
        let reply = s.block_on(client.list_metrics().namespace("App").send()).unwrap();
        reply.metrics().to_vec()
    };
    s.clock.advance(15 * MINUTE);
    let metrics = listed();
    assert_eq!(metrics.len(), 1, "new metrics are listed within fifteen minutes");
    let request = client.get_metric_data().metric_data_queries(query(0, &metrics[0], 60, "Sum"));
    let request = request.start_time(at(now - 2 * MINUTE)).end_time(at(now + 1));
    let reply = s.block_on(request.send()).unwrap();
    assert_eq!(reply.metric_data_results()[0].values(), [100.0, 1.0, 2.0]);
}
