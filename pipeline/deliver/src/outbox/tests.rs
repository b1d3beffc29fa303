use super::*;
use crate::backlog::{self, Backlog};
use crate::{Announcement, JsonLinesBus, MemoryBus, Published};
use forewarn_log::event::incident::{IncidentClass, IncidentObserved};
use forewarn_log::{AppendError, Appended, Event, Expected, NewEvent, Recorded, SqliteLog};
use forewarn_runtime::clock::ManualClock;
use forewarn_runtime::interrupt::Interrupt;
use forewarn_runtime::metrics::{Bus as BusLabel, Part, unregistered};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

fn happen(log: &SqliteLog, id: &str) {
    let event = Event::IncidentObserved(IncidentObserved {
        incident_id: id.to_owned(),
        instance_id: "i-1".to_owned(),
        account: "unknown".to_owned(),
        region: "unknown".to_owned(),
        workload: None,
        start: "2026-02-15T06:00:00Z".to_owned(),
        end: None,
        class: IncidentClass::Failure,
        cause: None,
        predictable: None,
        evidence: "seen".to_owned(),
    });
    log.append("s", Expected::Any, &[NewEvent::new(id, "i-1", jiff::Timestamp::UNIX_EPOCH, event)]).unwrap();
}

struct Broken;

impl Bus for Broken {
    fn publish(&mut self, _: &[Announcement]) -> Result<Published, BusError> {
        Err(BusError::Stopped { bus: "broken".to_owned() })
    }
}

#[test]
fn a_broken_bus_holds_its_own_cursor_and_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let log = SqliteLog::open(&dir.path().join("log.sqlite")).unwrap();
    happen(&log, "one");
    let closed = Err(BusError::Busy { bus: "file".to_owned() });
    let mut sinks = [
        Sink { name: FILE, bus: closed, news: None },
        Sink { name: EVENTBRIDGE, bus: Ok(Box::new(Broken)), news: None },
        Sink { name: STDOUT, bus: Ok(Box::new(MemoryBus::default())), news: None },
    ];
    let metrics = unregistered();
    let done = deliver(&log, &mut sinks, &metrics);
    assert_eq!((done.sent(), metrics.announced.get()), (1, 1));
    let failed: Vec<bool> = done.0.iter().map(|d| d.outcome.is_err()).collect();
    assert_eq!(failed, [true, true, false]);
    assert!(done.checked().is_err());
    let at = |name| log.cursor(name).unwrap();
    assert_eq!((at(FILE), at(EVENTBRIDGE), at(STDOUT)), (0, 0, 1));
}

#[test]
fn a_new_bus_starts_at_the_present_unless_asked_and_does_so_only_once() {
    let dir = tempfile::tempdir().unwrap();
    let log = SqliteLog::open(&dir.path().join("log.sqlite")).unwrap();
    let means =
        RuntimeContext { clock: Arc::new(ManualClock::default()), stop: Interrupt::default(), metrics: unregistered() };
    let (file, state) = (Some(dir.path().join("events.jsonl")), StatePlace::Dir(dir.path().to_owned()));
    let wanted = SinkConfig { file, eventbridge: None, stdout: true, state, stale_after_ms: 3_600_000 };
    // Opened on an empty log, and cut short before anything was delivered: what came meanwhile is still due.
    open(&log, &wanted, false, &means).unwrap();
    happen(&log, "one");
    open(&log, &wanted, false, &means).unwrap();
    assert_eq!(log.cursor(STDOUT).unwrap(), 0);
    assert!(log.has_cursor(STDOUT).unwrap() && !log.has_cursor(EVENTBRIDGE).unwrap());

    let other = SqliteLog::open(&dir.path().join("other.sqlite")).unwrap();
    happen(&other, "one");
    open(&other, &wanted, false, &means).unwrap();
    assert_eq!(other.cursor(STDOUT).unwrap(), 1);
    let third = SqliteLog::open(&dir.path().join("third.sqlite")).unwrap();
    happen(&third, "one");
    open(&third, &wanted, true, &means).unwrap();
    assert_eq!((third.cursor(STDOUT).unwrap(), third.has_cursor(STDOUT).unwrap()), (0, true));
}

