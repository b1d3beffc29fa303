//! Verify, stats, compact, prune, the tables, and the questions that need no samples.

use super::{read_all, scan_all};
use crate::import::{NOW, import, write};
use forewarn_domain::signal::Signal;
use forewarn_history::import::{ImportOptions, import_files};
use forewarn_history::{CompactOptions, History, HistoryError, Manifest, RemoteStore, ScanOptions, Store};
use std::path::Path;
use std::sync::Arc;

const DAY: i64 = 86_400_000;
/// 2026-02-10T00:00:00Z.
const AT: i64 = 1_770_681_600_000;

fn open(root: &Path) -> History {
    History::open(root.to_str().unwrap()).unwrap()
}

fn csv(rows: impl IntoIterator<Item = (&'static str, &'static str, i64, f64)>) -> String {
    let mut text = "instance_id,metric,ts,value\n".to_owned();
    for (instance, metric, ts, value) in rows {
        text.push_str(&format!("{instance},{metric},{ts},{value}\n"));
    }
    text
}

/// Three overlapping imports: one row twice the same, one row in two versions.
fn overlapping(root: &Path) {
    let minutes = |from: i64, to: i64| (from..to).map(|m| ("i-a", "CPUUtilization", AT + m * 60_000, m as f64));
    for (name, rows) in [("1.csv", csv(minutes(0, 10))), ("2.csv", csv(minutes(9, 20)))] {
        import(&root.join("h"), &[write(root, name, &rows)], &ImportOptions::at(NOW)).unwrap();
    }
    let third = csv([
        ("i-a", "CPUUtilization", AT, 99.0),
        ("i-b", "odd", AT + DAY, 1.0),
        ("i-b", "odd", AT + DAY + 240_000, 1.0),
    ]);
    let mut options = ImportOptions::at(NOW);
    options.period_s = Some(60);
    import(&root.join("h"), &[write(root, "3.csv", &third)], &options).unwrap();
}

#[test]
fn stats_count_what_is_there() {
    let dir = tempfile::tempdir().unwrap();
    overlapping(dir.path());
    let stats = open(&dir.path().join("h")).stats().unwrap();
    assert_eq!((stats.instances, stats.series, stats.rows, stats.raw_duplicates), (2, 2, 24, 2));
    assert_eq!((stats.gaps, stats.missing_periods), (1, 3));
    assert_eq!(stats.unused_metrics, ["odd"]);
    assert_eq!(stats.metrics[0].signal, Some(Signal::Cpu));
    assert_eq!(stats.from.as_deref(), Some("2026-02-10T00:00:00Z"));
    assert_eq!(stats.to.as_deref(), Some("2026-02-11T00:04:00Z"));
}

#[test]
fn compact_drops_exact_duplicates_keeps_versions_and_is_idempotent() {
    let dir = tempfile::tempdir().unwrap();
    overlapping(dir.path());
    let root = dir.path().join("h");
    let mut expected = read_all(&root);
    let before = expected.len();
    expected.dedup();
    assert_eq!(expected.len(), before - 1);
    let mut history = open(&root);
    let report =
        history.writer().unwrap().compact(&CompactOptions { now_ms: NOW, ..CompactOptions::default() }).unwrap();
    assert_eq!((report.compacted, report.files_before, report.files_after, report.duplicates_dropped), (1, 3, 1, 1));
    assert_eq!(read_all(&root), expected);
    let verified = open(&root).verify().unwrap();
    assert_eq!((verified.files, verified.rows, verified.faults.len()), (2, expected.len() as u64, 0));
    let report =
        history.writer().unwrap().compact(&CompactOptions { now_ms: NOW, ..CompactOptions::default() }).unwrap();
    assert_eq!(report.compacted, 0);
}

