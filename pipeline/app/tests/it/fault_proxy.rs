//! The fault proxy before a server that answers most of AWS: what goes wrong goes wrong as AWS does it, is written down, and nothing
//! else is touched.

use crate::person::forewarn;
use forewarn_lab::fault_proxy::{FaultProxy, Script};
use forewarn_testkit::moto::Moto;
use serde_json::Value;
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::time::Duration;

const SCRIPT: &str = r#"{"seed": 11, "rules": [
  {"operation": "PutRecords", "nth": 1, "action": "throttle"},
  {"operation": "PutRecords", "nth": 2, "action": {"partial_put_records": 0.5}},
  {"operation": "PutRecords", "nth": 3, "action": "lose_reply"},
  {"operation": "PutRecords", "nth": 4, "action": "reset"},
  {"operation": "GetRecords", "nth": 1, "action": "expire_iterator"},
  {"operation": "PutEvents", "nth": 1, "action": {"partial_put_events": 0.3}},
  {"operation": "PutEvents", "nth": 2, "action": {"http": 503}},
  {"operation": "GetCallerIdentity", "nth": 1, "action": "throttle"},
  {"operation": "DescribeInstances", "nth": 1, "action": "throttle"},
  {"operation": "ListShards", "nth": 1, "action": {"delay": 1}}
]}"#;

/// Calls through the proxy, once each, and says what came of it.
const CALLS: &str = r#"
from botocore.config import Config
import botocore.exceptions
once = Config(retries=dict(total_max_attempts=1), region_name="us-east-1")
def client(service): return boto3.client(service, endpoint_url=sys.argv[1], config=once)
kinesis, events = client("kinesis"), client("events")
kinesis.create_stream(StreamName="s", ShardCount=1)
batch = [dict(Data=str(n).encode(), PartitionKey="k") for n in range(8)]
def attempt(call):
    try: return call()
    except botocore.exceptions.ClientError as e: return dict(code=e.response["Error"]["Code"])
    except botocore.exceptions.HTTPClientError: return dict(code="closed")
