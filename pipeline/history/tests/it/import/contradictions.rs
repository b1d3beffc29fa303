//! What becomes of two values for one series and time.

use super::{NOW, import, write};
use forewarn_history::import::ImportOptions;
use forewarn_history::{CompactOptions, History, Run, RunSink, Store};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use std::fs::File;
use std::path::{Path, PathBuf};

const AT: i64 = 1_770_681_600_000; // 2026-02-10T00:00:00Z
const HOUR: i64 = 3_600_000;

fn csv(dir: &Path, name: &str, values: [f64; 2]) -> PathBuf {
    let row = |(i, v): (usize, &f64)| format!("i-a,CPUUtilization,{},{v}\n", AT + i as i64 * 300_000);
    let rows: String = values.iter().enumerate().map(row).collect();
    write(dir, name, &format!("instance_id,metric,ts,value\n{rows}"))
}

/// Time, value and import of each sample.
#[derive(Default)]
struct Imports(Vec<(i64, f64, Option<i64>)>);

impl RunSink for Imports {
    fn run(&mut self, run: Run<'_>) -> forewarn_history::Result<()> {
        self.0.extend(run.ts.iter().zip(run.value).map(|(&ts, &value)| (ts, value, run.imported_at)));
        Ok(())
    }

    fn end_instance(&mut self, _: &str) -> forewarn_history::Result<()> {
        Ok(())
    }
}

fn imports(root: &Path) -> Vec<(i64, f64, Option<i64>)> {
    let history = History::open(root.to_str().unwrap()).unwrap();
    let mut all = Imports::default();
    for bucket in 0..history.buckets() {
        history.scan(bucket, i64::MIN, i64::MAX, &mut all).unwrap();
    }
    all.0.sort_by_key(|row| (row.0, row.2));
    all.0
}

#[test]
fn each_import_says_when_it_came_also_after_compaction_and_the_same_again_is_nothing_new() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("h");
    let (first, corrected) = (csv(dir.path(), "1.csv", [1.0, 2.0]), csv(dir.path(), "2.csv", [1.0, 7.0]));
    import(&root, std::slice::from_ref(&first), &ImportOptions::at(NOW)).unwrap();
    import(&root, &[corrected], &ImportOptions::at(NOW + HOUR)).unwrap();
    assert!(import(&root, &[first], &ImportOptions::at(NOW + 2 * HOUR)).unwrap().already_imported);
    let second = AT + 300_000;
    let told = [(second, 2.0, Some(NOW)), (second, 7.0, Some(NOW + HOUR))];
    let all = [(AT, 1.0, Some(NOW)), (AT, 1.0, Some(NOW + HOUR)), told[0], told[1]];
    assert_eq!(imports(&root), all);
    let mut history = History::open(root.to_str().unwrap()).unwrap();
    history.writer().unwrap().compact(&CompactOptions { now_ms: NOW, ..CompactOptions::default() }).unwrap();
    assert_eq!(imports(&root), [(AT, 1.0, Some(NOW)), told[0], told[1]], "what repeats goes, what differs stays");
    assert!(history.verify().unwrap().faults.is_empty());
}

#[test]
fn files_of_before_have_no_such_column_and_are_read_and_compacted_with_others() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("h");
    import(&root, &[csv(dir.path(), "1.csv", [1.0, 2.0])], &ImportOptions::at(NOW)).unwrap();
    let mut history = History::open(root.to_str().unwrap()).unwrap();
    let path = root.join(&history.store().list("metrics").unwrap()[0].path);
    let batches = ParquetRecordBatchReaderBuilder::try_new(File::open(&path).unwrap()).unwrap().build().unwrap();
    let old: Vec<_> = batches.map(|b| b.unwrap()).map(|b| b.project(&(0..11).collect::<Vec<_>>()).unwrap()).collect();
    let mut writer = ArrowWriter::try_new(File::create(&path).unwrap(), old[0].schema(), None).unwrap();
    for batch in &old {
        writer.write(batch).unwrap();
    }
    writer.close().unwrap();
    let before = [(AT, 1.0, None), (AT + 300_000, 2.0, None)];
    assert_eq!(imports(&root), before);
    import(&root, &[csv(dir.path(), "2.csv", [3.0, 2.0])], &ImportOptions::at(NOW)).unwrap();
    history.writer().unwrap().compact(&CompactOptions { now_ms: NOW, ..CompactOptions::default() }).unwrap();
    let again = (before[1].0, before[1].1, Some(NOW));
    assert_eq!(imports(&root), [before[0], (AT, 3.0, Some(NOW)), again]);
}

#[test]
fn an_import_that_is_done_again_after_a_crash_keeps_the_time_at_which_it_was_begun() {
    let objects = std::sync::Arc::new(object_store::memory::InMemory::new());
    let store = forewarn_history::RemoteStore::new(objects, "h", "s3://bucket/h").unwrap();
    let mut history = History::open_or_create_in(Store::Remote(store)).unwrap();
    let writer = history.writer().unwrap();
    let targets = ["metrics/a.parquet".to_owned(), "metrics/b.parquet".to_owned()];
    let begun = |now| writer.begun_at(&mut writer.stage("import").unwrap(), &targets, now).unwrap();
    assert_eq!([begun(NOW), begun(NOW + HOUR)], [NOW, NOW + HOUR], "where nothing was placed it begins again");
    writer.history().store().put_new(&targets[1], vec![1]).unwrap();
    assert_eq!(begun(NOW + 2 * HOUR), NOW + HOUR, "what was placed says that time");
}

#[test]
fn what_an_import_replaces_is_counted_and_the_same_bytes_again_replace_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("h");
    let [one, two] = [("1.csv", [1.0, 2.0]), ("2.csv", [1.0, 7.0])].map(|(name, values)| csv(dir.path(), name, values));
    let replaced = |file: &PathBuf, at| {
        let report = import(&root, std::slice::from_ref(file), &ImportOptions::at(at)).unwrap();
        (report.rows_replacing, report.already_imported)
    };
    assert_eq!(replaced(&one, NOW), (0, false));
    assert_eq!(replaced(&two, NOW + HOUR), (1, false));
    assert_eq!(replaced(&one, NOW + 2 * HOUR), (0, true));
    // The first values in another file: they replace the second ones, which count until then.
    let again =
        write(dir.path(), "3.csv", &(std::fs::read_to_string(&one).unwrap() + "i-b,m,2026-02-10T00:00:00Z,1\n"));
    assert_eq!(replaced(&again, NOW + 3 * HOUR), (1, false));
}

#[test]
fn rows_that_contradict_each_other_within_an_import_are_counted() {
    let dir = tempfile::tempdir().unwrap();
    let rows = "i-a,CPUUtilization,2026-02-10T00:00:00Z,1\n".to_owned() + "i-a,CPUUtilization,2026-02-10T00:00:00Z,3\n";
    let same = "i-a,CPUUtilization,2026-02-10T00:05:00Z,2\n".repeat(2);
    let file = write(dir.path(), "m.csv", &format!("instance_id,metric,ts,value\n{rows}{same}"));
    let report = import(&dir.path().join("h"), &[file], &ImportOptions::at(NOW)).unwrap();
    assert_eq!((report.rows_contradicting, report.rows_written), (1, 4));
}
