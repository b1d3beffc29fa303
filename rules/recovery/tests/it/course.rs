//! The course of one recovery: whatever is asked of it and whenever, what comes out can be read again, and the fences hold.

use super::instance;
use forewarn_domain::action::{RecoveryAction, Rung};
use forewarn_domain::step::StepKind;
use forewarn_domain::time::UnixMs;
use forewarn_recovery::decide::{Command, CommandRejected, decide};
use forewarn_recovery::event::{Outcome, RecoveryEvent};
use forewarn_recovery::facts::InstanceFacts;
use forewarn_recovery::next::{LEASE_MS, Next, next};
use forewarn_recovery::pace::{CALL_MS, Pace, SNAPSHOT_TIMEOUT_MS};
use forewarn_recovery::plan::{Plan, Step, plan};
use forewarn_recovery::refusal::Refusal;
use forewarn_recovery::state::{Phase, Progress, Recovery};
use forewarn_recovery::trigger::{Cause, Check, Trigger};
use proptest::prelude::*;

const HOLD_MS: i64 = 30 * 60_000;

fn facts() -> InstanceFacts {
    InstanceFacts { stateful: true, ..instance() }
}

fn trigger(id: u8) -> Trigger {
    let cause = Cause::CheckFailed { check: Check::System };
    Trigger {
        id: format!("t-{id}"),
        instance_id: "i-1".to_owned(),
        cause,
        at_ms: UnixMs(0),
        evidence: "checks".to_owned(),
    }
}

fn request(id: u8) -> Command {
    Command::Request { trigger: trigger(id), lineage: "i-1".to_owned(), rung: Rung::Restart }
}

/// The first look at how things stood may fail: the next one's is kept, and no later one takes its place.
#[test]
fn how_things_stood_is_what_the_first_try_that_could_look_saw() {
    let mut it = Course::at_work();
    for (n, before) in ["", "first", "second"].into_iter().enumerate() {
        let now = n as i64 * 40_000;
        it.ask(Command::Intend { epoch: 1, before: before.to_owned() }, now).unwrap();
        let kind = it.state.step().unwrap().kind;
        let kept = if n == 0 { "" } else { "first" };
        assert_eq!(it.state.notes[&kind].before, kept);
        it.ask(Command::Waiting { epoch: 1, for_ms: 1 }, now).unwrap();
    }
}

/// Nobody who comes next may look for what came of a call that was never made.
#[test]
fn a_look_that_fails_is_a_try_without_a_call() {
    let mut it = Course::at_work();
    it.ask(Command::Unprepared { epoch: 1, reason: "throttled".to_owned() }, 0).unwrap();
    let is_a_try = matches!(it.log[..], [.., RecoveryEvent::StepIntended { .. }, RecoveryEvent::StepFailed { .. }]);
    assert!(is_a_try && it.state.intent().is_none(), "{:?}", it.log);
}

fn planned() -> Plan {
    plan(RecoveryAction::ReplaceStateful, &facts())
}

/// A log and what it comes to.
#[derive(Default)]
struct Course {
    log: Vec<RecoveryEvent>,
    state: Recovery,
}

impl Course {
    fn ask(&mut self, command: Command, now_ms: i64) -> Result<(), CommandRejected> {
        for event in decide(&self.state, command, UnixMs(now_ms))? {
            self.state = self.state.clone().evolve(&event).unwrap();
            self.log.push(event);
        }
        Ok(())
    }

    /// The time before which its next step is not tried.
    fn not_before(&self) -> i64 {
        self.state.progress().and_then(Progress::not_before_ms).map_or(i64::MIN, |at| at.0)
    }

    /// A recovery that may begin with a plan.
    fn admitted(plan: Plan) -> Self {
        let mut it = Self::default();
        it.ask(request(1), 0).unwrap();
        it.ask(Command::Plan { plan, refusals: vec![], dry_run: false }, 0).unwrap();
        it.ask(Command::Announce { objection_ms: 0 }, 0).unwrap();
        it.ask(Command::Admit { refusals: vec![] }, 0).unwrap();
        it
    }

