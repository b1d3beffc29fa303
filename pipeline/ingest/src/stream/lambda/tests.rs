use super::*;
use crate::stream::conformance::{numbered, sample};
use proptest::prelude::*;
use serde_json::{Value, json};

const SHARD: &str = "shardId-000000000006";

/// An event as AWS documents it, with these records.
fn event(records: &[(&str, &str, &[u8])]) -> Value {
    let record = |(shard, seq, data): &(&str, &str, &[u8])| {
        json!({
            "kinesis": {
                "kinesisSchemaVersion": "1.0",
                "partitionKey": "1",
                "sequenceNumber": seq,
                "data": base64::encode(data),
                "approximateArrivalTimestamp": 1_545_084_650.987,
            },
            "eventSource": "aws:kinesis",
            "eventVersion": "1.0",
            "eventID": format!("{shard}:{seq}"),
            "eventName": "aws:kinesis:record",
            "invokeIdentityArn": "arn:aws:iam::123456789012:role/lambda-role",
            "awsRegion": "us-east-2",
            "eventSourceARN": "arn:aws:kinesis:us-east-2:123456789012:stream/lambda-stream",
        })
    };
    json!({ "Records": records.iter().map(record).collect::<Vec<_>>() })
}

fn parsed(event: &Value) -> Result<Vec<ShardBatch>, LambdaError> {
    parse(event.to_string().as_bytes())
}

#[test]
fn an_event_gives_the_records_of_each_shard_in_order() {
    let long = "49590338271490256608559692538361571095921575989136588898";
    let data = |n| sample("i-1", n).encode().unwrap().remove(0);
    let (a, b, c) = (data(1), data(2), data(3));
    let found = parsed(&event(&[(SHARD, "7", &a), ("shardId-1", "3", &b), (SHARD, long, &c)])).unwrap();
    let shards: Vec<&str> = found.iter().map(|s| s.shard.as_str()).collect();
    assert_eq!(shards, [SHARD, "shardId-1"]);
    assert_eq!(found[0].records.iter().map(|r| numbered(r).1).collect::<Vec<_>>(), [1, 3]);
    assert_eq!(found[0].records[0].arrived_at, Some(1_545_084_650_987));
    assert_eq!(parsed(&json!({ "Records": [] })).unwrap(), []);
}

#[test]
fn what_is_no_such_event_is_refused_in_words() {
    let good = event(&[(SHARD, "7", b"x")]);
    let with = |pointer: &str, value: Value| {
        let mut bad = good.clone();
        *bad.pointer_mut(pointer).unwrap() = value;
        parsed(&bad).unwrap_err().to_string()
    };
    assert!(with("/Records/0/eventSource", json!("aws:sqs")).contains("aws:kinesis"));
    assert!(with("/Records/0/eventID", json!("shardId-1:8")).contains("SHARD:SEQUENCENUMBER"));
    assert!(with("/Records/0/eventID", json!("x:7")).contains("SHARD:SEQUENCENUMBER"));
    assert!(with("/Records/0/kinesis/sequenceNumber", json!("1e9")).contains("decimal"));
    assert!(with("/Records/0/kinesis/sequenceNumber", json!(7)).contains("trigger"));
    assert!(with("/Records/0/kinesis/data", json!("?")).contains("base64"));
    assert!(with("/Records", json!({})).contains("trigger"));
    let again = event(&[(SHARD, "7", b"x"), (SHARD, "7", b"x")]);
    assert!(parsed(&again).unwrap_err().to_string().contains("record 2"));
    let many = event(&vec![(SHARD, "7", &b""[..]); MAX_RECORDS + 1]);
    assert!(matches!(parsed(&many), Err(LambdaError::TooMany { .. })));
    assert!(matches!(parse(&vec![b' '; MAX_EVENT_BYTES + 1]), Err(LambdaError::TooLong { .. })));
    let mut ageless = good.clone();
    ageless["Records"][0]["kinesis"]["approximateArrivalTimestamp"] = json!(-5e300);
    assert_eq!(parsed(&ageless).unwrap()[0].records[0].arrived_at, None);
}

#[test]
fn the_first_failure_of_each_shard_is_answered() {
    let mut failures = Failures::default();
    assert_eq!(serde_json::to_value(failures.response()).unwrap(), json!({ "batchItemFailures": [] }));
    for (shard, seq) in [("b", "10"), ("a", "5"), ("b", "9"), ("b", "11")] {
        failures.note(shard, seq);
    }
    let expected = json!({ "batchItemFailures": [{ "itemIdentifier": "5" }, { "itemIdentifier": "9" }] });
    assert_eq!(serde_json::to_value(failures.response()).unwrap(), expected);
}

proptest! {
    #[test]
    fn a_changed_byte_never_panics(at in 0_usize..400, with: u8) {
        let mut bytes = event(&[(SHARD, "7", b"some data")]).to_string().into_bytes();
        let at = at % bytes.len();
        bytes[at] = with;
        drop(parse(&bytes));
    }

    #[test]
    fn bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        drop(parse(&bytes));
    }
}
