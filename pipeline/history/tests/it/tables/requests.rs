//! How many requests an object store gets, and what becomes of readers that a compaction overtakes.

use super::{AT, DAY, NOW, compact, event, incident, remote, seen};
use crate::layout::key;
use forewarn_history::{CompactOptions, History, MetricWriter, Run, RunSink};
use forewarn_testkit::counting_store::CountingStore;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a round reads of the small tables, as `predict` asks for it.
fn read_a_round(history: &History, now: i64) {
    history.instance_versions().unwrap();
    history.events_in(now - 3 * DAY..now, |_| true).unwrap();
    history.incidents_in(now - 3 * DAY..now).unwrap();
}

#[test]
fn a_round_asks_for_the_days_that_it_needs_however_long_the_history_is() {
    let cost_after = |days: i64| {
        let objects = Arc::new(CountingStore::default());
        let mut history = remote(objects.clone());
        for day in 0..days {
            let mut writer = history.writer().unwrap();
            for drain in 0..10 {
                let ts = AT + day * DAY + drain * 60_000;
                writer.put_events(&[event("i-a", ts, "left")]).unwrap();
                writer.put_incidents(&[incident("i-a", ts)]).unwrap();
                writer.put_instances(&[seen(&format!("i-{day}"), ts, &drain.to_string())]).unwrap();
            }
            drop(writer);
            compact(&mut history, AT + (day + 1) * DAY);
        }
        // As the next compaction finds it: what was replaced is gone.
        compact(&mut history, AT + (days + 1) * DAY);
        objects.forget();
        read_a_round(&history, AT + days * DAY);
        (objects.gets().values().sum::<usize>(), objects.lists())
    };
    let (week, quarter) = (cost_after(7), cost_after(90));
    assert_eq!(week, quarter);
    // Three days of events, three of incidents, one of instances, and whether anything was pruned.
    assert!(week.0 <= 9, "{week:?}");
}

/// One sample of an instance a file.
fn add(history: &mut History, k: i64) {
    let mut writer = history.writer().unwrap();
    let mut staging = writer.stage(&format!("s{k}")).unwrap();
    let bucket = writer.history().bucket_of("i-a");
    let target = format!("{}/{k}.parquet", forewarn_history::Partition::of(bucket, AT).dir());
    let mut file = MetricWriter::create(&staging.add(&target)).unwrap();
    file.push(&key("i-a", "AWS/EC2", "CPUUtilization", "Average", 60), &[AT + k * 60_000], &[k as f64], &[], None)
        .unwrap();
    file.finish().unwrap();
    writer.commit(&staging, &BTreeMap::new(), Some((AT, AT + DAY)), serde_json::Value::Null).unwrap();
}

#[test]
fn the_note_of_a_compaction_is_read_once_however_many_buckets_are_scanned() {
    let objects = Arc::new(CountingStore::default());
    let mut history = remote(objects.clone());
    add(&mut history, 0);
    add(&mut history, 1);
    compact(&mut history, NOW);
    let history = remote(objects.clone());
    objects.forget();
    let mut found = Count::default();
    for bucket in 0..history.buckets() {
        history.scan(bucket, i64::MIN, i64::MAX, &mut found).unwrap();
    }
    assert_eq!(found.0.len(), 2);
    let notes: Vec<usize> =
        objects.gets().into_iter().filter(|(path, _)| path.contains("/_compact/")).map(|(_, n)| n).collect();
    assert_eq!(notes, [1]);
}

#[derive(Default)]
struct Count(Vec<i64>);

impl RunSink for Count {
    fn run(&mut self, run: Run<'_>) -> forewarn_history::Result<()> {
        self.0.extend_from_slice(run.ts);
        Ok(())
    }

    fn end_instance(&mut self, _: &str) -> forewarn_history::Result<()> {
        Ok(())
    }
}

#[test]
fn a_scan_that_compactions_overtake_again_and_again_lists_until_it_has_what_counts() {
    let objects = Arc::new(CountingStore::default());
    let mut history = remote(objects.clone());
    add(&mut history, 0);
    add(&mut history, 1);
    // After each of the first listings of metrics, what was listed is compacted away, and another file comes.
    let (inner, mut left) = (objects.inner.clone(), 3);
    let overtake = move |prefix: &str| {
        if left == 0 || !prefix.ends_with(&format!("bucket={:02}", forewarn_history::bucket_of("i-a", 16))) {
            return;
        }
        left -= 1;
        let (inner, k) = (inner.clone(), 5 - left);
        // A store owns a runtime, and no runtime runs inside another.
        let other = std::thread::spawn(move || {
            let mut history = remote(inner);
            let now = CompactOptions { now_ms: NOW, grace_ms: Some(0), ..CompactOptions::default() };
            history.writer().unwrap().compact(&now).unwrap();
            add(&mut history, k);
        });
        other.join().unwrap();
    };
    objects.after_list(overtake);
    let mut found = Count::default();
    history.scan(history.bucket_of("i-a"), i64::MIN, i64::MAX, &mut found).unwrap();
    found.0.sort_unstable();
    let minutes: Vec<i64> = found.0.iter().map(|t| (t - AT) / 60_000).collect();
    assert_eq!(minutes, [0, 1, 3, 4, 5]);
}