    /// A recovery whose first step may be made by `a` until [`LEASE_MS`].
    fn at_work() -> Self {
        let mut it = Self::admitted(planned());
        it.ask(Command::Lease { holder: "a".to_owned(), for_ms: LEASE_MS }, 0).unwrap();
        it
    }
}

#[test]
fn the_same_trigger_three_times_is_one_recovery_and_another_joins_it() {
    let mut it = Course::default();
    for id in [1, 1, 2, 1, 2] {
        it.ask(request(id), 5).unwrap();
    }
    assert_eq!(it.log.len(), 2, "{:?}", it.log);
    assert!(matches!(it.log[1], RecoveryEvent::Joined { .. }));
}

#[test]
fn a_call_is_intended_only_while_the_lease_outlives_it() {
    let mut it = Course::at_work();
    let late = LEASE_MS - CALL_MS + 1;
    let refused = it.ask(Command::Intend { epoch: 1, before: String::new() }, late).unwrap_err();
    assert_eq!(
        refused,
        CommandRejected::LeaseTooShort { until_ms: UnixMs(LEASE_MS), needed_ms: UnixMs(late + CALL_MS) }
    );
    it.ask(Command::Intend { epoch: 1, before: String::new() }, late - 1).unwrap();
    assert_eq!(it.ask(Command::Intend { epoch: 1, before: String::new() }, late - 1), Err(CommandRejected::Unsettled));
}

#[test]
fn a_stale_executor_is_refused_and_its_successor_waits_until_its_call_has_settled() {
    let mut it = Course::at_work();
    // Telling people changes nothing in AWS and may be done again at once; the step after it may not.
    it.ask(Command::Intend { epoch: 1, before: String::new() }, 5).unwrap();
    it.ask(Command::Done { epoch: 1, result: String::new() }, 5).unwrap();
    it.ask(Command::Intend { epoch: 1, before: String::new() }, 10).unwrap();
    let lease = |holder: &str| Command::Lease { holder: holder.to_owned(), for_ms: LEASE_MS };
    let held = CommandRejected::LeasedByOther { holder: "a".to_owned(), until_ms: UnixMs(LEASE_MS) };
    assert_eq!(it.ask(lease("b"), LEASE_MS - 1), Err(held));
    it.ask(lease("b"), LEASE_MS).unwrap();
    let done = |epoch| Command::Done { epoch, result: String::new() };
    assert_eq!(it.ask(done(1), LEASE_MS), Err(CommandRejected::Stale { epoch: 1, current: 2 }));
    let settles = LEASE_MS + CALL_MS;
    assert_eq!(next(&it.state, "b", UnixMs(LEASE_MS)), Next::Wait(UnixMs(settles)));
    assert_eq!(
        it.ask(Command::Reissue { epoch: 2 }, settles - 1),
        Err(CommandRejected::Early { at_ms: UnixMs(settles) })
    );
    assert_eq!(next(&it.state, "b", UnixMs(settles)), Next::Adopt);
    let token = it.state.intent().unwrap().token.clone();
    it.ask(Command::Reissue { epoch: 2 }, settles).unwrap();
    assert_eq!(it.state.intent().unwrap().token, token, "the same call again");
    it.ask(done(2), settles).unwrap();
}

