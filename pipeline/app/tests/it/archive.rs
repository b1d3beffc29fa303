//! The archive as its command runs it: what was put into the stream is in the history, sorted, once; a kill at any point of it
//! leaves nothing that the next run does not complete.

use crate::person::{done, forewarn};
use forewarn_history::{History, Run, RunSink};
use forewarn_ingest::stream::{InstanceSeen, Record, SampleBatch, SeriesBlock, StreamSpec, open};
use forewarn_runtime::context::RuntimeContext;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

const START: i64 = 1_772_409_600_000; // 2026-03-02T00:00:00Z
const STEP: i64 = 300_000;

fn block(metric: &str, device: Option<&str>, from: i64, n: i64) -> SeriesBlock {
    SeriesBlock {
        namespace: "CWAgent".to_owned(),
        metric: metric.to_owned(),
        stat: "Average".to_owned(),
        device: device.map(str::to_owned),
        period_s: 300,
        ts: (from..from + n).map(|k| START + k * STEP).collect(),
        values: (from..from + n).map(|k| k as f64 * 0.25).collect(),
    }
}

fn batch(i: usize, ingested_at: Option<i64>, series: Vec<SeriesBlock>) -> Record {
    Record::Samples(SampleBatch {
        account: "123456789012".to_owned(),
        region: "eu-central-1".to_owned(),
        instance_id: format!("i-0{i:016x}"),
        ingested_at,
        series,
    })
}

/// Puts six instances over three days, in two pulls that overlap, with an instance's description and nonsense among them.
fn fill(state: &Path) {
    let mut producer = open::producer(&StreamSpec::Embedded, state, &RuntimeContext::standalone()).unwrap();
    for i in 0..6 {
        let disks = [Some("path=/"), Some("path=/data")];
        let first = disks.map(|d| block("disk_used_percent", d, 0, 500)).to_vec();
        producer.put(&[batch(i, None, first)]).unwrap();
        let at = START + 900 * STEP;
        // The tail comes again, and one series has nothing new.
        producer.put(&[batch(i, Some(at), vec![block("disk_used_percent", Some("path=/"), 450, 300)])]).unwrap();
    }
    let seen = InstanceSeen {
        account: "123456789012".to_owned(),
        region: "eu-central-1".to_owned(),
        instance_id: format!("i-0{:016x}", 3),
        workload: Some("web".to_owned()),
        instance_type: Some("t3.large".to_owned()),
        launched_at: Some(START),
        seen_at: START,
        cpu_credits: Some("unlimited".to_owned()),
    };
    producer.put(&[Record::Instance(seen)]).unwrap();
}

/// Every sample of a history, as (instance, device, time) to values.
#[derive(Default)]
struct All(BTreeMap<(String, Option<String>, i64), Vec<u64>>);

impl RunSink for All {
    fn run(&mut self, run: Run<'_>) -> forewarn_history::Result<()> {
        for (ts, value) in run.ts.iter().zip(run.value) {
            let key = (run.key.instance_id.clone(), run.key.device.clone(), *ts);
            self.0.entry(key).or_default().push(value.to_bits());
        }
        Ok(())
    }

    fn end_instance(&mut self, _: &str) -> forewarn_history::Result<()> {
        Ok(())
    }
}

fn read(history: &Path) -> All {
    let history = History::open(history.to_str().unwrap()).unwrap();
    let mut all = All::default();
    for bucket in 0..history.buckets() {
        history.scan(bucket, 0, i64::MAX, &mut all).unwrap();
    }
    all
}

fn whole(history: &Path) {
    let all = read(history);
    assert_eq!(all.0.len(), 6 * (750 + 500));
    for ((id, device, ts), values) in &all.0 {
        let k = (ts - START) / STEP;
        // What was pulled for the past and live is there as both: an import that contradicts it counts against the second.
        let versions = if device.as_deref() == Some("path=/") && (450..500).contains(&k) { 2 } else { 1 };
        assert_eq!(values, &vec![(k as f64 * 0.25).to_bits(); versions], "{id} {device:?} {ts}");
    }
    let instances = History::open(history.to_str().unwrap()).unwrap().instances().unwrap();
    assert_eq!(instances.values().map(|i| i.workload.clone()).collect::<Vec<_>>(), vec![Some("web".to_owned())]);
    assert!(instances.values().all(forewarn_history::InstanceRow::is_unlimited));
}

