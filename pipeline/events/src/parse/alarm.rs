//! Alarms of CloudWatch: as EventBridge tells of them, and as they notify a topic of SNS.

use super::{Events, Head, account, is_region};
use crate::doc::{Doc, json};
use crate::reason::Reason;
use crate::{MAX_BYTES, MAX_DEPTH};
use forewarn_domain::id::event_id;
use forewarn_log::event::alarm::{AlarmChanged, AlarmState};
use forewarn_log::event::instance::{Check, CheckFailed};
use forewarn_log::{Event, NewEvent};
use forewarn_runtime::time::format_ms;

/// Most metrics that an alarm may watch.
const MAX_METRICS: usize = 100;
/// Most dimensions of a metric.
const MAX_DIMENSIONS: usize = 30;
/// Longest period of a metric, seconds.
const MAX_PERIOD_S: i64 = 86_400;
/// Most periods that an alarm looks at: a week of minutes.
const MAX_PERIODS: i64 = 10_080;

/// A metric that an alarm watches.
#[derive(Debug)]
struct Watched<'a> {
    instance: &'a str,
    namespace: &'a str,
    metric: &'a str,
    period_s: i64,
}

/// Periods in sequence in which a check failed when an alarm went off, where it says so.
type Periods = Option<i64>;

/// What an alarm has changed to.
#[derive(Debug)]
struct Change<'a> {
    alarm: &'a str,
    state: AlarmState,
    previous: Option<AlarmState>,
    reason: Option<String>,
    watched: Vec<Watched<'a>>,
    periods: Periods,
}

/// `CloudWatch Alarm State Change`.
pub(super) fn changed(head: &Head<'_>) -> Events {
    let now = head.detail.need("state")?;
    let before = head.detail.maybe("previousState").and_then(|p| p.maybe("value"));
    let change = Change {
        alarm: head.detail.need("alarmName")?.name()?,
        state: state_of(&now.need("value")?)?,
        previous: before.map(|b| state_of(&b)).transpose()?,
        reason: now.maybe("reason").map(|r| r.words()).transpose()?.filter(|r| !r.is_empty()),
        watched: watched(&head.detail)?,
        periods: now.maybe("reasonData").and_then(|d| failing(d.text().ok()?)),
    };
    Ok(change.events(head))
}

/// Says whether it is what an alarm writes to its topic.
pub(super) fn is_notification(doc: &Doc<'_>) -> bool {
    doc.maybe("AlarmName").is_some() && doc.maybe("NewStateValue").is_some()
}

/// An alarm's notification. It has no id of its own: an alarm changes once at a time.
pub(super) fn notified(doc: &Doc<'_>) -> Result<Vec<NewEvent>, Reason> {
    let alarm = doc.need("AlarmName")?.name()?;
    // To the second, as the bus tells it.
    let time = doc.need("StateChangeTime")?.time()?.div_euclid(1000) * 1000;
    // `Region` is its name in words, such as "US East (N. Virginia)".
    let arn = doc.maybe("AlarmArn").map(|a| a.text()).transpose()?;
    let head = Head {
        id: format!("alarm/{}", event_id("alarm", &[arn.unwrap_or(alarm), &time.to_string()])),
        source: "aws.cloudwatch",
        detail_type: "notification",
        account: doc.maybe("AWSAccountId").map_or(Ok("unknown"), |a| account(&a))?,
        region: arn.and_then(|a| a.split(':').nth(3)).filter(|r| is_region(r)).unwrap_or("unknown"),
        time,
        resources: Vec::new(),
        detail: doc.clone(),
    };
    let change = Change {
        alarm,
        state: state_of(&doc.need("NewStateValue")?)?,
        previous: doc.maybe("OldStateValue").map(|b| state_of(&b)).transpose()?,
        reason: doc.maybe("NewStateReason").map(|r| r.words()).transpose()?.filter(|r| !r.is_empty()),
        watched: notified_of(doc)?,
        periods: doc.maybe("Trigger").and_then(|t| had_to_fail(&t)),
    };
    head.events(change.events(&head))
}

