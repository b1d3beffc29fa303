//! Which silence keeps news, or a recovery, back for now.
//!
//! A silence holds for what is said of a time before its end.

use crate::id::event_id;
use crate::prediction::Prediction;
use crate::workload::WorkloadEpisode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A silence in force (its end is for the reader to compare with the clock).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Silence {
    /// What is silenced.
    pub target: String,
    /// Since when.
    pub since: String,
    /// Until when; null for good.
    pub until: Option<String>,
    /// The reason in words.
    pub reason: Option<String>,
}

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

/// What is known of the instance that a recovery is about.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The instance's id.
    pub instance_id: &'a str,
    /// Its Auto Scaling group, where it has one: the workload that an instance without any prediction is a copy of.
    pub group: Option<&'a str>,
    /// The newest prediction about it, where there is one: it tells the workload.
    pub prediction: Option<&'a Prediction>,
    /// Whether that prediction is what the recovery answers: only then are its episode and its kind of failure those of the recovery.
    pub is_predicted: bool,
}

impl Target {
    fn is_about_recovery(&self, subject: &Subject<'_>) -> bool {
        match self {
            Self::Named(id) if subject.instance_id == *id => true,
            Self::Workload(name) if subject.group == Some(name) => true,
            Self::All => true,
            Self::Workload(_) => subject.prediction.is_some_and(|p| self.is_about(p)),
            Self::Named(_) | Self::FailureType(_) => {
                subject.is_predicted && subject.prediction.is_some_and(|p| self.is_about(p))
            }
        }
    }
}

/// Gives the id of the silence that holds a recovery back at a time (RFC 3339).
pub fn of_recovery<'a>(
    silences: impl IntoIterator<Item = &'a Silence>,
    subject: &Subject<'_>,
    at: &str,
) -> Option<String> {
    let is_held = |s: &&Silence| holds_at(s, at) && Target::parse(&s.target).is_about_recovery(subject);
    silences.into_iter().find(is_held).map(|s| id(&s.target, &s.since))
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
}
