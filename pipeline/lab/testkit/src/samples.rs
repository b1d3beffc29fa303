//! One event of every type, and predictions, for the tests of the log.

mod recovery;

use forewarn_domain::episode::{EpisodeState, LastSeen, OpenEpisode};
use forewarn_domain::prediction::{
    Action, Counterfactual, Factor, FailureType, Horizons, Level, Prediction, RuleSetRef, Status, Window,
};
use forewarn_domain::signal::Signal;
use forewarn_domain::workload::{Member, WorkloadEpisode};
use forewarn_log::event::blob::BlobRef;
use forewarn_log::event::prediction::{Announced, Cleared, Observed, Opened, Outcome, Resolved, Updated, Verdict};
use forewarn_log::event::{
    alarm, change, group, health, incident, instance, matched, notice, operator, policy, prior, pruned, spot, volume,
    workload,
};
use forewarn_log::{Event, NewEvent};
use std::collections::BTreeMap;

pub const TIME: &str = "2026-02-15T06:00:00Z";

pub fn prediction(instance: &str, episode: &str, as_of: &str, confidence: Level) -> Prediction {
    Prediction {
        prediction_id: format!("p-{instance}-{as_of}"),
        episode_id: Some(episode.to_owned()),
        workload_episode_id: None,
        sequence: 1,
        instance_id: instance.to_owned(),
        account: "123456789012".to_owned(),
        region: "eu-central-1".to_owned(),
        workload: Some("asg/web".to_owned()),
        as_of: as_of.to_owned(),
        confidence,
        status: Status::New,
        probability: Horizons { h24: Some(0.1 + 0.2), h72: Some(0.75), h168: Some(1.0) },
        window: Some(Window {
            p10: TIME.to_owned(),
            p50: TIME.to_owned(),
            p90: TIME.to_owned(),
            text: "in 3 to 9 hours".to_owned(),
        }),
        failure_type: Some(FailureType::DiskFull),
        recommended_action: Some(Action::FreeDisk),
        unassessable: None,
        factors: vec![Factor {
            signal: Signal::Disk,
            device: Some("path=/data".to_owned()),
            rule: "first-passage".to_owned(),
            evidence: 4.25,
            now: Some(88.125),
            slope_per_day: Some(9.5),
            eta_hours: Some(4.75),
            text: "\"/data\" is 88 % full and fills by 9.5 % a day – ≈ 5 h left".to_owned(),
        }],
        counterfactual: Some(Counterfactual {
            signal: Signal::Disk,
            signals: vec![Signal::Disk, Signal::Memory],
            p24: 0.01,
            confidence: Level::Low,
            text: "below 70 %".to_owned(),
        }),
        notes: vec![],
        held_until: None,
        silence_id: None,
        plan: None,
        prior: None,
        ruleset: RuleSetRef { name: "default".to_owned(), version: "1".to_owned(), sha256: "ab".repeat(32) },
        engine: "0.1.0".to_owned(),
        links: BTreeMap::from([("chart".to_owned(), "https://example.com/chart".to_owned())]),
    }
}

pub fn new(id: &str, subject: &str, event: Event) -> NewEvent {
    NewEvent::new(id, subject, TIME.parse().unwrap(), event)
}

pub fn acted(action: operator::OperatorAction, target: &str) -> Event {
    Event::OperatorActed(operator::OperatorActed {
        action,
        target: target.to_owned(),
        until: Some(TIME.to_owned()),
        reason: Some("planned work".to_owned()),
        verdict: None,
        by: blob(),
    })
}

pub fn silence(target: &str) -> NewEvent {
    new(&format!("silence-{target}"), target, acted(operator::OperatorAction::Silence, target))
}

#[expect(clippy::unnecessary_wraps, reason = "it fills fields that are optional")]
fn blob() -> Option<BlobRef> {
    Some(BlobRef { sha256: "cd".repeat(32), bytes: 17 })
}

pub fn made(instance: &str, episode: &str, as_of: &str, level: Level) -> Event {
    Event::PredictionMade(Opened { prediction: Box::new(prediction(instance, episode, as_of, level)) })
}

pub fn updated(instance: &str, episode: &str, as_of: &str, level: Level) -> Event {
    let prediction = Box::new(prediction(instance, episode, as_of, level));
    Event::PredictionUpdated(Updated { previous: Level::Medium, prediction })
}

