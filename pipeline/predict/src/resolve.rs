//! Resolves episodes: writes into the log how each turned out, and which incidents nobody was warned of.
//!
//! The decision is [`forewarn_rules::resolve`]; here the facts are gathered and what was decided is appended under an id made from the
//! episode, or from the incident. The first resolution of an episode stays: an incident that is reported late does not change it
//! (the scorecard, which reads incidents afresh, counts it all the same). An operator's verdict is added beside it.

mod facts;
mod missed;
mod verdict;

pub use facts::{events, incidents};
pub use verdict::{VerdictError, verdict};

use crate::episode_events::stream_of;
use crate::truth::Truth;
use crate::turn_tables::{Needs, TurnTables};
use facts::{Known, KnownIncident, about};
use forewarn_domain::id::event_id;
use forewarn_domain::time::HOUR_MS;
use forewarn_history::{EventRow, History, HistoryError};
use forewarn_log::event::prediction::{Outcome, Resolved};
use forewarn_log::row::Episode;
use forewarn_log::{AppendError, Event, Expected, LogError, NewEvent, Row, StateLog, Table};
use forewarn_rules::resolve::{Facts, Resolution, Turned, horizon_ms, resolve as decide};
use forewarn_rules::truth::Incident;
use forewarn_runtime::time::{format_ms, parse_instant};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// What was resolved.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Episodes that an incident followed.
    pub hit: u64,
    /// Incidents that nobody was warned of.
    pub missed: u64,
    /// Episodes that nothing followed.
    #[serde(rename = "false")]
    pub false_alarms: u64,
    /// Episodes that something else ended.
    pub censored: u64,
    /// Episodes whose instance left, and nothing says why.
    pub gone: u64,
    /// Episodes for which it is too early.
    pub open: u64,
}

/// Why episodes could not be resolved; what was written stays.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    #[error(transparent)]
    Log(#[from] LogError),
    /// The log refused an append.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// The history could not be read.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// A time that was decided cannot be written.
    #[error("{0} ms is no time that can be written")]
    Time(i64),
}

/// Resolves every episode of a log that is due at `now`, milliseconds, from the incidents that log and history know and those given
/// beside them. Doing it again changes nothing.
///
/// # Errors
/// When the log or the history fail.
pub fn resolve(log: &dyn StateLog, history: &History, given: &[Incident], now: i64) -> Result<Report, ResolveError> {
    let episodes = episodes(log)?;
    let needs = Needs { incidents_since: Some(i64::MIN), ..Needs::default() }.with_open(&episodes, i64::MIN);
    resolve_in(log, history, &TurnTables::read(history, &needs)?, given, i64::MIN, now)
}

/// Gives the episodes of a log.
pub(crate) fn episodes(log: &dyn StateLog) -> Result<Vec<Episode>, LogError> {
    let rows = log.table(Table::Episodes)?.into_values();
    Ok(rows.filter_map(|row| if let Row::Episode(e) = row { Some(*e) } else { None }).collect())
}

/// As [`resolve`], with the tables read. Which incidents nobody was warned of is asked of those from `since` on: of others it has been.
pub(crate) fn resolve_in(
    log: &dyn StateLog,
    history: &History,
    tables: &TurnTables,
    given: &[Incident],
    since: i64,
    now: i64,
) -> Result<Report, ResolveError> {
    let incidents = facts::known_incidents(log, &tables.incidents, given)?;
    let past = Past::of(&incidents, &tables.events, changed(log)?);
    let episodes = episodes(log)?;
    let mut answered: BTreeSet<String> = episodes.iter().filter_map(|e| e.incident_id.clone()).collect();
    let mut knowns: BTreeMap<String, Known> = BTreeMap::new();
    let mut report = Report::default();
    for episode in episodes.iter().filter(|e| e.outcome.is_none()) {
        if !past.may_be_due(episode, now) {
            report.open += 1;
            continue;
        }
        let known = get(&mut knowns, log, &episodes, &episode.instance_id)?;
        let all: Vec<EventRow> =
            past.events_of(&episode.instance_id).iter().copied().chain(&known.events).cloned().collect();
        let its: Vec<Incident> = past.incidents_of(&episode.instance_id).iter().map(|i| i.incident.clone()).collect();
        let truth = Truth::new(&its, &all, now);
        let of = truth.of(&episode.instance_id);
        let claims = known.claims.get(&episode.episode_id).map_or(&[][..], Vec::as_slice);
        let cleared = episode.cleared_at.as_deref().and_then(instant);
        let facts = Facts { incidents: of.incidents, endings: of.endings, known_until: now };
        let Some(resolution) = decide(claims, cleared, facts) else {
            report.open += 1;
            continue;
        };
        let resolved = of_episode(episode, &resolution, past.incidents_of(&episode.instance_id));
        answered.extend(resolved.incident_id.clone());
        *report.of(resolved.outcome) += 1;
        append(log, &stream_of(&episode.episode_id), &[&episode.episode_id], resolution.at, resolved)?;
    }
    let asked = incidents.iter().filter(|i| i.incident.ts <= now && (i.incident.ts >= since || i.given));
    let unanswered: Vec<&KnownIncident> = asked.filter(|i| !answered.contains(&i.id)).collect();
    report.missed = missed::write((log, history), &unanswered, &episodes, &mut knowns)?;
    Ok(report)
}

impl Report {
    fn of(&mut self, outcome: Outcome) -> &mut u64 {
        match outcome {
            Outcome::Hit => &mut self.hit,
            Outcome::Missed => &mut self.missed,
            Outcome::False => &mut self.false_alarms,
            Outcome::Censored => &mut self.censored,
            Outcome::Gone => &mut self.gone,
        }
    }
}

