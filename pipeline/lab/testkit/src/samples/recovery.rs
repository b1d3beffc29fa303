//! One event of every kind that recoveries and admissions have.

use forewarn_domain::action::{RecoveryAction, Rung};
use forewarn_domain::step::StepKind;
use forewarn_domain::time::UnixMs;
use forewarn_log::Event;
use forewarn_log::event::recovery::{admission_noted, happened};
use forewarn_recovery::admission::{AdmissionEvent as A, InFlight};
use forewarn_recovery::event::{Outcome, RecoveryEvent as R};
use forewarn_recovery::plan::{Plan, Step};
use forewarn_recovery::refusal::Refusal;
use forewarn_recovery::trigger::{Cause, Check, Trigger};

const SEEN: UnixMs = UnixMs(1_771_135_200_000);

fn trigger() -> Trigger {
    Trigger {
        id: "t-1".to_owned(),
        instance_id: "i-0123456789abcdef0".to_owned(),
        cause: Cause::CheckFailed { check: Check::System },
        at_ms: SEEN,
        evidence: "the system check has failed for 5 minutes".to_owned(),
    }
}

fn plan() -> Plan {
    let step = |kind| Step { kind, timeout_ms: 600_000, attempts: 3, retry_ms: 30_000, optional: false };
    Plan {
        action: RecoveryAction::SafeRestart,
        steps: vec![step(StepKind::Stop), step(StepKind::Start)],
        forward_from: Some(1),
    }
}

/// Gives one of each, in an order that can follow one another as far as that goes.
pub(super) fn every_recovery_event() -> Vec<Event> {
    let by = || "anna".to_owned();
    let refusals = || vec![Refusal::Cooldown { until_ms: SEEN }, Refusal::OneTimeSpot];
    let events = vec![
        R::Requested {
            trigger: trigger(),
            lineage: "i-0123456789abcdef0".to_owned(),
            rung: Rung::Restart,
            at_ms: SEEN,
        },
        R::Joined { trigger_id: "t-2".to_owned() },
        R::Deferred { refusals: refusals(), until_ms: SEEN },
        R::Planned { plan: plan(), dry_run: false },
        R::Announced { until_ms: SEEN },
        R::Approved { by: by() },
        R::Admitted,
        R::Leased { holder: "host-1".to_owned(), epoch: 1, until_ms: SEEN },
        R::LeaseReleased { epoch: 1, at_ms: SEEN },
        R::StepIntended {
            step: 0,
            attempt: 1,
            token: "ab".repeat(16),
            before: "{\"state\":\"running\"}".to_owned(),
            epoch: 1,
            at_ms: SEEN,
            settles_ms: SEEN,
        },
        R::StepWaiting { again_ms: SEEN },
        R::StepIntended {
            step: 0,
            attempt: 1,
            token: "ab".repeat(16),
            before: String::new(),
            epoch: 1,
            at_ms: SEEN,
            settles_ms: SEEN,
        },
        R::StepFailed { reason: "InsufficientInstanceCapacity".to_owned(), retry_ms: Some(SEEN) },
        R::StepIntended {
            step: 0,
            attempt: 2,
            token: "cd".repeat(16),
            before: String::new(),
            epoch: 1,
            at_ms: SEEN,
            settles_ms: SEEN,
        },
        R::StepDone { result: "stopped".to_owned() },
        R::StepIntended {
            step: 1,
            attempt: 1,
            token: "ef".repeat(16),
            before: String::new(),
            epoch: 1,
            at_ms: SEEN,
            settles_ms: SEEN,
        },
        R::StepDone { result: String::new() },
        R::Verified { hold_until_ms: SEEN },
        R::Escalated { to: Rung::Replace, reason: "it did not stay well".to_owned(), at_ms: SEEN },
        R::Stuck { reason: "a person must look".to_owned() },
        R::Retried { by: by() },
        R::Denied { refusals: refusals() },
        R::Stopped { by: by() },
        R::Completed { outcome: Outcome::HandedOver },
        // These two can't follow: the row says so.
        R::Undoing,
        R::Objected { by: by() },
    ];
    let slot = InFlight {
        lineage: "i-0123456789abcdef0".to_owned(),
        group: Some("web".to_owned()),
        zone: "eu-central-1a".to_owned(),
        action: RecoveryAction::SafeRestart,
    };
    let notes = vec![
        A::Admitted { recovery_id: "r-1".to_owned(), slot, at_ms: SEEN },
        A::Released { recovery_id: "r-1".to_owned(), outcome: Outcome::Recovered, rung: Rung::Restart, at_ms: SEEN },
        A::Succeeded { old: "i-0123456789abcdef0".to_owned(), new: "i-0123456789abcdef1".to_owned() },
        A::StormSeen { at_ms: SEEN },
    ];
    let of_recovery = events.into_iter().map(|e| happened("r-1", "i-0123456789abcdef0", e));
    of_recovery.chain(notes.into_iter().map(|e| admission_noted("123456789012", "eu-central-1", e))).collect()
}
