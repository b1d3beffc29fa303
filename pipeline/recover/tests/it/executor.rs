//! An executor on a log in memory: what it writes down, and what people can say to it.

use crate::bench::{Bench, INSTANCE, facts, failed};
use forewarn_domain::action::{RecoveryAction, Rung};
use forewarn_domain::step::StepKind;
use forewarn_domain::time::UnixMs;
use forewarn_events::JsonLinesDead;
use forewarn_log::{Row, SqliteLog, Table};
use forewarn_recover::executor::NextWakeup;
use forewarn_recover::inbox::Inbox;
use forewarn_recover::ledger::{Ledger, stream_of};
use forewarn_recover::past;
use forewarn_recover::policies::Policies;
use forewarn_recover::serve::{Until, serve};
use forewarn_recovery::decide::{Command, decide};
use forewarn_recovery::event::{Outcome, RecoveryEvent};
use forewarn_recovery::plan::plan;
use forewarn_recovery::preview::past::PastRecovery;
use forewarn_recovery::refusal::Refusal;
use forewarn_recovery::state::Phase;
use forewarn_recovery::trigger::{Cause, Trigger};
use forewarn_runtime::clock::Clock;
use forewarn_runtime::interrupt::Interrupt;
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;

#[test]
fn a_failed_check_is_healed_step_by_step_and_the_account_s_place_is_given_back() {
    let bench = Bench::new(&json!({"mode": "act"}));
    let executor = bench.executor("a");
    let id = executor.request(&failed("t")).unwrap();
    assert_eq!(bench.work(&executor, &id), NextWakeup::Never);
    let calls = bench.aws.calls.lock().unwrap().clone();
    let wanted: Vec<StepKind> = plan(RecoveryAction::SafeRestart, &facts()).steps.iter().map(|s| s.kind).collect();
    assert_eq!(calls, wanted);
    let events = bench.events(&id);
    assert_eq!(events.last(), Some(&RecoveryEvent::Completed { outcome: Outcome::Recovered }));
    // How things stood is in the log before each call.
    let before = events
        .iter()
        .filter_map(|e| if let RecoveryEvent::StepIntended { before, .. } = e { Some(before) } else { None });
    assert!(before.clone().count() == calls.len() && before.into_iter().all(|b| b.contains("for")));
    assert_eq!(executor.ledger().admission().unwrap().0.open(), 0);
}

#[test]
fn what_is_over_is_read_from_the_log_with_how_long_the_instance_was_down() {
    let bench = Bench::new(&json!({"mode": "act", "cooldown_ms": 0}));
    let executor = bench.executor("a");
    let id = executor.request(&failed("t")).unwrap();
    assert_eq!(past::read(&*bench.store).unwrap().recoveries, []);
    assert_eq!(bench.work(&executor, &id), NextWakeup::Never);
    let entries = bench.store.read(&stream_of(&id), 1, usize::MAX).unwrap();
    let stop = plan(RecoveryAction::SafeRestart, &facts()).steps.iter().position(|s| s.kind == StepKind::Stop).unwrap();
    let at = |wanted: fn(&RecoveryEvent, usize) -> bool| {
        let is_it = |(i, e): (usize, &RecoveryEvent)| wanted(e, stop).then_some(i);
        let i = bench.events(&id).iter().enumerate().find_map(is_it).unwrap();
        entries[i].envelope.time.parse::<jiff::Timestamp>().unwrap().as_millisecond()
    };
    let from = at(|e, stop| matches!(e, RecoveryEvent::StepIntended { step, .. } if *step == stop));
    let until = at(|e, _| matches!(e, RecoveryEvent::Verified { .. }));
    let (action, outcome) = (RecoveryAction::SafeRestart, Outcome::Recovered);
    let known = PastRecovery { action, outcome, downtime_ms: Some(until - from) };
    assert_eq!(past::read(&*bench.store).unwrap().recoveries, [known]);
}

