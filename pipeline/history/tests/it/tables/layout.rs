//! Where rows lie, what is read of them, and what compaction and pruning leave.

use super::{AT, DAY, NOW, compact, create, event, files, incident, remote, said, seen};
use forewarn_history::{CompactOptions, History, InstanceRow};
use std::sync::Arc;

#[test]
fn tables_are_laid_out_by_day_under_names_by_content() {
    let dir = tempfile::tempdir().unwrap();
    let mut history = create(dir.path());
    let events = [event("i-a", AT, "left"), event("i-b", AT + DAY - 1, "left"), event("i-a", AT + DAY, "left")];
    for _ in 0..2 {
        let mut writer = history.writer().unwrap();
        writer.put_events(&events).unwrap();
        writer.put_incidents(&[incident("i-a", AT)]).unwrap();
        writer.put_instances(&[seen("i-a", AT, "web")]).unwrap();
    }
    let found = files(&history, "events");
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].starts_with("events/date=2026-02-10/") && found[1].starts_with("events/date=2026-02-11/"));
    assert!(files(&history, "incidents")[0].starts_with("incidents/date=2026-02-10/"));
    assert!(files(&history, "instances")[0].starts_with("instances/date=2026-02-10/"));
    let mut sorted = events.to_vec();
    sorted.sort();
    assert_eq!(said(&history), (sorted, vec![incident("i-a", AT)], vec![seen("i-a", AT, "web")]));
    assert_eq!(
        history.events_in(AT..AT + DAY, |e| e.instance_id == "i-b").unwrap(),
        [event("i-b", AT + DAY - 1, "left")]
    );
    assert!(history.verify().unwrap().faults.is_empty());
}

#[test]
fn the_small_files_of_a_day_become_one_and_nothing_counts_twice_on_the_way() {
    let objects = Arc::new(object_store::memory::InMemory::new());
    let dir = tempfile::tempdir().unwrap();
    for (mut history, grace) in [(create(dir.path()), 0), (remote(objects), 15 * 60_000)] {
        let mut writer = history.writer().unwrap();
        for k in 0..20 {
            writer.put_events(&[event("i-a", AT + k, "left"), event("i-b", AT + DAY + k, "left")]).unwrap();
            writer.put_incidents(&[incident("i-a", AT + k)]).unwrap();
            writer.put_instances(&[seen("i-a", AT + k * DAY, if k < 10 { "web" } else { "api" })]).unwrap();
        }
        drop(writer);
        let before = said(&history);
        assert_eq!((before.0.len(), before.1.len()), (40, 20));
        compact(&mut history, NOW);
        assert_eq!(said(&history), before);
        compact(&mut history, NOW + grace);
        assert_eq!(said(&history), before);
        assert_eq!(before.2, [seen("i-a", AT, "web"), seen("i-a", AT + 10 * DAY, "api")], "versions that differ");
        let count = |table| files(&history, table).len();
        assert_eq!((count("events"), count("incidents"), count("instances")), (2, 1, 1));
        assert_eq!(compact(&mut history, NOW + grace).compacted, 0);
        // What comes later is gathered too, and what lies in the one file does not come back.
        history.writer().unwrap().put_instances(&[seen("i-b", AT, "db")]).unwrap();
        compact(&mut history, NOW + 2 * grace);
        compact(&mut history, NOW + 4 * grace);
        assert_eq!(files(&history, "instances").len(), 1);
        assert_eq!(history.instances().unwrap().len(), 2);
    }
}

#[test]
fn events_are_pruned_with_the_metrics_and_stay_gone() {
    let dir = tempfile::tempdir().unwrap();
    let mut history = create(dir.path());
    let mut writer = history.writer().unwrap();
    for k in 0..4 {
        writer.put_events(&[event("i-a", AT + k * DAY, "left"), event("i-b", AT + k * DAY, "left")]).unwrap();
        writer.put_events(&[event("i-c", AT + k * DAY, "left")]).unwrap();
        writer.put_instances(&[seen("i-a", AT + k * DAY, &k.to_string())]).unwrap();
    }
    writer.put_instances(&[seen("i-old", AT, "web")]).unwrap();
    writer.compact(&CompactOptions { now_ms: NOW, grace_ms: Some(900_000), ..CompactOptions::default() }).unwrap();
    let report = writer.prune(AT + 2 * DAY, NOW).unwrap();
    assert_eq!(report.kept_from, "2026-02-12");
    let late = event("i-late", AT, "left");
    writer.put_events(&[late]).unwrap();
    writer.compact(&CompactOptions { now_ms: NOW + 900_000, ..CompactOptions::default() }).unwrap();
    drop(writer);
    let left = history.events().unwrap();
    assert_eq!(left.len(), 6, "{left:?}");
    assert!(left.iter().all(|e| e.ts >= AT + 2 * DAY));
    assert!(files(&history, "events").iter().all(|f| f.contains("date=2026-02-12") || f.contains("date=2026-02-13")));
    // Of instances that nobody described since, what is known stays; only versions that a newer one replaced go.
    let versions = history.instance_versions().unwrap();
    assert_eq!(versions.rows().filter(|r| r.instance_id == "i-a").count(), 2);
    assert_eq!(versions.at("i-old", AT + 3 * DAY).unwrap().workload.as_deref(), Some("web"));
    assert!(history.store().list("_compact").unwrap().is_empty());
}

#[test]
fn of_what_was_told_of_an_instance_the_last_word_counts() {
    let dir = tempfile::tempdir().unwrap();
    let mut history = create(dir.path());
    for (k, workload) in ["web", "api", "web", "web"].into_iter().enumerate() {
        let row = InstanceRow { seen_at: None, ..seen("i-a", 0, workload) };
        history.writer().unwrap().import_instances(vec![row], NOW + k as i64).unwrap();
    }
    assert_eq!(history.instances().unwrap()["i-a"].workload.as_deref(), Some("web"));
    let at = history.instance_versions().unwrap().at("i-a", AT).unwrap();
    assert_eq!(at.workload.as_deref(), Some("web"), "at any time");
}

#[test]
fn verify_finds_a_row_in_the_wrong_day_and_a_table_that_does_not_read() {
    let dir = tempfile::tempdir().unwrap();
    let mut history = create(dir.path());
    history.writer().unwrap().put_events(&[event("i-a", AT, "left")]).unwrap();
    history.writer().unwrap().put_incidents(&[incident("i-a", AT)]).unwrap();
    let bytes = |history: &History, table| std::fs::read(dir.path().join(&files(history, table)[0])).unwrap();
    let moved = dir.path().join("events/date=2026-02-11");
    std::fs::create_dir_all(&moved).unwrap();
    std::fs::write(moved.join("x.parquet"), bytes(&history, "events")).unwrap();
    std::fs::write(dir.path().join(&files(&history, "incidents")[0]), b"PAR1").unwrap();
    let faults = history.verify().unwrap().faults;
    assert_eq!(faults.len(), 2, "{faults:?}");
    assert!(faults[0].file.ends_with("date=2026-02-11/x.parquet") && faults[0].fault.contains("a row of 2026-02-10"));
    assert!(faults[1].fault.contains("not readable as Parquet"));
}
