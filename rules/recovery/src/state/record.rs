//! The form in which tables of current state keep a recovery: one flat object, the same since its second version.

use super::super::event::Outcome;
use super::super::plan::{Plan, Step};
use super::super::trigger::Trigger;
use super::{Approval, Attempt, Holder, Intent, Note, Phase, Progress, Recovery, RungClock, Undo, Work};
use forewarn_domain::action::{RecoveryAction, Rung};
use forewarn_domain::step::StepKind;
use forewarn_domain::time::UnixMs;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The try of a step that has failed for good.
const FAILED: u32 = u32::MAX;
/// A time that holds nothing back.
const AT_ONCE: UnixMs = UnixMs::MIN;

#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum PhaseRecord {
    #[default]
    New,
    Requested,
    Deferred {
        until_ms: UnixMs,
    },
    Planned,
    Announced {
        until_ms: UnixMs,
    },
    Running,
    Undoing,
    Holding {
        until_ms: UnixMs,
    },
    Closed {
        outcome: Outcome,
    },
    Stuck,
}

impl PhaseRecord {
    const fn of(phase: &Phase) -> Self {
        match *phase {
            Phase::New => Self::New,
            Phase::Requested => Self::Requested,
            Phase::Deferred { until_ms, .. } => Self::Deferred { until_ms },
            Phase::Planned => Self::Planned,
            Phase::Announced { until_ms } => Self::Announced { until_ms },
            Phase::Running(_) => Self::Running,
            Phase::Undoing(_) => Self::Undoing,
            Phase::Holding { until_ms } => Self::Holding { until_ms },
            Phase::Closed { outcome } => Self::Closed { outcome },
            Phase::Stuck => Self::Stuck,
        }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct RecoveryRecord {
    phase: PhaseRecord,
    trigger: Option<Trigger>,
    triggers: BTreeSet<String>,
    lineage: String,
    subject: String,
    successor: Option<String>,
    rung: Rung,
    plan: Option<Plan>,
    plans: u32,
    approved: bool,
    approved_action: Option<RecoveryAction>,
    unapproved: bool,
    holder: Option<Holder>,
    epoch: u64,
    cursor: usize,
    attempt: u32,
    began_ms: Option<UnixMs>,
    rung_began_ms: Option<UnixMs>,
    snapshot_since_ms: Option<UnixMs>,
    retry_ms: UnixMs,
    intent: Option<Intent>,
    done: Vec<usize>,
    undo: Vec<Step>,
    notes: BTreeMap<StepKind, Note>,
    reason: Option<String>,
}

impl Default for RecoveryRecord {
    fn default() -> Self {
        Recovery::default().into()
    }
}

impl From<Recovery> for RecoveryRecord {
    fn from(r: Recovery) -> Self {
        let epoch = r.epoch();
        let progress = r.progress().cloned().unwrap_or_default();
        let unapproved = matches!(r.phase, Phase::Deferred { needs_approval: true, .. });
        let phase = PhaseRecord::of(&r.phase);
        let (mut done, mut undo, mut clock) = (Vec::new(), Vec::new(), RungClock::default());
        if let Phase::Running(work) = r.phase {
            (done, clock) = (work.done, work.clock);
        } else if let Phase::Undoing(back) = r.phase {
            undo = back.steps;
        }
        Self {
            phase,
            trigger: r.trigger,
            triggers: r.triggers,
            lineage: r.lineage,
            subject: r.subject,
            successor: r.successor,
            rung: r.rung,
            plan: r.plan,
            plans: r.plans,
            approved: r.approval.is_some(),
            approved_action: r.approval.and_then(|a| a.action),
            unapproved,
            holder: r.holder,
            epoch,
            cursor: progress.cursor,
            attempt: progress.number().unwrap_or(FAILED),
            began_ms: progress.began_ms(),
            rung_began_ms: clock.began_ms,
            snapshot_since_ms: clock.snapshot_since_ms,
            retry_ms: progress.not_before_ms().unwrap_or(AT_ONCE),
            intent: progress.intent().cloned(),
            done,
            undo,
            notes: r.notes,
            reason: r.reason,
        }
    }
}

impl From<RecoveryRecord> for Recovery {
    fn from(r: RecoveryRecord) -> Self {
        let progress = Progress { cursor: r.cursor, attempt: attempt(r.attempt, r.began_ms, r.retry_ms, r.intent) };
        let phase = match r.phase {
            PhaseRecord::New => Phase::New,
            PhaseRecord::Requested => Phase::Requested,
            PhaseRecord::Deferred { until_ms } => Phase::Deferred { until_ms, needs_approval: r.unapproved },
            PhaseRecord::Planned => Phase::Planned,
            PhaseRecord::Announced { until_ms } => Phase::Announced { until_ms },
            PhaseRecord::Running => {
                let clock = RungClock { began_ms: r.rung_began_ms, snapshot_since_ms: r.snapshot_since_ms };
                Phase::Running(Work { progress, done: r.done, clock })
            }
            PhaseRecord::Undoing => Phase::Undoing(Undo { progress, steps: r.undo }),
            PhaseRecord::Holding { until_ms } => Phase::Holding { until_ms },
            PhaseRecord::Closed { outcome } => Phase::Closed { outcome },
            PhaseRecord::Stuck => Phase::Stuck,
        };
        Self {
            phase,
            trigger: r.trigger,
            triggers: r.triggers,
            lineage: r.lineage,
            subject: r.subject,
            successor: r.successor,
            rung: r.rung,
            plan: r.plan,
            plans: r.plans,
            approval: r.approved.then_some(Approval { action: r.approved_action }),
            holder: r.holder,
            notes: r.notes,
            reason: r.reason,
        }
    }
}

fn attempt(number: u32, began_ms: Option<UnixMs>, retry_ms: UnixMs, intent: Option<Intent>) -> Attempt {
    match intent {
        Some(intent) => Attempt::Called { began_ms: began_ms.unwrap_or(intent.settles_ms), intent },
        None if number == FAILED => Attempt::Failed,
        None => {
            let not_before_ms = (retry_ms != AT_ONCE).then_some(retry_ms);
            Attempt::Ready { number, began_ms, not_before_ms }
        }
    }
}