#[test]
fn a_call_whose_reply_is_lost_is_found_and_not_made_again() {
    let bench = Bench::new(&json!({"mode": "act"}));
    bench.aws.lost.lock().unwrap().extend([StepKind::Stop, StepKind::Snapshot]);
    let executor = bench.executor("a");
    let id = executor.request(&failed("t")).unwrap();
    bench.work(&executor, &id);
    let calls = bench.aws.calls.lock().unwrap().clone();
    for kind in [StepKind::Stop, StepKind::Snapshot] {
        assert_eq!(calls.iter().filter(|k| **k == kind).count(), 1, "{kind:?}");
    }
    let found = |e: &RecoveryEvent| matches!(e, RecoveryEvent::StepDone { result } if result == "found Stop");
    assert!(bench.events(&id).iter().any(found));
}

#[test]
fn what_could_not_be_looked_at_is_tried_again_and_never_taken_for_called() {
    let bench = Bench::new(&json!({"mode": "act"}));
    bench.aws.unseen.lock().unwrap().push(StepKind::Stop);
    let executor = bench.executor("a");
    let id = executor.request(&failed("t")).unwrap();
    assert_eq!(bench.work(&executor, &id), NextWakeup::Never);
    let events = bench.events(&id);
    let blind = |e: &RecoveryEvent| matches!(e, RecoveryEvent::StepIntended { before, .. } if before.is_empty());
    let at = events.iter().position(blind).unwrap();
    assert!(matches!(&events[at + 1], RecoveryEvent::StepFailed { reason, .. } if reason == "throttled"));
    assert!(matches!(events.last(), Some(RecoveryEvent::Completed { outcome: Outcome::Recovered })));
    assert_eq!(bench.aws.calls.lock().unwrap().iter().filter(|k| **k == StepKind::Stop).count(), 1);
}

#[test]
fn the_same_trigger_again_and_others_of_the_lineage_are_one_recovery_for_two_executors() {
    let bench = Bench::new(&json!({"mode": "act"}));
    let (a, b) = (bench.executor("a"), bench.executor("b"));
    let ids: Vec<String> = [("t", &a), ("t", &b), ("u", &b), ("t", &a), ("u", &a)]
        .iter()
        .map(|(t, executor)| executor.request(&failed(t)).unwrap())
        .collect();
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    let id = &ids[0];
    for turn in 0..200 {
        let executor = if turn % 2 == 0 { &a } else { &b };
        match executor.advance(id).unwrap() {
            NextWakeup::At(at) | NextWakeup::Reminder(at) => {
                bench.clock.advance(at.since(UnixMs(bench.clock.now_ms())).clamp(1, 60_000));
            }
            NextWakeup::Person | NextWakeup::Never => break,
        }
    }
    let calls = bench.aws.calls.lock().unwrap().clone();
    assert_eq!(calls.iter().filter(|k| **k == StepKind::Stop).count(), 1);
    let events = bench.events(id);
    assert_eq!(events.iter().filter(|e| matches!(e, RecoveryEvent::Joined { .. })).count(), 1);
    assert!(matches!(events.last(), Some(RecoveryEvent::Completed { .. })));
    // Delivered once more after its end, they change nothing, neither the one that began it nor the one that joined.
    for trigger in ["t", "u"] {
        let (n, again) = (events.len(), a.request(&failed(trigger)).unwrap());
        assert_eq!((again, bench.events(id).len()), (id.clone(), n), "{trigger}");
    }
    assert_ne!(a.request(&failed("v")).unwrap(), *id);
}

#[test]
fn watching_writes_down_what_would_be_done_and_does_nothing() {
    let bench = Bench::new(&json!({}));
    let executor = bench.executor("a");
    let id = executor.request(&failed("t")).unwrap();
    assert_eq!(bench.work(&executor, &id), NextWakeup::Never);
    let events = bench.events(&id);
    assert!(
        matches!(&events[1], RecoveryEvent::Planned { plan, dry_run: true } if plan.action == RecoveryAction::SafeRestart)
    );
    assert!(
        matches!(&events[2], RecoveryEvent::Denied { refusals } if refusals == &[Refusal::Mode { mode: "observe".to_owned() }])
    );
    assert!(bench.aws.calls.lock().unwrap().is_empty());
}

