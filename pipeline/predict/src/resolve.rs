//! Resolves episodes: writes into the log how each turned out, and which incidents nobody was warned of.
//!
//! The decision is [`forewarn_rules::resolve`]; here the facts are gathered and what was decided is appended under an id made from the
//! episode, or from the incident. The first resolution of an episode stays: an incident that is reported late does not change it
//! (the scorecard, which reads incidents afresh, counts it all the same). An operator's verdict is added beside it.

mod facts;
mod verdict;

pub use facts::{events, incidents};
pub use verdict::{VerdictError, verdict};

use crate::episode_events::stream_of;
use crate::truth::Truth;
use facts::{Known, KnownIncident, about};
use forewarn_domain::id::event_id;
use forewarn_domain::prediction::Level;
use forewarn_domain::time::HOUR_MS;
use forewarn_history::{EventRow, History, HistoryError};
use forewarn_log::event::prediction::{Outcome, Resolved};
use forewarn_log::row::Episode;
use forewarn_log::{AppendError, Event, EventLog, Expected, LogError, NewEvent, Row, SqliteLog, Table};
use forewarn_rules::resolve::{Facts, Resolution, Turned, horizon_ms, is_missed, resolve as decide};
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
pub fn resolve(log: &SqliteLog, history: &History, given: &[Incident], now: i64) -> Result<Report, ResolveError> {
    let incidents = facts::known_incidents(log, history, given)?;
    let events = history.events()?;
    let episodes: Vec<Episode> = log
        .table(Table::Episodes)?
        .into_values()
        .filter_map(|row| if let Row::Episode(e) = row { Some(*e) } else { None })
        .collect();
    let changed = changed(log)?;
    let mut answered: BTreeSet<String> = episodes.iter().filter_map(|e| e.incident_id.clone()).collect();
    let mut knowns: BTreeMap<String, Known> = BTreeMap::new();
    let mut report = Report::default();
    for episode in episodes.iter().filter(|e| e.outcome.is_none()) {
        if !may_be_due(episode, &incidents, &events, &changed, now) {
            report.open += 1;
            continue;
        }
        let known = get(&mut knowns, log, &episode.instance_id)?;
        let all: Vec<EventRow> =
            events.iter().filter(|e| e.instance_id == episode.instance_id).chain(&known.events).cloned().collect();
        let its = incidents.iter().map(|i| &i.incident).filter(|i| i.instance_id == episode.instance_id);
        let truth = Truth::new(&its.cloned().collect::<Vec<_>>(), &all, now);
        let of = truth.of(&episode.instance_id);
        let claims = known.claims.get(&episode.episode_id).map_or(&[][..], Vec::as_slice);
        let cleared = episode.cleared_at.as_deref().and_then(instant);
        let facts = Facts { incidents: of.incidents, endings: of.endings, known_until: now };
        let Some(resolution) = decide(claims, cleared, facts) else {
            report.open += 1;
            continue;
        };
        let resolved = of_episode(episode, &resolution, &incidents);
        answered.extend(resolved.incident_id.clone());
        *report.of(resolved.outcome) += 1;
        append(log, &stream_of(&episode.episode_id), &[&episode.episode_id], resolution.at, resolved)?;
    }
    report.missed = missed(log, history, &incidents, &answered, &mut knowns, now)?;
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

/// Says whether it is worth reading what was claimed: something happened since the episode opened, or time enough has passed since it
/// was cleared, or since anything was last heard of it.
fn may_be_due(
    episode: &Episode,
    incidents: &[KnownIncident],
    events: &[EventRow],
    changed: &BTreeMap<String, i64>,
    now: i64,
) -> bool {
    let since = episode.opened_at.as_deref().and_then(instant).unwrap_or(i64::MIN);
    let horizon = episode.peak.and_then(horizon_ms).unwrap_or(0);
    let cleared = episode.cleared_at.as_deref().and_then(instant);
    let last = episode.last_as_of.as_deref().and_then(instant);
    incidents.iter().any(|i| i.incident.instance_id == episode.instance_id && i.incident.ts > since)
        || events.iter().any(|e| e.instance_id == episode.instance_id && e.ts > since)
        || changed.get(&episode.instance_id).is_some_and(|at| *at > since)
        || cleared.is_some_and(|at| at + horizon <= now)
        || cleared.is_none() && last.is_some_and(|at| at + forewarn_rules::resolve::SILENCE_MS <= now)
}

/// When the log last saw each instance change its state.
fn changed(log: &SqliteLog) -> Result<BTreeMap<String, i64>, LogError> {
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

fn get<'a>(knowns: &'a mut BTreeMap<String, Known>, log: &SqliteLog, instance_id: &str) -> Result<&'a Known, LogError> {
    if !knowns.contains_key(instance_id) {
        knowns.insert(instance_id.to_owned(), about(log, instance_id)?);
    }
    Ok(&knowns[instance_id])
}