#[test]
fn a_bus_that_is_down_fails_and_its_outbox_grows_old_while_the_others_succeed() {
    let dir = tempfile::tempdir().unwrap();
    let log = SqliteLog::open(&dir.path().join("log.sqlite")).unwrap();
    let sinks = || {
        [
            Sink { name: EVENTBRIDGE, bus: Ok(Box::new(Broken) as Box<dyn Bus + Send>), news: None },
            Sink { name: STDOUT, bus: Ok(Box::new(MemoryBus::default())), news: None },
        ]
    };
    let metrics = unregistered();
    let (down, fine) = (BusLabel { bus: EVENTBRIDGE }, BusLabel { bus: STDOUT });
    let turn = |now| {
        let mut sinks = sinks();
        backlog::begin(&sinks, &metrics, now);
        let done = deliver(&log, &mut sinks, &metrics);
        backlog::tell(&log, &done.0, &metrics, now).unwrap();
    };
    turn(1_000);
    assert!(metrics.last_success.get(&Part { part: "emit" }).is_none(), "nothing was due, so nothing was done");
    happen(&log, "one");
    turn(61_000);
    turn(121_000);
    assert_eq!((metrics.buses.is_failed(&down), metrics.buses.is_failed(&fine)), (true, false));
    let through = |bus| metrics.buses.through.get(bus).unwrap();
    assert_eq!((through(&down), through(&fine)), (1_000, 121_000), "until then everything had been announced");
    assert_eq!(metrics.through.get(&Part { part: "emit" }), Some(1_000), "the part is as far behind as its worst bus");
    assert_eq!(Backlog::of(&log, EVENTBRIDGE).unwrap(), Backlog { entries: 1, oldest_ms: Some(0) });
    assert_eq!(Backlog::of(&log, STDOUT).unwrap(), Backlog::default());
    let last_success = metrics.last_success.get(&Part { part: "emit" }).map(|g| g.get());
    assert_eq!(last_success, Some(61.0), "the other bus took it");
}

/// A log that counts how often its entries are read.
struct Counted(SqliteLog, AtomicUsize);

impl EventLog for Counted {
    fn append(&self, stream: &str, expected: Expected, events: &[NewEvent]) -> Result<Appended, AppendError> {
        self.0.append(stream, expected, events)
    }

    fn read(&self, stream: &str, from_version: u64, limit: usize) -> Result<Vec<Recorded>, LogError> {
        self.0.read(stream, from_version, limit)
    }

    fn read_all(&self, after: u64, limit: usize) -> Result<Vec<Recorded>, LogError> {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.read_all(after, limit)
    }

    fn length(&self, stream: &str) -> Result<u64, LogError> {
        self.0.length(stream)
    }

    fn head(&self) -> Result<u64, LogError> {
        self.0.head()
    }
}

impl Cursors for Counted {
    fn cursor(&self, name: &str) -> Result<u64, LogError> {
        self.0.cursor(name)
    }

    fn has_cursor(&self, name: &str) -> Result<bool, LogError> {
        self.0.has_cursor(name)
    }

    fn advance(&self, name: &str, position: u64) -> Result<(), LogError> {
        self.0.advance(name, position)
    }
}

#[test]
fn a_turn_without_news_reads_neither_entries_nor_the_end_of_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let log = Counted(SqliteLog::open(&dir.path().join("log.sqlite")).unwrap(), AtomicUsize::new(0));
    let ctx =
        RuntimeContext { clock: Arc::new(ManualClock::default()), stop: Interrupt::default(), metrics: unregistered() };
    let (file, state) = (Some(dir.path().join("events.jsonl")), StatePlace::Dir(dir.path().to_owned()));
    let wanted = SinkConfig { file, eventbridge: None, stdout: false, state, stale_after_ms: 3_600_000 };
    happen(&log.0, "one");
    let turn = || deliver(&log, &mut open(&log, &wanted, false, &ctx).unwrap(), &ctx.metrics).checked();
    assert_eq!(turn().unwrap()[0].1.sent, 1);
    assert_eq!(log.1.load(Ordering::Relaxed), 1, "the page that had the news");
    // Whoever opens the file locks it, and is turned away where another has.
    let other = JsonLinesBus::open(wanted.file.as_deref().unwrap()).unwrap();
    assert_eq!(turn().unwrap()[0].1, PumpReport { position: 1, ..PumpReport::default() });
    assert_eq!(log.1.load(Ordering::Relaxed), 1);
    happen(&log.0, "two");
    assert!(matches!(turn(), Err(PumpError::Bus(BusError::Busy { .. }))));
    drop(other);
    assert_eq!(turn().unwrap()[0].1.sent, 1);
}
