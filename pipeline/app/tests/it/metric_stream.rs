//! Files and buckets of metric streams, as their command takes them.

use crate::person::{Ran, done, forewarn, json};
use flate2::Compression;
use flate2::write::GzEncoder;
use forewarn_testkit::moto::Moto;
use serde_json::Value;
use std::io::Write;
use std::path::Path;
use std::process::Command;

/// 2026-01-01T00:00:00Z.
const START: i64 = 1_767_225_600_000;

fn line(instance: &str, minute: i64) -> String {
    let ts = START + minute * 60_000;
    format!(
        r#"{{"metric_stream_name":"s","account_id":"123456789012","region":"eu-central-1","namespace":"AWS/EC2","metric_name":"CPUUtilization","dimensions":{{"InstanceId":"{instance}"}},"timestamp":{ts},"value":{{"max":3.0,"min":1.0,"sum":6.0,"count":3.0}},"unit":"Percent"}}"#
    ) + "\n"
}

const ID: &str = "i-0123456789abcdef0";

fn rows(dir: &Path) -> u64 {
    done(dir, &["archive", "--state", "s", "--history", "h"]);
    done(dir, &["history", "compact", "--history", "h"]);
    json(dir, &["history", "stats", "--history", "h", "--format", "json"])["rows"].as_u64().unwrap()
}

#[test]
fn one_odd_point_costs_its_file_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let lines: String = (0..1000).map(|m| line(ID, m)).collect();
    std::fs::write(dir.path().join("a.json"), format!("{lines}{}not json\n{}", line("i-1", 5), line(ID, 1000)))
        .unwrap();
    let ran = forewarn(dir.path(), &["metric-stream", "a.json", "--state", "s"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(
        ran.out.contains("1,001 samples into the stream") && ran.out.contains("skipped: 1 bad_id, 1 not_json"),
        "{ran:?}"
    );
    assert!(
        ran.err.contains("a.json") && ran.err.contains("1001") && ran.err.contains("which is no instance id"),
        "{ran:?}"
    );
    assert_eq!(json(dir.path(), &["events", "dead", "--state", "s", "--format", "json"]), Value::Array(Vec::new()));
    assert_eq!(rows(dir.path()), 1001);
}

#[test]
fn a_file_that_cannot_be_read_is_referred_to_and_the_others_are_taken() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("d")).unwrap();
    std::fs::write(dir.path().join("d/a.json"), line(ID, 0)).unwrap();
    std::fs::write(dir.path().join("d/b.gz"), [vec![0x1f, 0x8b], vec![7; 300_000]].concat()).unwrap();
    std::fs::write(dir.path().join("d/c.json"), line(ID, 1)).unwrap();
    let ran = forewarn(dir.path(), &["metric-stream", "d", "--state", "s"]);
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.out.contains("3 files: 2 samples") && ran.err.contains("nothing of 1 files could be taken"), "{ran:?}");
    let dead = json(dir.path(), &["events", "dead", "--state", "s", "--format", "json"]);
    let letter = &dead[0];
    assert_eq!((&letter["origin"], &letter["bytes"]), (&Value::from("d/b.gz"), &Value::from(300_002)));
    assert_eq!(
        (&letter["why"]["reason"], &letter["object"]),
        (&Value::from("damaged"), &serde_json::json!({"etag": null}))
    );
    assert!(std::fs::metadata(dir.path().join("s/dead-letters.jsonl")).unwrap().len() < 1000);
    assert_eq!(rows(dir.path()), 2);
}

/// A bucket, and the command run against it.
struct Bucket {
    moto: Moto,
    dir: tempfile::TempDir,
}

impl Bucket {
    fn or_skip() -> Option<Self> {
        let moto = Moto::or_skip(&["s3"])?;
        moto.python("aws('s3').create_bucket(Bucket='delivered')");
        Some(Self { moto, dir: tempfile::tempdir().unwrap() })
    }

    fn put(&self, key: &str, body: &[u8]) {
        let file = self.dir.path().join("body");
        std::fs::write(&file, body).unwrap();
        let script = "aws('s3').put_object(Bucket='delivered', Key=sys.argv[1], Body=open(sys.argv[2], 'rb').read())";
        self.moto.python_with(script, &[key, file.to_str().unwrap()]);
    }

    fn command(&self, args: &[&str], env: &[(&str, &str)]) -> Ran {
        let output = Command::new(env!("CARGO_BIN_EXE_forewarn"))
            .args(args)
            .current_dir(self.dir.path())
            .env_clear()
            .envs(self.moto.env())
            .envs(env.iter().copied())
            .output()
            .unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Ran { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
    }

    fn take(&self) -> Ran {
        self.command(&["metric-stream", "s3://delivered/metrics", "--state", "s"], &[])
    }
}

fn packed(text: &str) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(text.as_bytes()).unwrap();
    packed.finish().unwrap()
}

/// A key as Firehose gives them.
fn key(minute: i64) -> String {
    format!("metrics/2026/01/01/{:02}/s-1-2026-01-01-{:02}-{:02}-00-uuid.gz", minute / 60, minute / 60, minute % 60)
}

#[test]
fn a_bucket_is_taken_object_by_object_each_once_and_late_ones_too() {
    let Some(bucket) = Bucket::or_skip() else { return };
    for minute in [0, 2, 70] {
        bucket.put(&key(minute), &packed(&line(ID, minute)));
    }
    bucket.put("elsewhere/x.gz", &packed(&line(ID, 99)));
    let first = bucket.take();
    assert!(first.code == 0 && first.out.contains("3 files: 3 samples"), "{first:?}");
    assert!(bucket.take().out.contains("0 files: 0 samples"));
    bucket.put(&key(1), &packed(&line(ID, 1)));
    bucket.put(&key(71), b"\x1f\x8bbroken");
    let second = bucket.take();
    assert!(second.code == 2 && second.out.contains("2 files: 1 samples"), "{second:?}");
    let dead = json(bucket.dir.path(), &["events", "dead", "--state", "s", "--format", "json"]);
    assert_eq!(dead[0]["origin"], format!("s3://delivered/{}", key(71)));
    assert!(dead[0]["object"]["etag"].as_str().is_some_and(|tag| tag.len() >= 32), "{dead:#}");
    let third = bucket.take();
    assert!(third.code == 0 && third.out.contains("0 files"), "{third:?}");
    assert_eq!(rows(bucket.dir.path()), 4);
    let missing = bucket.command(&["metric-stream", "s3://nowhere/x", "--state", "s"], &[]);
    assert!(missing.code == 1 && missing.err.contains("s3://nowhere/x"), "{missing:?}");
}

#[test]
fn a_kill_at_any_point_of_taking_a_bucket_loses_and_repeats_nothing() {
    let Some(bucket) = Bucket::or_skip() else { return };
    let points = [
        "metric_stream.begun",
        "ingest.put_begun:2",
        "ingest.put_written",
        "ingest.put_done",
        "metric_stream.put:2",
        "metric_stream.taken",
        "metric_stream.raised",
    ];
    for (n, point) in (0..).zip(points) {
        for minute in [2 * n, 2 * n + 1] {
            bucket.put(&key(minute), &packed(&(line(ID, minute) + &line("i-0123456789abcdef1", minute))));
        }
        let take = ["metric-stream", "s3://delivered/metrics", "--state", "s"];
        let killed = bucket.command(&take, &[("FOREWARN_CRASH_AT", point)]);
        assert!(killed.code != 0, "{point} was never passed");
        assert_eq!(bucket.take().code, 0);
        assert_eq!(rows(bucket.dir.path()), 4 * (n as u64 + 1), "{point}");
    }
}
