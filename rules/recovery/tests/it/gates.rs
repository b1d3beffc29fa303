//! Every gate refuses for its own reason, and so does a read that failed.

use super::instance;
use forewarn_domain::action::{RecoveryAction as A, Rung};
use forewarn_domain::prediction::Action;
use forewarn_domain::time::UnixMs;
use forewarn_recovery::decide::CommandRejected;
use forewarn_recovery::event::Outcome;
use forewarn_recovery::facts::{Facts, Group, InstanceFacts, InstanceState, Market, Read, RetainedInstance};
use forewarn_recovery::gate::{ActionRequest, refusals};
use forewarn_recovery::plan::choose;
use forewarn_recovery::policy::{DailyWindow, Mode, Override, Policy};
use forewarn_recovery::refusal::{Refusal, Verdict, combine_verdicts};
use forewarn_recovery::state::{IllegalTransition, Phase};
use forewarn_recovery::trigger::{Cause, Check};

const NOON: UnixMs = UnixMs(1_772_409_600_000 + 12 * 3_600_000);

fn policy() -> Policy {
    Policy {
        mode: Mode::Act,
        cross_az_failover: true,
        ebs_repair: true,
        app_level_recovery: true,
        quarantine_mode: true,
        ..Policy::default()
    }
}

pub(super) fn facts() -> Facts {
    Facts {
        instance: Read::Known(instance()),
        policy: Read::Known(policy()),
        trigger_holds: Read::Known(true),
        own_stop: Read::Known(false),
        aws_recovers_until: Read::Known(None),
        service_event: Read::Known(false),
        silence: Read::Known(None),
        capacity_check: Read::Known(None),
    }
}

const FAILED: Cause = Cause::CheckFailed { check: Check::Instance };
const PREDICTED: Cause = Cause::Predicted { action: Action::HostMigration };

fn wish(action: A, cause: Cause) -> ActionRequest {
    ActionRequest { action, cause, approved: false, now_ms: NOON }
}

fn with_instance(change: impl FnOnce(&mut InstanceFacts)) -> Facts {
    let mut it = instance();
    change(&mut it);
    Facts { instance: Read::Known(it), ..facts() }
}

fn with_policy(change: impl FnOnce(&mut Policy)) -> Facts {
    let mut it = policy();
    change(&mut it);
    Facts { policy: Read::Known(it), ..facts() }
}

type Change = fn(&mut InstanceFacts);

fn group(suspended: &[&str]) -> Group {
    Group { name: "web".to_owned(), suspended: suspended.iter().map(|&s| s.to_owned()).collect(), at_minimum: false }
}

#[test]
fn the_tag_of_self_healing_alone_lets_an_instance_be_replaced_and_nothing_else() {
    let alone = with_instance(|i| (i.enrolled, i.self_heal) = (false, true));
    for action in A::ALL.into_iter().filter(|a| a.mutates()) {
        let may = matches!(action, A::Replace | A::ReplaceStateful | A::TerminateReplaced);
        let refused = refusals(wish(action, FAILED), &alone).contains(&Refusal::NotEnrolled);
        assert_eq!(refused, !may, "{action:?}");
    }
}

#[test]
fn without_another_region_people_are_told_instead() {
    for (prepared, action) in [(true, A::FailOverRegion), (false, A::NotifyOnly)] {
        assert_eq!(choose(FAILED, Rung::Region, &instance(), prepared), action);
    }
}

#[test]
fn nothing_is_said_against_what_may_be_done() {
    for action in A::ALL.into_iter().filter(|a| !a.always_approved()) {
        assert_eq!(refusals(wish(action, FAILED), &facts()), [], "{action:?}");
    }
}