#[test]
fn compact_rewrites_a_single_file_if_and_only_if_it_repeats_itself() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("h");
    let cpu = |m: i64, v: f64| ("i-a", "CPUUtilization", AT + m * 60_000, v);
    // The first day says one thing twice and another in two versions; the second day has two versions only.
    let rows = [cpu(0, 1.0), cpu(0, 1.0), cpu(1, 2.0), cpu(1, 3.0), cpu(1440, 4.0), cpu(1440, 5.0)];
    import(&root, &[write(dir.path(), "a.csv", &csv(rows))], &ImportOptions::at(NOW)).unwrap();
    let names = || {
        let files = open(&root).metric_files(None, i64::MIN, i64::MAX).unwrap();
        files.into_iter().map(|f| f.entry.path).collect::<Vec<_>>()
    };
    let before = names();
    assert_eq!((before.len(), read_all(&root).len()), (2, 6));
    let mut expected = read_all(&root);
    expected.dedup();
    let compact = || {
        let options = CompactOptions { now_ms: NOW, ..CompactOptions::default() };
        open(&root).writer().unwrap().compact(&options).unwrap()
    };
    let report = compact();
    assert_eq!((report.partitions, report.compacted, report.rows_read, report.duplicates_dropped), (2, 1, 4, 1));
    assert_eq!((report.files_before, report.files_after), (1, 1));
    assert_eq!(read_all(&root), expected);
    let after = names();
    assert_ne!(after[0], before[0]);
    assert_eq!(after[1], before[1]);
    assert!(open(&root).verify().unwrap().faults.is_empty());
    assert_eq!((compact().compacted, names()), (0, after.clone()));

    // What was found to repeat nothing is not read again, unless that is forgotten.
    let second = root.join(&after[1]);
    let bytes = std::fs::read(&second).unwrap();
    std::fs::write(&second, vec![0; bytes.len()]).unwrap();
    assert_eq!(compact().compacted, 0);
    std::fs::remove_file(root.join("_checked.json")).unwrap();
    let options = CompactOptions { now_ms: NOW, ..CompactOptions::default() };
    assert!(open(&root).writer().unwrap().compact(&options).is_err(), "now it was read");
    std::fs::write(&second, bytes).unwrap();
    assert_eq!(compact().compacted, 0);
    assert!(open(&root).verify().unwrap().faults.is_empty());
}

#[test]
fn within_the_grace_replaced_files_stay_but_do_not_count() {
    let dir = tempfile::tempdir().unwrap();
    overlapping(dir.path());
    let root = dir.path().join("h");
    let mut expected = read_all(&root);
    expected.dedup();
    let mut history = open(&root);
    let at = |now_ms| CompactOptions { now_ms, grace_ms: Some(1000), ..CompactOptions::default() };
    history.writer().unwrap().compact(&at(NOW)).unwrap();
    let count = || open(&root).store().list("metrics").unwrap().len();
    assert_eq!((count(), read_all(&root)), (5, expected.clone()));
    history.writer().unwrap().compact(&at(NOW + 999)).unwrap();
    assert_eq!(count(), 5);
    history.writer().unwrap().compact(&at(NOW + 1000)).unwrap();
    assert_eq!((count(), read_all(&root)), (2, expected));
}

#[test]
fn the_range_of_a_scan_is_half_open_and_one_instance_can_be_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    overlapping(dir.path());
    let history = open(&dir.path().join("h"));
    let all = scan_all(&history, i64::MIN, i64::MAX);
    for (from, to) in [(AT, AT + 1), (AT + 60_000, AT + 120_000), (AT + 1, AT + 601_000), (0, AT), (AT + DAY, i64::MAX)]
    {
        let expected: Vec<_> = all.iter().filter(|s| (from..to).contains(&s.1)).cloned().collect();
        assert_eq!(scan_all(&history, from, to), expected, "{from}..{to}");
    }
    let mut gather = super::SeriesCollector::default();
    let options = ScanOptions { instance: Some("i-b".into()), ..ScanOptions::default() };
    history.scan_with(history.bucket_of("i-b"), &options, &mut gather).unwrap();
    assert_eq!((gather.samples.len(), gather.ended), (2, vec!["i-b".to_owned()]));
}

