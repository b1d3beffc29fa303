//! `doctor --live` over the wire: what is there is found, what is missing is named with its fix.

use forewarn_testkit::moto::Moto;
use serde_json::Value;
use std::process::Command;

const SETUP: &str = r#"
aws("kinesis").create_stream(StreamName="fleet", ShardCount=2)
aws("events").create_event_bus(Name="fleet")
print(aws("sqs").create_queue(QueueName="events")["QueueUrl"])
"#;

fn doctor(moto: &Moto, live: &[(&str, &str)]) -> (i32, Vec<Value>) {
    let dir = tempfile::tempdir().unwrap();
    let ran = Command::new(env!("CARGO_BIN_EXE_forewarn"))
        .args(["doctor", "--live", "--format", "json"])
        .current_dir(dir.path())
        .env_clear()
        .envs(moto.env())
        .envs(live.iter().copied())
        .output()
        .unwrap();
    let findings = serde_json::from_slice(&ran.stdout).unwrap_or_else(|e| panic!("{e}: {ran:?}"));
    (ran.status.code().unwrap(), findings)
}

/// Gives verdict and fix of a check.
fn found<'a>(findings: &'a [Value], check: &str) -> (&'a str, &'a str) {
    let finding = findings.iter().find(|f| f["check"].as_str().unwrap().starts_with(check));
    let finding = finding.unwrap_or_else(|| panic!("no {check} in {findings:#?}"));
    (finding["verdict"].as_str().unwrap(), finding["fix"].as_str().unwrap_or(""))
}

#[test]
fn what_is_there_is_found_and_what_is_missing_is_named_with_its_fix() {
    let Some(moto) = Moto::or_skip(&["kinesis", "events", "sqs", "ec2", "sts"]) else { return };
    let url = moto.python(SETUP);
    let (_, there) = doctor(
        &moto,
        &[
            ("FOREWARN_STREAM", "kinesis:fleet"),
            ("FOREWARN_EVENTBRIDGE", "fleet"),
            ("FOREWARN_QUEUE", url.trim()),
            ("FOREWARN_BUDGET", "1000000"),
        ],
    );
    for check in [
        "credentials",
        "clock skew",
        "ec2:Describe",
        "stream fleet",
        "kinesis:List",
        "sqs:Receive",
        "events:",
        "budget",
    ] {
        assert_eq!(found(&there, check).0, "good", "{check}: {there:#?}");
    }
    let (verdict, fix) = found(&there, "queue ");
    assert!(verdict == "warning" && fix.contains("dead-letter"), "{fix}");
    // This server doesn't speak CloudWatch's protocol: that is said, and it is a fault.
    let (verdict, fix) = found(&there, "cloudwatch:GetMetricData");
    assert!(verdict == "fault" && fix.contains("AWS_ENDPOINT_URL"), "{fix}");

    let gone = url.trim().replace("/events", "/gone");
    let (code, missing) = doctor(
        &moto,
        &[
            ("FOREWARN_STREAM", "kinesis:gone"),
            ("FOREWARN_EVENTBRIDGE", "gone"),
            ("FOREWARN_QUEUE", &gone),
            // Ten minutes behind.
            ("FOREWARN_CLOCK", "-600000,0,1"),
        ],
    );
    assert_eq!(code, 1);
    for (check, part) in [
        ("kinesis:DescribeStreamSummary", "make the Kinesis stream gone"),
        ("kinesis:ListShards", "make the Kinesis stream gone"),
        ("sqs:GetQueueAttributes", "make the queue"),
        ("events:DescribeEventBus", "make the event bus"),
        ("clock skew", "NTP"),
    ] {
        let (verdict, fix) = found(&missing, check);
        assert!(verdict == "fault" && fix.contains(part), "{check}: {verdict} {fix}");
    }
    assert_eq!(found(&missing, "budget").0, "warning");
}