#[test]
fn each_gate_refuses_for_its_reason_alone() {
    let web = || "web".to_owned();
    let table: Vec<(ActionRequest, Facts, Refusal)> = vec![
        (
            wish(A::SafeRestart, FAILED),
            with_policy(|p| p.mode = Mode::Observe),
            Refusal::Mode { mode: "observe".to_owned() },
        ),
        (
            wish(A::SafeRestart, FAILED),
            with_policy(|p| p.mode = Mode::Notify),
            Refusal::Mode { mode: "notify".to_owned() },
        ),
        (wish(A::SafeRestart, FAILED), with_policy(|p| p.mode = Mode::Approve), Refusal::Unapproved),
        (wish(A::FailOverRegion, FAILED), facts(), Refusal::Unapproved),
        (
            wish(A::SafeRestart, FAILED),
            with_policy(|p| p.recovery_enabled = false),
            Refusal::Forbidden { action: A::SafeRestart },
        ),
        (
            wish(A::SafeRestart, FAILED),
            with_policy(|p| p.auto_restart = false),
            Refusal::Forbidden { action: A::SafeRestart },
        ),
        (
            wish(A::MigrateHost, FAILED),
            with_policy(|p| p.host_migration = false),
            Refusal::Forbidden { action: A::MigrateHost },
        ),
        (
            wish(A::Replace, FAILED),
            with_policy(|p| p.cross_az_failover = false),
            Refusal::Forbidden { action: A::Replace },
        ),
        (
            wish(A::RepairVolume, FAILED),
            with_policy(|p| p.ebs_repair = false),
            Refusal::Forbidden { action: A::RepairVolume },
        ),
        (
            wish(A::SafeRestart, FAILED),
            with_policy(|p| {
                p.pauses.insert("release".to_owned(), NOON.saturating_add(60));
            }),
            Refusal::Paused { name: "release".to_owned(), until_ms: NOON.saturating_add(60) },
        ),
        (
            wish(A::SafeRestart, FAILED),
            Facts { silence: Read::Known(Some("s-1".to_owned())), ..facts() },
            Refusal::Silenced { id: "s-1".to_owned() },
        ),
        (wish(A::SafeRestart, FAILED), Facts { service_event: Read::Known(true), ..facts() }, Refusal::ServiceEvent),
        (wish(A::SafeRestart, FAILED), Facts { trigger_holds: Read::Known(false), ..facts() }, Refusal::Stale),
        (wish(A::SafeRestart, FAILED), Facts { own_stop: Read::Known(true), ..facts() }, Refusal::OwnStop),
        (
            wish(A::MigrateHost, FAILED),
            Facts { aws_recovers_until: Read::Known(Some(NOON.saturating_add(600_000))), ..facts() },
            Refusal::AwsRecovers { until_ms: NOON.saturating_add(600_000) },
        ),
        (
            wish(A::Replace, FAILED),
            Facts { capacity_check: Read::Known(Some("m5.large in eu-central-1a".to_owned())), ..facts() },
            Refusal::Capacity { what: "m5.large in eu-central-1a".to_owned() },
        ),
        (wish(A::SafeRestart, FAILED), with_instance(|i| i.enrolled = false), Refusal::NotEnrolled),
        (
            wish(A::SafeRestart, FAILED),
            with_instance(|i| i.controller = Some("EKS".to_owned())),
            Refusal::Owned { controller: "EKS".to_owned() },
        ),
        (wish(A::Replace, FAILED), with_instance(|i| i.group = Some(group(&[]))), Refusal::GroupOwns { group: web() }),
        (
            wish(A::ReplaceInGroup, FAILED),
            with_instance(|i| i.group = Some(group(&["AZRebalance", "Launch"]))),
            Refusal::GroupSuspended { group: web(), process: "Launch".to_owned() },
        ),
        (
            wish(A::SafeRestart, FAILED),
            with_instance(|i| i.stop_protection = true),
            Refusal::Protected { against: "stopping".to_owned() },
        ),
        (
            wish(A::ReplaceInGroup, FAILED),
            with_instance(|i| i.termination_protection = true),
            Refusal::Protected { against: "termination".to_owned() },
        ),
        (wish(A::SafeRestart, FAILED), with_instance(|i| i.instance_store = true), Refusal::InstanceStore),
        (wish(A::SafeRestart, FAILED), with_instance(|i| i.assigned_public_ip = true), Refusal::PublicIp),
        (wish(A::SafeRestart, FAILED), with_instance(|i| i.market = Market::SpotOneTime), Refusal::OneTimeSpot),
        (
            wish(A::SafeRestart, FAILED),
            with_instance(|i| i.state = InstanceState::Terminated),
            Refusal::Gone { state: "terminated".to_owned() },
        ),
        (wish(A::Quarantine, PREDICTED), facts(), Refusal::Predictive { action: A::Quarantine }),
        (wish(A::MigrateHost, PREDICTED), facts(), Refusal::Unapproved),
    ];
    for (wish, facts, reason) in table {
        assert_eq!(refusals(wish, &facts), [reason], "{wish:?}");
    }
}

