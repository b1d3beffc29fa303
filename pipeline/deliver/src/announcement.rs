//! Shapes an entry of the log as other systems receive it.

use forewarn_domain::prediction::Level;
use forewarn_log::envelope::{Envelope, SOURCE};
use forewarn_log::event::split_type;
use forewarn_log::{DecodeError, Recorded};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// An event as published, shaped like one of EventBridge.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Announcement {
    /// The version of this shape, always `0`, as EventBridge has it.
    pub version: String,
    /// The id of the event in the log; the same however often it is delivered.
    pub id: String,
    /// What happened, for rules to match.
    #[serde(rename = "detail-type")]
    pub detail_type: String,
    /// Always `forewarn`.
    pub source: String,
    /// The AWS account id, or `unknown`.
    pub account: String,
    /// When it happened (RFC 3339, UTC).
    pub time: String,
    /// The AWS region, or `unknown`.
    pub region: String,
    /// The instances it is about.
    pub resources: Vec<String>,
    /// The type of the event in the log, its version at the end.
    #[serde(rename = "event-type")]
    pub event_type: String,
    /// The data of the event, and beside it what the schema `detail` says.
    pub detail: Value,
}

/// What stands in every detail beside the event's data, on whatever bus.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Detail {
    /// The id of the event in the log, the same however often it is delivered: drop what has been seen.
    pub event_id: String,
    /// The type of the event in the log, its version at the end; it names the schema of the data.
    pub event_type: String,
    /// The level, for rules to match; absent where the event has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<Level>,
    /// What was taken away so that the detail fits its bus, such as `factors: 12 of 20`; absent where nothing was.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trimmed: Vec<String>,
    /// How many seconds after it happened it was announced, where that is longer than the setting `stale_after`: it is no longer news,
    /// and what it speaks of may have changed; absent where it is fresh, and in the file and on stdout.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age_s: Option<i64>,
}

/// An event as `EventBridge` delivers it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "EventBridge")]
pub struct Delivered {
    /// The version of this shape, always `0`.
    pub version: String,
    /// `EventBridge`'s own id, another one for each delivery: go by `detail.event_id`.
    pub id: String,
    /// What happened, for rules to match.
    #[serde(rename = "detail-type")]
    pub detail_type: String,
    /// Always `forewarn`.
    pub source: String,
    /// The AWS account that published it.
    pub account: String,
    /// When it happened (RFC 3339, UTC).
    pub time: String,
    /// The AWS region that it was published in.
    pub region: String,
    /// The instances it is about: ARNs where account and region are known, otherwise ids.
    pub resources: Vec<String>,
    /// The event's data, and beside it what the schema `detail` says.
    pub detail: Detail,
}

/// As what each type is announced, by its name without version; none: it stays in the log.
const DETAIL_TYPES: &[(&str, Option<&str>)] = &[
    ("forewarn.prediction.made", Some("Instance Failure Predicted")),
    ("forewarn.prediction.announced", Some("Instance Failure Predicted")),
    ("forewarn.prediction.updated", Some("Prediction Updated")),
    ("forewarn.prediction.cleared", Some("Prediction Cleared")),
    ("forewarn.prediction.resolved", Some("Prediction Resolved")),
    ("forewarn.workload.predicted", Some("Workload Failure Predicted")),
    ("forewarn.workload.updated", Some("Workload Prediction Updated")),
    ("forewarn.workload.cleared", Some("Workload Prediction Cleared")),
    ("forewarn.incident.observed", Some("Instance Incident Observed")),
    ("forewarn.recovery.requested", Some("Instance Recovery Requested")),
    ("forewarn.recovery.planned", Some("Instance Recovery Planned")),
    ("forewarn.recovery.denied", Some("Instance Recovery Denied")),
    ("forewarn.recovery.announced", Some("Instance Recovery Announced")),
    ("forewarn.recovery.escalated", Some("Instance Recovery Escalated")),
    ("forewarn.recovery.completed", Some("Instance Recovery Completed")),
    ("forewarn.recovery.stuck", Some("Instance Recovery Stuck")),
    ("forewarn.admission.admitted", None),
    ("forewarn.admission.released", None),
    ("forewarn.admission.storm_seen", None),
    ("forewarn.admission.succeeded", None),
    ("forewarn.alarm.changed", None),
    ("forewarn.change.marked", None),
    ("forewarn.group.changed", None),
    ("forewarn.health.event", None),
    ("forewarn.instance.check_failed", None),
    ("forewarn.instance.left", None),
    ("forewarn.instance.state_changed", None),
    ("forewarn.log.matched", None),
    ("forewarn.log.pruned", None),
    ("forewarn.notice.failed", None),
    ("forewarn.notice.sent", None),
    ("forewarn.operator.acted", None),
    ("forewarn.policy.changed", None),
    ("forewarn.prediction.observed", None),
    ("forewarn.prior.estimated", None),
    ("forewarn.recovery.admitted", None),
    ("forewarn.recovery.approved", None),
    ("forewarn.recovery.deferred", None),
    ("forewarn.recovery.joined", None),
    ("forewarn.recovery.lease_released", None),
    ("forewarn.recovery.leased", None),
    ("forewarn.recovery.objected", None),
    ("forewarn.recovery.retried", None),
    ("forewarn.recovery.step_done", None),
    ("forewarn.recovery.step_failed", None),
    ("forewarn.recovery.step_intended", None),
    ("forewarn.recovery.step_waiting", None),
    ("forewarn.recovery.stopped", None),
    ("forewarn.recovery.undoing", None),
    ("forewarn.recovery.verified", None),
    ("forewarn.spot.interruption_warned", None),
    ("forewarn.spot.rebalance_recommended", None),
    ("forewarn.volume.changed", None),
];

