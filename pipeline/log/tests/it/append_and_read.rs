//! Tables of current state are what the log says: live, rebuilt, cut in two, and with events delivered twice.

use forewarn_domain::prediction::Level;
use forewarn_log::event::instance::{InstanceState, StateChanged};
use forewarn_log::event::operator::OperatorAction;
use forewarn_log::event::prediction::Outcome;
use forewarn_log::event::{KINDS, Kind};
use forewarn_log::table::TABLES;
use forewarn_log::{Event, EventLog, Expected, Filter, MemoryLog, NewEvent, Projection, Row, SqliteLog, Table};
use forewarn_testkit::samples::{TIME, acted, cleared, every_event, made, new, resolved, silence, updated};
use proptest::prelude::*;
use rusqlite::Connection;
use tempfile::tempdir;

fn rows(projection: &Projection, table: Table) -> Vec<Row> {
    projection.table(table).map(|(_, row)| row.clone()).collect()
}

fn folded(entries: &[forewarn_log::Recorded]) -> Projection {
    let mut projection = Projection::default();
    for entry in entries {
        projection.apply(entry).unwrap();
    }
    projection
}

/// Asserts that the tables in the file are those of the projection.
fn assert_tables(log: &SqliteLog, projection: &Projection) {
    for table in TABLES {
        let keyed = projection.table(table).map(|(key, row)| (key.to_owned(), row.clone())).collect();
        assert_eq!(log.table(table).unwrap(), keyed, "{}", table.name());
    }
}

#[test]
fn every_type_goes_through_both_adapters_alike() {
    let events = every_event();
    let types: Vec<String> = events.iter().map(|e| e.type_().to_owned()).collect();
    let (mut found, mut known) = (types, KINDS.iter().map(Kind::full).collect::<Vec<_>>());
    found.sort();
    found.dedup();
    known.sort();
    assert_eq!(found, known, "each of them");
    let many = events.len() as u64;
    let dir = tempdir().unwrap();
    let sqlite = SqliteLog::open(&dir.path().join("log.db")).unwrap();
    let memory = MemoryLog::new();
    let news: Vec<NewEvent> = events.into_iter().enumerate().map(|(n, e)| new(&format!("e-{n}"), "thing", e)).collect();
    let kept = sqlite.append("all", Expected::NoStream, &news).unwrap();
    assert_eq!(kept, memory.append("all", Expected::NoStream, &news).unwrap(), "hashes included");
    for (entry, new) in sqlite.read_all(0, 100).unwrap().iter().zip(&news) {
        assert_eq!(entry.event().unwrap(), new.event);
    }
    assert_tables(&sqlite, &memory.projection());
    assert!(sqlite.rebuild().unwrap().identical);
    let report = sqlite.verify().unwrap();
    // The sample of an entry about a pruning names a checkpoint that nobody made; all else is well.
    let fault = report.fault.map(|f| f.what);
    assert_eq!((report.entries, fault.as_deref()), (many, Some("the log names a checkpoint that is missing")));
}

#[test]
fn an_episode_lives_in_its_tables() {
    let log = MemoryLog::new();
    let step = |id: &str, event| log.append("episode/e", Expected::Any, &[new(id, "i-1", event)]).unwrap();
    let row = |table| rows(&log.projection(), table).remove(0);
    step("1", made("i-1", "e", "2026-02-15T06:00:00Z", Level::Medium));
    step("2", updated("i-1", "e", "2026-02-15T07:00:00Z", Level::High));
    let Row::Episode(open) = row(Table::Episodes) else { panic!("an episode") };
    assert_eq!((open.level, open.peak, open.updates), (Some(Level::High), Some(Level::High), 1));
    // A late arrival changes neither the level nor the latest prediction.
    step("3", updated("i-1", "e", "2026-02-15T06:30:00Z", Level::Low));
    let Row::Prediction(current) = row(Table::PredictionsCurrent) else { panic!("a prediction") };
    assert_eq!((current.confidence, current.open), (Level::High, true));
    step("4", cleared("i-1", "e", "2026-02-15T09:00:00Z"));
    step("5", resolved("i-1", "e"));
    let Row::Episode(over) = row(Table::Episodes) else { panic!("an episode") };
    assert_eq!(over.opened_at.as_deref(), Some("2026-02-15T06:00:00Z"));
    assert_eq!(over.cleared_at.as_deref(), Some("2026-02-15T09:00:00Z"));
    assert_eq!((over.level, over.peak, over.outcome), (Some(Level::None), Some(Level::High), Some(Outcome::Hit)));
    let Row::Prediction(current) = row(Table::PredictionsCurrent) else { panic!("a prediction") };
    assert!(!current.open);
}