#[test]
fn a_lease_that_is_given_back_is_the_next_ones_at_once_unless_a_call_may_be_under_way() {
    let mut it = Course::at_work();
    let lease = |holder: &str| Command::Lease { holder: holder.to_owned(), for_ms: LEASE_MS };
    it.ask(Command::Intend { epoch: 1, before: String::new() }, 5).unwrap();
    assert_eq!(it.ask(Command::ReleaseLease { epoch: 1 }, 6), Err(CommandRejected::Unsettled));
    it.ask(Command::Done { epoch: 1, result: String::new() }, 7).unwrap();
    it.ask(Command::ReleaseLease { epoch: 1 }, 8).unwrap();
    assert!(matches!(
        it.ask(Command::Intend { epoch: 1, before: String::new() }, 9),
        Err(CommandRejected::LeaseTooShort { .. })
    ));
    assert_eq!(next(&it.state, "b", UnixMs(9)), Next::Lease);
    it.ask(lease("b"), 9).unwrap();
    assert_eq!(it.ask(Command::ReleaseLease { epoch: 1 }, 10), Err(CommandRejected::Stale { epoch: 1, current: 2 }));
    assert_eq!(next(&it.state, "b", UnixMs(10)), Next::Perform);
    // What is over by itself needs no word.
    let events = it.log.len();
    it.ask(Command::ReleaseLease { epoch: 2 }, 9 + LEASE_MS).unwrap();
    assert_eq!(it.log.len(), events);
}

#[test]
fn steps_are_as_patient_as_people_say_and_what_aws_takes_away_at_a_time_is_not_waited_for() {
    let pace = Pace { timeout_ms: 900_000, attempts: 2, retry_ms: 10_000 };
    let drain = plan(RecoveryAction::DrainSpot, &facts());
    assert_eq!(drain.clone().at(pace), drain);
    let patient = planned().at(pace);
    let of = |kind| *patient.steps.iter().find(|s| s.kind == kind).unwrap();
    assert_eq!((of(StepKind::Stop).timeout_ms, of(StepKind::Stop).attempts), (900_000, 2));
    assert_eq!(of(StepKind::AwaitSnapshot).timeout_ms, SNAPSHOT_TIMEOUT_MS);
    assert!(planned().steps.iter().zip(&patient.steps).all(|(was, is)| !was.optional || was == is));

    let mut it = Course::admitted(patient);
    it.ask(Command::Lease { holder: "a".to_owned(), for_ms: LEASE_MS }, 0).unwrap();
    while it.state.step().is_some_and(|s| s.optional) {
        it.ask(Command::Intend { epoch: 1, before: String::new() }, 1).unwrap();
        it.ask(Command::Done { epoch: 1, result: String::new() }, 1).unwrap();
    }
    for retry_ms in [Some(UnixMs(10_001)), None] {
        let now = it.not_before().max(1);
        it.ask(Command::Intend { epoch: 1, before: String::new() }, now).unwrap();
        it.ask(Command::Failed { epoch: 1, reason: "no".to_owned() }, now).unwrap();
        assert_eq!(it.log.last(), Some(&RecoveryEvent::StepFailed { reason: "no".to_owned(), retry_ms }));
    }
}

