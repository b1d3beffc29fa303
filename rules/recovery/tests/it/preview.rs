//! What a preview says of what was seen.

use super::gates::facts;
use super::instance;
use forewarn_domain::action::RecoveryAction;
use forewarn_domain::prediction::FailureType;
use forewarn_domain::preview::{Basis, CheckKind, CheckState, Downtime, PreviewDecision, RecoveryPreview, Similar};
use forewarn_domain::step::StepKind;
use forewarn_domain::time::UnixMs;
use forewarn_recovery::event::{Outcome, RecoveryEvent};
use forewarn_recovery::facts::{Facts, Read};
use forewarn_recovery::plan::{Plan, plan};
use forewarn_recovery::preview::downtime::downtime_ms;
use forewarn_recovery::preview::past::{Past, PastEpisode, PastRecovery};
use forewarn_recovery::preview::{DryRunResult, PreviewInputs, preview};
use forewarn_recovery::refusal::Refusal;

const NOW: UnixMs = UnixMs(1_771_135_200_000);

fn dry_run(refused: Read<Option<String>>) -> DryRunResult {
    DryRunResult { call: "ec2:StopInstances".to_owned(), refused }
}

/// What a preview is made from, its own.
struct Case {
    plan: Plan,
    refusals: Vec<Refusal>,
    facts: Facts,
    dry_runs: Vec<DryRunResult>,
    snapshot_age_ms: Read<Option<i64>>,
    past: Option<Past>,
}

/// The preview of an action, with what is changed about a case in which all is well.
fn preview_of(action: RecoveryAction, change: impl FnOnce(&mut Case)) -> RecoveryPreview {
    let mut case = Case {
        plan: plan(action, &instance()),
        refusals: Vec::new(),
        facts: facts(),
        dry_runs: vec![dry_run(Read::Known(None))],
        snapshot_age_ms: Read::Known(Some(3 * 3_600_000)),
        past: None,
    };
    change(&mut case);
    preview(&PreviewInputs {
        plan: &case.plan,
        refusals: &case.refusals,
        facts: &case.facts,
        dry_runs: &case.dry_runs,
        snapshot_age_ms: &case.snapshot_age_ms,
        past: case.past.as_ref(),
        failure_type: Some(FailureType::CpuSteal),
        now_ms: NOW,
    })
}

fn states(preview: &RecoveryPreview) -> Vec<(CheckKind, CheckState)> {
    preview.checks.iter().map(|c| (c.what, c.state)).collect()
}

#[test]
fn a_move_that_only_waits_for_approval_is_checked_and_says_what_it_costs() {
    let seen = preview_of(RecoveryAction::MigrateHost, |c| c.refusals = vec![Refusal::Unapproved]);
    assert_eq!(seen.stance, PreviewDecision::Asks);
    assert!(seen.checks.iter().all(|c| c.state == CheckState::Passed), "{:?}", seen.checks);
    assert_eq!(states(&seen).len(), 4);
    assert_eq!(seen.undo_until, Some(StepKind::Snapshot));
    assert_eq!(seen.newest_snapshot_age_s, Some(10_800));
    // Stop, snapshot, start, checks, targets: 90 + 15 + 60 + 180 + 60.
    assert_eq!(seen.downtime, Some(Downtime { expected_s: 405, from: Basis::Typical, recoveries: 0 }));
    assert_eq!(
        seen.lines(),
        [
            "plan: migrate host; it would begin once approved; down for about 6 min (typical); a failure up to `snapshot` is undone",
            "against it: it waits for approval",
            "checked 2026-02-15T06:00:00Z: dry run, capacity, quota, snapshots (newest 3 h old)",
        ]
    );
}

#[test]
fn a_stance_is_the_worst_of_what_speaks_against_it() {
    let unread = || Refusal::Unreadable { what: "capacity".to_owned(), why: "throttled".to_owned() };
    let table = [
        (vec![], PreviewDecision::Acts),
        (vec![Refusal::Unapproved], PreviewDecision::Asks),
        (vec![Refusal::Unapproved, Refusal::ServiceEvent], PreviewDecision::Waits),
        (vec![Refusal::ServiceEvent, unread()], PreviewDecision::Unknown),
        (vec![unread(), Refusal::Protected { against: "stopping".to_owned() }], PreviewDecision::Refuses),
    ];
    for (refusals, stance) in table {
        let seen = preview_of(RecoveryAction::SafeRestart, |c| c.refusals.clone_from(&refusals));
        assert_eq!((seen.stance, seen.refusals.len()), (stance, refusals.len()), "{refusals:?}");
    }
    let told = preview_of(RecoveryAction::NotifyOnly, |c| c.dry_runs.clear());
    assert_eq!((told.stance, told.downtime), (PreviewDecision::Tells, None));
    assert_eq!(states(&told), [(CheckKind::Snapshots, CheckState::Passed)]);
}

