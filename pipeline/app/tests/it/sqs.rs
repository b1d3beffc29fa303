//! Events over the wire: an EventBridge rule fills an SQS queue, the queue is polled, and what it gave is in the stream once it is deleted.

use forewarn_testkit::moto::Moto;
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;

/// Makes a bus rule for EC2's events with a queue behind it, sends the entries, and prints the queue's URL.
const SEND: &str = r#"
events, sqs = aws('events'), aws('sqs')
url = sqs.create_queue(QueueName='forewarn')['QueueUrl']
arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=['QueueArn'])['Attributes']['QueueArn']
events.put_rule(Name='ec2', EventPattern=json.dumps({'source': ['aws.ec2', 'weather']}))
events.put_targets(Rule='ec2', Targets=[{'Id': 'q', 'Arn': arn}])
for n in range(12):
    detail = {'instance-id': 'i-%017x' % n, 'state': 'stopped'}
    done = events.put_events(Entries=[{'Source': 'aws.ec2', 'DetailType': 'EC2 Instance State-change Notification', 'Detail': json.dumps(detail)}])
    assert done['FailedEntryCount'] == 0, done
events.put_events(Entries=[{'Source': 'weather', 'DetailType': 'Rain', 'Detail': '{}'}])
for body in ['{', '{"id": 5}']:
    sqs.send_message(QueueUrl=url, MessageBody=body)
print(url)
"#;

fn forewarn(moto: &Moto, dir: &Path, args: &[&str]) -> Value {
    let ran = Command::new(env!("CARGO_BIN_EXE_forewarn"))
        .args(args)
        .args(["--state", "state", "--format", "json"])
        .current_dir(dir)
        .env_clear()
        .envs(moto.env())
        .output()
        .unwrap();
    assert!(ran.status.success(), "{args:?}: {}", String::from_utf8_lossy(&ran.stderr));
    serde_json::from_slice(&ran.stdout).unwrap()
}

#[test]
fn what_eventbridge_delivers_ends_in_the_stream_or_is_set_aside() {
    let Some(moto) = Moto::or_skip(&["events", "sqs"]) else { return };
    let dir = tempfile::tempdir().unwrap();
    let url = moto.python(SEND).trim().to_owned();
    let polled = forewarn(&moto, dir.path(), &["events", "poll", "--queue", &url]);
    assert_eq!(polled, json!({"messages": 15, "events": 12, "of_no_interest": 0, "dead": 3}));
    let empty = "sqs = aws('sqs')\nq = sqs.get_queue_attributes(QueueUrl=sys.argv[1], AttributeNames=['All'])['Attributes']\n\
                 print(q['ApproximateNumberOfMessages'], q['ApproximateNumberOfMessagesNotVisible'])";
    assert_eq!(moto.python_with(empty, &[&url]).trim(), "0 0", "all of them are deleted");
    let dead = forewarn(&moto, dir.path(), &["events", "dead"]);
    let mut reasons: Vec<&str> =
        dead.as_array().unwrap().iter().map(|d| d["why"]["reason"].as_str().unwrap()).collect();
    reasons.sort_unstable();
    assert_eq!(reasons, ["not_json", "unknown_type", "wrong_type"]);
    let again = forewarn(&moto, dir.path(), &["events", "retry"]);
    assert_eq!((&again["events"], &again["dead"]), (&json!(0), &json!(3)));
}