#[test]
fn what_can_be_left_out_is_left_out_in_time_for_the_snapshots_of_what_aws_takes_away() {
    // The warning of AWS comes two minutes before, or, where it hibernates the instance, with the beginning of that.
    for (deadline_ms, waits) in [(UnixMs(120_000), true), (UnixMs(0), false)] {
        let mut it = Course::default();
        let warned = Trigger { cause: Cause::SpotWarned { deadline_ms }, ..trigger(1) };
        it.ask(Command::Request { trigger: warned, lineage: "i-1".to_owned(), rung: Rung::Restart }, 0).unwrap();
        let mut plan = plan(RecoveryAction::DrainSpot, &facts());
        plan.steps.push(Step { kind: StepKind::CompleteLifecycle, ..plan.steps[0] });
        it.ask(Command::Plan { plan, refusals: vec![], dry_run: false }, 0).unwrap();
        it.ask(Command::Announce { objection_ms: 0 }, 0).unwrap();
        it.ask(Command::Admit { refusals: vec![] }, 0).unwrap();
        it.ask(Command::Lease { holder: "a".to_owned(), for_ms: LEASE_MS }, 0).unwrap();
        let wait = |it: &mut Course, now: i64| {
            it.ask(Command::Intend { epoch: 1, before: String::new() }, now).unwrap();
            it.ask(Command::Waiting { epoch: 1, for_ms: 3000 }, now).unwrap();
        };
        let mut now = 15_000;
        // A call that fails is made again soon, where that leaves time.
        it.ask(Command::Intend { epoch: 1, before: String::new() }, now).unwrap();
        assert_eq!(it.state.step().unwrap().kind, StepKind::Deregister);
        it.ask(Command::Failed { epoch: 1, reason: "no answer".to_owned() }, now).unwrap();
        assert_eq!(it.state.step().unwrap().kind == StepKind::Deregister, waits);
        now = now.max(it.not_before());
        while it.state.step().unwrap().kind != StepKind::Snapshot {
            wait(&mut it, now);
            if it.not_before() > now {
                assert!(waits, "{:?}", it.state);
                now = it.not_before();
            }
        }
        assert!(if waits { (50_000..=60_000).contains(&now) } else { now == 15_000 }, "{now}");
        // The snapshots themselves are waited for.
        wait(&mut it, now);
        assert!(matches!(it.log.last(), Some(RecoveryEvent::StepWaiting { .. })));
        // What comes after them is tried as often as anything else.
        now = it.not_before();
        it.ask(Command::Intend { epoch: 1, before: String::new() }, now).unwrap();
        it.ask(Command::Done { epoch: 1, result: String::new() }, now).unwrap();
        it.ask(Command::Intend { epoch: 1, before: String::new() }, now).unwrap();
        it.ask(Command::Failed { epoch: 1, reason: "no answer".to_owned() }, now).unwrap();
        assert!(
            matches!(it.log.last(), Some(RecoveryEvent::StepFailed { retry_ms: Some(_), .. })),
            "{:?}",
            it.log.last()
        );
    }
}

#[test]
fn a_person_who_objects_ends_it_and_silence_lets_it_begin() {
    let mut it = Course::default();
    it.ask(request(1), 0).unwrap();
    it.ask(Command::Plan { plan: planned(), refusals: vec![Refusal::Unapproved], dry_run: false }, 0).unwrap();
    it.ask(Command::Announce { objection_ms: 300_000 }, 0).unwrap();
    assert_eq!(
        it.ask(Command::Admit { refusals: vec![] }, 299_999),
        Err(CommandRejected::Early { at_ms: UnixMs(300_000) })
    );
    it.ask(Command::Object { by: "ann".to_owned() }, 299_999).unwrap();
    assert_eq!(it.state.phase, Phase::Closed { outcome: Outcome::Objected });
    assert!(it.ask(Command::Admit { refusals: vec![] }, 300_000).is_err());
}

#[test]
fn a_log_that_was_tampered_with_is_no_recovery() {
    let log = Course::at_work().log;
    for gone in 0..log.len() - 1 {
        let rest = log.iter().enumerate().filter(|(i, _)| *i != gone).map(|(_, e)| e);
        let read = Recovery::of(rest);
        assert!(read.is_err(), "without event {gone}: {read:?}");
    }
}

#[test]
fn a_rung_has_its_time_and_snapshots_take_theirs() {
    let minute = 60_000;
    let mut it = Course::at_work();
    let mut now = 0;
    let renew = |it: &mut Course, now: i64| {
        it.ask(Command::Lease { holder: "a".to_owned(), for_ms: LEASE_MS }, now).unwrap();
        it.state.epoch()
    };
    // Up to the launch, half a minute each, but for the snapshots.
    while it.state.step().unwrap().kind != StepKind::AwaitHealthy {
        let epoch = renew(&mut it, now);
        it.ask(Command::Intend { epoch, before: String::new() }, now).unwrap();
        let takes = if it.state.step().unwrap().kind == StepKind::AwaitSnapshot { 50 * minute } else { minute / 2 };
        now += takes;
        let epoch = renew(&mut it, now);
        it.ask(Command::Done { epoch, result: "i-2".to_owned() }, now).unwrap();
    }
    assert!(!it.state.is_over_time(UnixMs(now)), "{now}");
    let limit = it.state.rung.limit_ms().unwrap();
    let mut last = now;
    while !it.state.has_given_up() {
        let epoch = renew(&mut it, now);
        if now >= it.not_before() {
            it.ask(Command::Intend { epoch, before: String::new() }, now).unwrap();
            it.ask(Command::Waiting { epoch, for_ms: minute }, now).unwrap();
            last = now;
        }
        now += minute;
    }
    let Phase::Running(work) = &it.state.phase else { panic!("{:?}", it.state.phase) };
    let began = work.clock.began_ms.unwrap().0;
    assert!((limit..limit + 2 * minute).contains(&(last - began)), "{last} {began}");
}

