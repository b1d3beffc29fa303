//! Every stream passes the conformance suite; the embedded one keeps its promises across processes and crashes too.

use forewarn_ingest::stream::conformance::{self, ALL, StreamUnderTest, by_key, drain, sample};
use forewarn_ingest::stream::port::{Consumer, Producer, StreamError};
use forewarn_ingest::stream::sqlite::{APPLICATION_ID, FILE, SqliteConsumer, SqliteProducer};
use forewarn_ingest::stream::{MemoryStream, Record, StreamSpec, checkpoints, open};
use forewarn_runtime::cells::MemoryCells;
use forewarn_runtime::context::RuntimeContext;
use forewarn_runtime::place::StatePlace;
use rusqlite::Connection;
use std::path::Path;
use std::sync::Arc;
use tempfile::{TempDir, tempdir};

struct InMemory(MemoryStream);

impl StreamUnderTest for InMemory {
    fn producer(&self) -> Box<dyn Producer> {
        Box::new(self.0.producer())
    }

    fn consumer(&self, name: &str) -> Box<dyn Consumer> {
        Box::new(self.0.consumer(name))
    }

    fn trims(&self) -> bool {
        true
    }
}

struct InFile(TempDir);

impl StreamUnderTest for InFile {
    fn producer(&self) -> Box<dyn Producer> {
        open::producer(&StreamSpec::Embedded, self.0.path(), &RuntimeContext::standalone()).unwrap()
    }

    fn consumer(&self, name: &str) -> Box<dyn Consumer> {
        open::consumer(&StreamSpec::Embedded, name, self.0.path(), &RuntimeContext::standalone()).unwrap()
    }

    fn trims(&self) -> bool {
        true
    }
}

#[test]
fn memory_conforms_with_one_shard_and_with_several() {
    conformance::run(|| InMemory(MemoryStream::new(1, RuntimeContext::standalone())));
    conformance::run(|| InMemory(MemoryStream::new(3, RuntimeContext::standalone())));
}

#[test]
fn sqlite_conforms() {
    conformance::run(|| InFile(tempdir().unwrap()));
}

fn put(path: &Path, records: &[Record]) {
    SqliteProducer::open(path, RuntimeContext::standalone()).unwrap().put(records).unwrap();
}

#[test]
fn a_new_file_may_be_opened_by_many_at_once() {
    for _ in 0..5 {
        let dir = tempdir().unwrap();
        let path = dir.path().join(FILE);
        std::thread::scope(|scope| {
            for n in 0..16 {
                let path = &path;
                scope.spawn(move || put(path, &[sample(&format!("i-{n}"), 0)]));
            }
            scope.spawn(|| SqliteConsumer::open(&path, "a", RuntimeContext::standalone()).unwrap());
        });
        let mut consumer = SqliteConsumer::open(&path, "b", RuntimeContext::standalone()).unwrap();
        assert_eq!(by_key(&drain(&mut consumer)).len(), 16);
    }
}

#[test]
fn a_file_that_is_not_ours_is_refused_and_not_changed() {
    let dir = tempdir().unwrap();
    let open = |name: &str| SqliteProducer::open(&dir.path().join(name), RuntimeContext::standalone());
    std::fs::write(dir.path().join("text"), "not a database at all, and long enough to be looked at").unwrap();
    Connection::open(dir.path().join("other")).unwrap().execute_batch("CREATE TABLE t(x)").unwrap();
    let newer = Connection::open(dir.path().join("newer")).unwrap();
    newer.pragma_update(None, "application_id", APPLICATION_ID).unwrap();
    newer.pragma_update(None, "user_version", 99).unwrap();
    for (name, says) in [("text", "not a SQLite file"), ("other", "another program"), ("newer", "newer forewarn")] {
        let before = std::fs::read(dir.path().join(name)).unwrap();
        let error = open(name).unwrap_err();
        assert!(matches!(&error, StreamError::Foreign { what, .. } if what.contains(says)), "{name}: {error}");
        assert_eq!(std::fs::read(dir.path().join(name)).unwrap(), before, "{name} is as it was");
    }
    // The checkpoints' own file is another kind: neither is taken for the other.
    checkpoints::SqliteCheckpoints::open(&dir.path().join("points"), "s", "c").unwrap();
    assert!(matches!(open("points"), Err(StreamError::Foreign { .. })));
}

#[test]
fn checkpoints_in_a_directory_and_in_cells_conform() {
    let dir = tempdir().unwrap();
    let cells = Arc::new(MemoryCells::default());
    for place in [StatePlace::from(dir.path()), StatePlace::Cells(cells)] {
        checkpoints::conformance::run(|stream, name| checkpoints::open(&place, stream, name).unwrap());
    }
}

#[test]
fn what_was_missed_is_said_and_not_skipped() {
    let dir = tempdir().unwrap();
    let path = dir.path().join(FILE);
    put(&path, &(0..6).map(|n| sample("i-1", n)).collect::<Vec<_>>());
    let mut consumer = SqliteConsumer::open(&path, "a", RuntimeContext::standalone()).unwrap();
    consumer.checkpoints().finish("0", "00000000000000000002").unwrap();
    Connection::open(&path).unwrap().execute("DELETE FROM records WHERE seq = 3", []).unwrap();
    let error = consumer.read(ALL).unwrap_err();
    assert!(matches!(&error, StreamError::Lost { after, .. } if after.ends_with("02")), "{error}");
    let error = consumer.read_range("0", "2", "4").unwrap_err();
    assert!(matches!(error, StreamError::Lost { .. }), "{error}");
}
