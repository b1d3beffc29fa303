//! The pipeline as Lambda functions on a table and a bucket: several at once, killed on the way, lose nothing and say everything once.

use crate::runtime_api::{Outcome, invoke};
use forewarn_testkit::moto::Moto;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::thread;

/// 2026-03-02T00:00:00Z.
const START: i64 = 1_772_409_600_000;
const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;
/// When everything has come in.
const END: i64 = START + 8 * DAY;

#[test]
fn a_directory_as_state_is_refused_in_a_function_and_the_refusal_says_what_to_set() {
    for handler in ["archive", "events", "analyze", "emit", "metric-stream", "maintain", "respond"] {
        let dir = tempfile::tempdir().unwrap();
        let ran = Command::new(env!("CARGO_BIN_EXE_forewarn"))
            .current_dir(dir.path())
            .env_clear()
            .envs([("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:1"), ("_HANDLER", handler), ("AWS_REGION", "us-east-1")])
            .output()
            .unwrap();
        let err = String::from_utf8(ran.stderr).unwrap();
        assert_eq!(ran.status.code(), Some(2), "{handler}: {err}");
        assert!(err.contains("set FOREWARN_STATE=dynamodb:TABLE"), "{handler}: {err}");
        assert!(!dir.path().join("state").exists(), "{handler} left nothing");
        let ran = Command::new(env!("CARGO_BIN_EXE_forewarn"))
            .current_dir(dir.path())
            .env_clear()
            .envs([("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:1"), ("_HANDLER", handler), ("AWS_REGION", "us-east-1")])
            .env("FOREWARN_STATE", "dynamodb:fleet")
            .output()
            .unwrap();
        let err = String::from_utf8(ran.stderr).unwrap();
        assert!(ran.status.code() == Some(2) && err.contains("set FOREWARN_HISTORY=s3://"), "{handler}: {err}");
    }
}

/// Runs a command with a table as state, keys that nobody knows and no server: what is refused is refused before anything is asked.
fn with_a_table(args: &[&str], dir: &Path) -> (Option<i32>, String) {
    let keys = [("AWS_ACCESS_KEY_ID", "k"), ("AWS_SECRET_ACCESS_KEY", "s"), ("AWS_REGION", "us-east-1")];
    let ran = Command::new(env!("CARGO_BIN_EXE_forewarn"))
        .current_dir(dir)
        .env_clear()
        .envs(keys)
        .env("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
        .env("FOREWARN_STATE", "dynamodb:fleet")
        .args(args)
        .output()
        .unwrap();
    (ran.status.code(), String::from_utf8(ran.stderr).unwrap())
}

#[test]
fn what_a_table_has_no_place_for_is_refused_in_words() {
    let dir = tempfile::tempdir().unwrap();
    for (args, says) in [
        (&["run", "--only", "ingest"][..], "ingest remembers in a directory"),
        (&["run", "--only", "emit"], "emit has no bus"),
        (&["ingest", "--once", "--select", "all"], "give --state DIR"),
        (&["events", "dead"], "FOREWARN_HISTORY"),
        (&["events", "import", "x.json", "--stream", "kinesis:fleet"], "FOREWARN_HISTORY"),
        (&["policy", "get", "default"], "FOREWARN_POLICIES=dynamodb:TABLE"),
    ] {
        let (code, err) = with_a_table(args, dir.path());
        assert!(code == Some(2) && err.contains(says), "{args:?}: {code:?} {err}");
    }
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "nothing was left");
}

/// Six instances for eight days, a point each ten minutes; two fill their disks.
fn delivered(place: &Path) -> usize {
    let (mut text, mut points) = (String::new(), 0);
    for i in 0..6_i64 {
        for k in 0..8 * 144 {
            let ts = START + k * 600_000;
            let left = (END + (8 + i) * HOUR - ts) as f64 / (3 * DAY) as f64;
            let full =
                if i % 3 == 0 && left < 1.0 { 100.0 - 60.0 * left.max(0.0) } else { 40.0 + (k % 3) as f64 * 0.1 };
            for (metric, value) in [("disk_used_percent", full), ("mem_used_percent", 30.0 + (k % 7) as f64)] {
                let mut dimensions = json!({"InstanceId": format!("i-{i:017x}")});
                if metric.starts_with("disk") {
                    dimensions["path"] = json!("/");
                }
                let line = json!({
                    "metric_stream_name": "s", "account_id": "123456789012", "region": "us-east-1", "namespace": "CWAgent",
                    "metric_name": metric, "dimensions": dimensions, "timestamp": ts,
                    "value": {"max": value, "min": value, "sum": value, "count": 1.0}, "unit": "Percent",
                });
                writeln!(text, "{line}").unwrap();
                points += 1;
            }
        }
    }
    std::fs::write(place, text).unwrap();
    points
}