put = lambda: attempt(lambda: kinesis.put_records(StreamName="s", Records=batch))
throttled, partial, lost, reset, well = put(), put(), put(), put(), put()
shard = kinesis.list_shards(StreamName="s")["Shards"][0]["ShardId"]
start = kinesis.get_shard_iterator(StreamName="s", ShardId=shard, ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
read = lambda: attempt(lambda: kinesis.get_records(ShardIterator=start))
expired, records = read(), read()["Records"]
entry = dict(Source="forewarn", DetailType="t", Detail="{}")
announce = lambda: attempt(lambda: events.put_events(Entries=[entry] * 10))
some, unwell = announce(), announce()
failed = lambda answer, results: [i for i, r in enumerate(answer[results]) if "ErrorCode" in r]
print(json.dumps(dict(
    codes=[x.get("code") for x in (throttled, lost, reset, expired, unwell)],
    partial=[failed(partial, "Records"), partial["FailedRecordCount"]],
    error=partial["Records"][failed(partial, "Records")[0]]["ErrorCode"],
    well=well["FailedRecordCount"],
    data=[r["Data"].decode() for r in records],
    events=[failed(some, "Entries"), some["FailedEntryCount"], len(some["Entries"])],
    xml=[attempt(client("sts").get_caller_identity)["code"], attempt(client("ec2").describe_instances)["code"]],
    again=client("sts").get_caller_identity()["Account"])))
"#;

#[test]
fn calls_are_spoiled_as_scripted_written_down_and_otherwise_passed_through() {
    let Some(moto) = Moto::or_skip(&["kinesis", "events", "sts", "ec2"]) else { return };
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("faults.json"), SCRIPT).unwrap();
    let mut proxy = Command::new(env!("CARGO_BIN_EXE_forewarn"))
        .args(["fault-proxy", "--to", &moto.url, "--script", "faults.json", "--fault-log", "faults.jsonl"])
        .current_dir(dir.path())
        .env_clear()
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(proxy.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let url = line.trim().strip_prefix("listening on ").unwrap_or_else(|| panic!("it said {line:?}"));
    let said = moto.python_with(CALLS, &[url]);
    proxy.kill().unwrap();
    proxy.wait().unwrap();

    let said: Value = serde_json::from_str(&said).unwrap();
    let codes = ["ProvisionedThroughputExceededException", "closed", "closed", "ExpiredIteratorException"];
    assert_eq!(said["codes"].as_array().unwrap()[..4], codes, "{said}");
    assert_eq!(said["codes"][4], "ServiceUnavailable");
    let failed: Vec<u64> = serde_json::from_value(said["partial"][0].clone()).unwrap();
    assert!(!failed.is_empty() && failed.len() < 8 && said["partial"][1] == failed.len(), "{said}");
    assert_eq!((&said["error"], &said["well"]), (&codes[0].into(), &0.into()));
    // What failed is not there; what was lost on the way back is.
    let mut expected: Vec<String> = (0..8).filter(|n| !failed.contains(n)).map(|n| n.to_string()).collect();
    expected.extend((0..16).map(|n| (n % 8).to_string()));
    assert_eq!(said["data"], Value::from(expected));
    assert_eq!(
        (&said["events"][1], &said["events"][2]),
        (&said["events"][0].as_array().unwrap().len().into(), &10.into())
    );
    assert_eq!(said["xml"], serde_json::json!(["Throttling", "RequestLimitExceeded"]));
    assert_eq!(said["again"], "123456789012");

    let log = std::fs::read_to_string(dir.path().join("faults.jsonl")).unwrap();
    let lines: Vec<Value> = log.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let rules: Vec<u64> = lines.iter().map(|l| l["rule"].as_u64().unwrap()).collect();
    assert_eq!(rules, [1, 2, 3, 4, 10, 5, 6, 7, 8, 9], "every fault is written down, in order");
    assert_eq!(lines[1]["entries"], failed.len());
}

#[test]
fn a_script_or_an_address_that_makes_no_sense_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("bad.json"), r#"{"rules": [{"operation": "A"}]}"#).unwrap();
    std::fs::write(dir.path().join("good.json"), r#"{"rules": []}"#).unwrap();
    let bad = forewarn(dir.path(), &["fault-proxy", "--to", "http://127.0.0.1:1", "--script", "bad.json"]);
    assert!(bad.code == 2 && bad.err.contains("rule 1"), "{bad:?}");
    let nowhere = forewarn(dir.path(), &["fault-proxy", "--to", "127.0.0.1:1", "--script", "good.json"]);
    assert!(nowhere.code == 1 && nowhere.err.contains("http://HOST:PORT"), "{nowhere:?}");
}

/// A port that answers each request with `ok`.
fn answering() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut line = String::new();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            while reader.read_line(&mut line).unwrap() > 2 {
                line.clear();
            }
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok").unwrap();
        }
    });
    url
}

#[test]
fn a_silent_port_says_nothing_and_a_dripping_one_a_byte_at_a_time() {
    let rules = r#"{"rules": [{"operation": "GET", "action": "drip"}, {"operation": "PUT", "action": "silent"}]}"#;
    let script = Script::parse(rules).unwrap();
    let proxy = FaultProxy::start("127.0.0.1:0".parse().unwrap(), &answering(), script, None).unwrap();
    let ask = |method: &str| {
        let mut stream = TcpStream::connect(proxy.addr()).unwrap();
        write!(stream, "{method} / HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n").unwrap();
        BufReader::new(stream)
    };
    let mut dripping = ask("GET");
    let (mut line, mut length) = (String::new(), 0);
    while dripping.read_line(&mut line).unwrap() > 2 {
        length = line.strip_prefix("content-length: ").map_or(length, |n| n.trim().parse().unwrap());
        line.clear();
    }
    assert!(length > 3_000, "what is short is filled up, so that it takes an hour: {length}");
    for byte in *b"ok" {
        assert_eq!(dripping.fill_buf().unwrap(), [byte], "one at a time");
        dripping.consume(1);
    }
    let mut silent = ask("PUT");
    silent.get_ref().set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    let heard = silent.read_line(&mut line).unwrap_err();
    assert!(matches!(heard.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{heard}");
    assert_eq!(proxy.faults().into_iter().collect::<Vec<_>>(), [("drip".to_owned(), 1), ("silent".to_owned(), 1)]);
}