#[test]
fn who_was_replaced_is_ended_by_a_recovery_of_its_own() {
    let mut it = Course::admitted(plan(RecoveryAction::Replace, &instance()));
    it.ask(Command::Lease { holder: "a".to_owned(), for_ms: LEASE_MS }, 0).unwrap();
    while it.state.step().is_some() {
        assert_eq!(it.state.ending(UnixMs(1)), None);
        it.ask(Command::Intend { epoch: 1, before: String::new() }, 1).unwrap();
        it.ask(Command::Done { epoch: 1, result: "i-2".to_owned() }, 1).unwrap();
    }
    it.ask(Command::Conclude { epoch: 1, hold_ms: 0 }, 1).unwrap();
    it.ask(Command::Look { healthy: true }, 1).unwrap();
    let ending = it.state.ending(UnixMs(2)).unwrap();
    assert_eq!((ending.instance_id.as_str(), ending.cause), ("i-1", Cause::Replaced));
    assert_eq!(ending.lineage_of("i-1"), "i-1 replaced");
    assert_eq!(trigger(1).lineage_of("i-1"), "i-1");
    let ends = plan(RecoveryAction::TerminateReplaced, &facts());
    let kinds: Vec<StepKind> = ends.steps.iter().map(|s| s.kind).collect();
    assert_eq!(kinds, [StepKind::Snapshot, StepKind::AwaitSnapshot, StepKind::Terminate]);
}

#[test]
fn on_the_way_back_the_old_instance_is_the_one_that_serves() {
    let mut it = Course::admitted(plan(RecoveryAction::Replace, &instance()));
    let mut now = 0;
    while matches!(it.state.phase, Phase::Running(_)) {
        it.ask(Command::Lease { holder: "a".to_owned(), for_ms: LEASE_MS }, now).unwrap();
        let epoch = it.state.epoch();
        if it.state.has_given_up() {
            assert_eq!(it.state.serving(), "i-2");
            it.ask(Command::Conclude { epoch, hold_ms: 0 }, now).unwrap();
            continue;
        }
        it.ask(Command::Intend { epoch, before: String::new() }, now).unwrap();
        if it.state.step().unwrap().kind == StepKind::Stop {
            it.ask(Command::Failed { epoch, reason: "it hangs".to_owned() }, now).unwrap();
            now += 30_000;
        } else {
            it.ask(Command::Done { epoch, result: "i-2".to_owned() }, now).unwrap();
        }
    }
    let back: Vec<StepKind> = it.state.steps().iter().map(|s| s.kind).collect();
    assert_eq!(back, [StepKind::Start, StepKind::Register, StepKind::Discard]);
    assert_eq!((it.state.serving(), it.state.successor.as_deref()), ("i-1", Some("i-2")));
}

