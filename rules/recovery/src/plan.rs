//! Plans an action: which steps, in which order, and from where on there is no way back.

use super::facts::{BrokenVolume, InstanceFacts, InstanceState};
use super::pace::{
    OPTIONAL_TIMEOUT_MS, Pace, RETRY_MS, SNAPSHOT_TIMEOUT_MS, SPOT_RETRY_MS, STEP_ATTEMPTS, STEP_TIMEOUT_MS,
    UNDO_ATTEMPTS,
};
use super::trigger::Cause;
use forewarn_domain::action::{RecoveryAction, Rung};
use forewarn_domain::step::StepKind;
use serde::{Deserialize, Serialize};

/// One step of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Step {
    /// What.
    pub kind: StepKind,
    /// How long it may take until it counts as failed, milliseconds.
    pub timeout_ms: i64,
    /// How often it is tried.
    pub attempts: u32,
    /// How long after a failure it is tried again, milliseconds.
    #[serde(default = "retry_ms")]
    pub retry_ms: i64,
    /// Whether the recovery goes on when it fails for good.
    pub optional: bool,
}

/// What is going to be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Plan {
    /// The action.
    pub action: RecoveryAction,
    /// The steps, in order.
    pub steps: Vec<Step>,
    /// The step from which on it only goes forward: a failure before it is undone in reverse, a failure of it or later is not. None:
    /// everything is undone.
    pub forward_from: Option<usize>,
}

/// Chooses what to do on a rung.
///
/// `has_other_region` says whether people have prepared one: without it people are told instead.
pub fn choose(cause: Cause, rung: Rung, instance: &InstanceFacts, has_other_region: bool) -> RecoveryAction {
    let action = on_rung(cause, rung, instance);
    if action.leaves_region() && !has_other_region { RecoveryAction::NotifyOnly } else { action }
}

fn on_rung(cause: Cause, rung: Rung, instance: &InstanceFacts) -> RecoveryAction {
    let first = match (cause.first_action(), instance.broken_volume) {
        (RecoveryAction::RepairVolume, Some(BrokenVolume::Root)) => RecoveryAction::ReplaceRootVolume,
        // Home can be seen after all: then the old one is stopped first.
        (RecoveryAction::FailOverUnreachable, _) => RecoveryAction::FailOverRegion,
        (first, _) => first,
    };
    let replaces = first.launches() && !first.leaves_region();
    // The group brings the replacement, and whoever asks for one may not know that two would write the same data: what replaces is
    // chosen by what the instance is. Only the other zone is a wish of its own.
    let is_own_wish = !replaces || (first == RecoveryAction::FailOverZone && instance.group.is_none());
    if first.rung() == rung && is_own_wish {
        return first;
    }
    match rung {
        Rung::Application => RecoveryAction::RestartApplication,
        Rung::Restart => RecoveryAction::SafeRestart,
        Rung::Replace if instance.group.is_some() => RecoveryAction::ReplaceInGroup,
        // It was told to stop, and has not: nobody can say when it will have. Another region would have to wait for that as well.
        Rung::Replace | Rung::Region if instance.state == InstanceState::Stopping => RecoveryAction::ReplaceUnfenced,
        Rung::Replace if instance.stateful => RecoveryAction::ReplaceStateful,
        Rung::Replace => RecoveryAction::Replace,
        Rung::Region => RecoveryAction::FailOverRegion,
        Rung::Notify => RecoveryAction::NotifyOnly,
    }
}