#[test]
fn a_silence_ends_with_its_unsilence() {
    let log = MemoryLog::new();
    log.append("a", Expected::Any, &[silence("i-1"), silence("i-2")]).unwrap();
    log.append("a", Expected::Any, &[new("u", "i-1", acted(OperatorAction::Unsilence, "i-1"))]).unwrap();
    let projection = log.projection();
    let targets: Vec<&str> = projection.table(Table::Silences).map(|(key, _)| key).collect();
    assert_eq!(targets, ["i-2"]);
}

#[test]
fn a_rebuild_mends_tables_and_names_the_first_difference() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("log.db");
    let log = SqliteLog::open(&path).unwrap();
    let events = [new("1", "i-1", made("i-1", "e-1", TIME, Level::High)), silence("i-1"), silence("i-2")];
    log.append("a", Expected::Any, &events).unwrap();
    let before = log.rebuild().unwrap();
    assert!(before.identical && before.first_difference.is_none(), "{before:?}");
    assert_eq!((before.entries, before.rows["silences"], before.rows["episodes"]), (3, 2, 1));
    Connection::open(&path)
        .unwrap()
        .execute_batch(
            "DELETE FROM silences WHERE key = 'i-2';
             INSERT INTO silences(key, row) VALUES ('i-9', '{}');
             UPDATE episodes SET row = json_set(row, '$.updates', 7);",
        )
        .unwrap();
    let report = log.rebuild().unwrap();
    assert_eq!((report.identical, report.differences), (false, 3));
    let first = report.first_difference.unwrap();
    assert_eq!((first.table, first.key.as_str()), (Table::Episodes, "e-1"));
    assert_eq!((first.was.unwrap()["updates"].as_u64(), first.now.unwrap()["updates"].as_u64()), (Some(7), Some(0)));
    assert!(log.rebuild().unwrap().identical, "it is mended");
    assert_tables(&log, &folded(&log.read_all(0, 10).unwrap()));
}

#[test]
fn plain_sql_reads_the_tables() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("log.db");
    let log = SqliteLog::open(&path).unwrap();
    log.append("a", Expected::Any, &[new("1", "i-1", made("i-1", "e-1", TIME, Level::High))]).unwrap();
    let sql = "SELECT p.key || ' ' || p.confidence || ' ' || e.failure_type || ' ' || p.open
               FROM predictions_current p JOIN episodes e ON e.key = p.episode_id";
    let found: String = Connection::open(&path).unwrap().query_row(sql, [], |r| r.get(0)).unwrap();
    assert_eq!(found, "i-1 high disk_full 1");
}

#[test]
fn lists_choose_alike_in_both_adapters() {
    let dir = tempdir().unwrap();
    let sqlite = SqliteLog::open(&dir.path().join("log.db")).unwrap();
    let memory = MemoryLog::new();
    for n in 0..30u32 {
        let event = if n % 3 == 0 { made("i-1", "e", TIME, Level::Low) } else { acted(OperatorAction::Ack, "e") };
        let time = format!("2026-02-{:02}T00:00:00.000{n:03}Z", 1 + n % 5).parse().unwrap();
        let event = NewEvent::new(n.to_string(), format!("i-{}", n % 2), time, event);
        let stream = format!("s{}", n % 4);
        sqlite.append(&stream, Expected::Any, std::slice::from_ref(&event)).unwrap();
        memory.append(&stream, Expected::Any, &[event]).unwrap();
    }
    let time = |t: &str| Some(t.parse().unwrap());
    let filters = [
        Filter::default(),
        Filter { stream: Some("s1".to_owned()), ..Filter::default() },
        Filter { subject: Some("i-1".to_owned()), limit: Some(4), ..Filter::default() },
        Filter { from: time("2026-02-02T00:00:00Z"), to: time("2026-02-04T00:00:00Z"), ..Filter::default() },
        Filter { from: time("2026-02-02T00:00:00.000011Z"), ..Filter::types(["operator"]) },
        Filter { after: 20, ..Filter::types(["prediction.made", "policy"]) },
        Filter { limit: Some(0), ..Filter::default() },
    ];
    let counts: Vec<usize> = filters
        .iter()
        .map(|f| {
            let chosen = sqlite.list(f).unwrap();
            assert_eq!(chosen, memory.list(f), "{f:?}");
            chosen.len()
        })
        .collect();
    assert_eq!(counts, [30, 8, 4, 12, 15, 3, 0]);
}