/// What a person has approved is what they saw: a plan that has become another one, in which two may run, is asked about again.
#[test]
fn an_approval_does_not_pass_to_what_nobody_has_seen() {
    let plan_of = |action| Command::Plan { plan: plan(action, &facts()), refusals: vec![], dry_run: false };
    let approve = || Command::Approve { by: "ann".to_owned() };
    let mut it = Course::default();
    it.ask(request(1), 0).unwrap();
    it.ask(plan_of(RecoveryAction::ReplaceStateful), 0).unwrap();
    it.ask(Command::Announce { objection_ms: 0 }, 0).unwrap();
    it.ask(Command::Admit { refusals: vec![Refusal::Unapproved] }, 0).unwrap();
    it.ask(approve(), 1).unwrap();
    assert!(it.state.has_approved(RecoveryAction::ReplaceStateful));
    it.ask(plan_of(RecoveryAction::ReplaceUnfenced), 1).unwrap();
    assert!(!it.state.has_approved(RecoveryAction::ReplaceUnfenced));
    it.ask(approve(), 2).unwrap();
    assert!(it.state.has_approved(RecoveryAction::ReplaceUnfenced));
    // Before there is a plan, it is for what was asked for by name.
    let mut asked = Course::default();
    let cause = Cause::Operator { action: RecoveryAction::FailOverUnreachable };
    let command =
        Command::Request { trigger: Trigger { cause, ..trigger(1) }, lineage: "i-1".to_owned(), rung: Rung::Region };
    asked.ask(command, 0).unwrap();
    asked.ask(approve(), 0).unwrap();
    assert!(asked.state.has_approved(RecoveryAction::FailOverUnreachable));
    assert!(!asked.state.has_approved(RecoveryAction::ReplaceUnfenced));
}

#[test]
fn what_people_can_not_be_told_by_a_plan_is_handed_over_to_them_all_the_same() {
    let mut it = Course::at_work();
    it.ask(Command::Intend { epoch: 1, before: String::new() }, 1).unwrap();
    for rung in [Rung::Region, Rung::Notify] {
        let event = RecoveryEvent::Escalated { to: rung, reason: "it did not help".to_owned(), at_ms: UnixMs(2) };
        it.state = it.state.clone().evolve(&event).unwrap();
    }
    let refusals = vec![Refusal::Unknown { what: "there is no such instance here".to_owned() }];
    it.ask(Command::Plan { plan: plan(RecoveryAction::NotifyOnly, &facts()), refusals, dry_run: false }, 3).unwrap();
    assert_eq!(it.state.phase, Phase::Closed { outcome: Outcome::HandedOver });
}

#[test]
fn what_waits_for_approval_says_so_beside_what_has_a_date() {
    let mut it = Course::default();
    it.ask(request(1), 0).unwrap();
    let refusals = vec![Refusal::Unapproved, Refusal::RetainedInstance { until_ms: UnixMs(86_400_000) }];
    it.ask(Command::Plan { plan: planned(), refusals: refusals.clone(), dry_run: false }, 0).unwrap();
    assert_eq!(it.log.last(), Some(&RecoveryEvent::Deferred { refusals, until_ms: UnixMs(86_400_000) }));
    assert!(it.state.waits_for_person());
    it.ask(Command::Approve { by: "ann".to_owned() }, 1).unwrap();
    assert!(!it.state.waits_for_person());
}

fn command() -> impl Strategy<Value = Command> {
    let denied = prop::sample::select(vec![
        Refusal::ServiceEvent,
        Refusal::NotEnrolled,
        Refusal::Cooldown { until_ms: UnixMs(900_000) },
    ]);
    let refusals = prop::collection::vec(denied, 0..2);
    let action = prop::sample::select(RecoveryAction::ALL.to_vec());
    let by = || "ann".to_owned();
    prop_oneof![
        1 => any::<u8>().prop_map(|n| request(n % 3)),
        4 => (action, refusals.clone()).prop_map(|(a, refusals)| Command::Plan { plan: plan(a, &facts()), refusals, dry_run: false }),
        4 => (0_i64..100_000).prop_map(|objection_ms| Command::Announce { objection_ms }),
        4 => refusals.prop_map(|refusals| Command::Admit { refusals }),
        4 => prop::sample::select(vec!["a", "b"]).prop_map(|h| Command::Lease { holder: h.to_owned(), for_ms: LEASE_MS }),
        1 => (0_u64..2).prop_map(|epoch| Command::ReleaseLease { epoch }),
        8 => (0_u64..2).prop_map(|epoch| Command::Intend { epoch, before: String::new() }),
        2 => (0_u64..2).prop_map(|epoch| Command::Unprepared { epoch, reason: "throttled".to_owned() }),
        2 => (0_u64..2).prop_map(|epoch| Command::Reissue { epoch }),
        8 => (0_u64..2).prop_map(|epoch| Command::Done { epoch, result: "i-2".to_owned() }),
        2 => (0_u64..2).prop_map(|epoch| Command::Waiting { epoch, for_ms: 15_000 }),
        4 => (0_u64..2).prop_map(|epoch| Command::Failed { epoch, reason: "no".to_owned() }),
        4 => (0_u64..2).prop_map(|epoch| Command::Conclude { epoch, hold_ms: HOLD_MS }),
        1 => any::<bool>().prop_map(|healthy| Command::Look { healthy }),
        1 => prop::sample::select(vec![0, 1, 2, 3]).prop_map(move |n| match n {
            0 => Command::Object { by: by() },
            1 => Command::Approve { by: by() },
            2 => Command::Retry { by: by() },
            _ => Command::Stop { by: by() },
        }),
    ]
}