fn of_episode(episode: &Episode, resolution: &Resolution, incidents: &[KnownIncident]) -> Resolved {
    let level = resolution.level.name();
    let hours = horizon_ms(resolution.level).unwrap_or(0) / HOUR_MS;
    let (outcome, incident, lead, evidence) = match resolution.turned {
        Turned::Hit { incident, warned } => {
            let lead = (incident - warned) as f64 / HOUR_MS as f64;
            let known =
                incidents.iter().find(|i| i.incident.instance_id == episode.instance_id && i.incident.ts == incident);
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

/// Writes down the incidents that nobody was warned of. One counts from a day after the first round on, if its instance was in a
/// round before it: of others forewarn could not have known.
fn missed(
    log: &SqliteLog,
    history: &History,
    incidents: &[KnownIncident],
    answered: &BTreeSet<String>,
    knowns: &mut BTreeMap<String, Known>,
    now: i64,
) -> Result<u64, ResolveError> {
    let mut open = Vec::new();
    for known in incidents.iter().filter(|i| i.incident.ts <= now && !answered.contains(&i.id)) {
        if log.length(&missed_stream(&known.id))? == 0 {
            open.push(known);
        }
    }
    if open.is_empty() {
        return Ok(0);
    }
    let rounds = history.rounds()?;
    let Some(first) = rounds.first().map(|r| r.as_of) else { return Ok(0) };
    let mut count = 0;
    for known in open {
        let (id, ts) = (&known.incident.instance_id, known.incident.ts);
        if ts < first + 24 * HOUR_MS {
            continue;
        }
        let claims: Vec<_> = get(knowns, log, id)?.claims.values().flatten().copied().collect();
        if !is_missed(&claims, ts) {
            continue;
        }
        let before = rounds[..rounds.partition_point(|r| r.as_of < ts)].last();
        let row = match before {
            Some(round) => history.said(round)?.into_iter().find(|r| r.instance_id == *id),
            None => None,
        };
        let Some(row) = row else { continue };
        let cause = known.incident.cause.as_deref().map(|c| format!(" ({c})")).unwrap_or_default();
        let said = match (row.level, row.p24) {
            (Level::Unassessable, _) => "the round before it could not assess the instance".to_owned(),
            (_, Some(p)) => format!("the round before it said P(24 h) {p:.4}"),
            (_, None) => "the round before it said nothing".to_owned(),
        };
        let resolved = Resolved {
            episode_id: None,
            instance_id: id.clone(),
            outcome: Outcome::Missed,
            incident_id: Some(known.id.clone()),
            lead_hours: None,
            at: format_ms(ts),
            evidence: format!("an incident{cause} began at {} and no episode reached that far; {said}", format_ms(ts)),
            verdict: None,
            by: None,
        };
        count += append(log, &missed_stream(&known.id), &["missed", &known.id], ts, resolved)?;
    }
    Ok(count)
}

fn missed_stream(incident_id: &str) -> String {
    format!("missed/{incident_id}")
}

/// Appends a resolution; the first one of its id stays. Gives how many entries that made.
fn append(log: &SqliteLog, stream: &str, parts: &[&str], at: i64, resolved: Resolved) -> Result<u64, ResolveError> {
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
