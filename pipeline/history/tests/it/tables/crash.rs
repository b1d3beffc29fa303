//! Old histories, whose tables lie flat, are laid out by day, and a kill at any point of it changes nothing that is read.

use super::{AT, DAY, NOW, compact, create, event, files, incident, said, seen};
use arrow_array::{ArrayRef, RecordBatch, StringArray, TimestampMillisecondArray};
use forewarn_history::{History, InstanceRow};
use forewarn_testkit::snapshot;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

const ROOT: &str = "FOREWARN_TEST_TABLES_ROOT";

/// A file of instances as it was written before they had versions.
fn old_instances(path: &Path, rows: &[(&str, &str)]) {
    let column = |of: fn(&(&str, &str)) -> String| -> ArrayRef {
        Arc::new(rows.iter().map(|r| Some(of(r))).collect::<StringArray>())
    };
    let none: ArrayRef = Arc::new(rows.iter().map(|_| None::<&str>).collect::<StringArray>());
    let launched = TimestampMillisecondArray::from(vec![AT; rows.len()]).with_timezone("UTC");
    let columns: [(&str, ArrayRef); 4] = [
        ("instance_id", column(|r| r.0.to_owned())),
        ("workload", column(|r| r.1.to_owned())),
        ("instance_type", none),
        ("launched_at", Arc::new(launched)),
    ];
    let bytes =
        forewarn_history::prediction_table::parquet_bytes(&RecordBatch::try_from_iter(columns).unwrap()).unwrap();
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}

/// A history whose tables lie flat, as drains left them, with some of a newer forewarn's beside them.
fn old(root: &Path) -> History {
    let mut history = create(root);
    for k in 0..6 {
        let mut writer = history.writer().unwrap();
        let rows = |id: &str| (0..3).map(|d| event(id, AT + d * DAY + k, "left")).collect::<Vec<_>>();
        writer.put_events(&rows("i-a")[(k % 2) as usize..]).unwrap();
        writer.put_incidents(&[incident("i-a", AT + k * DAY)]).unwrap();
        drop(writer);
        for table in ["events", "incidents"] {
            for file in files(&history, table).iter().filter(|f| f.contains("date=")) {
                std::fs::rename(
                    root.join(file),
                    root.join(table).join(format!("{k}{}", file.rsplit('/').next().unwrap())),
                )
                .unwrap();
            }
        }
    }
    old_instances(&root.join("instances/00000000-aa.parquet"), &[("i-a", "web"), ("i-b", "web")]);
    old_instances(&root.join("instances/00000001-00.parquet"), &[("i-a", "api")]);
    let mut writer = history.writer().unwrap();
    writer.put_events(&[event("i-n", AT + DAY, "left")]).unwrap();
    writer.put_instances(&[seen("i-b", NOW - DAY, "db")]).unwrap();
    drop(writer);
    // Rows that are in several files, as a drain that was redone leaves them.
    let twice = files(&history, "events");
    let flat = twice.iter().find(|f| !f.contains("date=")).unwrap();
    std::fs::copy(root.join(flat), root.join("events/again.parquet")).unwrap();
    history
}

#[test]
fn a_flat_history_reads_as_before_and_is_laid_out_by_day() {
    let dir = tempfile::tempdir().unwrap();
    let mut history = old(dir.path());
    let before = said(&history);
    assert_eq!((before.0.len(), before.1.len()), (6 * 3 - 3 + 1, 6));
    let workloads = |history: &History, as_of| {
        let versions = history.instance_versions().unwrap();
        ["i-a", "i-b"].map(|id| versions.at(id, as_of).unwrap().workload.unwrap())
    };
    assert_eq!(
        (workloads(&history, AT), workloads(&history, NOW)),
        (["api".into(), "web".into()], ["api".into(), "db".into()])
    );
    assert_eq!(history.events_in(AT..AT + DAY, |_| true).unwrap().len(), 3);
    let rows: Vec<InstanceRow> = before.2.clone();
    assert!(rows.iter().any(|r| r.seen_at.is_none() && r.launched_at == Some(AT)));
    compact(&mut history, NOW);
    assert_eq!(said(&history), before);
    for table in ["events", "incidents", "instances"] {
        assert!(files(&history, table).iter().all(|f| f.contains("/date=")), "{:?}", files(&history, table));
    }
    assert_eq!((files(&history, "events").len(), files(&history, "instances").len()), (3, 1));
    assert!(history.verify().unwrap().faults.is_empty());
}

/// Compacts the history that the environment names, and dies in it; on its own it has nothing to do.
#[test]
fn child() {
    if let Ok(root) = std::env::var(ROOT) {
        compact(&mut History::open(&root).unwrap(), NOW);
    }
}

#[test]
fn a_layout_killed_at_any_point_loses_and_repeats_nothing_and_is_completed_to_the_byte() {
    let whole = tempfile::tempdir().unwrap();
    let mut history = old(whole.path());
    let wanted = said(&history);
    compact(&mut history, NOW);
    let points = (1..=6)
        .flat_map(|n| ["laid_out", "noted", "placed", "deleted", "staged"].map(|point| format!("compact.{point}:{n}")));
    let mut died = 0;
    for point in points {
        let dir = tempfile::tempdir().unwrap();
        old(dir.path());
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "tables::crash::child"])
            .env(ROOT, dir.path())
            .env(forewarn_runtime::failpoint::CRASH_AT, &point)
            .output()
            .unwrap();
        died += usize::from(!child.status.success());
        let mut history = History::open(dir.path().to_str().unwrap()).unwrap();
        assert_eq!(said(&history), wanted, "{point}");
        compact(&mut history, NOW);
        assert_eq!(said(&history), wanted, "{point}");
        assert_eq!(snapshot(dir.path()), snapshot(whole.path()), "{point}");
    }
    assert!(died >= 20, "{died}");
}
