use super::*;
use forewarn_log::MemoryLog;
use std::fmt::Write;

const MIN: i64 = 60_000;
/// 2026-02-15T00:00:00Z.
const T0: i64 = 1_771_113_600_000;

fn event(id: &str, minute: i64, kind: &str, code: &str, detail: Option<&str>) -> EventRow {
    EventRow {
        instance_id: id.to_owned(),
        ts: T0 + minute * MIN,
        kind: kind.to_owned(),
        code: code.to_owned(),
        detail: detail.map(str::to_owned),
        ..EventRow::default()
    }
}

/// A history whose instance `i-a` fails its check for `failing` of 60 s samples from minute 100 on.
fn history(dir: &std::path::Path, failing: std::ops::Range<i64>, events: &[EventRow]) -> History {
    let mut csv = "instance_id,metric,ts,value\n".to_owned();
    for m in 0..200 {
        let failed = u8::from(failing.contains(&m));
        writeln!(csv, "i-a,StatusCheckFailed_System,{},{failed}", T0 + m * MIN).unwrap();
    }
    let file = dir.join("checks.csv");
    std::fs::write(&file, csv).unwrap();
    let location = dir.join("h").display().to_string();
    let mut history = History::open_or_create(&location).unwrap();
    let options = forewarn_history::import::ImportOptions {
        period_s: Some(60),
        ..forewarn_history::import::ImportOptions::at(T0)
    };
    forewarn_history::import::import_files(&mut history, &[file], &options, &mut |_| {}).unwrap();
    history.writer().unwrap().put_events(events).unwrap();
    History::open(&location).unwrap()
}

#[test]
fn incidents_are_written_once_wherever_the_range_is_cut() {
    let dir = tempfile::tempdir().unwrap();
    let events = [
        event("i-b", 50, "log.matched", "oom_kill", None),
        event("i-c", 60, "state_changed", "stopped", Some("Server.InternalError")),
        event("i-d", 60, "state_changed", "stopped", Some("Client.UserInitiatedShutdown")),
    ];
    let mut h = history(dir.path(), 100..110, &events);
    let (log, settings) = (MemoryLog::new(), Settings::default());
    let found = derive_from(&h, T0, T0 + DAY_MS, &settings).unwrap();
    let named: Vec<_> = found
        .iter()
        .map(|f| (f.incident.instance_id.as_str(), (f.incident.ts - T0) / MIN, f.incident.cause.name()))
        .collect();
    assert_eq!(named, [("i-a", 100, "system_check"), ("i-b", 50, "oom_kill"), ("i-c", 60, "unplanned_stop")]);
    // Cut in the middle of an outage, and looked at again and again.
    let mut written = (0, 0);
    for (from, to) in [(0, 103), (103, 160), (0, 200), (150, 200)] {
        let report = observe(&mut h, &log, T0 + from * MIN, T0 + to * MIN, &settings).unwrap();
        written = (written.0 + report.logged, written.1 + report.kept);
    }
    assert_eq!(written, (3, 3));
    assert_eq!(log.head().unwrap(), 3);
    assert_eq!(h.incidents().unwrap().len(), 3);
    let entry = &log.read("incident/i-a", 1, 9).unwrap()[0];
    let Event::IncidentObserved(i) = entry.event().unwrap() else { panic!("{entry:?}") };
    assert_eq!((i.start.as_str(), i.end.as_deref()), ("2026-02-15T01:40:00Z", Some("2026-02-15T01:50:00Z")));
}

#[test]
fn what_was_cut_short_between_log_and_history_is_finished_by_the_next_run() {
    let dir = tempfile::tempdir().unwrap();
    let mut h = history(dir.path(), 100..110, &[]);
    let (log, settings) = (MemoryLog::new(), Settings::default());
    let found = derive_from(&h, T0, T0 + DAY_MS, &settings).unwrap();
    let event = found[0].event(&settings, T0 + DAY_MS).unwrap();
    log.append("incident/i-a", Expected::Any, &[event]).unwrap();
    let report = observe(&mut h, &log, T0, T0 + DAY_MS, &settings).unwrap();
    assert_eq!((report.logged, report.kept), (0, 1));
}