const STAND_UP: &str = "
aws('kinesis').create_stream(StreamName='fleet', ShardCount=2)
aws('s3').create_bucket(Bucket='fleet')
aws('events').create_event_bus(Name='fleet')
key = lambda n, k: {'AttributeName': n, 'KeyType': k}
aws('dynamodb').create_table(TableName='fleet', BillingMode='PAY_PER_REQUEST', KeySchema=[key('pk', 'HASH'), key('sk', 'RANGE')],
    AttributeDefinitions=[{'AttributeName': 'pk', 'AttributeType': 'S'}, {'AttributeName': 'sk', 'AttributeType': 'N'}])
q = aws('sqs').create_queue(QueueName='heard')['QueueUrl']
arn = aws('sqs').get_queue_attributes(QueueUrl=q, AttributeNames=['QueueArn'])['Attributes']['QueueArn']
aws('events').put_rule(Name='all', EventBusName='fleet', EventPattern=json.dumps({'source': ['forewarn']}))
aws('events').put_targets(Rule='all', EventBusName='fleet', Targets=[{'Id': '1', 'Arn': arn}])
print(q)";

/// Gives what an event source mapping would hand over: of each shard all records at once.
const EVENTS: &str = "
import base64
k = aws('kinesis')
for shard in k.list_shards(StreamName='fleet')['Shards']:
    s = shard['ShardId']
    i = k.get_shard_iterator(StreamName='fleet', ShardId=s, ShardIteratorType='TRIM_HORIZON')['ShardIterator']
    records = k.get_records(ShardIterator=i)['Records']
    print(json.dumps({'Records': [{'eventSource': 'aws:kinesis', 'eventID': s + ':' + r['SequenceNumber'], 'kinesis': {
        'sequenceNumber': r['SequenceNumber'], 'partitionKey': r['PartitionKey'], 'data': base64.b64encode(r['Data']).decode(),
        'approximateArrivalTimestamp': r['ApproximateArrivalTimestamp'].timestamp()}} for r in records]}))";

const HEARD: &str = "
c = aws('sqs')
while m := c.receive_message(QueueUrl=sys.argv[1], MaxNumberOfMessages=10).get('Messages', []):
    for x in m:
        print(json.dumps(json.loads(x['Body'])))
        c.delete_message(QueueUrl=sys.argv[1], ReceiptHandle=x['ReceiptHandle'])";

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn killed(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Ended(status) if std::os::unix::process::ExitStatusExt::signal(status) == Some(9))
}