/// Puts a command under the current epoch, or the one before it.
fn under(command: Command, current: u64) -> Command {
    let of = |back: u64| current.saturating_sub(back);
    match command {
        Command::ReleaseLease { epoch } => Command::ReleaseLease { epoch: of(epoch) },
        Command::Intend { epoch, before } => Command::Intend { epoch: of(epoch), before },
        Command::Unprepared { epoch, reason } => Command::Unprepared { epoch: of(epoch), reason },
        Command::Reissue { epoch } => Command::Reissue { epoch: of(epoch) },
        Command::Done { epoch, result } => Command::Done { epoch: of(epoch), result },
        Command::Waiting { epoch, for_ms } => Command::Waiting { epoch: of(epoch), for_ms },
        Command::Failed { epoch, reason } => Command::Failed { epoch: of(epoch), reason },
        Command::Conclude { epoch, hold_ms } => Command::Conclude { epoch: of(epoch), hold_ms },
        other @ (Command::Request { .. }
        | Command::Plan { .. }
        | Command::Announce { .. }
        | Command::Object { .. }
        | Command::Approve { .. }
        | Command::Admit { .. }
        | Command::Lease { .. }
        | Command::Look { .. }
        | Command::Retry { .. }
        | Command::Stop { .. }) => other,
    }
}

proptest! {
    /// Every event that is decided can follow; what is read again is the same; people are told before every rung; epochs only rise.
    #[test]
    fn whatever_is_asked_the_log_can_be_read_again(asked in prop::collection::vec((command(), 0_i64..200_000), 1..150)) {
        let mut it = Course::default();
        let mut now = 0;
        for (command, later) in asked {
            now += later;
            let before = it.log.len();
            it.ask(under(command, it.state.epoch()), now).ok();
            for event in &it.log[before..] {
                if let RecoveryEvent::StepIntended { epoch, settles_ms, .. } = event {
                    prop_assert_eq!(*epoch, it.state.epoch());
                    let holder = it.state.holder.as_ref().unwrap();
                    prop_assert!(UnixMs(now + CALL_MS) <= holder.until_ms);
                    prop_assert_eq!(settles_ms.since(holder.until_ms), CALL_MS);
                }
            }
        }
        let text = serde_json::to_string(&it.log).unwrap();
        let read: Vec<RecoveryEvent> = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(Recovery::of(&read).unwrap(), it.state.clone());
        let row = serde_json::to_string(&it.state).unwrap();
        prop_assert_eq!(serde_json::from_str::<Recovery>(&row).unwrap(), it.state.clone());
        let (mut told, mut epoch) = (false, 0);
        for event in &it.log {
            told |= matches!(event, RecoveryEvent::Announced { .. });
            if *event == RecoveryEvent::Admitted {
                prop_assert!(std::mem::take(&mut told), "people are told before every rung");
            }
            if let RecoveryEvent::Leased { epoch: e, .. } = event {
                prop_assert!(*e > std::mem::replace(&mut epoch, *e));
            }
        }
    }
}
