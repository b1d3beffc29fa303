//! What the archive does with an event: into the log, and as rows into the history's table of events.

use forewarn_history::EventRow;
use forewarn_log::event::alarm::AlarmState;
use forewarn_log::event::group::{EndedFor, GroupChanged};
use forewarn_log::event::health::{HealthEvent, HealthStatus};
use forewarn_log::event::instance::{Check, LeftCause};
use forewarn_log::event::spot::SpotAction;
use forewarn_log::{AppendError, Batch, DecodeError, Envelope, Event, EventLog, Expected, InvalidEvent, NewEvent};
use forewarn_runtime::time::{format_ms, parse_instant};

/// Explains why an event did not come into the log.
#[derive(Debug, thiserror::Error)]
pub enum TakeError {
    /// The event cannot be read: set it aside.
    #[error("event {id:?} cannot be read")]
    Decode {
        /// The event.
        id: String,
        #[source]
        source: DecodeError,
    },
    /// The envelope says what can't be: set it aside.
    #[error(transparent)]
    Invalid(#[from] InvalidEvent),
    /// The log did not take it: try again.
    #[error(transparent)]
    Append(#[from] AppendError),
}

impl TakeError {
    /// Says whether the event itself is at fault, so that trying again won't help.
    pub const fn is_poison(&self) -> bool {
        match self {
            Self::Decode { .. } | Self::Invalid(_) => true,
            Self::Append(e) => {
                matches!(e, AppendError::Invalid(_) | AppendError::Stream(_) | AppendError::TooLarge { .. })
            }
        }
    }
}

/// Events that are appended together, and made durable once.
const TOGETHER: usize = 256;

/// Appends events, each with the time of its arrival, to the log; gives for each the rows that the history keeps of it, or why it can't be
/// taken. An event that is there already is not written again, and gives the same rows.
///
/// # Errors
/// When the log fails; some may be there then.
pub fn take(log: &dyn EventLog, events: &[(&Envelope, i64)]) -> Result<Vec<TakeResult>, TakeError> {
    let mut taken = Vec::with_capacity(events.len());
    for some in events.chunks(TOGETHER) {
        let read: Vec<Result<NewEvent, TakeError>> = some.iter().map(|(envelope, at)| read(envelope, *at)).collect();
        let batches: Vec<Batch> = read.iter().flatten().map(batch).collect();
        let together = match log.append_each(&batches).map_err(TakeError::from) {
            Ok(_) => true,
            // One of them is at fault: each by itself shows which.
            Err(e) if e.is_poison() => false,
            Err(e) => return Err(e),
        };
        for (event, (_, received_at)) in read.into_iter().zip(some) {
            let one = event.and_then(|event| {
                if !together {
                    let Batch { stream, expected, events } = batch(&event);
                    log.append(&stream, expected, &events)?;
                }
                Ok(rows(&event, *received_at))
            });
            match one {
                Err(e) if !e.is_poison() => return Err(e),
                one => taken.push(one),
            }
        }
    }
    Ok(taken)
}

/// The rows that the history keeps of an event, or why it can't be taken.
pub type TakeResult = Result<Vec<EventRow>, TakeError>;

fn batch(event: &NewEvent) -> Batch {
    Batch { stream: stream(event), expected: Expected::Any, events: vec![event.clone()] }
}

/// Reads an event that arrived at a time.
fn read(envelope: &Envelope, received_at: i64) -> Result<NewEvent, TakeError> {
    envelope.check()?;
    let mut event = envelope.event().map_err(|source| TakeError::Decode { id: envelope.id.clone(), source })?;
    if let Event::ChangeMarked(change) = &mut event {
        // Nobody knew of it before it arrived.
        change.marked_at.get_or_insert_with(|| format_ms(received_at));
    }
    Ok(NewEvent {
        id: envelope.id.clone(),
        source: envelope.source.clone(),
        subject: envelope.subject.clone(),
        time: envelope.timestamp()?,
        event,
    })
}

/// Names the stream of an event: changes and incidents have their own, as those written by hand; the rest goes by what it is about.
#[expect(clippy::wildcard_enum_match_arm, reason = "the rest goes by its subject")]
pub fn stream(new: &NewEvent) -> String {
    match &new.event {
        Event::ChangeMarked(_) => format!("change/{}", new.subject),
        Event::IncidentObserved(e) => format!("incident/{}", e.instance_id),
        _ if new.subject.starts_with("i-") => format!("instance/{}", new.subject),
        _ => format!("aws/{}", new.subject),
    }
    .chars()
    .take(forewarn_domain::id::MAX_NAME_BYTES / 4)
    .collect()
}

/// Gives the rows of the history's table of events that an event makes; kinds are named as in the log.
pub fn rows(new: &NewEvent, received_at: i64) -> Vec<EventRow> {
    let ts = new.time.as_millisecond();
    let ms = |text: &str| parse_instant(text, None).ok();
    let row = |id: &str, kind: &str, code: &str, starts_at: Option<i64>, detail: Option<&str>| EventRow {
        instance_id: id.to_owned(),
        ts,
        kind: kind.to_owned(),
        code: code.to_owned(),
        starts_at,
        detail: detail.map(str::to_owned),
        ingested_at: Some(received_at),
    };
    match &new.event {
        Event::InstanceStateChanged(e) => {
            let code = word(&e.state);
            vec![row(&e.instance_id, "state_changed", &code, None, e.reason.as_deref())]
        }
        Event::InstanceLeft(e) => vec![row(&e.instance_id, "left", left(e.cause), None, None)],
        Event::InstanceCheckFailed(e) => {
            let code = match e.check {
                Check::System => "system",
                Check::Instance => "instance",
                Check::AttachedEbs => "attached_ebs",
                Check::Any => "any",
            };
            // Since when, and until when it was seen to fail.
            let since = ms(&e.since).unwrap_or(ts);
            let said = EventRow {
                ts: since.saturating_add(i64::from(e.minutes) * 60_000),
                ..row(&e.instance_id, "check_failed", code, Some(since), None)
            };
            vec![said]
        }
        Event::SpotInterruptionWarned(e) => {
            let code = match e.action {
                SpotAction::Terminate => "terminate",
                SpotAction::Stop => "stop",
                SpotAction::Hibernate => "hibernate",
            };
            vec![row(&e.instance_id, "spot.interruption_warned", code, ms(&e.at), None)]
        }
        Event::SpotRebalanceRecommended(e) => {
            vec![row(&e.instance_id, "spot.rebalance_recommended", "rebalance", ms(&e.at), None)]
        }
        Event::HealthEvent(e) => health(e, |id, kind, starts_at, detail| row(id, kind, &e.code, starts_at, detail)),
        Event::AlarmChanged(e) => {
            let code = match e.state {
                AlarmState::Ok => "ok",
                AlarmState::Alarm => "alarm",
                AlarmState::InsufficientData => "insufficient_data",
            };
            e.instance_id.iter().map(|id| row(id, "alarm.changed", code, None, Some(&e.alarm))).collect()
        }
        Event::LogMatched(e) => {
            let first = ms(&e.first).unwrap_or(ts);
            vec![EventRow { ts: first, ..row(&e.instance_id, "log.matched", &e.pattern, None, Some(&e.source)) }]
        }
        Event::GroupChanged(e) => {
            group(e).map(|code| vec![row(code.0, code.1, code.2, None, code.3)]).unwrap_or_default()
        }
        // These bear on no instance's fate.
        Event::ChangeMarked(_)
        | Event::IncidentObserved(_)
        | Event::PredictionMade(_)
        | Event::PredictionUpdated(_)
        | Event::PredictionObserved(_)
        | Event::PredictionAnnounced(_)
        | Event::PredictionCleared(_)
        | Event::PredictionResolved(_)
        | Event::PriorEstimated(_)
        | Event::WorkloadPredicted(_)
        | Event::WorkloadUpdated(_)
        | Event::WorkloadCleared(_)
        | Event::NoticeSent(_)
        | Event::NoticeFailed(_)
        | Event::PolicyChanged(_)
        | Event::OperatorActed(_)
        | Event::LogPruned(_)
        | Event::VolumeChanged(_)
        | Event::Recovery(_)
        | Event::Admission(_)
        | Event::Unknown { .. } => Vec::new(),
    }
}

fn left(cause: LeftCause) -> &'static str {
    match cause {
        LeftCause::Terminated => "terminated",
        LeftCause::ScaleIn => "scale_in",
        LeftCause::Spot => "spot",
        LeftCause::Recovery => "recovery",
        LeftCause::Maintenance => "maintenance",
        LeftCause::Gone => "gone",
    }
}

/// A load balancer that finds nobody is a probe that is down, and failed status checks are what they are; all else that a group does,
/// other events say.
fn group(e: &GroupChanged) -> Option<(&str, &'static str, &'static str, Option<&str>)> {
    let cause = e.cause.as_deref().unwrap_or_default();
    let (kind, code) = match e.ended_for? {
        EndedFor::Unhealthy if cause.contains("ELB") || cause.contains("load balancer") => ("probe", "down"),
        EndedFor::StatusChecks => ("group.unhealthy", "status_checks"),
        EndedFor::ScaleIn
        | EndedFor::Unhealthy
        | EndedFor::Refresh
        | EndedFor::Rebalance
        | EndedFor::Maintenance
        | EndedFor::Request
        | EndedFor::Other => return None,
    };
    e.instance_id.as_deref().map(|id| (id, kind, code, e.cause.as_deref()))
}

/// Work that is scheduled on EC2 is maintenance, with its date; the rest is health.
fn health(e: &HealthEvent, row: impl Fn(&str, &str, Option<i64>, Option<&str>) -> EventRow) -> Vec<EventRow> {
    let start = e.start.as_deref().and_then(|t| parse_instant(t, None).ok());
    let scheduled = e.service == "EC2" && e.category == "scheduledChange" && start.is_some();
    let kind = if scheduled { "maintenance" } else { "health" };
    let over = format!("[Completed] {}", e.event_arn);
    let words = match e.status {
        HealthStatus::Closed => &over,
        HealthStatus::Open | HealthStatus::Upcoming => &e.event_arn,
    };
    let affected = e.instances.iter().map(|id| row(id, kind, start, Some(words)));
    affected.chain(e.resolved.iter().map(|id| row(id, kind, start, Some(&over)))).collect()
}

/// Gives the name that a value without fields has in JSON.
fn word(value: &impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests;