impl Change<'_> {
    /// The instance comes from the metrics' dimensions, where they name one alone. An alarm over a status check says as well that the
    /// check has failed.
    fn events(self, head: &Head<'_>) -> Vec<super::Said> {
        let only = self.watched.first().filter(|w| self.watched.iter().all(|o| o.instance == w.instance));
        let changed = Event::AlarmChanged(AlarmChanged {
            alarm: self.alarm.to_owned(),
            instance_id: only.map(|w| w.instance.to_owned()),
            account: head.account.to_owned(),
            region: head.region.to_owned(),
            state: self.state,
            previous: self.previous,
            reason: self.reason,
        });
        let subject = only.map_or_else(|| format!("alarm/{}", self.alarm), |w| w.instance.to_owned());
        let mut events = vec![(subject, changed)];
        let is_one = self.state == AlarmState::Alarm && self.watched.len() == 1;
        if let Some((w, check)) = only.filter(|_| is_one).and_then(|w| Some((w, check_of(w)?))) {
            let lasted_s = w.period_s * self.periods.unwrap_or(1);
            let failed = CheckFailed {
                instance_id: w.instance.to_owned(),
                account: head.account.to_owned(),
                region: head.region.to_owned(),
                check,
                since: format_ms(head.time - lasted_s * 1000),
                minutes: u32::try_from(lasted_s / 60).unwrap_or_default(),
            };
            events.push((w.instance.to_owned(), Event::InstanceCheckFailed(failed)));
        }
        events
    }
}

/// Counts the newest datapoints in sequence in which a check failed, in the document that an alarm gives as its reason. Its threshold says
/// nothing of that: "greater than 0" and "at least 1" are the same alarm.
fn failing(data: &str) -> Periods {
    let data: serde_json::Value = json(data.as_bytes(), MAX_BYTES, MAX_DEPTH).ok()?;
    let points = data.get("recentDatapoints")?.as_array()?;
    // The newest comes last; a point that is missing is null.
    let failed = points.iter().rev().take_while(|p| p.as_f64().is_some_and(|p| p > 0.0)).count();
    i64::try_from(failed).ok().filter(|n| (1..=MAX_PERIODS).contains(n))
}

/// Gives how many periods had to fail: of the last N some, where the alarm says how many, else all.
fn had_to_fail(trigger: &Doc<'_>) -> Periods {
    let periods = trigger.maybe("DatapointsToAlarm").or_else(|| trigger.maybe("EvaluationPeriods"))?;
    periods.whole(1..=MAX_PERIODS).ok()
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
            period_s: period(&stat, "period")?,
        });
    }
    Ok(found)
}

/// The same of a notification: one metric, or several and what is computed of them.
fn notified_of<'a>(doc: &Doc<'a>) -> Result<Vec<Watched<'a>>, Reason> {
    let Some(trigger) = doc.maybe("Trigger") else { return Ok(Vec::new()) };
    let Some(metrics) = trigger.maybe("Metrics") else {
        return Ok(notified_metric(&trigger, &trigger)?.into_iter().collect());
    };
    let mut found = Vec::new();
    for one in metrics.list(MAX_METRICS)? {
        let Some(stat) = one.maybe("MetricStat") else { continue };
        found.extend(notified_metric(&stat.need("Metric")?, &stat)?);
    }
    Ok(found)
}

fn notified_metric<'a>(metric: &Doc<'a>, stat: &Doc<'a>) -> Result<Option<Watched<'a>>, Reason> {
    let Some(dimensions) = metric.maybe("Dimensions") else { return Ok(None) };
    for one in dimensions.list(MAX_DIMENSIONS)? {
        if one.need("name")?.text()? == "InstanceId" {
            return Ok(Some(Watched {
                instance: one.need("value")?.instance()?,
                namespace: metric.need("Namespace")?.name()?,
                metric: metric.need("MetricName")?.name()?,
                period_s: period(stat, "Period")?,
            }));
        }
    }
    Ok(None)
}

fn period(stat: &Doc<'_>, key: &str) -> Result<i64, Reason> {
    stat.maybe(key).map_or(Ok(60), |p| p.whole(1..=MAX_PERIOD_S))
}

fn check_of(watched: &Watched<'_>) -> Option<Check> {
    match (watched.namespace, watched.metric) {
        ("AWS/EC2", "StatusCheckFailed_System") => Some(Check::System),
        ("AWS/EC2", "StatusCheckFailed_Instance") => Some(Check::Instance),
        ("AWS/EC2", "StatusCheckFailed_AttachedEBS") => Some(Check::AttachedEbs),
        ("AWS/EC2", "StatusCheckFailed") => Some(Check::Any),
        _ => None,
    }
}
