//! Whatever a message is, it ends as events or as a dead letter with its reason, and nothing panics.

use forewarn_events::dead::{DeadLetters, JsonLinesDead};
use forewarn_events::{MAX_BYTES, Reason, lambda, parse};
use forewarn_ingest::intake::{Intake, records_of};
use forewarn_ingest::metric_streams;
use forewarn_ingest::stream::{MemoryStream, Record};
use forewarn_runtime::context::RuntimeContext;
use proptest::prelude::*;
use serde_json::{Value, json};

const ID: &str = "i-0123456789abcdef0";

#[expect(clippy::needless_pass_by_value, reason = "literals read better at the many calls")]
fn event(source: &str, detail_type: &str, detail: Value) -> Value {
    json!({
        "version": "0", "id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718", "detail-type": detail_type, "source": source,
        "account": "123456789012", "time": "2026-02-15T06:00:00Z", "region": "eu-west-1",
        "resources": [format!("arn:aws:ec2:eu-west-1:123456789012:instance/{ID}"),
                      "arn:aws:ec2:eu-west-1:123456789012:volume/vol-0123456789abcdef0"],
        "detail": detail,
    })
}

/// One sound event of every kind.
fn sound() -> Vec<Value> {
    let metric = json!({"metricStat": {"period": 60, "metric":
        {"namespace": "AWS/EC2", "name": "StatusCheckFailed_System", "dimensions": {"InstanceId": ID}}}});
    vec![
        event("aws.ec2", "EC2 Instance State-change Notification", json!({"instance-id": ID, "state": "stopped"})),
        event(
            "aws.ec2",
            "EC2 Spot Instance Interruption Warning",
            json!({"instance-id": ID, "instance-action": "stop"}),
        ),
        event("aws.ec2", "EC2 Instance Rebalance Recommendation", json!({"instance-id": ID})),
        event("aws.ec2", "EBS Volume Notification", json!({"event": "attachVolume", "result": "failed", "cause": "x"})),
        event(
            "aws.autoscaling",
            "EC2 Instance Terminate Successful",
            json!({"AutoScalingGroupName": "web", "EC2InstanceId": ID, "Cause": "a user request"}),
        ),
        event(
            "aws.cloudwatch",
            "CloudWatch Alarm State Change",
            json!({"alarmName": "a", "state": {"value": "ALARM"}, "configuration": {"metrics": [metric]}}),
        ),
        event(
            "aws.health",
            "AWS Health Event",
            json!({"eventArn": "arn:x", "service": "EC2", "eventTypeCode": "X", "eventTypeCategory": "scheduledChange",
                   "startTime": "Sun, 01 Mar 2026 00:00:00 GMT", "affectedEntities": [{"entityValue": ID}]}),
        ),
        event(
            "aws.codedeploy",
            "CodeDeploy Deployment State-change Notification",
            json!({"application": "shop", "deploymentId": "d-1", "state": "SUCCESS"}),
        ),
        event(
            "aws.ssm",
            "EC2 Automation Execution Status-change Notification",
            json!({"ExecutionId": "e", "Definition": "Deploy", "Status": "Success"}),
        ),
    ]
}

/// Puts a message through everything that takes one, and says how it ended.
fn end(raw: &[u8]) -> Result<usize, Reason> {
    let records = records_of(raw)?;
    for record in &records {
        for bytes in record.encode().unwrap() {
            assert_eq!(&Record::decode(&bytes).unwrap(), record);
        }
    }
    Ok(records.len())
}

#[test]
fn sound_events_are_understood() {
    for value in sound() {
        assert!(end(value.to_string().as_bytes()).unwrap() > 0, "{value:#}");
    }
}

