//! Events of CloudWatch alarms.

use super::{Events, Head};
use crate::events::doc::Doc;
use crate::events::reason::Reason;
use crate::log::Event;
use crate::log::event::alarm::{AlarmChanged, AlarmState};
use crate::log::event::instance::{Check, CheckFailed};
use crate::time::format_ms;

/// Most metrics that an alarm may watch.
const MAX_METRICS: usize = 100;
/// Longest period of a metric, seconds.
const MAX_PERIOD_S: i64 = 86_400;

/// A metric that an alarm watches.
#[derive(Debug)]
struct Watched<'a> {
    instance: &'a str,
    namespace: &'a str,
    metric: &'a str,
    period_s: i64,
}

/// `CloudWatch Alarm State Change`: the instance comes from the metrics' dimensions, where they name one alone. An alarm over a status
/// check says as well that the check has failed.
pub(super) fn changed(head: &Head<'_>) -> Events {
    let name = head.detail.need("alarmName")?.name()?;
    let now = head.detail.need("state")?;
    let state = state_of(&now.need("value")?)?;
    let before = head.detail.maybe("previousState").and_then(|p| p.maybe("value"));
    let watched = watched(&head.detail)?;
    let only = watched.first().filter(|w| watched.iter().all(|o| o.instance == w.instance));
    let changed = Event::AlarmChanged(AlarmChanged {
        alarm: name.to_owned(),
        instance_id: only.map(|w| w.instance.to_owned()),
        account: head.account.to_owned(),
        region: head.region.to_owned(),
        state,
        previous: before.map(|b| state_of(&b)).transpose()?,
        reason: now.maybe("reason").map(|r| r.words()).transpose()?.filter(|r| !r.is_empty()),
    });
    let subject = only.map_or_else(|| format!("alarm/{name}"), |w| w.instance.to_owned());
    let mut events = vec![(subject, changed)];
    let failed =
        only.filter(|_| state == AlarmState::Alarm && watched.len() == 1).and_then(|w| Some((w, check_of(w)?)));
    if let Some((w, check)) = failed {
        let failed = CheckFailed {
            instance_id: w.instance.to_owned(),
            account: head.account.to_owned(),
            region: head.region.to_owned(),
            check,
            since: format_ms(head.time - w.period_s * 1000),
            minutes: u32::try_from(w.period_s / 60).unwrap_or_default(),
        };
        events.push((w.instance.to_owned(), Event::InstanceCheckFailed(failed)));
    }
    Ok(events)
}

fn state_of(doc: &Doc<'_>) -> Result<AlarmState, Reason> {
    match doc.text()? {
        "OK" => Ok(AlarmState::Ok),
        "ALARM" => Ok(AlarmState::Alarm),
        "INSUFFICIENT_DATA" => Ok(AlarmState::InsufficientData),
        _ => Err(doc.bad_value("OK, ALARM or INSUFFICIENT_DATA")),
    }
}

/// Gives the metrics with an instance among their dimensions; a composite alarm has none.
fn watched<'a>(detail: &Doc<'a>) -> Result<Vec<Watched<'a>>, Reason> {
    let Some(metrics) = detail.maybe("configuration").and_then(|c| c.maybe("metrics")) else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for one in metrics.list(MAX_METRICS)? {
        let Some(stat) = one.maybe("metricStat") else { continue };
        let metric = stat.need("metric")?;
        let Some(instance) = metric.maybe("dimensions").and_then(|d| d.maybe("InstanceId")) else { continue };
        found.push(Watched {
            instance: instance.instance()?,
            namespace: metric.need("namespace")?.name()?,
            metric: metric.need("name")?.name()?,
            period_s: stat.maybe("period").map_or(Ok(60), |p| p.whole(1..=MAX_PERIOD_S))?,
        });
    }
    Ok(found)
}

fn check_of(watched: &Watched<'_>) -> Option<Check> {
    match (watched.namespace, watched.metric) {
        ("AWS/EC2", "StatusCheckFailed_System") => Some(Check::System),
        ("AWS/EC2", "StatusCheckFailed_Instance") => Some(Check::Instance),
        ("AWS/EC2", "StatusCheckFailed_AttachedEBS") => Some(Check::AttachedEbs),
        _ => None,
    }
}