/// What happened to each instance.
struct Past<'a> {
    incidents: BTreeMap<&'a str, Vec<&'a KnownIncident>>,
    events: BTreeMap<&'a str, Vec<&'a EventRow>>,
    changed: BTreeMap<String, i64>,
}

impl<'a> Past<'a> {
    fn of(incidents: &'a [KnownIncident], events: &'a [EventRow], changed: BTreeMap<String, i64>) -> Self {
        let mut past = Self { incidents: BTreeMap::new(), events: BTreeMap::new(), changed };
        for one in incidents {
            past.incidents.entry(&one.incident.instance_id).or_default().push(one);
        }
        for one in events {
            past.events.entry(&one.instance_id).or_default().push(one);
        }
        past
    }

    fn incidents_of(&self, instance_id: &str) -> &[&'a KnownIncident] {
        self.incidents.get(instance_id).map_or(&[], Vec::as_slice)
    }

    fn events_of(&self, instance_id: &str) -> &[&'a EventRow] {
        self.events.get(instance_id).map_or(&[], Vec::as_slice)
    }

    /// Says whether it is worth reading what was claimed: something happened since the episode opened, or time enough has passed since
    /// it was cleared, or since anything was last heard of it.
    fn may_be_due(&self, episode: &Episode, now: i64) -> bool {
        let id = &episode.instance_id;
        let since = episode.opened_at.as_deref().and_then(instant).unwrap_or(i64::MIN);
        let horizon = episode.peak.and_then(horizon_ms).unwrap_or(0);
        let cleared = episode.cleared_at.as_deref().and_then(instant);
        let last = episode.last_as_of.as_deref().and_then(instant);
        self.incidents_of(id).iter().any(|i| i.incident.ts > since)
            || self.events_of(id).iter().any(|e| e.ts > since)
            || self.changed.get(id).is_some_and(|at| *at > since)
            || cleared.is_some_and(|at| at + horizon <= now)
            || cleared.is_none() && last.is_some_and(|at| at + forewarn_rules::resolve::SILENCE_MS <= now)
    }
}

/// When the log last saw each instance change its state.
fn changed(log: &dyn StateLog) -> Result<BTreeMap<String, i64>, LogError> {
    let mut found = BTreeMap::new();
    for row in log.table(Table::Instances)?.into_values() {
        if let Row::Instance(i) = row
            && let Some(at) = i.state_at.iter().chain(&i.left_at).filter_map(|t| instant(t)).max()
        {
            found.insert(i.instance_id, at);
        }
    }
    Ok(found)
}

fn get<'a>(
    knowns: &'a mut BTreeMap<String, Known>,
    log: &dyn StateLog,
    episodes: &[Episode],
    instance_id: &str,
) -> Result<&'a Known, LogError> {
    if !knowns.contains_key(instance_id) {
        let its = episodes.iter().filter(|e| e.instance_id == instance_id).map(|e| e.episode_id.as_str());
        knowns.insert(instance_id.to_owned(), about(log, instance_id, its)?);
    }
    Ok(&knowns[instance_id])
}

fn of_episode(episode: &Episode, resolution: &Resolution, incidents: &[&KnownIncident]) -> Resolved {
    let level = resolution.level.name();
    let hours = horizon_ms(resolution.level).unwrap_or(0) / HOUR_MS;
    let (outcome, incident, lead, evidence) = match resolution.turned {
        Turned::Hit { incident, warned } => {
            let lead = (incident - warned) as f64 / HOUR_MS as f64;
            let known = incidents.iter().find(|i| i.incident.ts == incident);
            let cause = known.and_then(|i| i.incident.cause.as_deref()).map(|c| format!(" ({c})")).unwrap_or_default();
            let words = format!(
                "an incident{cause} began at {}, within {hours} h of what was said at level {level}",
                format_ms(incident)
            );
            (Outcome::Hit, known.map(|i| i.id.clone()), Some(lead), words)
        }
        Turned::False => (
            Outcome::False,
            None,
            None,
            format!("no incident began within {hours} h of anything said at level {level}"),
        ),
        Turned::Censored(why) => {
            let words =
                format!("within {hours} h of everything said at level {level} nothing can be known: {}", why.name());
            (Outcome::Censored, None, None, words)
        }
        Turned::Gone => (
            Outcome::Gone,
            None,
            None,
            format!("the instance left within {hours} h of what was said, and nothing says why"),
        ),
    };
    Resolved {
        episode_id: Some(episode.episode_id.clone()),
        instance_id: episode.instance_id.clone(),
        outcome,
        incident_id: incident,
        lead_hours: lead,
        at: format_ms(resolution.at),
        evidence,
        verdict: None,
        by: None,
    }
}

/// Appends a resolution; the first one of its id stays. Gives how many entries that made.
fn append(log: &dyn StateLog, stream: &str, parts: &[&str], at: i64, resolved: Resolved) -> Result<u64, ResolveError> {
    forewarn_runtime::failpoint::point("analyze.resolve");
    let time = jiff::Timestamp::from_millisecond(at).map_err(|_| ResolveError::Time(at))?;
    let subject = resolved.instance_id.clone();
    let event = Event::PredictionResolved(resolved);
    let id = event_id(event.type_(), parts);
    Ok(log.append(stream, Expected::Any, &[NewEvent::new(id, subject, time, event)])?.written as u64)
}

fn instant(text: &str) -> Option<i64> {
    parse_instant(text, None).ok()
}