#[test]
fn every_kind_of_hostile_input_has_its_reason() {
    let fine = sound()[0].to_string();
    let with = |from: &str, to: &str| fine.replacen(from, to, 1).into_bytes();
    let deep = format!("{}{}", "[".repeat(50_000), "]".repeat(50_000));
    let hostile: Vec<(&str, Vec<u8>)> = vec![
        ("oversized", vec![b' '; MAX_BYTES + 1]),
        ("too_deep", deep.clone().into_bytes()),
        ("too_deep", with("\"stopped\"", &deep)),
        ("wrong_type", with("\"stopped\"", "17")),
        ("wrong_type", b"[1, 2]".to_vec()),
        ("missing", with("\"id\"", "\"di\"")),
        ("missing", with("instance-id", "instance_id")),
        ("not_utf8", [with("stopped", "st"), vec![0xff, 0xfe]].concat()),
        ("not_json", fine.as_bytes()[..fine.len() / 2].to_vec()),
        ("not_json", Vec::new()),
        ("bad_id", with(&format!("\"instance-id\":\"{ID}"), "\"instance-id\":\"i-0123456789ABCDEF0\\u0000")),
        ("bad_time", with("2026-02-15T06:00:00Z", "9999-12-31T23:59:59Z")),
        ("unknown_type", with("EC2 Instance State-change Notification", "Weather")),
    ];
    let dir = tempfile::tempdir().unwrap();
    let dead = JsonLinesDead::in_state(dir.path());
    let ctx = RuntimeContext::standalone();
    let stream = MemoryStream::new(1, ctx.clone());
    let mut producer = stream.producer();
    let mut intake = Intake { producer: &mut producer, dead: &dead, metrics: &ctx.metrics };
    let raw: Vec<&[u8]> = hostile.iter().map(|(_, raw)| raw.as_slice()).collect();
    // Replayed: the same messages again change nothing.
    for _ in 0..2 {
        let taken = intake.take("hostile", &raw, 1).unwrap();
        assert_eq!((taken.dead, taken.events), (hostile.len() as u64, 0));
    }
    let letters = dead.list().unwrap();
    let reasons: Vec<&str> = letters.iter().map(|l| l.reason.name()).collect();
    assert_eq!(reasons, hostile.iter().map(|(reason, _)| *reason).collect::<Vec<_>>());
    assert!(letters.iter().all(|l| !l.words.is_empty() && l.words.len() < 1000));
    assert!(std::fs::metadata(dead.path()).unwrap().len() < 1 << 20, "what is kept is bounded");
}

/// Changes one place of a message.
fn maimed() -> impl Strategy<Value = Vec<u8>> {
    let values = prop_oneof![
        Just(json!(null)),
        Just(json!(true)),
        Just(json!(-1e300)),
        Just(json!("")),
        Just(json!("x".repeat(3000))),
        Just(json!([[], {}])),
        Just(json!({"a": {"b": []}})),
        "\\PC{0,40}".prop_map(Value::from),
    ];
    let bytes = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4);
    (prop::sample::select(sound()), any::<prop::sample::Index>(), values, bytes, 0..3_u8).prop_map(
        |(mut event, place, value, bytes, wrap)| {
            let mut paths = Vec::new();
            pointers(&event, String::new(), &mut paths);
            *event.pointer_mut(&paths[place.index(paths.len())]).unwrap() = value;
            let mut text = event.to_string();
            for _ in 0..wrap {
                text = json!({"TopicArn": "t", "Message": text}).to_string();
            }
            let mut raw = text.into_bytes();
            for (at, byte) in bytes {
                let at = at.index(raw.len());
                raw[at] = byte;
            }
            raw
        },
    )
}

fn pointers(value: &Value, at: String, out: &mut Vec<String>) {
    match value {
        Value::Object(map) => map.iter().for_each(|(k, v)| pointers(v, format!("{at}/{}", k.replace('/', "~1")), out)),
        Value::Array(items) => items.iter().enumerate().for_each(|(i, v)| pointers(v, format!("{at}/{i}"), out)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
    out.push(at);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_maimed_message_panics_and_every_one_ends(raw in maimed()) {
        if let Err(reason) = end(&raw) {
            prop_assert!(!reason.to_string().is_empty());
        }
        drop(lambda::messages(&raw));
        drop(Record::decode(&raw));
    }

    #[test]
    fn no_bytes_panic(raw in prop::collection::vec(any::<u8>(), 0..400)) {
        drop(parse(&raw));
        drop(metric_streams::read(&raw, 0));
        drop(metric_streams::read(&[&b"{\""[..], &raw].concat(), 0));
        drop(lambda::messages(&raw));
        drop(Record::decode(&[&b"fw\x01"[..], &raw].concat()));
    }
}