pub fn observed(instance: &str, episode: &str, as_of: &str) -> Event {
    let prediction_id = format!("p-{instance}-{as_of}");
    Event::PredictionObserved(Observed {
        instance_id: instance.to_owned(),
        prediction_id: prediction_id.clone(),
        as_of: as_of.to_owned(),
        confidence: Level::Medium,
        state: Box::new(EpisodeState {
            open: Some(OpenEpisode {
                episode_id: episode.to_owned(),
                since: TIME.to_owned(),
                level: Level::High,
                sequence: 3,
                hours_below: 1.5,
                held: Some(Level::Medium),
            }),
            last: Some(LastSeen {
                as_of: as_of.to_owned(),
                prediction_id,
                episode_id: Some(episode.to_owned()),
                sequence: 3,
                status: Status::Ongoing,
                assessed: true,
            }),
        }),
    })
}

pub fn announced(instance: &str, episode: &str, as_of: &str) -> Event {
    let prediction = Box::new(prediction(instance, episode, as_of, Level::High));
    Event::PredictionAnnounced(Announced { after_silence: "silence-1".to_owned(), prediction })
}

pub fn cleared(instance: &str, episode: &str, as_of: &str) -> Event {
    let prediction = Box::new(prediction(instance, episode, as_of, Level::None));
    Event::PredictionCleared(Cleared { previous: Level::High, prediction })
}

pub fn resolved(instance: &str, episode: &str) -> Event {
    Event::PredictionResolved(Resolved {
        episode_id: Some(episode.to_owned()),
        instance_id: instance.to_owned(),
        outcome: Outcome::Hit,
        incident_id: s("inc-1"),
        lead_hours: Some(5.5),
        at: TIME.to_owned(),
        evidence: "the file system is full".to_owned(),
        verdict: Some(Verdict::Right),
        by: blob(),
    })
}

fn workload_episode(members: usize) -> Box<WorkloadEpisode> {
    let member = |n| Member { instance_id: format!("i-{n}"), episode_id: format!("ep-{n}"), level: Level::Medium };
    Box::new(WorkloadEpisode {
        workload_episode_id: "we-1".to_owned(),
        workload: "asg/web".to_owned(),
        failure_type: FailureType::MemoryExhaustion,
        recommended_action: Some(Action::AppRestart),
        account: "123456789012".to_owned(),
        region: "eu-central-1".to_owned(),
        since: TIME.to_owned(),
        as_of: TIME.to_owned(),
        level: Level::High,
        members: (0..members).map(member).collect(),
        text: "instances of asg/web face memory exhaustion".to_owned(),
        silence_id: None,
    })
}

#[expect(clippy::unnecessary_wraps, reason = "it fills fields that are optional")]
fn s(text: &str) -> Option<String> {
    Some(text.to_owned())
}

/// One event of every known type, in the order of `KINDS`.
pub fn every_event() -> Vec<Event> {
    let mut all = other_events();
    all.extend(recovery::every_recovery_event());
    all
}

