//! Limits and faults: refused with AWS's kinds of errors, and retried by the SDK where AWS means it to.

use super::*;
use aws_sdk_cloudwatch::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_cloudwatch::types::MetricDatum;

fn cpu(s: &Served) -> Metric {
    let request = s.client().list_metrics().namespace("AWS/EC2").metric_name("CPUUtilization");
    s.block_on(request.send()).unwrap().metrics()[0].clone()
}

/// Status and code of a refusal; what is no refusal by a service has neither.
fn kind<T, E: ProvideErrorMetadata>(
    result: Result<T, SdkError<E, aws_sdk_cloudwatch::config::http::HttpResponse>>,
) -> (u16, String) {
    match result {
        Err(SdkError::ServiceError(e)) => {
            assert!(e.err().message().is_some());
            (e.raw().status().as_u16(), e.err().code().unwrap_or_default().to_owned())
        }
        Ok(_) | Err(_) => (0, String::new()),
    }
}

#[test]
fn requests_past_a_limit_are_refused_with_aws_kinds() {
    let s = Served::start(&options(), START + DAY);
    let client = s.client();
    let metric = cpu(&s);
    let get = |queries: Vec<MetricDataQuery>| {
        let request = client.get_metric_data().set_metric_data_queries(Some(queries));
        request.start_time(at(START)).end_time(at(START + DAY))
    };
    let one = |period, stat| get(vec![query(0, &metric, period, stat)]);
    let many = |n: usize| (0..n).map(|i| query(i, &metric, 300, "Average")).collect::<Vec<_>>();
    let validation = (400, "ValidationError".to_owned());
    assert!(s.block_on(get(many(500)).send()).is_ok());
    assert_eq!(kind(s.block_on(get(many(501)).send())), validation);
    assert_eq!(kind(s.block_on(get([many(1), many(1)].concat()).send())), validation, "an id twice");
    assert_eq!(kind(s.block_on(one(90, "Average").send())), validation);
    assert_eq!(kind(s.block_on(one(300, "Mean").send())), validation);
    assert_eq!(kind(s.block_on(one(300, "Average").end_time(at(START)).send())), validation);
    assert_eq!(kind(s.block_on(one(300, "Average").max_datapoints(100_801).send())), validation);
    let token = (400, "InvalidNextToken".to_owned());
    assert_eq!(kind(s.block_on(one(300, "Average").next_token("made up").send())), token);
    let paged = s.block_on(one(300, "Average").max_datapoints(10).send()).unwrap();
    let other = one(300, "Maximum").next_token(paged.next_token().unwrap());
    assert_eq!(kind(s.block_on(other.send())), token, "a token of another request");
    let invalid = (400, "InvalidParameterValue".to_owned());
    assert_eq!(kind(s.block_on(client.list_metrics().next_token("made up").send())), invalid);
    assert_eq!(kind(s.block_on(client.describe_alarms().send())), (404, "UnknownOperationException".to_owned()));

    let datum = |value: f64, ts: i64| MetricDatum::builder().metric_name("m").value(value).timestamp(at(ts)).build();
    let put = |namespace: &str, data: Vec<MetricDatum>| {
        kind(s.block_on(client.put_metric_data().namespace(namespace).set_metric_data(Some(data)).send()))
    };
    let now = START + DAY;
    assert_eq!(put("A", vec![datum(1.0, now); 1001]), invalid);
    assert_eq!(put("A", vec![datum(f64::NAN, now)]), invalid);
    assert_eq!(put("A", vec![datum(f64::INFINITY, now)]), invalid);
    assert_eq!(put("A", vec![datum(1.0, now - 15 * DAY)]), invalid);
    assert_eq!(put("A", vec![datum(1.0, now + 3 * 60 * MINUTE)]), invalid);
    assert_eq!(put("AWS/EC2", vec![datum(1.0, now)]), invalid);
    assert_eq!(put("A", vec![]), (400, "MissingParameter".to_owned()));
    assert_eq!(put("A", vec![datum(1.0, now)]), (0, String::new()));
}