/// Gives the detail-type of a type without its version; none for what stays in the log.
pub fn detail_type_of(name: &str) -> Option<&'static str> {
    DETAIL_TYPES.iter().find(|(n, _)| *n == name).and_then(|(_, detail_type)| *detail_type)
}

impl Announcement {
    /// Makes the announcement of an entry, where its type has one. What is told of a member of a workload episode is told in that, and
    /// what was silenced when it was written is not told.
    ///
    /// # Errors
    /// When the entry cannot be understood, so that nothing unknown is announced.
    pub fn of(entry: &Recorded) -> Result<Option<Self>, DecodeError> {
        let envelope = &entry.envelope;
        let (name, _) = split_type(&envelope.type_)?;
        let Some(detail_type) = detail_type_of(name) else { return Ok(None) };
        entry.event()?;
        let data = |key: &str| envelope.data.get(key).and_then(Value::as_str);
        if data("silence_id").is_some() || (data("instance_id").is_some() && data("workload_episode_id").is_some()) {
            return Ok(None);
        }
        let members = envelope.data.get("members").and_then(Value::as_array).into_iter().flatten();
        let members = members.filter_map(|m| m.get("instance_id").and_then(Value::as_str));
        let place = |key: &str| data(key).unwrap_or("unknown").to_owned();
        Ok(Some(Self {
            version: "0".to_owned(),
            id: envelope.id.clone(),
            detail_type: detail_type.to_owned(),
            source: SOURCE.to_owned(),
            account: place("account"),
            time: envelope.time.clone(),
            region: place("region"),
            resources: data("instance_id").into_iter().chain(members).map(str::to_owned).collect(),
            event_type: envelope.type_.clone(),
            detail: with_routing_fields(envelope),
        }))
    }
}

impl Announcement {
    /// Says what it is about: its episode, or whatever comes nearest.
    pub fn about(&self) -> &str {
        self.course().or_else(|| self.field("instance_id")).unwrap_or(&self.id)
    }

    /// Gives the episode or recovery that it belongs to, where there is one.
    pub fn course(&self) -> Option<&str> {
        ["episode_id", "workload_episode_id", "recovery_id"].iter().find_map(|name| self.field(name))
    }

    /// Says whether it ends its episode or recovery: what was said before is then no longer so.
    pub fn ends_its_course(&self) -> bool {
        let name = split_type(&self.event_type).map_or(self.event_type.as_str(), |(name, _)| name);
        [".cleared", ".resolved", "recovery.completed", "recovery.denied"].iter().any(|end| name.ends_with(end))
    }

    fn field(&self, name: &str) -> Option<&str> {
        self.detail.get(name).and_then(Value::as_str)
    }
}

/// Adds to an event's data what consumers on every bus go by: `event_id` to drop repeats, `event_type` to read the rest, and
/// `confidence` to choose by, also where the data calls it a level. Of what is over nothing lies ahead, whatever level it had: a rule
/// on what is urgent must not match an all-clear.
fn with_routing_fields(envelope: &Envelope) -> Value {
    let mut detail = envelope.data.clone();
    if let Value::Object(map) = &mut detail {
        map.insert("event_id".to_owned(), Value::from(envelope.id.as_str()));
        map.insert("event_type".to_owned(), Value::from(envelope.type_.as_str()));
        if let (None, Some(level)) = (map.get("confidence"), map.get("level").cloned()) {
            let over = split_type(&envelope.type_).is_ok_and(|(name, _)| name.ends_with(".cleared"));
            map.insert("confidence".to_owned(), if over { Value::from(Level::None.name()) } else { level });
        }
    }
    detail
}

#[cfg(test)]
mod tests {
    use super::*;
    use forewarn_log::event::KINDS;
    use std::collections::BTreeSet;

    #[test]
    fn of_every_type_it_is_said_whether_it_is_announced() {
        let said: BTreeSet<&str> = DETAIL_TYPES.iter().map(|(name, _)| *name).collect();
        assert_eq!(said, KINDS.iter().map(|k| k.name).collect());
        assert_eq!(detail_type_of("forewarn.policy.changed"), None);
    }

    #[test]
    fn what_is_over_is_not_urgent_whatever_level_it_had() {
        let of = |type_: &str| {
            let envelope = Envelope {
                specversion: "1.0".to_owned(),
                id: "e".to_owned(),
                source: SOURCE.to_owned(),
                type_: type_.to_owned(),
                subject: "web".to_owned(),
                time: "2026-02-15T00:00:00Z".to_owned(),
                dataschema: String::new(),
                data: serde_json::json!({"level": "high", "members": []}),
            };
            with_routing_fields(&envelope)["confidence"].clone()
        };
        assert_eq!(of("forewarn.workload.updated.v1"), "high");
        assert_eq!(of("forewarn.workload.cleared.v1"), "none");
    }
}
