//! Reads what calls for a recovery: entries of the log, messages of a queue, and what people ask for by hand.

use forewarn_domain::action::RecoveryAction;
use forewarn_domain::prediction::{Action, Level, Prediction};
use forewarn_domain::time::UnixMs;
use forewarn_events::{Reason, parse, quoted, unwrap};
use forewarn_log::event::instance::Check as LogCheck;
use forewarn_log::event::split_type;
use forewarn_log::{Event, NewEvent};
use forewarn_recovery::trigger::{Cause, Check, Trigger};
use forewarn_runtime::time::parse_instant;
use serde::Deserialize;
use serde_json::Value;

/// What a person, or a program of theirs, asks for: `{"instance_id": "i-…", "trigger_type": "manual"}`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manual {
    /// The EC2 instance id.
    pub instance_id: String,
    /// Why: `manual`, `system_check`, `instance_check`, `ebs_check`, `application` or `prediction`.
    pub trigger_type: ManualType,
    /// What is to be done, where the type is `manual`; a safe restart unless said otherwise.
    #[serde(default)]
    pub action: Option<RecoveryAction>,
    /// What makes two of them the same; without it, the id of the message that it came in, and where that has none either, the time.
    #[serde(default)]
    pub id: Option<String>,
}

/// Why something is asked for by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ManualType {
    /// Somebody wants an action.
    Manual,
    /// The system check fails.
    SystemCheck,
    /// The instance check fails.
    InstanceCheck,
    /// The attached EBS check fails.
    EbsCheck,
    /// The application does not answer.
    Application,
    /// A prediction was made.
    Prediction,
}

impl Manual {
    /// Makes it a trigger, which came in a message of this id; empty where it has none.
    pub fn trigger(&self, message: &str, now: UnixMs) -> Trigger {
        let cause = match self.trigger_type {
            ManualType::Manual => Cause::Operator { action: self.action.unwrap_or(RecoveryAction::SafeRestart) },
            ManualType::SystemCheck => Cause::CheckFailed { check: Check::System },
            ManualType::InstanceCheck => Cause::CheckFailed { check: Check::Instance },
            ManualType::EbsCheck => Cause::CheckFailed { check: Check::AttachedEbs },
            ManualType::Application => Cause::ApplicationDown,
            ManualType::Prediction => Cause::Predicted { action: Action::HostMigration },
        };
        let message = (!message.is_empty()).then(|| message.to_owned());
        let id = self.id.clone().or(message).unwrap_or_else(|| now.0.to_string());
        Trigger {
            id: format!("manual {} {id}", self.instance_id),
            instance_id: self.instance_id.clone(),
            cause,
            at_ms: now,
            evidence: "asked for by hand".to_owned(),
        }
    }
}

/// Gives the triggers of a message and its id: an event as EventBridge delivers it, ours or AWS's, an alarm's notification, plain or
/// wrapped, or a [`Manual`].
///
/// # Errors
/// Why it can't be understood.
pub fn of_message(raw: &[u8], message: &str, now: UnixMs) -> Result<Vec<Trigger>, Reason> {
    let value = unwrap(raw)?;
    if value.get("trigger_type").is_some() {
        let manual: Manual =
            serde_json::from_value(value).map_err(|e| Reason::Damaged { what: quoted(&e.to_string()) })?;
        check_id(&manual.instance_id)?;
        return Ok(vec![manual.trigger(message, now)]);
    }
    if value.get("source").and_then(Value::as_str) == Some(forewarn_log::envelope::SOURCE) {
        return ours(&value);
    }
    let events: Vec<NewEvent> = parse(raw)?;
    Ok(events.iter().flat_map(|e| of_event(UnixMs(e.time.as_millisecond()), &e.event)).collect())
}

fn check_id(id: &str) -> Result<(), Reason> {
    super::policies::check_name(id)
        .ok()
        .filter(|()| id != super::policies::DEFAULT)
        .ok_or_else(|| Reason::Damaged { what: format!("instance_id {} is no instance id", quoted(id)) })
}