#[expect(clippy::too_many_lines, reason = "one literal for each type")]
fn other_events() -> Vec<Event> {
    let i = || "i-0123456789abcdef0".to_owned();
    let account = || "123456789012".to_owned();
    let region = || "eu-central-1".to_owned();
    let time = || TIME.to_owned();
    let t = |text: &str| text.to_owned();
    vec![
        Event::InstanceStateChanged(instance::StateChanged {
            instance_id: i(),
            account: account(),
            region: region(),
            state: instance::InstanceState::ShuttingDown,
            previous: Some(instance::InstanceState::Running),
            reason: s("Client.UserInitiatedShutdown"),
        }),
        Event::InstanceCheckFailed(instance::CheckFailed {
            instance_id: i(),
            account: account(),
            region: region(),
            check: instance::Check::AttachedEbs,
            since: time(),
            minutes: 7,
        }),
        Event::InstanceLeft(instance::Left {
            instance_id: i(),
            account: account(),
            region: region(),
            cause: instance::LeftCause::ScaleIn,
        }),
        Event::SpotInterruptionWarned(spot::InterruptionWarned {
            instance_id: i(),
            account: account(),
            region: region(),
            action: spot::SpotAction::Hibernate,
            at: time(),
        }),
        Event::SpotRebalanceRecommended(spot::RebalanceRecommended {
            instance_id: i(),
            account: account(),
            region: region(),
            at: time(),
        }),
        Event::HealthEvent(health::HealthEvent {
            event_arn: t("arn:aws:health:eu-central-1::event/EC2/X/1"),
            service: t("EC2"),
            code: t("AWS_EC2_INSTANCE_RETIREMENT_SCHEDULED"),
            category: t("scheduledChange"),
            status: health::HealthStatus::Upcoming,
            account: account(),
            region: region(),
            start: s(TIME),
            end: None,
            instances: vec![i()],
            resolved: Vec::new(),
            description: blob(),
        }),
        Event::AlarmChanged(alarm::AlarmChanged {
            alarm: t("disk"),
            instance_id: Some(i()),
            account: account(),
            region: region(),
            state: alarm::AlarmState::InsufficientData,
            previous: Some(alarm::AlarmState::Ok),
            reason: None,
        }),
        Event::LogMatched(matched::LogMatched {
            instance_id: i(),
            source: t("/var/log/messages"),
            pattern: t("kernel_panic"),
            count: 2,
            first: time(),
            last: time(),
            excerpt: blob(),
        }),
        Event::ChangeMarked(change::ChangeMarked {
            change_id: t("c-1"),
            instance_id: None,
            workload: s("asg/web"),
            kind: change::ChangeKind::Deployment,
            text: t("web 1.2"),
            at: time(),
            until: None,
            marked_at: None,
            by: blob(),
        }),
        Event::IncidentObserved(incident::IncidentObserved {
            incident_id: t("inc-1"),
            instance_id: i(),
            account: account(),
            region: region(),
            workload: None,
            start: time(),
            end: s(TIME),
            class: incident::IncidentClass::Failure,
            cause: s("oom_kill"),
            predictable: Some(true),
            evidence: t("status check failed for 5 minutes"),
        }),
        made(&i(), "ep-1", TIME, Level::Medium),
        updated(&i(), "ep-1", "2026-02-15T07:00:00Z", Level::High),
        observed(&i(), "ep-1", "2026-02-15T08:00:00Z"),
        announced(&i(), "ep-1", "2026-02-15T08:30:00Z"),
        cleared(&i(), "ep-1", "2026-02-15T09:00:00Z"),
        resolved(&i(), "ep-1"),
        Event::PriorEstimated(prior::Estimated {
            as_of: time(),
            ruleset: prediction(&i(), "ep-1", TIME, Level::High).ruleset,
            prior: forewarn_domain::prior::Prior::stated(0.05),
        }),
        Event::WorkloadPredicted(workload::Predicted { episode: workload_episode(3) }),
        Event::WorkloadUpdated(workload::Updated { previous: Level::Low, episode: workload_episode(4) }),
        Event::WorkloadCleared(workload::Cleared { previous: Level::High, episode: workload_episode(2) }),
        Event::NoticeSent(notice::Sent { notice_id: t("n"), channel: t("slack"), about: t("e-1"), attempt: 1 }),
        Event::NoticeFailed(notice::Failed {
            notice_id: t("n"),
            channel: t("slack"),
            about: t("e-1"),
            attempt: 1,
            error: t("503"),
            retry: true,
        }),
        Event::PolicyChanged(policy::PolicyChanged {
            policy: t("modes"),
            sha256: "ef".repeat(32),
            summary: t("disk_full: observe to notify"),
            by: None,
        }),
        acted(operator::OperatorAction::Ack, "ep-1"),
        Event::LogPruned(pruned::LogPruned {
            position: 17,
            hash: "ab".repeat(32),
            entries: 9,
            older_than: time(),
            checkpoint_sha256: "cd".repeat(32),
        }),
        Event::GroupChanged(group::GroupChanged {
            group: t("web"),
            instance_id: s("i-0123456789abcdef0"),
            account: account(),
            region: region(),
            activity: group::Activity::Terminated,
            ended_for: Some(group::EndedFor::ScaleIn),
            cause: s("the group shrank"),
        }),
        Event::VolumeChanged(volume::VolumeChanged {
            volume_id: t("vol-0123456789abcdef0"),
            instance_id: None,
            account: account(),
            region: region(),
            event: t("modifyVolume"),
            outcome: t("failed"),
            cause: s("no capacity"),
        }),
    ]
}