#[test]
fn what_was_replaced_gets_a_recovery_of_its_own_that_ends_it_once() {
    let bench = Bench::new(&json!({"mode": "act", "cross_az_failover": true}));
    let executor = bench.executor("a");
    let cause = Cause::Operator { action: RecoveryAction::Replace };
    let id = executor.request(&Trigger { cause, ..failed("t") }).unwrap();
    bench.work(&executor, &id);
    bench.work(&bench.executor("b"), &id);
    let rows = executor.ledger().store().rows(Table::Recoveries).unwrap();
    let of = |row: &Row| if let Row::Recovery(r) = row { r.clone() } else { panic!("{row:?}") };
    let others: Vec<_> = rows.iter().map(of).filter(|r| r.recovery_id != id).collect();
    assert_eq!(others.len(), 1, "{others:?}");
    assert_eq!(others[0].state.trigger.as_ref().unwrap().cause, Cause::Replaced);
    // A new failure of those who serve is no part of it.
    assert_ne!(executor.request(&failed("u")).unwrap(), others[0].recovery_id);
    // Here nothing says that it was replaced: it is left alone.
    bench.work(&executor, &others[0].recovery_id);
    let wanted = |r: &Refusal| matches!(r, Refusal::StillNeeded { .. });
    let last = bench.events(&others[0].recovery_id);
    assert!(
        last.iter().any(|e| matches!(e, RecoveryEvent::Denied { refusals } if refusals.iter().any(wanted))),
        "{last:?}"
    );
    assert!(!bench.aws.calls.lock().unwrap().contains(&StepKind::Terminate));
}

#[test]
fn what_waits_for_approval_begins_with_it_and_an_objection_ends_it() {
    for approves in [true, false] {
        let bench = Bench::new(&json!({"mode": "approve"}));
        let executor = bench.executor("a");
        let id = executor.request(&failed("t")).unwrap();
        assert!(matches!(executor.advance(&id).unwrap(), NextWakeup::At(_)));
        let mut entry = executor.ledger().load(&id, INSTANCE).unwrap();
        assert!(matches!(entry.state.phase, Phase::Announced { .. }));
        let by = "anna".to_owned();
        let said = if approves { Command::Approve { by } } else { Command::Object { by } };
        let events = decide(&entry.state, said, UnixMs(bench.clock.now_ms())).unwrap();
        assert!(executor.ledger().append(&mut entry, &events).unwrap());
        assert_eq!(bench.work(&executor, &id), NextWakeup::Never);
        assert_eq!(bench.aws.calls.lock().unwrap().is_empty(), !approves);
    }
}

#[test]
fn a_policy_that_cannot_be_read_means_no_action_until_it_is_mended() {
    let bench = Bench::new(&json!({"mode": "act"}));
    let bad = json!({"auto_restrat": true});
    bench.policies.put(INSTANCE, None, bad.as_object().unwrap()).unwrap();
    let executor = bench.executor("a");
    let id = executor.request(&failed("t")).unwrap();
    assert!(matches!(executor.advance(&id).unwrap(), NextWakeup::At(_)));
    assert!(bench.aws.calls.lock().unwrap().is_empty());
    assert!(matches!(bench.events(&id).last(), Some(RecoveryEvent::Deferred { refusals, .. })
        if refusals[0].to_string().contains("auto_restrat")));
    bench.policies.put(INSTANCE, bad.as_object(), json!({}).as_object().unwrap()).unwrap();
    assert_eq!(bench.work(&executor, &id), NextWakeup::Never);
    assert!(!bench.aws.calls.lock().unwrap().is_empty());
}