/// Reads one of our own announcements; what is announced of other things calls for nothing.
fn ours(value: &Value) -> Result<Vec<Trigger>, Reason> {
    let damaged = |what: String| Reason::Damaged { what };
    let detail = value.get("detail").ok_or_else(|| damaged("no detail".to_owned()))?;
    let text = |key: &str| detail.get(key).and_then(Value::as_str);
    let type_ = text("event_type").ok_or_else(|| damaged("no detail.event_type".to_owned()))?;
    let (name, _) = split_type(type_).map_err(|e| damaged(quoted(&e.to_string())))?;
    if !name.starts_with("forewarn.prediction.") {
        return Ok(Vec::new());
    }
    let time = value.get("time").and_then(Value::as_str).and_then(|t| parse_instant(t, None).ok()).map(UnixMs);
    let time = time.ok_or_else(|| damaged("no time".to_owned()))?;
    let event = Event::decode(type_, detail).map_err(|e| {
        let why = std::error::Error::source(&e).map_or_else(|| e.to_string(), |s| format!("{e}: {s}"));
        damaged(quoted(&why))
    })?;
    Ok(of_event(time, &event))
}

/// Gives the triggers of an event: at most one for each instance it is about.
pub fn of_event(at_ms: UnixMs, event: &Event) -> Vec<Trigger> {
    let trigger = |id: String, instance: &str, cause: Cause, evidence: String| Trigger {
        id,
        instance_id: instance.to_owned(),
        cause,
        at_ms,
        evidence,
    };
    match event {
        Event::PredictionMade(e) => predicted(&e.prediction, at_ms).into_iter().collect(),
        Event::PredictionUpdated(e) => predicted(&e.prediction, at_ms).into_iter().collect(),
        Event::PredictionAnnounced(e) => predicted(&e.prediction, at_ms).into_iter().collect(),
        Event::InstanceCheckFailed(e) => {
            let check = match e.check {
                LogCheck::System => Check::System,
                LogCheck::Instance => Check::Instance,
                LogCheck::AttachedEbs => Check::AttachedEbs,
                // What helps depends on which one it is, which EC2 says by itself.
                LogCheck::Any => return Vec::new(),
            };
            let evidence = format!("{:?} check failing since {}", e.check, e.since);
            let id = format!("check {} {:?} {}", e.instance_id, e.check, e.since);
            vec![trigger(id, &e.instance_id, Cause::CheckFailed { check }, evidence)]
        }
        Event::SpotInterruptionWarned(e) => {
            let deadline_ms = parse_instant(&e.at, None).map_or(at_ms.saturating_add(120_000), UnixMs);
            let evidence = format!("spot interruption ({:?}) at {}", e.action, e.at);
            let id = format!("spot {} {}", e.instance_id, e.at);
            vec![trigger(id, &e.instance_id, Cause::SpotWarned { deadline_ms }, evidence)]
        }
        Event::SpotRebalanceRecommended(e) => {
            let id = format!("rebalance {} {}", e.instance_id, e.at);
            vec![trigger(id, &e.instance_id, Cause::RebalanceRecommended, "rebalance recommendation".to_owned())]
        }
        Event::HealthEvent(e) if e.category == "scheduledChange" && e.service == "EC2" => {
            let of = |i: &String| {
                trigger(format!("health {} {i}", e.event_arn), i, Cause::Scheduled, format!("AWS Health: {}", e.code))
            };
            e.instances.iter().map(of).collect()
        }
        Event::AlarmChanged(e) if e.state == forewarn_log::event::alarm::AlarmState::Alarm => {
            let Some(instance) = &e.instance_id else { return Vec::new() };
            let Some(check) = Check::of_alarm(&e.alarm) else { return Vec::new() };
            // The bus and SNS tell of the same change, to the second.
            let id = format!("alarm {} {}", e.alarm, at_ms.0.div_euclid(1000));
            vec![trigger(id, instance, Cause::CheckFailed { check }, format!("alarm {}", e.alarm))]
        }
        // These call for nothing.
        Event::InstanceStateChanged(_)
        | Event::InstanceLeft(_)
        | Event::HealthEvent(_)
        | Event::AlarmChanged(_)
        | Event::LogMatched(_)
        | Event::ChangeMarked(_)
        | Event::IncidentObserved(_)
        | Event::PredictionObserved(_)
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
        | Event::GroupChanged(_)
        | Event::VolumeChanged(_)
        | Event::Recovery(_)
        | Event::Admission(_)
        | Event::Unknown { .. } => Vec::new(),
    }
}

