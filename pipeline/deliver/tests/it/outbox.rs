//! What is announced is announced once, whatever dies in between.

use forewarn_deliver::{Announcement, Bus, BusError, JsonLinesBus, MemoryBus, PAGE, Published, PumpError, pump};
use forewarn_domain::prediction::{Level, Prediction};
use forewarn_log::event::operator::OperatorAction;
use forewarn_log::{Cursors, EventLog, Expected, Filter, MemoryLog, SqliteLog};
use forewarn_predict::episode_events::{EpisodeError, EpisodeEvent, append_predictions};
use forewarn_testkit::mortal::MortalLog;
use forewarn_testkit::samples::{acted, new, prediction, resolved};
use std::fs;
use std::path::Path;
use tempfile::tempdir;

/// A log with `n` episodes that opened, and an event between them that nobody is told.
fn log_of(n: usize) -> MemoryLog {
    let log = MemoryLog::new();
    open_episodes(&log, 0..n);
    log
}

fn open_episodes(log: &impl EventLog, range: std::ops::Range<usize>) {
    for k in range {
        let p = prediction(&format!("i-{k}"), &format!("ep-{k}"), "2026-02-15T06:00:00Z", Level::High);
        append_predictions(log, &p, &[EpisodeEvent::Opened]).unwrap();
        log.append("ops", Expected::Any, &[new(&format!("ack-{k}"), "x", acted(OperatorAction::Ack, "x"))]).unwrap();
    }
}

fn lines(path: &Path) -> Vec<Announcement> {
    fs::read_to_string(path).unwrap().lines().map(|l| serde_json::from_str(l).unwrap()).collect()
}

fn instances(path: &Path) -> Vec<String> {
    lines(path).into_iter().map(|a| a.resources[0].clone()).collect()
}

fn expected(n: usize) -> Vec<String> {
    (0..n).map(|k| format!("i-{k}")).collect()
}

#[test]
fn a_rerun_announces_nothing_twice() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("events.jsonl");
    let log = SqliteLog::open(&dir.path().join("log.db")).unwrap();
    open_episodes(&log, 0..3);
    let run = || pump(&log, "bus", &mut JsonLinesBus::open(&path).unwrap(), &Filter::default()).unwrap();
    let first = run();
    assert_eq!((first.read, first.sent, first.skipped, first.position), (6, 3, 0, 6));
    open_episodes(&log, 0..3);
    let again = run();
    assert_eq!((again.read, again.sent, again.position), (0, 0, 6));
    open_episodes(&log, 3..4);
    assert_eq!(run().sent, 1);
    assert_eq!(instances(&path), expected(4));
    let line = &lines(&path)[0];
    assert_eq!((line.source.as_str(), line.detail_type.as_str()), ("forewarn", "Instance Failure Predicted"));
    assert_eq!((line.account.as_str(), line.region.as_str()), ("123456789012", "eu-central-1"));
    assert_eq!(line.id, log.read("episode/ep-0", 1, 1).unwrap()[0].envelope.id);
}

#[test]
fn dying_between_the_write_and_the_cursor_announces_once() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("events.jsonl");
    let log = MortalLog::from(log_of(PAGE));
    log.moves.set(0);
    let run = || pump(&log, "bus", &mut JsonLinesBus::open(&path).unwrap(), &Filter::default());
    assert!(matches!(run(), Err(PumpError::Log(_))));
    assert!(matches!(run(), Err(PumpError::Log(_))), "twice even");
    assert_eq!(instances(&path), expected(PAGE / 2), "the first page was written");
    log.moves.set(usize::MAX);
    let report = run().unwrap();
    assert_eq!((report.sent, report.skipped), (PAGE as u64 / 2, PAGE as u64 / 2));
    assert_eq!(instances(&path), expected(PAGE));
}

#[test]
fn a_file_torn_at_any_byte_of_the_last_batch_ends_whole() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("events.jsonl");
    let log = MortalLog::from(log_of(1));
    let run = || pump(&log, "bus", &mut JsonLinesBus::open(&path).unwrap(), &Filter::default());
    run().unwrap();
    let before = fs::read(&path).unwrap().len();
    open_episodes(&log, 1..3);
    log.moves.set(0);
    assert!(run().is_err());
    let whole = fs::read(&path).unwrap();
    log.moves.set(usize::MAX);
    for cut in (before..=whole.len()).step_by(7) {
        fs::write(&path, &whole[..cut]).unwrap();
        let mut bus = JsonLinesBus::open(&path).unwrap();
        // A cursor of its own for each cut, standing where the crash left it.
        let name = format!("cut {cut}");
        log.advance(&name, 2).unwrap();
        pump(&log, &name, &mut bus, &Filter::default()).unwrap();
        assert_eq!(fs::read(&path).unwrap(), whole, "cut at {cut}");
    }
}