#[test]
fn an_application_that_answers_again_is_left_alone() {
    for (endpoint, calls) in [(json!("http://localhost:8080/health"), false), (Value::Null, true)] {
        let policy = json!({"mode": "act", "app_level_recovery": true, "objection_ms": 0, "health_endpoint": endpoint});
        let bench = Bench::new(&policy);
        let executor = bench.executor("a");
        let id = executor.request(&Trigger { cause: Cause::ApplicationDown, ..failed("t") }).unwrap();
        bench.work(&executor, &id);
        assert_eq!(!bench.aws.calls.lock().unwrap().is_empty(), calls);
        let stale =
            |e: &RecoveryEvent| matches!(e, RecoveryEvent::Denied { refusals } if refusals == &[Refusal::Stale]);
        assert_eq!(bench.events(&id).iter().any(stale), !calls);
    }
}

#[test]
fn a_policy_that_cannot_be_read_any_more_holds_up_what_is_under_way() {
    let bench = Bench::new(&json!({"mode": "act", "objection_ms": 0}));
    bench.aws.lost.lock().unwrap().push(StepKind::Stop);
    let executor = bench.executor("a");
    let id = executor.request(&failed("t")).unwrap();
    executor.advance(&id).unwrap();
    let before = bench.aws.calls.lock().unwrap().len();
    assert!(bench.aws.calls.lock().unwrap().contains(&StepKind::Stop));
    let bad = json!({"auto_restrat": true});
    bench.policies.put(INSTANCE, None, bad.as_object().unwrap()).unwrap();
    for _ in 0..5 {
        bench.clock.advance(60_000);
        assert!(matches!(executor.advance(&id).unwrap(), NextWakeup::At(_)));
    }
    assert_eq!(bench.aws.calls.lock().unwrap().len(), before);
    bench.policies.put(INSTANCE, bad.as_object(), json!({}).as_object().unwrap()).unwrap();
    assert_eq!(bench.work(&executor, &id), NextWakeup::Never);
    assert!(bench.aws.calls.lock().unwrap().contains(&StepKind::Start));
}

#[test]
fn an_executor_that_stops_gives_back_what_it_has_and_the_next_goes_on_at_once() {
    let bench = Bench::new(&json!({"mode": "act", "objection_ms": 0}));
    bench.aws.slow.lock().unwrap().push(StepKind::Stop);
    let id = bench.executor("a").request(&failed("t")).unwrap();
    let dead = JsonLinesDead::in_state(bench.state.path());
    let work = |name: &str| {
        let executor = bench.executor(name);
        let mut inbox = Inbox::open(&*bench.store, &executor, Vec::new(), &dead).unwrap();
        serve(&executor, &mut inbox, 2, Until::Idle, &Interrupt::default()).unwrap();
    };
    let has_started = || bench.aws.calls.lock().unwrap().contains(&StepKind::Start);
    work("a");
    assert!(bench.aws.calls.lock().unwrap().last() == Some(&StepKind::Stop) && !has_started());
    assert!(matches!(bench.events(&id).last(), Some(RecoveryEvent::LeaseReleased { epoch: 1, .. })));
    bench.clock.advance(15_000);
    work("b");
    assert!(has_started(), "{:?}", bench.events(&id));
}

