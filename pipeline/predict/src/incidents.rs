//! Looks for incidents in a history, and writes down those that nobody has told of: into the log, and into the history's own table.
//!
//! What counts is decided by [`forewarn_rules::incident`]; here series and events are read and what was found is kept. Looking at the same
//! time again changes nothing.

mod known;
mod read;

use crate::turn_tables::{Needs, TurnTables};
use forewarn_domain::id::event_id;
use forewarn_history::{EventRow, History, HistoryError, IncidentRow};
use forewarn_log::event::incident::{IncidentClass, IncidentObserved};
use forewarn_log::{AppendError, Event, EventLog, Expected, InvalidEvent, LogError, NewEvent};
use forewarn_rules::incident::{Class, Derived, Settings, news};
use forewarn_runtime::time::{DAY_MS, format_ms};
use std::collections::BTreeMap;

pub use read::{seen_of, series_of};

/// What is read ahead of a range, so that an outage that began before it is known for one, milliseconds.
const LEAD_MS: i64 = DAY_MS;
/// How far before a range incidents are still looked for: a check may have been failing for too short a time when it was last looked at.
const BACK_MS: i64 = 6 * 3_600_000;

/// How long an account and region that fell silent is waited for, milliseconds.
const PATIENCE_MS: i64 = 7 * DAY_MS;

/// Explains why incidents could not be found or written down.
#[derive(Debug, thiserror::Error)]
pub enum IncidentsError {
    #[error(transparent)]
    History(#[from] HistoryError),
    /// The log could not be read.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The log did not take an incident.
    #[error("the incident of {instance_id} at {ts} cannot be written into the log")]
    Append {
        instance_id: String,
        /// When it began.
        ts: String,
        #[source]
        source: Box<AppendError>,
    },
}

impl IncidentsError {
    /// True when the input is at fault.
    pub fn is_bad_input(&self) -> bool {
        matches!(self, Self::History(e) if e.is_bad_input())
    }
}

/// An incident that was found, and whose it is.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Found {
    /// The AWS account id, or `unknown`.
    pub account: String,
    /// The AWS region, or `unknown`.
    pub region: String,
    /// What the instance is a copy of, where known.
    pub workload: Option<String>,
    #[serde(flatten)]
    pub incident: Derived,
}

impl Found {
    /// Gives the row of the history's table; none for what only crossed a level, which is no failure.
    pub fn row(&self) -> Option<IncidentRow> {
        (self.incident.class == Class::Failure).then(|| IncidentRow {
            instance_id: self.incident.instance_id.clone(),
            ts: self.incident.ts,
            cause: Some(self.incident.cause.name().to_owned()),
            predictable: None,
        })
    }

    /// Gives the event of the log. `now` decides whether it is over: the instance must have been healthy for the hold.
    ///
    /// # Errors
    /// When its time cannot be written.
    pub fn event(&self, settings: &Settings, now: i64) -> Result<NewEvent, InvalidEvent> {
        let i = &self.incident;
        let over = i.until.saturating_add(settings.hold_ms) <= now;
        let time = format_ms(i.ts);
        let id = event_id("forewarn.incident.observed", &[&i.incident_id]);
        let when = time.parse().map_err(|source| InvalidEvent::Time { id: id.clone(), found: time.clone(), source })?;
        let event = Event::IncidentObserved(IncidentObserved {
            incident_id: i.incident_id.clone(),
            instance_id: i.instance_id.clone(),
            account: self.account.clone(),
            region: self.region.clone(),
            workload: self.workload.clone(),
            start: time,
            end: over.then(|| format_ms(i.until)),
            class: match i.class {
                Class::Failure => IncidentClass::Failure,
                Class::Saturation => IncidentClass::Saturation,
            },
            cause: Some(i.cause.name().to_owned()),
            predictable: None,
            evidence: i.evidence.clone(),
        });
        Ok(NewEvent::new(id, i.instance_id.clone(), when, event))
    }
}

/// Says what was found and written.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Report {
    /// Incidents found in the range.
    pub found: Vec<Found>,
    /// Events that are new in the log.
    pub logged: usize,
    /// Rows that are new in the history.
    pub kept: usize,
    /// The time through which everything was looked at that is there or can still be expected, milliseconds.
    pub through: i64,
}

/// Finds the incidents that began in `[from, to)`, milliseconds, in the order of instance and time. Nothing is written.
///
/// # Errors
/// When the history does not read.
pub fn derive_from(history: &History, from: i64, to: i64, settings: &Settings) -> Result<Vec<Found>, HistoryError> {
    let needs = Needs { since: Some(from.saturating_sub(LEAD_MS)), ..Needs::default() };
    Ok(derive(history, &TurnTables::read(history, &needs)?, from, to, settings)?.0)
}