#[test]
fn a_read_that_failed_refuses_whatever_the_rest_says() {
    fn no<T>() -> Read<T> {
        Read::Failed("throttled".to_owned())
    }
    let table: [(&str, Facts); 8] = [
        ("the instance", Facts { instance: no(), ..facts() }),
        ("the policy", Facts { policy: no(), ..facts() }),
        ("the trigger", Facts { trigger_holds: no(), ..facts() }),
        ("our own stops", Facts { own_stop: no(), ..facts() }),
        ("AWS's own recovery", Facts { aws_recovers_until: no(), ..facts() }),
        ("service events", Facts { service_event: no(), ..facts() }),
        ("silences", Facts { silence: no(), ..facts() }),
        ("capacity", Facts { capacity_check: no(), ..facts() }),
    ];
    for (name, facts) in table {
        let reason = Refusal::Unreadable { what: name.to_owned(), why: "throttled".to_owned() };
        assert_eq!(refusals(wish(A::SafeRestart, FAILED), &facts), [reason]);
    }
}

#[test]
fn a_prediction_never_ends_or_replaces_an_instance() {
    for action in A::ALL {
        for approved in [false, true] {
            let wish = ActionRequest { approved, ..wish(action, PREDICTED) };
            let refused = refusals(wish, &facts());
            if action.ends_instance() || action.launches() {
                assert!(refused.contains(&Refusal::Predictive { action }), "{action:?}: {refused:?}");
            }
        }
    }
    let window = DailyWindow { from_minute: 120, to_minute: 240 };
    let facts = with_policy(|p| p.maintenance_window = Some(window));
    let moved = ActionRequest { approved: true, ..wish(A::MigrateHost, PREDICTED) };
    let opens_ms = NOON.saturating_add(14 * 3_600_000);
    assert_eq!(refusals(moved, &facts), [Refusal::OutsideWindow { opens_ms }]);
    assert_eq!(refusals(ActionRequest { now_ms: opens_ms, ..moved }, &facts), []);
}

#[test]
fn what_stopping_may_cost_can_be_allowed_and_a_stopped_instance_loses_nothing_more() {
    let allowed = Facts {
        policy: Read::Known(Policy { may_lose_instance_store: true, may_lose_public_ip: true, ..policy() }),
        ..with_instance(|i| (i.instance_store, i.assigned_public_ip) = (true, true))
    };
    assert_eq!(refusals(wish(A::SafeRestart, FAILED), &allowed), []);
    let stopped = with_instance(|i| (i.instance_store, i.state) = (true, InstanceState::Stopped));
    assert_eq!(refusals(wish(A::SafeRestart, FAILED), &stopped), []);
}

#[test]
fn a_person_may_heal_what_we_stopped_and_an_override_ends_by_itself() {
    let ours = Facts { own_stop: Read::Known(true), ..facts() };
    let asked = Cause::Operator { action: A::SafeRestart };
    assert_eq!(refusals(wish(A::SafeRestart, asked), &ours), []);
    let over = |until_ms| Override { mode: Mode::Observe, until_ms, reason: "release".to_owned() };
    let held = with_policy(|p| p.overrides = vec![over(NOON.saturating_add(1))]);
    assert_eq!(refusals(wish(A::SafeRestart, FAILED), &held), [Refusal::Mode { mode: "observe".to_owned() }]);
    let ended = with_policy(|p| p.overrides = vec![over(NOON)]);
    assert_eq!(refusals(wish(A::SafeRestart, FAILED), &ended), []);
}