#[test]
fn what_is_missing_fails_and_what_can_t_be_asked_is_not_known() {
    let failed = preview_of(RecoveryAction::SafeRestart, |c| {
        c.dry_runs = vec![dry_run(Read::Known(Some("no".to_owned())))];
        c.snapshot_age_ms = Read::Known(None);
    });
    assert_eq!(states(&failed)[0], (CheckKind::DryRun, CheckState::Failed));
    assert_eq!(states(&failed)[3], (CheckKind::Snapshots, CheckState::Failed));
    assert_eq!(failed.newest_snapshot_age_s, None);
    let unknown =
        preview_of(RecoveryAction::SafeRestart, |c| c.dry_runs = vec![dry_run(Read::Failed("late".to_owned()))]);
    assert_eq!(states(&unknown)[0], (CheckKind::DryRun, CheckState::Unknown));

    let launch = |why: &str| {
        let seen = preview_of(RecoveryAction::Replace, |c| {
            c.dry_runs.clear();
            c.facts.capacity_check = Read::Known(Some(why.to_owned()));
        });
        states(&seen)[..3].to_vec()
    };
    let (dry, room, quota) = (CheckKind::DryRun, CheckKind::Capacity, CheckKind::Quota);
    let full = launch("ec2:RunInstances: VcpuLimitExceeded: no more");
    assert_eq!(full, [(dry, CheckState::Failed), (room, CheckState::Failed), (quota, CheckState::Failed)]);
    assert_eq!(launch("not offered")[2], (quota, CheckState::Unknown));
}

#[test]
fn of_what_can_t_be_seen_nothing_is_known() {
    let silent = || Read::Failed("AWS is silent".to_owned());
    let seen = preview_of(RecoveryAction::NotifyOnly, |c| {
        c.plan.steps.clear();
        c.facts.instance = silent();
        c.refusals = vec![Refusal::Unreadable { what: "the instance".to_owned(), why: "AWS is silent".to_owned() }];
    });
    for preview_of in [seen, RecoveryPreview::unseen("AWS is silent", NOW.0)] {
        assert!(preview_of.checks.iter().all(|c| c.state == CheckState::Unknown && c.detail == "AWS is silent"));
        assert_eq!(preview_of.checks.len(), 4);
        let lines = preview_of.lines();
        assert_eq!(
            lines,
            ["plan: none could be made", "not known: dry run, capacity, quota, snapshots: AWS is silent"]
        );
    }
}

#[test]
fn three_recoveries_tell_more_than_what_is_typical_and_the_past_is_counted() {
    let of = |action, outcome, seconds: i64| PastRecovery { action, outcome, downtime_ms: Some(seconds * 1000) };
    let moved = |seconds| of(RecoveryAction::MigrateHost, Outcome::Recovered, seconds);
    let mut past = Past {
        recoveries: vec![
            moved(100),
            moved(300),
            of(RecoveryAction::MigrateHost, Outcome::HandedOver, 9_000),
            of(RecoveryAction::SafeRestart, Outcome::Recovered, 9_000),
        ],
        episodes: [Some(true), Some(true), Some(false), None]
            .map(|came| PastEpisode { failure_type: FailureType::CpuSteal, came })
            .to_vec(),
    };
    past.episodes.push(PastEpisode { failure_type: FailureType::DiskFull, came: Some(true) });
    let seen = preview_of(RecoveryAction::MigrateHost, |c| c.past = Some(past.clone()));
    assert_eq!(seen.downtime.map(|d| (d.from, d.recoveries)), Some((Basis::Typical, 2)));
    past.recoveries.push(moved(200));
    let seen = preview_of(RecoveryAction::MigrateHost, |c| c.past = Some(past.clone()));
    assert_eq!(seen.downtime, Some(Downtime { expected_s: 200, from: Basis::Past, recoveries: 3 }));
    let similar = Similar { episodes: 4, hits: 2, false_alarms: 1, recoveries: 4, recovered: 3, handed_over: 1 };
    assert_eq!(seen.similar, Some(similar));
    let last = seen.lines().pop().unwrap();
    assert_eq!(
        last,
        "before: of 4 such episodes 2 failed and 1 did not; of 4 such recoveries 3 helped and 1 went to people"
    );
}

#[test]
fn an_instance_is_down_from_the_stop_of_the_last_plan_until_that_is_verified() {
    let plan = plan(RecoveryAction::MigrateHost, &instance());
    let stop = plan.steps.iter().position(|s| s.kind == StepKind::Stop).unwrap();
    let intended = |step: usize, ms: i64| {
        let at_ms = UnixMs(ms);
        let (token, before) = ("t".to_owned(), String::new());
        let event = RecoveryEvent::StepIntended { step, attempt: 1, token, before, epoch: 1, at_ms, settles_ms: at_ms };
        (at_ms, event)
    };
    let planned = || (UnixMs(0), RecoveryEvent::Planned { plan: plan.clone(), dry_run: false });
    let verified = |ms: i64| (UnixMs(ms), RecoveryEvent::Verified { hold_until_ms: UnixMs(ms + 1) });
    let span = |events: &[(UnixMs, RecoveryEvent)]| downtime_ms(events.iter().map(|(at, e)| (*at, e)));
    let steps = [intended(stop - 1, 5), intended(stop, 10), intended(stop + 1, 60), verified(400)];
    let whole: Vec<_> = std::iter::once(planned()).chain(steps).collect();
    assert_eq!(span(&whole), Some(390));
    let undone: Vec<_> =
        [planned(), intended(stop, 10), (UnixMs(20), RecoveryEvent::Undoing), intended(stop, 30)].into_iter().collect();
    assert_eq!(span(&undone), None);
    let again: Vec<_> = undone.into_iter().chain(whole).collect();
    assert_eq!(span(&again), Some(390));
}