/// How many recoveries are open, and where the log is to be left: `FOREWARN_SCALE`, `FOREWARN_SCALE_DIR`.
#[test]
fn open_recoveries_are_found_again() {
    let many: usize = std::env::var("FOREWARN_SCALE").ok().and_then(|n| n.parse().ok()).unwrap_or(50);
    let kept = std::env::var("FOREWARN_SCALE_DIR").ok();
    let dir = tempfile::tempdir().unwrap();
    let state = kept.as_deref().map_or(dir.path(), Path::new);
    let log = Arc::new(SqliteLog::open(&state.join("log.sqlite")).unwrap());
    let clock: Arc<dyn Clock> = Arc::new(forewarn_runtime::clock::SystemClock);
    let ledger = Ledger::new(log.clone(), clock.clone(), ("123456789012", "us-east-1"));
    let far = ledger.now().saturating_add(7 * 86_400_000);
    for n in 0..many {
        let instance = format!("i-{n:017x}");
        let trigger = Trigger { instance_id: instance.clone(), ..failed(&format!("t{n}")) };
        let mut entry = ledger.load(&format!("r{n:08}"), &instance).unwrap();
        let at_ms = ledger.now();
        let events = [
            RecoveryEvent::Requested { trigger, lineage: instance, rung: Rung::Restart, at_ms },
            RecoveryEvent::Planned { plan: plan(RecoveryAction::SafeRestart, &facts()), dry_run: false },
            RecoveryEvent::Announced { until_ms: far },
        ];
        assert!(ledger.append(&mut entry, &events).unwrap());
    }
    assert_eq!(log.open_recoveries().unwrap().len(), many);
    let of = |lineage: &str, trigger: &str| log.recovery_of(lineage, trigger).unwrap();
    assert_eq!(of("i-00000000000000007", "another").as_deref(), Some("r00000007"));
    // One that is over is found by its own trigger only.
    let lineage = "i-over".to_owned();
    let mut over = ledger.load("over", &lineage).unwrap();
    let requested =
        RecoveryEvent::Requested { trigger: failed("its"), lineage, rung: Rung::Restart, at_ms: ledger.now() };
    let completed = RecoveryEvent::Completed { outcome: Outcome::Denied };
    assert!(ledger.append(&mut over, &[requested, completed]).unwrap());
    assert_eq!((of("i-over", "its").as_deref(), of("i-over", "another")), (Some("over"), None));
}

#[test]
fn a_silence_of_a_workload_holds_a_recovery_back_until_it_ends() {
    use forewarn_log::event::operator::{OperatorActed, OperatorAction};
    use forewarn_testkit::samples;
    let foretold = samples::prediction(INSTANCE, "ep", samples::TIME, forewarn_domain::prediction::Level::High);
    let workload = foretold.workload.clone().unwrap();
    let silenced = |target: String| {
        let bench = Bench::new(&json!({"mode": "act"}));
        let until = Some(forewarn_runtime::time::format_ms(bench.clock.now_ms() + 3_600_000));
        let made = forewarn_log::Event::PredictionMade(forewarn_log::event::prediction::Opened {
            prediction: Box::new(foretold.clone()),
        });
        let action = OperatorAction::Silence;
        let acted = OperatorActed { action, target: target.clone(), until, reason: None, verdict: None, by: None };
        for (n, event) in [made, forewarn_log::Event::OperatorActed(acted)].into_iter().enumerate() {
            let new = forewarn_log::NewEvent::new(n.to_string(), INSTANCE, jiff::Timestamp::UNIX_EPOCH, event);
            bench.store.append("other", forewarn_log::Expected::Any, &[new]).unwrap();
        }
        let executor = bench.executor("a");
        let id = executor.request(&failed("t")).unwrap();
        bench.clock.advance(1);
        executor.advance(&id).unwrap();
        let is_held = |e: &RecoveryEvent| {
            matches!(e, RecoveryEvent::Deferred { refusals, .. }
                if refusals.iter().any(|r| matches!(r, Refusal::Silenced { .. })))
        };
        let first = bench.events(&id).iter().any(is_held);
        bench.clock.advance(3_600_000);
        assert_eq!(bench.work(&executor, &id), NextWakeup::Never, "{target}: over, it is healed");
        assert!(!bench.aws.calls.lock().unwrap().is_empty());
        first
    };
    assert!(silenced(format!("workload:{workload}")));
    assert!(!silenced("workload:asg/other".to_owned()));
    assert!(!silenced("failure-type:disk_full".to_owned()), "a failed check is no prediction of that kind");
    assert!(silenced(INSTANCE.to_owned()));
}