#[test]
fn small_questions_are_answered_without_samples() {
    let dir = tempfile::tempdir().unwrap();
    overlapping(dir.path());
    let history = open(&dir.path().join("h"));
    assert_eq!(history.time_range().unwrap(), Some((AT, AT + DAY + 240_000)));
    assert_eq!(history.instances_in(AT + DAY, AT + 2 * DAY).unwrap().into_iter().collect::<Vec<_>>(), ["i-b"]);
    let series: Vec<_> = history.series().unwrap().into_iter().collect();
    assert_eq!(series, [(("AWS/EC2".into(), "CPUUtilization".into()), 22), (("custom".into(), "odd".into()), 2)]);
}

#[test]
fn verify_names_the_file_and_the_fault() {
    let dir = tempfile::tempdir().unwrap();
    overlapping(dir.path());
    let root = dir.path().join("h");
    let history = open(&root);
    assert!(history.verify().unwrap().faults.is_empty());
    let files = history.metric_files(None, i64::MIN, i64::MAX).unwrap();
    let path = |i: usize| root.join(&files[i].entry.path);

    // Cut, moved to another day, moved to another bucket, and outside the layout.
    let bytes = std::fs::read(path(0)).unwrap();
    let day = |name: &str| path(1).ancestors().nth(3).unwrap().join(name);
    let put = |at: std::path::PathBuf| {
        std::fs::create_dir_all(at.parent().unwrap()).unwrap();
        std::fs::copy(path(1), at).unwrap();
    };
    std::fs::write(path(0), &bytes[..bytes.len() - 9]).unwrap();
    let bucket = files[1].partition.bucket;
    put(day(&format!("date=2026-02-12/bucket={bucket:02}/x.parquet")));
    put(day(&format!("date=2026-02-10/bucket={:02}/x.parquet", (bucket + 1) % 16)));
    put(day("stray.parquet"));
    let faults = history.verify().unwrap().faults;
    let found = |file: &str, fault: &str| {
        assert!(
            faults.iter().any(|f| f.file.ends_with(file) && f.fault.contains(fault)),
            "{file}: {fault}: {faults:?}"
        );
    };
    assert_eq!(faults.len(), 4);
    found(&files[0].entry.path, "not readable as Parquet");
    found(&format!("date=2026-02-12/bucket={bucket:02}/x.parquet"), "stands in the wrong day");
    found(
        &format!("bucket={:02}/x.parquet", (bucket + 1) % 16),
        &format!("instance `i-a` belongs in bucket {bucket:02}"),
    );
    found("metrics/stray.parquet", "the path is not metrics/date=YYYY-MM-DD/bucket=BB/NAME.parquet");
}

#[test]
fn prune_forgets_whole_days_and_leaves_a_note() {
    let dir = tempfile::tempdir().unwrap();
    overlapping(dir.path());
    let root = dir.path().join("h");
    let mut history = open(&root);
    let report = history.writer().unwrap().prune(AT + DAY + 3_600_000, NOW).unwrap();
    assert_eq!((report.files, report.kept_from.as_str()), (3, "2026-02-11"));
    assert_eq!(read_all(&root).len(), 2);
    let notes = history.pruned().unwrap();
    assert_eq!(
        (notes.len(), notes[0].days.0.as_str(), notes[0].at.as_str()),
        (1, "2026-02-10", "2026-03-01T00:00:00Z")
    );
    assert_eq!(history.writer().unwrap().prune(AT + DAY, NOW).unwrap().files, 0);
    assert_eq!(history.pruned().unwrap().len(), 1);
}

#[test]
fn what_was_pruned_stays_gone_until_somebody_says_that_it_counts_again() {
    let dir = tempfile::tempdir().unwrap();
    overlapping(dir.path());
    let root = dir.path().join("h");
    let mut history = open(&root);
    history.writer().unwrap().prune(AT + DAY, NOW).unwrap();
    let left = read_all(&root);
    let import_again = || {
        let (mut history, file) = (open(&root), dir.path().join("1.csv"));
        import_files(&mut history, &[file], &ImportOptions::at(NOW), &mut |_| ())
    };
    let refused = import_again().unwrap_err().to_string();
    assert!(refused.contains("everything before 2026-02-11 was pruned"), "{refused}");
    assert!(refused.contains("`forewarn history keep-from 2026-02-10`"), "{refused}");
    assert_eq!(read_all(&root), left);
    history.writer().unwrap().keep_from(AT, NOW).unwrap();
    assert!(!import_again().unwrap().already_imported, "what was pruned can be imported again");
    assert_eq!(read_all(&root).len(), left.len() + 10);
}