#[test]
fn what_was_put_is_in_the_history_once_and_the_same_again_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    fill(&dir.path().join("s"));
    let said = done(dir.path(), &["archive", "--history", "h", "--state", "s"]);
    assert!(said.contains("7,800 samples") && said.contains("7,800 rows"), "{said}");
    whole(&dir.path().join("h"));
    let again = done(dir.path(), &["archive", "--history", "h", "--state", "s"]);
    assert!(again.starts_with("0 records"), "{again}");
    // The same pulled once more goes at compact.
    fill(&dir.path().join("s"));
    done(dir.path(), &["archive", "--history", "h", "--state", "s"]);
    done(dir.path(), &["history", "compact", "--history", "h"]);
    whole(&dir.path().join("h"));
    done(dir.path(), &["history", "verify", "--history", "h"]);
}

#[test]
fn a_record_that_cannot_be_read_is_set_aside_with_its_reason_and_stops_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("s");
    fill(&state);
    let db = rusqlite::Connection::open(state.join("stream.sqlite")).unwrap();
    let changed = db.execute("UPDATE records SET data = x'00ff00' WHERE seq = 1", []).unwrap();
    assert_eq!(changed, 1);
    drop(db);
    let said = done(dir.path(), &["archive", "--history", "h", "--state", "s"]);
    assert!(said.contains("1 records can't be read and were set aside"), "{said}");
    let reasons: Vec<String> = std::fs::read_dir(state.join("unreadable"))
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.extension().is_some_and(|e| e == "json"))
        .map(|p| std::fs::read_to_string(p).unwrap())
        .collect();
    assert_eq!(reasons.len(), 1);
    assert!(reasons[0].contains("not a forewarn record"), "{}", reasons[0]);
}

#[test]
fn what_the_stream_lost_is_said_and_passed_over_only_when_somebody_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("s");
    fill(&state);
    done(dir.path(), &["archive", "--history", "h", "--state", "s"]);
    fill(&state);
    let db = rusqlite::Connection::open(state.join("stream.sqlite")).unwrap();
    let lost = db.execute("DELETE FROM records WHERE seq = (SELECT min(seq) FROM records)", []).unwrap();
    assert_eq!(lost, 1);
    drop(db);
    let ran = forewarn(dir.path(), &["archive", "--history", "h", "--state", "s"]);
    assert!(
        ran.code == 1
            && ran.err.contains("is no longer kept; ingest that time again, then run `forewarn archive --past-lost`"),
        "{ran:?}"
    );
    let said = done(dir.path(), &["archive", "--history", "h", "--state", "s", "--past-lost"]);
    assert!(said.starts_with("12 records"), "{said}");
    assert!(done(dir.path(), &["archive", "--history", "h", "--state", "s"]).starts_with("0 records"));
}

#[test]
fn a_kill_at_any_point_is_completed_by_the_next_run() {
    let points = [
        "archive.read",
        "archive.intended",
        "archive.logged",
        "archive.bucket_written",
        "archive.bucket_written:3",
        "commit.staged",
        "commit.journal_written",
        "commit.file_placed:2",
        "commit.recorded",
        "archive.committed",
        "archive.tables_written",
        "archive.finished",
    ];
    for point in points {
        let dir = tempfile::tempdir().unwrap();
        fill(&dir.path().join("s"));
        let killed = Command::new(env!("CARGO_BIN_EXE_forewarn"))
            .args(["archive", "--history", "h", "--state", "s"])
            .current_dir(dir.path())
            .env_clear()
            .env("FOREWARN_CRASH_AT", point)
            .output()
            .unwrap();
        assert!(!killed.status.success(), "{point} was never passed");
        done(dir.path(), &["archive", "--history", "h", "--state", "s"]);
        whole(&dir.path().join("h"));
        let again = done(dir.path(), &["archive", "--history", "h", "--state", "s"]);
        assert!(again.starts_with("0 records"), "{point}: {again}");
    }
}

/// Puts one hour of one instance, from the hour's first sample on.
fn put_hour(state: &Path, hour: i64) {
    let mut producer = open::producer(&StreamSpec::Embedded, state, &RuntimeContext::standalone()).unwrap();
    producer.put(&[batch(0, None, vec![block("mem_used_percent", None, hour * 12, 12)])]).unwrap();
}

fn hours(history: &Path) -> Vec<i64> {
    let mut hours: Vec<i64> = read(history).0.keys().map(|(_, _, ts)| (ts - START) / (12 * STEP)).collect();
    hours.dedup();
    hours
}