#[test]
fn one_writer_at_a_time() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("events.jsonl");
    let first = JsonLinesBus::open(&path).unwrap();
    assert!(matches!(JsonLinesBus::open(&path), Err(BusError::Busy { .. })));
    drop(first);
    JsonLinesBus::open(&path).unwrap();
}

#[test]
fn files_of_others_are_left_alone() {
    let dir = tempdir().unwrap();
    for (name, text) in [("notes", "milk\nbread\n"), ("unfinished", "milk\nbread"), ("word", "milk"), ("json", "{}\n")]
    {
        let path = dir.path().join(name);
        fs::write(&path, text).unwrap();
        assert!(matches!(JsonLinesBus::open(&path), Err(BusError::Foreign { .. })), "{name}");
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
    assert!(matches!(JsonLinesBus::open(dir.path()), Err(BusError::Unavailable { .. })));
}

/// A bus that fails as long as it is told to.
struct Failing(MemoryBus, bool);

impl Bus for Failing {
    fn publish(&mut self, batch: &[Announcement]) -> Result<Published, BusError> {
        if self.1 {
            let source = std::io::Error::other("no network");
            return Err(BusError::Unavailable { bus: "test".to_owned(), doing: "publish", source });
        }
        self.0.publish(batch)
    }
}

#[test]
fn a_failing_bus_holds_the_cursor() {
    let log = log_of(2);
    let mut bus = Failing(MemoryBus::default(), true);
    assert!(matches!(pump(&log, "bus", &mut bus, &Filter::default()), Err(PumpError::Bus(_))));
    assert_eq!(log.cursor("bus").unwrap(), 0);
    bus.1 = false;
    assert_eq!(pump(&log, "bus", &mut bus, &Filter::default()).unwrap().sent, 2);
}

#[test]
fn a_filter_chooses_and_cursors_are_apart() {
    let log = log_of(2);
    log.append("r", Expected::Any, &[new("res", "i-0", resolved("i-0", "ep-0"))]).unwrap();
    let mut bus = MemoryBus::default();
    let report = pump(&log, "outcomes", &mut bus, &Filter::types(["prediction.resolved"])).unwrap();
    assert_eq!((report.read, report.sent), (5, 1));
    assert_eq!(bus.published[0].detail_type, "Prediction Resolved");
    assert_eq!((log.cursor("outcomes").unwrap(), log.cursor("bus").unwrap()), (5, 0));
}

#[test]
fn an_episode_is_announced_once_updated_by_level_and_cleared_once() {
    let log = MemoryLog::new();
    let at = |hour: u32, level| prediction("i-1", "ep", &format!("2026-02-15T{hour:02}:00:00Z"), level);
    let write = |p: &Prediction, what| append_predictions(&log, p, &[what]).map(|fresh| fresh.len());
    let update = EpisodeEvent::Updated { previous: Level::Medium };
    let clear = EpisodeEvent::Cleared { previous: Level::High };
    assert!(matches!(write(&at(6, Level::High), update), Err(EpisodeError::NeverOpened(_))));
    for _ in 0..2 {
        // The whole hour's work, run twice.
        let again = log.head().unwrap() > 0;
        assert_eq!(write(&at(6, Level::Medium), EpisodeEvent::Opened).unwrap(), usize::from(!again));
        assert_eq!(write(&at(7, Level::High), update).unwrap(), usize::from(!again));
        assert_eq!(write(&at(9, Level::None), clear).unwrap(), usize::from(!again));
    }
    assert_eq!(write(&at(8, Level::Medium), EpisodeEvent::Opened).unwrap(), 0, "it was made already");
    assert!(matches!(write(&at(10, Level::High), update), Err(EpisodeError::AlreadyCleared(_))));
    let same = EpisodeEvent::Updated { previous: Level::High };
    assert!(matches!(write(&at(8, Level::High), same), Err(EpisodeError::SameLevel(_))));
    let mut quiet = at(6, Level::None);
    quiet.episode_id = None;
    assert!(matches!(write(&quiet, EpisodeEvent::Opened), Err(EpisodeError::NoEpisode(_))));
    let mut bus = MemoryBus::default();
    pump(&log, "bus", &mut bus, &Filter::default()).unwrap();
    let types: Vec<&str> = bus.published.iter().map(|a| a.detail_type.as_str()).collect();
    assert_eq!(types, ["Instance Failure Predicted", "Prediction Updated", "Prediction Cleared"]);
    assert_eq!(bus.published[1].detail["previous"], "medium");
    assert_eq!(bus.published[1].detail["confidence"], "high");
}