#[test]
fn what_was_replaced_is_ended_only_when_approved_and_only_while_nobody_needs_it() {
    let kept = |change: fn(&mut InstanceFacts)| {
        let ours = with_instance(|i| {
            (i.state, i.elastic_ip) = (InstanceState::Stopped, false);
            i.kept = Some(RetainedInstance { until_ms: NOON, successor_runs: true });
            change(i);
        });
        Facts { own_stop: Read::Known(true), ..ours }
    };
    let approved = ActionRequest { approved: true, ..wish(A::TerminateReplaced, Cause::Replaced) };
    assert_eq!(refusals(approved, &kept(|_| {})), []);
    assert_eq!(refusals(ActionRequest { approved: false, ..approved }, &kept(|_| {})), [Refusal::Unapproved]);
    let early = ActionRequest { now_ms: NOON.saturating_sub(1), ..approved };
    assert_eq!(refusals(early, &kept(|_| {})), [Refusal::RetainedInstance { until_ms: NOON }]);
    let table: [(Change, &str); 4] = [
        (|i| i.kept = None, "forewarn has not replaced it"),
        (|i| i.state = InstanceState::Running, "it is not stopped"),
        (|i| i.elastic_ip = true, "it has an Elastic IP"),
        (
            |i| i.kept = Some(RetainedInstance { until_ms: UnixMs(0), successor_runs: false }),
            "its successor does not run in this region",
        ),
    ];
    for (change, why) in table {
        let expected = Refusal::StillNeeded { why: why.to_owned() };
        assert_eq!(refusals(approved, &kept(change)), [expected]);
    }
    let protected = Refusal::Protected { against: "termination".to_owned() };
    assert_eq!(refusals(approved, &kept(|i| i.termination_protection = true)), [protected]);
}

#[test]
fn a_denial_outweighs_a_delay_and_the_latest_delay_counts() {
    let pause = |until_ms| Refusal::Paused { name: "p".to_owned(), until_ms: UnixMs(until_ms) };
    assert_eq!(combine_verdicts(&[]), None);
    assert_eq!(combine_verdicts(&[pause(5), pause(9), pause(7)]), Some(Verdict::Defer(Some(UnixMs(9)))));
    assert_eq!(combine_verdicts(&[pause(5), Refusal::ServiceEvent]), Some(Verdict::Defer(None)));
    assert_eq!(combine_verdicts(&[pause(5), Refusal::NotEnrolled, Refusal::ServiceEvent]), Some(Verdict::Deny));
}

#[test]
fn a_policy_that_cannot_be_read_says_where() {
    assert_eq!(Policy::from_json("{}").unwrap(), Policy::default());
    let by_hand =
        Policy::from_json(r#"{"recovery_enabled": true, "mode": "act", "action_modes": {"replace": "approve"}}"#)
            .unwrap();
    assert_eq!((by_hand.mode_at(A::Replace, NOON), by_hand.mode_at(A::SafeRestart, NOON)), (Mode::Approve, Mode::Act));
    let table = [
        (r#"{"recovery_on": true}"#, "unknown field `recovery_on`"),
        (r#"{"mode": "yolo"}"#, "unknown variant `yolo`"),
        (r#"{"auto_restart": "yes"}"#, "expected a boolean"),
        (r#"{"cooldown_ms": -1}"#, "cooldown_ms is -1, expected 0 to a week"),
        (r#"{"maintenance_window": {"from_minute": 1440, "to_minute": 3}}"#, "maintenance_window is 1440"),
        ("[]", "policy:"),
    ];
    for (text, says) in table {
        let error = Policy::from_json(text).unwrap_err().to_string();
        assert!(error.contains(says), "{text}: {error}");
    }
}

#[test]
fn reasons_name_actions_and_times_as_people_read_them() {
    let action = A::FailOverUnreachable;
    let until_ms = UnixMs(1_771_156_800_000);
    let said = [
        Refusal::Forbidden { action }.to_string(),
        Refusal::Predictive { action: A::ReplaceStateful }.to_string(),
        Refusal::Cooldown { until_ms }.to_string(),
        Refusal::Paused { name: "freeze".to_owned(), until_ms }.to_string(),
    ];
    let expected = [
        "the policy does not allow fail over dark",
        "a prediction alone does not lead to replace stateful",
        "cooling down until 2026-02-15T12:00:00Z",
        "paused by freeze until 2026-02-15T12:00:00Z",
    ];
    assert_eq!(said, expected);

    let phase = Phase::Deferred { until_ms, needs_approval: false }.name();
    assert_eq!(CommandRejected::Phase { phase }.to_string(), "not while it is deferred");
    assert_eq!(CommandRejected::Early { at_ms: until_ms }.to_string(), "not before 2026-02-15T12:00:00Z");
    let phase = Phase::Closed { outcome: Outcome::Recovered }.name();
    let illegal = IllegalTransition { phase, event: "planned" };
    assert_eq!(illegal.to_string(), "planned can't follow while the recovery is closed");
}