#[test]
fn a_second_a_wiped_and_a_restored_state_add_to_one_history_and_replace_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let archive = |state: &str| done(dir.path(), &["archive", "--history", "h", "--state", state]);
    let (state, backup) = (dir.path().join("s"), dir.path().join("backup"));
    put_hour(&state, 0);
    archive("s");
    std::fs::create_dir(&backup).unwrap();
    std::fs::copy(state.join("stream.sqlite"), backup.join("stream.sqlite")).unwrap();
    // A second state; the first one wiped; the first one as it was after its first hour.
    put_hour(&dir.path().join("other"), 1);
    archive("other");
    std::fs::remove_dir_all(&state).unwrap();
    put_hour(&state, 2);
    archive("s");
    put_hour(&backup, 3);
    archive("backup");
    assert_eq!(hours(&dir.path().join("h")), [0, 1, 2, 3]);
    done(dir.path(), &["history", "compact", "--history", "h"]);
    assert_eq!(hours(&dir.path().join("h")), [0, 1, 2, 3]);
    assert_eq!(read(&dir.path().join("h")).0.len(), 48);
}

#[test]
fn a_record_of_a_newer_forewarn_waits_in_the_stream_and_is_taken_after_the_upgrade() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("s");
    for hour in 0..3 {
        put_hour(&state, hour);
    }
    let version = |n: u8| {
        let db = rusqlite::Connection::open(state.join("stream.sqlite")).unwrap();
        let (id, mut data): (i64, Vec<u8>) = db
            .query_row("SELECT seq, data FROM records WHERE seq = 2", [], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap();
        data[2] = n;
        db.execute("UPDATE records SET data = ?1 WHERE seq = ?2", rusqlite::params![data, id]).unwrap();
    };
    version(9);
    for _ in 0..2 {
        let ran = forewarn(dir.path(), &["archive", "--history", "h", "--state", "s"]);
        assert!(ran.code == 1 && ran.err.contains("has version 9, newer than this forewarn knows; upgrade"), "{ran:?}");
        assert_eq!(hours(&dir.path().join("h")), [0]);
        assert!(!state.join("unreadable").exists());
    }
    version(1);
    done(dir.path(), &["archive", "--history", "h", "--state", "s"]);
    assert_eq!(hours(&dir.path().join("h")), [0, 1, 2]);
}

#[test]
fn what_was_pruned_is_not_brought_back_by_a_state_that_pulls_it_again() {
    let dir = tempfile::tempdir().unwrap();
    put_hour(&dir.path().join("s"), 0);
    put_hour(&dir.path().join("s"), 30);
    done(dir.path(), &["archive", "--history", "h", "--state", "s"]);
    done(dir.path(), &["history", "prune", "--history", "h", "--older-than", "2026-03-03T00:00:00Z"]);
    put_hour(&dir.path().join("again"), 0);
    put_hour(&dir.path().join("again"), 31);
    let said = done(dir.path(), &["archive", "--history", "h", "--state", "again"]);
    assert!(said.contains("12 of days that were pruned and left out"), "{said}");
    assert_eq!(hours(&dir.path().join("h")), [30, 31]);
}

#[test]
fn what_was_set_aside_and_reads_by_now_is_taken_once_and_the_rest_stays() {
    let dir = tempfile::tempdir().unwrap();
    let aside = dir.path().join("s/unreadable");
    std::fs::create_dir_all(&aside).unwrap();
    let keep = |name: &str, data: &[u8]| {
        std::fs::write(aside.join(format!("{name}.bin")), data).unwrap();
        std::fs::write(aside.join(format!("{name}.json")), r#"{"set_aside_at":"2026-03-02T01:00:00Z"}"#).unwrap();
    };
    let hour = |h: i64| batch(0, None, vec![block("mem_used_percent", None, h * 12, 12)]);
    for h in 0..3 {
        keep(&format!("0{h}"), &hour(h).encode().unwrap()[0]);
    }
    keep("03", b"nobody reads this");
    let retry = ["archive", "--retry-set-aside", "--history", "h", "--state", "s"];
    for point in ["archive.committed", "archive.retried"] {
        let killed = Command::new(env!("CARGO_BIN_EXE_forewarn"))
            .args(retry)
            .current_dir(dir.path())
            .env_clear()
            .env("FOREWARN_CRASH_AT", point)
            .output()
            .unwrap();
        assert!(!killed.status.success(), "{point} was never passed");
    }
    let said = done(dir.path(), &retry);
    assert!(said.starts_with("4 records tried: 3 taken (36 samples, 0 events), 1 left"), "{said}");
    assert!(done(dir.path(), &retry).starts_with("1 records tried: 0 taken"));
    let all = read(&dir.path().join("h"));
    assert!(all.0.len() == 36 && all.0.values().all(|v| v.len() == 1), "each sample is there once");
    let left: Vec<_> = std::fs::read_dir(&aside).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "{left:?}");
}