#[test]
fn pruning_brings_back_nothing_that_was_replaced() {
    let dir = tempfile::tempdir().unwrap();
    overlapping(dir.path());
    let root = dir.path().join("h");
    let mut history = open(&root);
    let grace = CompactOptions { now_ms: NOW, grace_ms: Some(900_000), ..CompactOptions::default() };
    history.writer().unwrap().compact(&grace).unwrap();
    // A second round replaces what the first one made, while all of it still lies there.
    let more = csv([("i-a", "CPUUtilization", AT + 30 * 60_000, 5.0)]);
    import(&root, &[write(dir.path(), "4.csv", &more)], &ImportOptions::at(NOW)).unwrap();
    history.writer().unwrap().compact(&grace).unwrap();
    history.writer().unwrap().prune(AT + DAY, NOW).unwrap();
    assert!(read_all(&root).iter().all(|s| s.1 >= AT + DAY), "{:?}", read_all(&root));
    let lies: Vec<_> = history.store().list("metrics/date=2026-02-10").unwrap();
    assert!(lies.is_empty(), "{lies:?}");
}

#[test]
fn a_file_that_would_be_replaced_by_other_bytes_is_refused_in_words_and_stays() {
    let dir = tempfile::tempdir().unwrap();
    let objects: Arc<dyn object_store::ObjectStore> = Arc::new(object_store::memory::InMemory::new());
    let remote = Store::Remote(RemoteStore::new(objects, "h", "s3://bucket/h").unwrap());
    for store in [Store::open(dir.path().to_str().unwrap()).unwrap(), remote] {
        store.create("a/b.parquet", b"first").unwrap();
        store.create("a/b.parquet", b"first").unwrap();
        let refused = store.create("a/b.parquet", b"other").unwrap_err().to_string();
        assert!(refused.contains("a/b.parquet is there already with other content, and is not replaced"), "{refused}");
        assert_eq!(store.read("a/b.parquet").unwrap().unwrap().as_ref(), b"first");
    }
}

#[test]
fn a_long_object_is_put_in_parts_and_replaces_nothing_either() {
    let dir = tempfile::tempdir().unwrap();
    let objects: Arc<dyn object_store::ObjectStore> = Arc::new(object_store::memory::InMemory::new());
    let store = Store::Remote(RemoteStore::new(objects, "h", "s3://bucket/h").unwrap().with_parts_of(100));
    let (long, other) = (dir.path().join("long"), dir.path().join("other"));
    let bytes: Vec<u8> = (0..1_050_u32).flat_map(u32::to_le_bytes).collect();
    std::fs::write(&long, &bytes).unwrap();
    std::fs::write(&other, [&bytes[..4_199], &[7]].concat()).unwrap();
    store.create_from("a/b.parquet", &long).unwrap();
    store.create_from("a/b.parquet", &long).unwrap();
    assert_eq!(store.read("a/b.parquet").unwrap().unwrap().as_ref(), bytes);
    std::fs::write(dir.path().join("longer"), [&bytes[..], &[7]].concat()).unwrap();
    for other in [other, dir.path().join("longer")] {
        let refused = store.create_from("a/b.parquet", &other).unwrap_err().to_string();
        assert!(refused.contains("a/b.parquet is there already with other content, and is not replaced"), "{refused}");
    }
    assert_eq!(store.read("a/b.parquet").unwrap().unwrap().as_ref(), bytes);
}