/// Plans an action for an instance: its steps in order, and from where on it only goes forward.
pub fn plan(action: RecoveryAction, instance: &InstanceFacts) -> Plan {
    use StepKind as S;
    let in_group = instance.group.is_some();
    // Where the group can spare nobody, it is kept from replacing whom it misses.
    let aside = instance.group.as_ref().map(|g| if g.at_minimum { S::SuspendProcesses } else { S::EnterStandby });
    let mut kinds = Vec::new();
    let mut forward_from = None;
    match action {
        RecoveryAction::NotifyOnly => {}
        RecoveryAction::RestartApplication => kinds.extend([S::Diagnose, S::RestartUnits, S::AwaitHealthy]),
        RecoveryAction::SafeRestart | RecoveryAction::MigrateHost => {
            kinds.push(S::Diagnose);
            kinds.extend(aside);
            kinds.extend([S::Deregister, S::Stop, S::Snapshot]);
            // A start that fails is not helped by starting it again on the way back.
            forward_from = Some(kinds.len());
            kinds.extend([S::Start, S::AwaitHealthy, S::Register]);
            kinds.extend(aside.and_then(StepKind::undo));
        }
        RecoveryAction::Replace => {
            kinds.extend([S::Diagnose, S::Launch, S::AwaitHealthy, S::Deregister, S::Stop]);
            forward_from = Some(kinds.len());
            after_launch(instance, &mut kinds);
        }
        RecoveryAction::ReplaceStateful | RecoveryAction::FailOverZone => {
            kinds.extend([S::Diagnose, S::Deregister, S::Stop, S::Snapshot, S::AwaitSnapshot, S::Launch]);
            forward_from = Some(kinds.len());
            kinds.push(S::AwaitHealthy);
            after_launch(instance, &mut kinds);
        }
        RecoveryAction::ReplaceUnfenced => {
            kinds.push(S::Deregister);
            if instance.stateful {
                kinds.push(S::FindSnapshots);
            }
            kinds.extend([S::Launch, S::AwaitHealthy]);
            forward_from = Some(kinds.len());
            after_launch(instance, &mut kinds);
        }
        RecoveryAction::RepairVolume if instance.broken_volume == Some(BrokenVolume::IoDisabled) => {
            kinds.extend([S::Diagnose, S::EnableIo, S::AwaitHealthy]);
        }
        RecoveryAction::RepairVolume => {
            kinds.push(S::Diagnose);
            kinds.extend(aside);
            kinds.extend([S::Deregister, S::Stop, S::Snapshot, S::AwaitSnapshot]);
            kinds.extend([S::CreateVolume, S::Detach, S::AttachNew, S::Start]);
            forward_from = Some(kinds.len());
            kinds.extend([S::AwaitHealthy, S::Register]);
            kinds.extend(aside.and_then(StepKind::undo));
        }
        RecoveryAction::ReplaceRootVolume => {
            kinds.extend([S::Diagnose, S::Deregister, S::Snapshot, S::AwaitSnapshot, S::ReplaceRoot]);
            forward_from = Some(kinds.len());
            kinds.extend([S::AwaitHealthy, S::Register]);
        }
        RecoveryAction::Quarantine => {
            kinds.extend(aside);
            kinds.extend([S::Deregister, S::Isolate, S::Snapshot]);
        }
        RecoveryAction::Release => {
            kinds.extend([S::RestoreGroups, S::AwaitHealthy, S::Register]);
            kinds.extend(aside.map(|_| S::ExitStandby));
        }
        RecoveryAction::DrainSpot => {
            // Emptying a host is not taken back: AWS ends it whatever we do.
            forward_from = Some(0);
            kinds.extend([S::Deregister, S::DrainApplication, S::Snapshot]);
            if in_group {
                kinds.push(S::CompleteLifecycle);
            }
        }
        RecoveryAction::ReplaceInGroup => {
            kinds.extend([S::Diagnose, S::SetUnhealthy]);
            forward_from = Some(kinds.len());
            kinds.push(S::AwaitInService);
        }
        RecoveryAction::FailOverRegion => {
            kinds.extend([S::Stop, S::Launch]);
            forward_from = Some(kinds.len());
            kinds.extend([S::AwaitHealthy, S::PointDns, S::KeepOld]);
        }
        // Of an instance that can be seen it is never planned.
        RecoveryAction::FailOverUnreachable => return plan_home_unreachable(),
        RecoveryAction::TerminateReplaced => {
            // What is on its volumes outlives it, whole.
            kinds.extend([S::Snapshot, S::AwaitSnapshot]);
            forward_from = Some(kinds.len());
            kinds.push(S::Terminate);
        }
    }
    let mut steps: Vec<Step> = kinds.into_iter().map(step).collect();
    if action == RecoveryAction::DrainSpot {
        // Two minutes are all there is: what does not work soon is passed over, and the snapshot is taken whatever became of the rest.
        for step in &mut steps {
            step.optional = step.kind != S::Snapshot;
            step.timeout_ms = step.timeout_ms.min(OPTIONAL_TIMEOUT_MS);
            // One call that AWS does not answer must not leave it in traffic.
            step.attempts = if step.kind.is_optional() { 1 } else { STEP_ATTEMPTS };
            step.retry_ms = SPOT_RETRY_MS;
        }
    }
    Plan { action, steps, forward_from }
}

/// Plans a failover to the other region while the home region answers nothing: nothing there can be looked at, stopped or marked.
pub fn plan_home_unreachable() -> Plan {
    let steps = [StepKind::Launch, StepKind::AwaitHealthy, StepKind::PointDns].map(step).to_vec();
    Plan { action: RecoveryAction::FailOverUnreachable, steps, forward_from: Some(1) }
}

fn after_launch(instance: &InstanceFacts, kinds: &mut Vec<StepKind>) {
    if instance.elastic_ip {
        kinds.push(StepKind::MoveAddress);
    }
    kinds.extend([StepKind::Register, StepKind::KeepOld]);
}

const fn step(kind: StepKind) -> Step {
    if kind.is_optional() {
        return Step { kind, timeout_ms: OPTIONAL_TIMEOUT_MS, attempts: 1, retry_ms: RETRY_MS, optional: true };
    }
    let timeout_ms = if kind.waits_for_snapshots() { SNAPSHOT_TIMEOUT_MS } else { STEP_TIMEOUT_MS };
    Step { kind, timeout_ms, attempts: STEP_ATTEMPTS, retry_ms: RETRY_MS, optional: false }
}

const fn retry_ms() -> i64 {
    RETRY_MS
}

impl Plan {
    /// Gives the steps the time and the tries that people allow. What holds nothing up keeps its own, and so does everything where AWS
    /// has said when it takes the instance away.
    #[must_use]
    pub fn at(mut self, pace: Pace) -> Self {
        let own = self.action == RecoveryAction::DrainSpot;
        for step in self.steps.iter_mut().filter(|step| !own && !step.optional) {
            let least = if step.kind.waits_for_snapshots() { SNAPSHOT_TIMEOUT_MS } else { 0 };
            step.timeout_ms = pace.timeout_ms.max(least);
            (step.attempts, step.retry_ms) = (pace.attempts, pace.retry_ms);
        }
        self
    }

    /// Says whether a recovery that has come to a step only goes forward.
    pub fn is_past_return(&self, cursor: usize) -> bool {
        self.forward_from.is_some_and(|from| cursor >= from)
    }

    /// Gives the steps that take back what was done, the last first.
    pub fn undo_of(&self, done: &[usize]) -> Vec<Step> {
        let back = done.iter().rev().filter_map(|i| self.steps.get(*i)?.kind.undo()).map(step);
        // One that does not start again is what the next rung is for.
        let is_past_over = |s: &Step| s.optional || s.kind == StepKind::Start;
        back.map(|s| Step { optional: is_past_over(&s), attempts: s.attempts.max(UNDO_ATTEMPTS), ..s }).collect()
    }
}