#[test]
fn a_throttle_an_error_and_a_lost_connection_are_what_the_sdk_takes_them_for() {
    let served = |faults: Faults| Served::start(&Options { faults, ..options() }, START + DAY);
    let all = |faults| {
        let s = served(faults);
        let result = s.block_on(s.client().list_metrics().send());
        (result, s)
    };
    let (throttled, s) = all(Faults { throttle: 1.0, ..Faults::default() });
    assert_eq!(kind(throttled), (400, "Throttling".to_owned()));
    assert_eq!(s.stat("throttles"), 1);
    let (failed, s) = all(Faults { errors: 1.0, ..Faults::default() });
    assert!(matches!(kind(failed).0, 500 | 503));
    assert_eq!(s.stat("errors"), 1);
    let (reset, s) = all(Faults { resets: 1.0, ..Faults::default() });
    assert!(matches!(reset, Err(SdkError::DispatchFailure(_))), "{reset:?}");
    assert_eq!(s.stat("resets"), 1);
    let (lost, s) = all(Faults { lose_replies: 1.0, ..Faults::default() });
    assert!(matches!(lost, Err(SdkError::DispatchFailure(_))), "{lost:?}");
    assert_eq!(s.stat("lost"), 1);
}

#[test]
fn the_sdk_retries_each_fault_by_itself() {
    let half = [
        Faults { throttle: 0.5, ..Faults::default() },
        Faults { errors: 0.5, ..Faults::default() },
        Faults { resets: 0.5, ..Faults::default() },
        Faults { lose_replies: 0.5, ..Faults::default() },
    ];
    for faults in half {
        let s = Served::start(&Options { faults, ..options() }, START + DAY);
        // No waiting between attempts: what is shown is that there is another.
        let retry = RetryConfig::standard().with_max_attempts(20).with_initial_backoff(std::time::Duration::ZERO);
        let config = aws_sdk_cloudwatch::config::Builder::from(&s.config(1)).retry_config(retry).build();
        let client = Client::from_conf(config);
        for _ in 0..5 {
            s.block_on(client.list_metrics().send()).unwrap();
        }
        let calls = s.emulator.stats()["calls"]["ListMetrics"].as_u64().unwrap();
        assert!(calls > 5, "{faults:?}: {calls} calls");
    }
}

#[test]
fn a_storm_and_a_rate_limit_throttle_while_they_last() {
    let storm = Faults { storm: Some((START + DAY, START + DAY + 10 * MINUTE)), ..Faults::default() };
    let s = Served::start(&Options { faults: storm, ..options() }, START + DAY);
    let client = s.client();
    let list = || kind(s.block_on(client.list_metrics().send())).1;
    assert_eq!(list(), "Throttling");
    s.clock.advance(10 * MINUTE);
    assert_eq!(list(), "");
    let limit = Faults { rate_limit: Some(2.0), ..Faults::default() };
    let s = Served::start(&Options { faults: limit, ..options() }, START + DAY);
    let client = s.client();
    let list = || kind(s.block_on(client.list_metrics().send())).1;
    assert_eq!([list(), list(), list()], ["", "", "Throttling"]);
    s.clock.advance(500);
    assert_eq!([list(), list()], ["", "Throttling"]);
}

#[test]
fn an_internal_error_of_a_query_is_told_beside_the_others() {
    let faults = Faults { internal: 0.3, ..Faults::default() };
    let s = Served::start(&Options { faults, ..options() }, START + DAY);
    let metric = cpu(&s);
    let queries = (0..100).map(|n| query(n, &metric, 300, "Average")).collect();
    let request = s.client().get_metric_data().set_metric_data_queries(Some(queries));
    let reply = s.block_on(request.start_time(at(START)).end_time(at(START + DAY)).send()).unwrap();
    let failed: Vec<_> = reply
        .metric_data_results()
        .iter()
        .filter(|r| r.status_code() == Some(&aws_sdk_cloudwatch::types::StatusCode::InternalError))
        .collect();
    assert!((15..50).contains(&failed.len()), "{}", failed.len());
    assert!(failed.iter().all(|r| r.values().is_empty() && r.messages().len() == 1));
    assert_eq!(s.stat("internal_errors"), failed.len() as u64);
}