#[test]
fn compaction_by_the_number_of_files_leaves_days_with_few_alone_and_does_some_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("h");
    for n in 0..12 {
        let ts = AT + n * 60_000;
        let rows = csv([("i-a", "CPUUtilization", ts, n as f64), ("i-a", "CPUUtilization", ts + DAY, n as f64)]);
        import(&root, &[write(dir.path(), &format!("{n}.csv"), &rows)], &ImportOptions::at(NOW)).unwrap();
    }
    let before = read_all(&root);
    let mut history = open(&root);
    let options =
        |many| CompactOptions { now_ms: AT + DAY, many: Some(many), most: Some(1), ..CompactOptions::default() };
    assert_eq!(history.compactable(&options(12)).unwrap().compacted, 0);
    let due = history.compactable(&options(10)).unwrap();
    assert_eq!((due.compacted, due.files_before), (2, 24));
    for (compacted, files) in [(1, 12), (1, 12), (0, 0)] {
        let report = history.writer().unwrap().compact(&options(10)).unwrap();
        assert_eq!((report.compacted, report.files_before), (compacted, files));
    }
    assert_eq!(read_all(&root), before);
    assert_eq!(history.metric_files(None, i64::MIN, i64::MAX).unwrap().len(), 2);
}

#[test]
fn predictions_are_pruned_by_day() {
    let dir = tempfile::tempdir().unwrap();
    let mut history = History::create(dir.path().to_str().unwrap(), &Manifest::default()).unwrap();
    for day in 0..3 {
        let as_of = AT + day * DAY + 3_600_000;
        let name = format!(
            "{}-0123456789abcdef-1.parquet",
            ["20260210T010000Z", "20260211T010000Z", "20260212T010000Z"][day as usize]
        );
        history.put_predictions(as_of, &name, vec![1, 2, 3]).unwrap();
    }
    let old = AT + 2 * DAY + 5;
    assert_eq!(history.prunable_predictions(old).unwrap().files, 2);
    assert_eq!(history.writer().unwrap().prune_predictions(old).unwrap().files, 2);
    let left: Vec<i64> = history.rounds().unwrap().iter().map(|r| r.as_of).collect();
    assert_eq!(left, [AT + 2 * DAY + 3_600_000]);
}

#[test]
fn a_history_is_made_once() {
    let dir = tempfile::tempdir().unwrap();
    let make = || History::create(dir.path().to_str().unwrap(), &Manifest::default());
    make().unwrap();
    assert!(matches!(make(), Err(HistoryError::Exists { .. })));
}

#[test]
fn an_object_store_gives_the_same_history() {
    let dir = tempfile::tempdir().unwrap();
    overlapping(dir.path());
    let local = read_all(&dir.path().join("h"));
    let objects = Arc::new(object_store::memory::InMemory::new());
    let store =
        || Store::Remote(RemoteStore::new(objects.clone(), "some/prefix", "memory://bucket/some/prefix").unwrap());
    let mut history = History::open_or_create_in(store()).unwrap();
    for name in ["1.csv", "2.csv", "3.csv"] {
        let mut options = ImportOptions::at(NOW);
        options.period_s = (name == "3.csv").then_some(60);
        import_files(&mut history, &[dir.path().join(name)], &options, &mut |_| ()).unwrap();
        assert!(import_files(&mut history, &[dir.path().join(name)], &options, &mut |_| ()).unwrap().already_imported);
    }
    let remote = History::with_store(store()).unwrap();
    assert_eq!(scan_all(&remote, i64::MIN, i64::MAX), local);
    assert!(remote.verify().unwrap().faults.is_empty());
    assert_eq!(remote.time_range().unwrap(), Some((AT, AT + DAY + 240_000)));
    history.writer().unwrap().compact(&CompactOptions { now_ms: NOW, ..CompactOptions::default() }).unwrap();
    let count = || remote.store().list("metrics").unwrap().len();
    assert_eq!((count(), scan_all(&remote, i64::MIN, i64::MAX).len()), (5, 23));
    let later = CompactOptions { now_ms: NOW + 15 * 60_000, ..CompactOptions::default() };
    history.writer().unwrap().compact(&later).unwrap();
    assert_eq!((count(), scan_all(&remote, i64::MIN, i64::MAX).len()), (2, 23));
}
