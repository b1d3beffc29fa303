//! Several writers of one history in an object store: what each changes stays, and what one is about to do is left alone.

use crate::import::{NOW, write};
use forewarn_domain::signal::Signal;
use forewarn_history::import::{ImportOptions, import_files};
use forewarn_history::{CompactOptions, History, HistoryError, Manifest, RemoteStore, Store};
use std::collections::BTreeMap;
use std::sync::Arc;

type Objects = Arc<dyn object_store::ObjectStore>;

fn objects() -> Objects {
    Arc::new(object_store::memory::InMemory::new())
}

fn store(objects: &Objects) -> Store {
    Store::Remote(RemoteStore::new(Arc::clone(objects), "h", "s3://bucket/h").unwrap())
}

fn made(objects: &Objects, manifest: &Manifest) {
    let bytes = serde_json::to_vec(manifest).unwrap();
    assert!(store(objects).put_new("_forewarn.json", bytes).unwrap());
}

#[test]
fn what_two_writers_say_of_signals_at_once_both_stays() {
    let objects = objects();
    made(&objects, &Manifest::default());
    let open = || History::with_store(store(&objects)).unwrap();
    let (mut a, mut b) = (open(), open());
    let (mut first, mut second) = (a.writer().unwrap(), b.writer().unwrap());
    first.add_signals(&BTreeMap::from([("heap".to_owned(), Signal::Memory)])).unwrap();
    second.add_signals(&BTreeMap::from([("spool".to_owned(), Signal::Disk)])).unwrap();
    second.add_signals(&BTreeMap::from([("heap".to_owned(), Signal::Disk)])).unwrap();
    first.add_signals(&BTreeMap::from([("inodes".to_owned(), Signal::Disk)])).unwrap();
    assert_eq!(open().manifest().signal_map["heap"], Signal::Disk, "who adds another name takes nothing back");
    let names: Vec<String> = open().manifest().signal_map.keys().cloned().collect();
    assert_eq!(names, ["heap", "inodes", "spool"]);
}

#[test]
fn a_change_that_another_came_before_is_decided_again() {
    let objects = objects();
    let (ours, other) = (store(&objects), store(&objects));
    let add = |there: Option<&[u8]>, what: &[u8]| Some([there.unwrap_or_default(), what].concat());
    for found in [false, true] {
        let mut asked = 0;
        ours.update("_note", |there| {
            asked += 1;
            assert_eq!(there.is_some(), found || asked > 1);
            if asked == 1 {
                other.update("_note", |there| Ok(add(there, b"other "))).unwrap();
            }
            Ok(add(there, b"ours "))
        })
        .unwrap();
        assert_eq!(asked, 2);
    }
    assert_eq!(ours.read("_note").unwrap().unwrap().as_ref(), b"other ours other ours ");
}

#[test]
fn a_new_history_that_was_made_meanwhile_in_another_shape_gets_no_file() {
    let (objects, dir) = (objects(), tempfile::tempdir().unwrap());
    let mut late = History::open_or_create_in(store(&objects)).unwrap();
    let csv = write(dir.path(), "1.csv", "instance_id,metric,ts,value\ni-a,CPUUtilization,1770681600000,1\n");
    let mut writer = late.writer().unwrap();
    made(&objects, &Manifest { buckets: 8, ..Manifest::default() });
    let staging = {
        let mut staging = writer.stage("late").unwrap();
        std::fs::copy(&csv, staging.add("metrics/date=2026-02-10/bucket=15/late.parquet")).unwrap();
        staging
    };
    let refused = writer.commit(&staging, &BTreeMap::new(), None, serde_json::Value::Null).unwrap_err();
    assert!(matches!(refused, HistoryError::OtherBuckets { found: 8, ours: 16, .. }), "{refused}");
    assert!(store(&objects).list("metrics").unwrap().is_empty());
}

#[test]
fn the_note_of_a_compaction_at_work_is_left_alone_by_a_writer_that_comes_meanwhile() {
    let (objects, dir) = (objects(), tempfile::tempdir().unwrap());
    let mut history = History::open_or_create_in(store(&objects)).unwrap();
    let csv = write(dir.path(), "1.csv", "instance_id,metric,ts,value\ni-a,CPUUtilization,1770681600000,1\n");
    let options = ImportOptions { period_s: Some(300), ..ImportOptions::at(NOW) };
    import_files(&mut history, &[csv], &options, &mut |_| ()).unwrap();
    let file = store(&objects).list("metrics").unwrap()[0].path.clone();
    let note = serde_json::json!({"output": file.replace(".parquet", "-merged.parquet"), "replaces": [file], "delete_after_ms": NOW + 900_000});
    store(&objects).put_new("_compact/ab.json", note.to_string().into_bytes()).unwrap();
    // Its output may be about to appear; without the note, it and what it replaces would both count.
    drop(history.writer().unwrap());
    let compact = |history: &mut History, now_ms| {
        history.writer().unwrap().compact(&CompactOptions { now_ms, ..CompactOptions::default() }).unwrap();
    };
    compact(&mut history, NOW);
    let notes = || store(&objects).list("_compact").unwrap().len();
    assert_eq!(notes(), 1);
    // Whoever wrote it is dead by then.
    compact(&mut history, NOW + 900_000);
    assert_eq!(notes(), 0);
}