#[test]
fn functions_on_a_table_and_a_bucket_lose_nothing_and_say_everything_once_though_they_are_killed() {
    let Some(moto) = Moto::or_skip(&["kinesis", "dynamodb", "s3", "events", "sqs"]) else { return };
    let queue = moto.python(STAND_UP).trim().to_owned();
    let dir = tempfile::tempdir().unwrap();
    let begun = forewarn_runtime::time::system_now_ms();
    let points = delivered(&dir.path().join("points.jsonl"));
    let env = |more: &[(&str, String)]| -> Vec<(String, String)> {
        let own = [
            ("FOREWARN_HISTORY", "s3://fleet/h".to_owned()),
            ("FOREWARN_STATE", "dynamodb:fleet".to_owned()),
            ("FOREWARN_STREAM", "kinesis:fleet".to_owned()),
            ("FOREWARN_EVENTBRIDGE", "fleet".to_owned()),
            ("FOREWARN_LOG", "error".to_owned()),
            // Ten minutes and a bit after the data; a minute is a second, so that a lease of the dead runs out soon.
            ("FOREWARN_CLOCK", format!("{},{begun},60", END + 11 * 60_000)),
        ];
        let aws = moto.env().map(|(k, v)| (k.to_owned(), v.to_owned()));
        aws.into_iter().chain(own.iter().chain(more).map(|(k, v)| ((*k).to_owned(), v.clone()))).collect()
    };
    let crash = |at: &str| env(&[("FOREWARN_CRASH_AT", at.to_owned()), ("FOREWARN_CRASH_SIGNAL", "KILL".to_owned())]);
    let command = |args: &[&str]| {
        let ran = Command::new(env!("CARGO_BIN_EXE_forewarn"))
            .args(args)
            .current_dir(dir.path())
            .env_clear()
            .envs(env(&[("FOREWARN_CLOCK", format!("{},{begun},1", END + 180_000))]))
            .output()
            .unwrap();
        assert!(ran.status.success(), "{args:?}: {}", String::from_utf8_lossy(&ran.stderr));
        String::from_utf8(ran.stdout).unwrap()
    };
    command(&["metric-stream", "points.jsonl"]);

    // Each shard's mapping, at the same time: the first delivery dies, the second has other bounds, the last is all of it again.
    let events = lines(&moto.python(EVENTS));
    thread::scope(|scope| {
        for (event, at) in events.iter().zip(["commit.file_placed:2", "archive.committed"]) {
            let (crash, env) = (crash(at), env(&[]));
            scope.spawn(move || {
                assert!(killed(&invoke("archive", event, &crash)), "it dies at {at}");
                let records = event["Records"].as_array().unwrap();
                let first = json!({"Records": records[..1]});
                for batch in [&first, event] {
                    assert_eq!(invoke("archive", batch, &env).response(), json!({"batchItemFailures": []}));
                }
            });
        }
    });
    command(&["history", "compact", "--grace", "0s"]);
    let stats: Value = serde_json::from_str(&command(&["history", "stats", "--format", "json"])).unwrap();
    assert_eq!(stats["rows"], points, "each point once: {stats}");

    // A round, whose first analysis dies with its turn.
    let tick = json!({"detail-type": "Scheduled Event"});
    assert!(killed(&invoke("analyze", &tick, &crash("analyze.written"))));
    let analyze = || invoke("analyze", &tick, &env(&[]));
    let done = |outcome: Outcome| match outcome {
        Outcome::Answered(path, value) if path.ends_with("/response") => value["due"].as_u64().unwrap(),
        Outcome::Answered(_, error) => {
            assert!(error["errorMessage"].as_str().unwrap().contains(" lease "), "held or lost: {error}");
            0
        }
        Outcome::Ended(status) => panic!("it ended with {status}"),
    };
    // Four at once until its lease has run out: one holds the round, once.
    let mut held = 0;
    while held == 0 {
        held = thread::scope(|scope| {
            let four: Vec<_> = (0..4).map(|_| scope.spawn(analyze)).collect();
            four.into_iter().map(|one| done(one.join().unwrap())).sum()
        });
    }
    assert_eq!(held, 1, "one of four holds the round");
    assert!(killed(&invoke("emit", &tick, &crash("emit.published"))));
    while !matches!(invoke("emit", &tick, &env(&[])), Outcome::Answered(path, _) if path.ends_with("/response")) {}

    let heard = lines(&moto.python_with(HEARD, &[&queue]));
    let mut events = BTreeMap::new();
    for message in &heard {
        events.insert(message["detail"]["event_id"].to_string(), message.clone());
    }
    // Under load the clock may come to another round, which may say more of an episode.
    let is_opening = |m: &&Value| m["detail"]["event_type"].as_str().unwrap().starts_with("forewarn.prediction.made");
    let opened: Vec<String> =
        events.values().filter(is_opening).map(|m| m["detail"]["episode_id"].to_string()).collect();
    assert!(opened.len() >= 2, "the bus heard {} of {} events", heard.len(), events.len());
    assert_eq!(heard.len(), events.len(), "what the killed one had sent is remembered");
    assert_eq!(opened.iter().collect::<BTreeSet<_>>().len(), opened.len(), "each episode is announced once");
}