#[test]
fn texts_outside_the_chain_go_away_and_the_log_stays_whole() {
    let dir = tempdir().unwrap();
    let log = SqliteLog::open(&dir.path().join("log.db")).unwrap();
    let at = |second: i64| jiff::Timestamp::from_second(second).unwrap();
    let reference = log.put_blob(b"jane@example.com", at(100)).unwrap();
    assert_eq!(log.put_blob(b"jane@example.com", at(200)).unwrap(), reference);
    log.append("a", Expected::Any, &[silence("i-1")]).unwrap();
    assert_eq!(log.expire_blobs(at(199)).unwrap(), 0, "the later time counts");
    assert_eq!(log.blob(&reference).unwrap().as_deref(), Some(&b"jane@example.com"[..]));
    assert_eq!(log.expire_blobs(at(200)).unwrap(), 1);
    assert_eq!(log.blob(&reference).unwrap(), None);
    assert_eq!(log.verify().unwrap().fault, None);
}

/// Events about a few instances and episodes, so that they meet each other.
fn any_event() -> impl Strategy<Value = NewEvent> {
    (0..40u32, 0..3u32, 0..7u32, 0..8u32).prop_map(|(id, who, kind, hour)| {
        let (instance, episode) = (format!("i-{who}"), format!("e-{who}-{}", hour % 2));
        let as_of = format!("2026-02-15T0{hour}:00:00Z");
        let event = match kind {
            0 => made(&instance, &episode, &as_of, Level::Medium),
            1 => updated(&instance, &episode, &as_of, if hour % 3 == 0 { Level::High } else { Level::Unassessable }),
            2 => cleared(&instance, &episode, &as_of),
            3 => resolved(&instance, &episode),
            4 => acted(OperatorAction::Silence, &instance),
            5 => acted(OperatorAction::Unsilence, &instance),
            _ => Event::InstanceStateChanged(StateChanged {
                instance_id: instance.clone(),
                account: "unknown".to_owned(),
                region: "unknown".to_owned(),
                state: if hour % 2 == 0 { InstanceState::Running } else { InstanceState::Stopped },
                previous: None,
                reason: None,
            }),
        };
        NewEvent::new(id.to_string(), instance, as_of.parse().unwrap(), event)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// fold(a ++ b) = fold(fold(a), b), whatever is delivered twice, and through a file that is closed in between.
    #[test]
    fn a_log_cut_in_two_and_delivered_twice_says_the_same(
        events in prop::collection::vec(any_event(), 1..40),
        cut in any::<prop::sample::Index>(),
        batch in 1..5usize,
    ) {
        let (a, b) = events.split_at(cut.index(events.len()));
        let memory = MemoryLog::new();
        for part in events.chunks(batch) {
            memory.append("s", Expected::Any, part).unwrap();
        }
        let dir = tempdir().unwrap();
        let path = dir.path().join("log.db");
        for part in [a, b] {
            let log = SqliteLog::open(&path).unwrap();
            for event in part {
                log.append("s", Expected::Any, std::slice::from_ref(event)).unwrap();
            }
        }
        let log = SqliteLog::open(&path).unwrap();
        let entries = log.read_all(0, usize::MAX).unwrap();
        prop_assert_eq!(&entries, &memory.read_all(0, usize::MAX).unwrap());
        assert_tables(&log, &memory.projection());
        prop_assert_eq!(memory.projection(), folded(&entries));
        prop_assert_eq!(log.append("s", Expected::Version(0), &events).unwrap().written, 0);
        assert_tables(&log, &memory.projection());
        let report = log.rebuild().unwrap();
        prop_assert!(report.identical, "{:?}", report.first_difference);
        prop_assert_eq!(log.verify().unwrap().fault, None);
    }
}