/// Gives the trigger of a prediction; none below high, and while it is silenced.
pub fn predicted(p: &Prediction, at_ms: UnixMs) -> Option<Trigger> {
    if p.confidence != Level::High || p.silence_id.is_some() {
        return None;
    }
    let episode = p.episode_id.as_deref().unwrap_or(&p.prediction_id);
    let evidence = p.factors.first().map_or_else(|| "a prediction at high".to_owned(), |f| f.text.clone());
    Some(Trigger {
        // However often an episode is told of at high, it is one trouble.
        id: format!("episode {episode}"),
        instance_id: p.instance_id.clone(),
        cause: Cause::Predicted { action: p.recommended_action.unwrap_or(Action::Notify) },
        at_ms,
        evidence,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMs = UnixMs(1_771_135_200_000);

    #[test]
    fn a_manual_trigger_is_read_and_a_wrong_one_says_why() {
        let read = |text: &str| of_message(text.as_bytes(), "", NOW);
        let one = read(r#"{"instance_id": "i-0123456789abcdef0", "trigger_type": "system_check"}"#).unwrap();
        assert_eq!(one[0].cause, Cause::CheckFailed { check: Check::System });
        let act = r#"{"instance_id": "i-0123456789abcdef0", "trigger_type": "manual", "action": "replace", "id": "7"}"#;
        let one = read(act).unwrap();
        assert_eq!(
            (one[0].cause, one[0].id.as_str()),
            (Cause::Operator { action: RecoveryAction::Replace }, "manual i-0123456789abcdef0 7")
        );
        let plain = br#"{"instance_id": "i-0123456789abcdef0", "trigger_type": "manual"}"#;
        let id = |message: &str, now: UnixMs| of_message(plain, message, now).unwrap()[0].id.clone();
        assert_eq!(id("m-1", NOW), id("m-1", NOW.saturating_add(60_000)), "a message given again is the same wish");
        assert_ne!(id("m-1", NOW), id("m-2", NOW));
        assert_ne!(id("", NOW), id("", NOW.saturating_add(1)));
        for bad in [
            r#"{"instance_id": "i-0123456789abcdef0", "trigger_type": "whim"}"#,
            r#"{"instance_id": "../../etc", "trigger_type": "manual"}"#,
            r#"{"instance_id": "i-0123456789abcdef0", "trigger_type": "manual", "force": true}"#,
            r#"{"trigger_type": "manual"}"#,
            "{",
            r#"{"source": "forewarn"}"#,
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_spot_warning_carries_its_deadline_and_twice_the_same_is_one_trigger() {
        let text = r#"{"id": "ID", "source": "aws.ec2", "detail-type": "EC2 Spot Instance Interruption Warning",
            "time": "2026-02-15T06:00:00Z", "region": "eu-central-1", "account": "123456789012",
            "detail": {"instance-id": "i-0123456789abcdef0", "instance-action": "terminate"}}"#;
        let all: Vec<Trigger> = ["1", "1", "1"]
            .iter()
            .flat_map(|id| of_message(text.replace("ID", &format!("e{id}")).as_bytes(), id, NOW).unwrap())
            .collect();
        assert_eq!(all.len(), 3);
        assert!(all.iter().all(|t| t == &all[0]));
        assert_eq!(all[0].cause, Cause::SpotWarned { deadline_ms: NOW.saturating_add(120_000) });
    }
}