/// Gives the first time of which [`observe_in`] needs the tables' rows to find what began from `from` on.
pub(crate) fn needed_since(from: i64) -> i64 {
    from.saturating_sub(BACK_MS + LEAD_MS)
}

/// As [`derive_from`], and says when each account and region was last heard of.
fn derive(
    history: &History,
    tables: &TurnTables,
    from: i64,
    to: i64,
    settings: &Settings,
) -> Result<(Vec<Found>, Heard), HistoryError> {
    let mut events: BTreeMap<String, Vec<EventRow>> = BTreeMap::new();
    for row in tables.events.iter().filter(|r| (from.saturating_sub(LEAD_MS)..to).contains(&r.ts)) {
        events.entry(row.instance_id.clone()).or_default().push(row.clone());
    }
    let (mut found, mut heard) = (Vec::new(), Heard::new());
    read::each_instance(history, from.saturating_sub(LEAD_MS), to, events, |one| {
        if let Some(last) = one.last {
            let known = heard.entry((one.account.clone(), one.region.clone())).or_insert(last);
            *known = last.max(*known);
        }
        for incident in forewarn_rules::incident::derive(&one.series, &one.seen, settings) {
            if (from..to).contains(&incident.ts) {
                found.push(Found {
                    account: one.account.clone(),
                    region: one.region.clone(),
                    workload: tables.instances.at(&incident.instance_id, incident.ts).and_then(|i| i.workload),
                    incident,
                });
            }
        }
    })?;
    found.sort_by(|a, b| (&a.incident.instance_id, a.incident.ts).cmp(&(&b.incident.instance_id, b.incident.ts)));
    Ok((found, heard))
}

/// Finds the incidents of `[from, to)` and of the hours before, and writes down those that are new: as `incident.observed` into the log,
/// failures also into the history. Each is written once, whether or not the last run was cut short.
///
/// # Errors
/// When history or log fail; what was written stays, and the next run goes on.
pub fn observe(
    history: &mut History,
    log: &dyn EventLog,
    from: i64,
    to: i64,
    settings: &Settings,
) -> Result<Report, IncidentsError> {
    let since = Some(needed_since(from));
    let needs = Needs { since, incidents_since: since, ..Needs::default() };
    let tables = TurnTables::read(history, &needs)?;
    observe_in(history, &tables, log, from, to, settings)
}

/// As [`observe`], with the tables read.
pub(crate) fn observe_in(
    history: &mut History,
    tables: &TurnTables,
    log: &dyn EventLog,
    from: i64,
    to: i64,
    settings: &Settings,
) -> Result<Report, IncidentsError> {
    let (found, heard) = derive(history, tables, from.saturating_sub(BACK_MS), to, settings)?;
    let mut report = Report::default();
    for one in &found {
        let told = known::in_log(log, &one.incident.instance_id)?;
        if news(vec![one.incident.clone()], &told, settings).is_empty() {
            continue;
        }
        let failed = |source| IncidentsError::Append {
            instance_id: one.incident.instance_id.clone(),
            ts: format_ms(one.incident.ts),
            source: Box::new(source),
        };
        let event = one.event(settings, to).map_err(|e| failed(e.into()))?;
        let stream = known::stream(&one.incident.instance_id);
        report.logged += log.append(&stream, Expected::Any, &[event]).map_err(failed)?.written;
    }
    forewarn_runtime::failpoint::point("events.incidents_logged");
    let kept = known::of_rows(&tables.incidents);
    let fresh = news(found.iter().map(|f| f.incident.clone()).collect(), &kept, settings);
    let rows: Vec<IncidentRow> = found.iter().filter(|f| fresh.contains(&f.incident)).filter_map(Found::row).collect();
    if !rows.is_empty() {
        history.writer()?.put_incidents(&rows)?;
    }
    report.kept = rows.len();
    report.found = found;
    report.through = through(&heard, to);
    Ok(report)
}

/// When each account and region was last heard of, milliseconds.
pub(crate) type Heard = BTreeMap<(String, String), i64>;

/// Says through which time everything that there will be has been looked at: what an account and region that fell silent has to say of
/// the time since may still come, but not for ever.
pub(crate) fn through(heard: &Heard, now: i64) -> i64 {
    let waited_for = heard.values().copied().filter(|at| *at >= now.saturating_sub(PATIENCE_MS));
    waited_for.min().unwrap_or(now.saturating_sub(PATIENCE_MS)).min(now)
}

#[cfg(test)]
mod tests;
