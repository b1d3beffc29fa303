//! Imports real and made files and reads them back.

use crate::layout::{Sample, read_all, sample};
use forewarn_history::import::{ImportError, ImportOptions, ImportReport, OnError, import_files};
use forewarn_history::{History, HistoryError};
use forewarn_testkit::snapshot;
use std::path::{Path, PathBuf};

mod bad_input;
mod contradictions;
mod forms;
mod meaning;
mod shapes;

pub(crate) const NOW: i64 = 1_772_323_200_000; // 2026-03-01T00:00:00Z

pub(crate) fn import(history: &Path, files: &[PathBuf], options: &ImportOptions) -> Result<ImportReport, ImportError> {
    let mut history = History::open_or_create(history.to_str().unwrap())?;
    import_files(&mut history, files, options, &mut |_| ())
}

pub(crate) fn write(dir: &Path, name: &str, text: &str) -> PathBuf {
    let path = dir.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

#[expect(clippy::print_stdout, reason = "says that a test was skipped")]
fn shared(path: &str) -> Option<PathBuf> {
    let root = std::env::var("FOREWARN_SHARED_DATA")
        .map_or_else(|_| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"), PathBuf::from);
    let found = root.join(path);
    if !found.exists() {
        println!("skipped: no ../shared/data");
        return None;
    }
    Some(found)
}

#[test]
fn the_real_cloudwatch_series_comes_in_whole() {
    let Some(file) = shared("cloudwatch/ec2_cpu_utilization_5f5533.csv") else { return };
    let dir = tempfile::tempdir().unwrap();
    let mut options = ImportOptions::at(NOW);
    options.instance = Some("i-0123456789abcdef0".into());
    options.metric = Some("CPUUtilization".into());
    let report = import(dir.path(), &[file], &options).unwrap();
    assert_eq!((report.rows_read, report.rows_written, report.series, report.instances), (4032, 4032, 1, 1));
    assert_eq!(report.from.as_deref(), Some("2014-02-14T14:27:00Z"));
    assert!(report.unused_metrics.is_empty());
    let rows = read_all(dir.path());
    assert_eq!(rows.len(), 4032);
    let first = rows.first().unwrap();
    assert_eq!(first.0.namespace, "AWS/EC2");
    assert_eq!((first.0.period_s, first.1), (300, 1_392_388_020_000));
    assert_eq!(first.2, 51.846_000_000_000_004_f64.to_bits());
}

#[test]
fn the_real_servers_come_in_whole_and_their_unused_metrics_are_named() {
    let Some(file) = shared("servers/metrics.parquet") else { return };
    let dir = tempfile::tempdir().unwrap();
    let report = import(dir.path(), &[file], &ImportOptions::at(NOW)).unwrap();
    assert_eq!((report.rows_read, report.rows_written, report.rows_missing), (738_720, 738_720, 0));
    assert_eq!((report.series, report.instances), (57, 3));
    assert_eq!(report.unused_metrics.len(), 19);
    assert_eq!(report.unused_metrics.values().sum::<u64>(), 738_720);
    let rows = read_all(dir.path());
    assert_eq!(rows.len(), 738_720);
    assert!(rows.iter().all(|r| r.0.period_s == 300 && r.0.namespace == "custom"));
}

const LONG: &str = "instance_id,metric,ts,value\n\
    i-b,mem_used_percent,2026-02-10 00:05:00,41\n\
    i-a,CPUUtilization,2026-02-10T00:00:00Z,10\n\
    i-b,mem_used_percent,2026-02-10 00:00:00,40\n\
    i-a,CPUUtilization,1770681900,11\n\
    i-a,CPUUtilization,1770682200000,\n\
    i-a,net_drop_in,2026-02-09T23:59:00Z,3\n";

#[test]
fn a_long_file_in_any_order_and_with_any_times_reads_back() {
    let dir = tempfile::tempdir().unwrap();
    let history = dir.path().join("h");
    let report = import(&history, &[write(dir.path(), "a.csv", LONG)], &ImportOptions::at(NOW)).unwrap();
    assert_eq!((report.rows_read, report.rows_written, report.rows_missing, report.series), (6, 5, 1, 3));
    let at = 1_770_681_600_000;
    let expected: Vec<Sample> = [
        sample("i-a", "AWS/EC2", "CPUUtilization", "Average", 300, at, 10.0),
        sample("i-a", "AWS/EC2", "CPUUtilization", "Average", 300, at + 300_000, 11.0),
        sample("i-a", "CWAgent", "net_drop_in", "Average", 300, at - 60_000, 3.0),
        sample("i-b", "CWAgent", "mem_used_percent", "Average", 300, at, 40.0),
        sample("i-b", "CWAgent", "mem_used_percent", "Average", 300, at + 300_000, 41.0),
    ]
    .into();
    assert_eq!(read_all(&history), expected);
}

#[test]
fn doing_an_import_again_changes_no_byte() {
    let dir = tempfile::tempdir().unwrap();
    let history = dir.path().join("h");
    let file = write(dir.path(), "a.csv", LONG);
    let first = import(&history, std::slice::from_ref(&file), &ImportOptions::at(NOW)).unwrap();
    let before = snapshot(&history);
    let mut again = import(&history, std::slice::from_ref(&file), &ImportOptions::at(NOW)).unwrap();
    assert!(again.already_imported && !first.already_imported);
    again.already_imported = false;
    assert_eq!(again, first);
    assert_eq!(snapshot(&history), before);
}

#[test]
fn a_map_is_kept_also_when_the_rows_were_there_before() {
    let dir = tempfile::tempdir().unwrap();
    let history = dir.path().join("h");
    let file = write(dir.path(), "a.csv", "instance_id,metric,ts,value\ni-a,metric_01,2026-02-10,1\n");
    let report = import(&history, std::slice::from_ref(&file), &ImportOptions::at(NOW)).unwrap();
    assert_eq!(report.unused_metrics.get("metric_01"), Some(&1));
    let mut options = ImportOptions::at(NOW);
    options.signal_map.insert("metric_01".into(), forewarn_domain::signal::Signal::Memory);
    import(&history, &[file], &options).unwrap();
    let manifest = History::open(history.to_str().unwrap()).unwrap();
    assert_eq!(manifest.manifest().signal_map, options.signal_map);
}

#[test]
fn overlapping_imports_both_stay() {
    let dir = tempfile::tempdir().unwrap();
    let history = dir.path().join("h");
    let one = write(dir.path(), "a.csv", "instance_id,metric,ts,value\ni-a,m,2026-02-10,1\ni-a,m,2026-02-11,2\n");
    let two = write(dir.path(), "b.csv", "instance_id,metric,ts,value\ni-a,m,2026-02-11,2\ni-a,m,2026-02-12,3\n");
    import(&history, &[one], &ImportOptions::at(NOW)).unwrap();
    import(&history, &[two], &ImportOptions::at(NOW)).unwrap();
    let values: Vec<f64> = read_all(&history).iter().map(|r| f64::from_bits(r.2)).collect();
    assert_eq!(values, [1.0, 2.0, 2.0, 3.0]);
}

#[test]
fn a_history_that_another_writes_to_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut first = History::open_or_create(dir.path().to_str().unwrap()).unwrap();
    let _writer = first.writer().unwrap();
    let file = write(dir.path(), "a.csv", LONG);
    let error = import(dir.path(), &[file], &ImportOptions::at(NOW)).unwrap_err();
    assert!(matches!(error, ImportError::History(HistoryError::Locked { .. })), "{error}");
    assert!(!error.is_bad_input());
}

#[test]
fn skipping_leaves_out_bad_rows_and_says_which() {
    let dir = tempfile::tempdir().unwrap();
    let text = "instance_id,metric,ts,value\ni-a,m,2026-02-10,1\ni-a,m,soon,2\ni-a,m,2026-02-11\ni-a,m,2026-02-12,inf\ni-a,m,2026-02-13,4\n";
    let file = write(dir.path(), "a.csv", text);
    let mut options = ImportOptions::at(NOW);
    options.on_error = OnError::Skip;
    let history = dir.path().join("h");
    let report = import(&history, std::slice::from_ref(&file), &options).unwrap();
    assert_eq!((report.rows_read, report.rows_written, report.rows_skipped), (5, 2, 3));
    let at = file.display();
    assert!(report.errors[0].starts_with(&format!("{at}:3: cannot read the time `soon`")), "{:?}", report.errors);
    assert_eq!(report.errors[1], format!("{at}:4: the line has 3 fields, the header 4"));
    assert_eq!(report.errors[2], format!("{at}:5: the value inf is not finite"));
}

#[test]
fn an_import_writes_the_same_bytes_on_any_number_of_threads() {
    let root = tempfile::tempdir().unwrap();
    let rows = |value: i64| {
        let line = |h: i64, i: i64| {
            format!("i-{},disk_used_percent,path=/{h},{},{}\n", i % 20, 1_770_681_600 + 3600 * (i / 5), value + i % 7)
        };
        (0..3).flat_map(|h| (0..400).map(move |i| line(h, i))).collect::<String>()
    };
    let file = |name: &str, value: i64| {
        write(root.path(), name, &format!("instance_id,metric,device,ts,value\n{}", rows(value)))
    };
    let files = [file("a.csv", 10), file("b.csv", 30)];
    let made = ["1", "2", "7"].map(|threads| {
        let history = root.path().join(format!("h{threads}"));
        let mut options = ImportOptions { threads: threads.parse().unwrap(), ..ImportOptions::at(NOW) };
        options.memory_limit_bytes = 2000;
        let reports = files.clone().map(|file| {
            options.now_ms += 1;
            import(&history, &[file], &options).unwrap()
        });
        assert!(reports[1].rows_replacing > 100, "{reports:?}");
        (snapshot(&history), reports)
    });
    assert!(made[0].0.len() > 20);
    assert!(made[1] == made[0] && made[2] == made[0]);
}
