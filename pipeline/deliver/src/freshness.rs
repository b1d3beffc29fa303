//! Decides what of a backlog is still news: what is old says so, what is over is not told as new, and the fresh goes first. Pure.
//!
//! After an outage of hours the log holds openings of episodes that have long cleared. A consumer that wakes people must not hear of
//! them as if they were new, nor wait for what is new until all of them are out.

use crate::announcement::Announcement;
use serde_json::Value;
use std::collections::BTreeMap;

/// Where the detail of an announcement that is no longer news says its age in seconds.
pub const AGE: &str = "age_s";

/// What becomes of an announcement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is news.
    Announce,
    /// It is announced with its age, seconds.
    Stale(i64),
    /// It is not announced: it is old, and what it was about is over.
    Superseded,
}

/// What a backlog says of one episode or recovery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Course {
    /// When the newest happened, milliseconds.
    newest: i64,
    /// Where the last entry stands that ends it.
    over_at: Option<u64>,
}

/// A backlog as far as it was read.
#[derive(Debug)]
pub struct Backlog {
    now_ms: i64,
    stale_after_ms: i64,
    courses: BTreeMap<String, Course>,
    stale: bool,
    fresh: bool,
}

impl Backlog {
    /// Starts with nothing.
    pub fn new(now_ms: i64, stale_after_ms: i64) -> Self {
        Self { now_ms, stale_after_ms, courses: BTreeMap::new(), stale: false, fresh: false }
    }

    /// Notes an announcement that is due, with the position of its entry.
    pub fn note(&mut self, position: u64, announcement: &Announcement) {
        let at = happened(announcement).unwrap_or(self.now_ms);
        self.stale |= self.is_old(at);
        self.fresh |= !self.is_old(at);
        let Some(key) = announcement.course() else { return };
        let course = self.courses.entry(key.to_owned()).or_insert(Course { newest: at, over_at: None });
        course.newest = course.newest.max(at);
        if announcement.ends_its_course() {
            course.over_at = Some(position);
        }
    }

    fn is_old(&self, at: i64) -> bool {
        self.now_ms.saturating_sub(at) > self.stale_after_ms
    }

    /// Says whether some of it goes ahead of the rest: where some is news and some is not.
    pub fn has_two_ages(&self) -> bool {
        self.stale && self.fresh
    }

    /// Says whether any of it is old.
    pub const fn is_stale(&self) -> bool {
        self.stale
    }

    /// Says whether an announcement goes ahead: it is news, or its episode has news, so that their order holds.
    pub fn goes_ahead(&self, announcement: &Announcement) -> bool {
        let own = happened(announcement).unwrap_or(self.now_ms);
        let newest = announcement.course().and_then(|key| self.courses.get(key)).map_or(own, |c| c.newest);
        !self.is_old(newest.max(own))
    }

    /// Decides what becomes of an announcement. What ends an episode is always told.
    pub fn fate(&self, position: u64, announcement: &Announcement) -> Fate {
        let at = happened(announcement).unwrap_or(self.now_ms);
        if !self.is_old(at) {
            return Fate::Announce;
        }
        let over = announcement.course().and_then(|key| self.courses.get(key)).and_then(|c| c.over_at);
        if over.is_some_and(|over| position < over) && !announcement.ends_its_course() {
            return Fate::Superseded;
        }
        Fate::Stale(self.now_ms.saturating_sub(at) / 1000)
    }
}

/// Says in the detail of an announcement how old it is.
pub fn mark(mut announcement: Announcement, age_s: i64) -> Announcement {
    if let Value::Object(detail) = &mut announcement.detail {
        detail.insert(AGE.to_owned(), Value::from(age_s));
    }
    announcement
}

fn happened(announcement: &Announcement) -> Option<i64> {
    forewarn_runtime::time::parse_instant(&announcement.time, None).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const HOUR: i64 = 3_600_000;
    const NOW: i64 = 1_771_113_600_000;

    /// An announcement about an episode, so many hours old.
    fn of(episode: &str, kind: &str, hours: i64) -> Announcement {
        Announcement {
            version: "0".to_owned(),
            id: format!("{episode} {kind} {hours}"),
            detail_type: "x".to_owned(),
            source: "forewarn".to_owned(),
            account: "1".to_owned(),
            time: forewarn_runtime::time::format_ms(NOW - hours * HOUR),
            region: "eu".to_owned(),
            resources: Vec::new(),
            event_type: format!("forewarn.{kind}.v1"),
            detail: json!({ "episode_id": episode, "instance_id": "i-1" }),
        }
    }

    fn backlog(all: &[Announcement]) -> Backlog {
        let mut backlog = Backlog::new(NOW, 6 * HOUR);
        for (i, a) in all.iter().enumerate() {
            backlog.note(i as u64 + 1, a);
        }
        backlog
    }

    #[test]
    fn of_an_episode_that_is_over_only_the_end_is_told_and_of_an_open_one_everything_with_its_age() {
        let all = [
            of("over", "prediction.made", 50),
            of("open", "prediction.made", 49),
            of("over", "prediction.updated", 48),
            of("over", "prediction.cleared", 40),
            of("open", "prediction.updated", 30),
        ];
        let backlog = backlog(&all);
        let fates: Vec<Fate> = all.iter().enumerate().map(|(i, a)| backlog.fate(i as u64 + 1, a)).collect();
        let stale = |hours: i64| Fate::Stale(hours * 3600);
        assert_eq!(fates, [Fate::Superseded, stale(49), Fate::Superseded, stale(40), stale(30)]);
        assert!(!backlog.has_two_ages() && backlog.is_stale());
    }

    #[test]
    fn the_fresh_go_ahead_with_what_their_episode_said_before() {
        let all = [
            of("old", "prediction.made", 30),
            of("grows", "prediction.made", 29),
            of("new", "prediction.made", 1),
            of("grows", "prediction.updated", 1),
        ];
        let backlog = backlog(&all);
        assert!(backlog.has_two_ages());
        let ahead: Vec<bool> = all.iter().map(|a| backlog.goes_ahead(a)).collect();
        assert_eq!(ahead, [false, true, true, true]);
        assert_eq!(backlog.fate(2, &all[1]), Fate::Stale(29 * 3600), "its opening is old all the same");
        assert_eq!(backlog.fate(3, &all[2]), Fate::Announce);
    }

    #[test]
    fn an_episode_that_opened_again_after_its_end_is_told() {
        let all = [of("e", "prediction.made", 30), of("e", "prediction.cleared", 29), of("e", "prediction.made", 20)];
        let backlog = backlog(&all);
        assert_eq!(backlog.fate(1, &all[0]), Fate::Superseded);
        assert_eq!(backlog.fate(3, &all[2]), Fate::Stale(20 * 3600));
    }

    #[test]
    fn what_belongs_to_no_episode_is_superseded_by_nothing() {
        let missed = Announcement { detail: json!({ "instance_id": "i-1" }), ..of("", "prediction.resolved", 10) };
        let seen = Announcement { detail: json!({ "instance_id": "i-1" }), ..of("", "incident.observed", 30) };
        let all = [seen, missed];
        let backlog = backlog(&all);
        assert_eq!(backlog.fate(1, &all[0]), Fate::Stale(30 * 3600));
    }

    #[test]
    fn the_age_stands_in_the_detail() {
        assert_eq!(mark(of("e", "prediction.made", 30), 5).detail[AGE], 5);
    }
}
