//! Decides what is not announced for now, and what is due once the quiet is over.
//!
//! Pure over the log's tables. The decision is taken when an event is written and stands in it as `silence_id`, so that every bus
//! and every rerun agrees: the bus passes over what carries one. A silence holds for predictions made for a time before its end.

use crate::emit::EpisodeEvent;
use crate::log::envelope::event_id;
use crate::log::row::{Episode, Silence};
use forewarn_rules::prediction::{Level, Prediction};
use forewarn_rules::round::Taken;
use forewarn_rules::workload::WorkloadEpisode;
use jiff::Timestamp;
use std::fmt;

/// What a silence is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Everything.
    All,
    /// An instance or an episode, by id.
    Named(String),
    /// A workload, its instances included.
    Workload(String),
    /// A kind of failure.
    FailureType(String),
}

impl Target {
    /// Reads the form in which the log has it.
    pub fn parse(text: &str) -> Self {
        match text.split_once(':') {
            Some(("workload", name)) => Self::Workload(name.to_owned()),
            Some(("failure-type", name)) => Self::FailureType(name.to_owned()),
            _ if text == "all" => Self::All,
            _ => Self::Named(text.to_owned()),
        }
    }

    fn is_about(&self, p: &Prediction) -> bool {
        match self {
            Self::All => true,
            Self::Named(id) => p.instance_id == *id || p.episode_id.as_ref() == Some(id),
            Self::Workload(name) => p.workload.as_ref() == Some(name),
            Self::FailureType(name) => p.failure_type.is_some_and(|f| f.name() == name),
        }
    }

    fn is_about_workload(&self, e: &WorkloadEpisode) -> bool {
        match self {
            Self::All => true,
            Self::Named(id) => e.workload_episode_id == *id,
            Self::Workload(name) => e.workload == *name,
            Self::FailureType(name) => e.failure_type.name() == name,
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Named(id) => f.write_str(id),
            Self::Workload(name) => write!(f, "workload:{name}"),
            Self::FailureType(name) => write!(f, "failure-type:{name}"),
        }
    }
}

/// Names a silence, for good: by what it is about and when it was asked for.
pub fn id(target: &str, since: &str) -> String {
    event_id("silence", &[target, since])
}

/// Says whether a silence holds at a time (RFC 3339); one whose end can't be read is over, so that nothing is kept back by mistake.
pub fn holds_at(silence: &Silence, at: &str) -> bool {
    let Some(until) = &silence.until else { return true };
    match (at.parse::<Timestamp>(), until.parse::<Timestamp>()) {
        (Ok(at), Ok(until)) => at < until,
        _ => false,
    }
}

/// Gives the id of the silence that keeps an instance's news back.
pub fn of(silences: &[Silence], p: &Prediction) -> Option<String> {
    let found = silences.iter().find(|s| holds_at(s, &p.as_of) && Target::parse(&s.target).is_about(p))?;
    Some(id(&found.target, &found.since))
}

/// Gives the id of the silence that keeps a workload's news back.
pub fn of_workload(silences: &[Silence], e: &WorkloadEpisode) -> Option<String> {
    let found = silences.iter().find(|s| holds_at(s, &e.as_of) && Target::parse(&s.target).is_about_workload(e))?;
    Some(id(&found.target, &found.since))
}

/// Decides which silence an episode's event carries. The end of an episode is told to those who know of its beginning, silence or
/// not, and to nobody else.
pub fn stamp(what: EpisodeEvent, silenced: Option<String>, before: Option<&Episode>) -> Option<String> {
    match what {
        EpisodeEvent::Made | EpisodeEvent::Updated { .. } => silenced,
        EpisodeEvent::Cleared { .. } => before.filter(|e| e.untold).and_then(|e| e.silence_id.clone()),
    }
}

/// Decides whether an episode is to be announced because the quiet is over: its last news was kept back, nothing keeps it back now,
/// and it is open at level high and still foresees that. Gives the silence that was.
pub fn due(taken: &Taken, silences: &[Silence], before: Option<&Episode>) -> Option<String> {
    let p = &taken.prediction;
    let high = p.confidence == Level::High && taken.after.open.as_ref().is_some_and(|o| o.level == Level::High);
    let newest = taken.after.last.as_ref().is_some_and(|l| l.prediction_id == p.prediction_id);
    let quiet = taken.events.is_empty() && p.workload_episode_id.is_none() && of(silences, p).is_none();
    before.and_then(|e| e.silence_id.clone()).filter(|_| high && newest && quiet)
}

/// Decides the same for a workload episode of which nothing else is said in a round at `as_of`; gives the silence that was.
pub fn due_workload(episode: &WorkloadEpisode, silences: &[Silence], as_of: &str) -> Option<String> {
    let now = WorkloadEpisode { as_of: as_of.to_owned(), ..episode.clone() };
    let over = episode.level == Level::High && of_workload(silences, &now).is_none();
    episode.silence_id.clone().filter(|_| over)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn silence(target: &str, until: Option<&str>) -> Silence {
        let since = "2026-02-15T00:00:00Z".to_owned();
        Silence { target: target.to_owned(), since, until: until.map(str::to_owned), reason: None }
    }

    #[test]
    fn a_target_reads_back() {
        for text in ["all", "i-1", "workload:asg/web", "failure-type:disk_full"] {
            assert_eq!(Target::parse(text).to_string(), text);
        }
        assert_eq!(Target::parse("all"), Target::All);
        assert_eq!(Target::parse("i-1"), Target::Named("i-1".to_owned()));
    }

    #[test]
    fn a_silence_ends_by_the_time_of_what_is_predicted() {
        let until = |t| silence("all", Some(t));
        assert!(holds_at(&until("2026-02-15T06:00:00Z"), "2026-02-15T05:59:59Z"));
        assert!(!holds_at(&until("2026-02-15T06:00:00Z"), "2026-02-15T06:00:00Z"));
        assert!(holds_at(&silence("all", None), "2026-02-15T06:00:00Z"));
        assert!(!holds_at(&until("soon"), "2026-02-15T06:00:00Z"));
    }

    #[test]
    fn the_end_is_told_to_those_who_know_of_the_beginning() {
        let cleared = EpisodeEvent::Cleared { previous: Level::High };
        let mut episode = Episode { silence_id: Some("s".to_owned()), ..Episode::new("ep", "i-1") };
        assert_eq!(stamp(cleared, Some("s".to_owned()), Some(&episode)), None);
        episode.untold = true;
        assert_eq!(stamp(cleared, None, Some(&episode)), Some("s".to_owned()));
        assert_eq!(stamp(EpisodeEvent::Made, Some("s".to_owned()), None), Some("s".to_owned()));
        assert_eq!(stamp(EpisodeEvent::Made, None, None), None);
    }
}
