//! What operators say and bring by hand: silences, verdicts on episodes, files of metric streams, schemas.

use crate::person::{done, fleet, forewarn, import_rows, json};

#[test]
fn a_silence_is_listed_until_it_is_lifted() {
    let dir = tempfile::tempdir().unwrap();
    let silence = |args: &[&str]| done(dir.path(), &[&["silence", "--state", "s"][..], args].concat());
    let said = silence(&["web", "--workload", "--for", "2h", "--reason", "load test"]);
    let id = said.split_whitespace().next().unwrap();
    assert!(silence(&["--list"]).contains("load test"));
    silence(&["--lift", id]);
    assert!(!silence(&["--list"]).contains("load test"));
    assert_eq!(forewarn(dir.path(), &["silence", "--state", "s", "--lift", id]).code, 2, "it is over already");
}

#[test]
fn an_operator_s_verdict_stays_with_the_episode() {
    let dir = tempfile::tempdir().unwrap();
    import_rows(dir.path(), "h", &fleet());
    let emit = ["analyze", "--history", "h", "--state", "s", "--emit", "--as-of", "2026-02-08T23:05:00Z"];
    done(dir.path(), &emit);
    done(dir.path(), &["ack", "i-fills", "--verdict", "false", "--note", "a test machine", "--state", "s"]);
    let log = json(dir.path(), &["log", "list", "--state", "s", "--type", "operator.acted", "--format", "json"]);
    assert_eq!(log[0]["envelope"]["data"]["reason"], "a test machine", "{log:#}");
    assert_eq!(forewarn(dir.path(), &["ack", "i-nobody", "--verdict", "true", "--state", "s"]).code, 2);
}

#[test]
fn a_file_of_a_metric_stream_ends_in_the_history() {
    let dir = tempfile::tempdir().unwrap();
    let line = r#"{"metric_stream_name":"s","account_id":"123456789012","region":"eu-central-1","namespace":"AWS/EC2","metric_name":"CPUUtilization","dimensions":{"InstanceId":"i-0123456789abcdef0"},"timestamp":1767225600000,"value":{"max":3.0,"min":1.0,"sum":6.0,"count":3.0},"unit":"Percent"}"#;
    std::fs::write(dir.path().join("stream.json"), line).unwrap();
    let said = done(dir.path(), &["metric-stream", "stream.json", "--state", "s"]);
    assert!(said.contains("1 samples into the stream"), "{said}");
    done(dir.path(), &["archive", "--state", "s", "--history", "h"]);
    let stats = done(dir.path(), &["history", "stats", "--history", "h"]);
    assert!(stats.contains("AWS/EC2 CPUUtilization  1 series, 1 rows  (cpu)"), "{stats}");
}

#[test]
fn schemas_are_listed_and_one_is_printed() {
    let dir = tempfile::tempdir().unwrap();
    let names = done(dir.path(), &["schema"]);
    assert!(names.lines().any(|name| name == "prediction.json"), "{names}");
    assert_eq!(json(dir.path(), &["schema", "prediction"])["title"], "Prediction");
}
