//! After an outage: what is news goes first, what is old says so, what is over is not told as new.

use forewarn_deliver::freshness::AGE;
use forewarn_deliver::pump::{Horizon, PAGE, pump_fresh};
use forewarn_deliver::{Announcement, Bus, BusError, MemoryBus, Published, PumpReport};
use forewarn_domain::prediction::Level;
use forewarn_log::{Filter, MemoryLog};
use forewarn_predict::episode_events::{EpisodeEvent, append_predictions};
use forewarn_testkit::samples::prediction;

const HOUR: i64 = 3_600_000;
/// 2026-02-15T12:00:00Z, milliseconds.
const NOON: i64 = 1_771_156_800_000;

/// Something that happened to an episode, so many hours before noon.
fn happens(log: &MemoryLog, episode: &str, hours: i64, what: EpisodeEvent) {
    let at = forewarn_runtime::time::format_ms(NOON - hours * HOUR);
    let level = if matches!(what, EpisodeEvent::Cleared { .. }) { Level::None } else { Level::High };
    append_predictions(log, &prediction(&format!("i-{episode}"), episode, &at, level), &[what]).unwrap();
}

fn feed(log: &MemoryLog, bus: &mut dyn Bus) -> PumpReport {
    let horizon = Horizon { now_ms: NOON, stale_after_ms: 6 * HOUR };
    pump_fresh(log, "eventbridge", bus, &Filter::default(), Some(horizon)).unwrap()
}

fn summary(published: &[Announcement]) -> Vec<(String, String, Option<i64>)> {
    let of = |a: &Announcement| {
        (a.about().to_owned(), a.detail_type.clone(), a.detail.get(AGE).and_then(serde_json::Value::as_i64))
    };
    published.iter().map(of).collect()
}

#[test]
fn after_an_outage_the_fresh_go_first_and_what_has_cleared_is_not_told_as_new() {
    let log = MemoryLog::new();
    happens(&log, "gone", 60, EpisodeEvent::Opened);
    // Enough for several pages.
    for n in 0..PAGE {
        happens(&log, &format!("lasts-{n:03}"), 50, EpisodeEvent::Opened);
    }
    happens(&log, "gone", 40, EpisodeEvent::Cleared { previous: Level::High });
    happens(&log, "new", 1, EpisodeEvent::Opened);
    let mut bus = MemoryBus::default();
    let report = feed(&log, &mut bus);
    let all = PAGE as u64;
    assert_eq!((report.sent, report.skipped, report.stale, report.superseded), (all + 2, 0, all + 1, 1));
    let seen = summary(&bus.published);
    let opened = |name: &str, age| (name.to_owned(), "Instance Failure Predicted".to_owned(), age);
    assert_eq!(seen[0], opened("new", None));
    assert_eq!(seen[1], opened("lasts-000", Some(50 * 3600)));
    assert!(!seen.contains(&opened("gone", Some(60 * 3600))));
    let end = seen.iter().find(|t| t.0 == "gone").unwrap();
    assert_eq!((end.1.as_str(), end.2), ("Prediction Cleared", Some(40 * 3600)));
    assert_eq!(feed(&log, &mut bus), PumpReport { position: report.position, ..PumpReport::default() });
}

/// A bus that fails after so many announcements, and remembers what it took.
struct Frail(MemoryBus, usize);

impl Bus for Frail {
    fn publish(&mut self, batch: &[Announcement]) -> Result<Published, BusError> {
        let mut done = Published::default();
        for one in batch {
            if self.1 == 0 {
                return Err(BusError::Stopped { bus: "frail".to_owned() });
            }
            let one = self.0.publish(std::slice::from_ref(one))?;
            self.1 -= one.sent as usize;
            done.sent += one.sent;
            done.skipped += one.skipped;
        }
        Ok(done)
    }
}

#[test]
fn cut_short_at_any_place_each_is_told_once_and_the_order_of_an_episode_holds() {
    let log = MemoryLog::new();
    happens(&log, "grows", 50, EpisodeEvent::Opened);
    happens(&log, "lasts", 50, EpisodeEvent::Opened);
    happens(&log, "grows", 1, EpisodeEvent::Cleared { previous: Level::High });
    happens(&log, "new", 1, EpisodeEvent::Opened);
    for cut in 0..4 {
        let horizon = Horizon { now_ms: NOON, stale_after_ms: 6 * HOUR };
        let cursor = format!("cut {cut}");
        let mut bus = Frail(MemoryBus::default(), cut);
        let first = pump_fresh(&log, &cursor, &mut bus, &Filter::default(), Some(horizon));
        assert!(first.is_err() || cut == 3, "{cut}: {first:?}");
        bus.1 = usize::MAX;
        pump_fresh(&log, &cursor, &mut bus, &Filter::default(), Some(horizon)).unwrap();
        let names: Vec<String> = summary(&bus.0.published).into_iter().map(|t| t.0).collect();
        // The opening of what has cleared since is old and over.
        assert_eq!(names, ["grows", "new", "lasts"], "{cut}");
    }
}

/// A bus in whose first call something happens.
struct Meanwhile<'a>(MemoryBus, Option<&'a MemoryLog>);

impl Bus for Meanwhile<'_> {
    fn publish(&mut self, batch: &[Announcement]) -> Result<Published, BusError> {
        if let Some(log) = self.1.take() {
            happens(log, "old", 0, EpisodeEvent::Cleared { previous: Level::High });
        }
        self.0.publish(batch)
    }
}

#[test]
fn what_happens_while_the_news_goes_ahead_overtakes_nothing() {
    let log = MemoryLog::new();
    for n in 0..PAGE {
        happens(&log, &format!("lasts-{n:03}"), 50, EpisodeEvent::Opened);
    }
    happens(&log, "old", 50, EpisodeEvent::Opened);
    happens(&log, "new", 1, EpisodeEvent::Opened);
    let mut bus = Meanwhile(MemoryBus::default(), Some(&log));
    feed(&log, &mut bus);
    let of_old: Vec<String> = summary(&bus.0.published).into_iter().filter(|t| t.0 == "old").map(|t| t.1).collect();
    assert_eq!(of_old, ["Instance Failure Predicted", "Prediction Cleared"]);
}
