//! The small tables: laid out by day, read by day, compacted and pruned, whatever became of the process in between.

use forewarn_history::{CompactOptions, EventRow, History, IncidentRow, InstanceRow, Manifest, RemoteStore, Store};
use std::path::Path;
use std::sync::Arc;

mod crash;
mod layout;
mod requests;

pub(crate) const DAY: i64 = 86_400_000;
/// 2026-02-10T00:00:00Z.
pub(crate) const AT: i64 = 1_770_681_600_000;
/// 2026-03-01T00:00:00Z.
pub(crate) const NOW: i64 = 1_772_323_200_000;

pub(crate) fn event(id: &str, ts: i64, kind: &str) -> EventRow {
    EventRow { instance_id: id.to_owned(), ts, kind: kind.to_owned(), code: "x".to_owned(), ..EventRow::default() }
}

pub(crate) fn incident(id: &str, ts: i64) -> IncidentRow {
    IncidentRow { instance_id: id.to_owned(), ts, cause: Some("oom".to_owned()), predictable: Some(false) }
}

pub(crate) fn seen(id: &str, at: i64, workload: &str) -> InstanceRow {
    InstanceRow {
        instance_id: id.to_owned(),
        seen_at: Some(at),
        workload: Some(workload.to_owned()),
        ..InstanceRow::default()
    }
}

pub(crate) fn create(root: &Path) -> History {
    History::create(root.to_str().unwrap(), &Manifest::default()).unwrap()
}

pub(crate) fn remote(objects: Arc<dyn object_store::ObjectStore>) -> History {
    let store = Store::Remote(RemoteStore::new(objects, "h", "s3://bucket/h").unwrap());
    History::open_or_create_in(store).unwrap()
}

pub(crate) fn compact(history: &mut History, now_ms: i64) -> forewarn_history::CompactReport {
    history.writer().unwrap().compact(&CompactOptions { now_ms, ..CompactOptions::default() }).unwrap()
}

pub(crate) fn files(history: &History, table: &str) -> Vec<String> {
    history.store().list(table).unwrap().into_iter().map(|e| e.path).collect()
}

/// Everything that a history says in its small tables.
pub(crate) fn said(history: &History) -> (Vec<EventRow>, Vec<IncidentRow>, Vec<InstanceRow>) {
    let versions = history.instance_versions().unwrap();
    (history.events().unwrap(), history.incidents().unwrap(), versions.rows().cloned().collect())
}
