//! How far a recovery has come: one transition function for the live path and for reading the log again.

mod record;
mod work;

pub use work::{Attempt, Intent, Progress, RungClock, Undo, Work};

use super::event::{Outcome, RecoveryEvent};
use super::pace::{LEASE_MS, leaves_no_time};
use super::plan::{Plan, Step};
use super::refusal::Refusal;
use super::trigger::{Cause, Trigger};
use forewarn_domain::action::{RecoveryAction, Rung};
use forewarn_domain::step::{Repeat, StepKind};
use forewarn_domain::time::UnixMs;
use record::RecoveryRecord;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Where a recovery stands.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Phase {
    /// Nothing has happened.
    #[default]
    New,
    /// It waits for a plan.
    Requested,
    /// It waits for a gate to open.
    Deferred {
        /// When it is asked again.
        until_ms: UnixMs,
        /// Whether what it waits for includes an approval.
        needs_approval: bool,
    },
    /// There is a plan that nobody was told of.
    Planned,
    /// People may object.
    Announced {
        /// Until when.
        until_ms: UnixMs,
    },
    /// Steps are carried out.
    Running(Work),
    /// Steps are taken back.
    Undoing(Undo),
    /// All is done and has to last.
    Holding {
        /// Until when.
        until_ms: UnixMs,
    },
    /// It is over.
    Closed {
        /// How.
        outcome: Outcome,
    },
    /// A person has to look.
    Stuck,
}

impl Phase {
    /// Gives the phase's name, as the end of "it is".
    pub const fn name(&self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Requested => "requested",
            Self::Deferred { .. } => "deferred",
            Self::Planned => "planned",
            Self::Announced { .. } => "announced",
            Self::Running(_) => "running",
            Self::Undoing(_) => "undoing",
            Self::Holding { .. } => "holding",
            Self::Closed { .. } => "closed",
            Self::Stuck => "stuck",
        }
    }
}

/// Who may act on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Who.
    pub name: String,
    /// The fencing epoch.
    pub epoch: u64,
    /// Until when.
    pub until_ms: UnixMs,
}

/// A person's approval of a rung.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Approval {
    /// What they saw: the plan's action, or what was asked for where there was no plan yet.
    pub action: Option<RecoveryAction>,
}

/// What is kept of a step for those that come later, above all for its way back.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Note {
    /// How things stood before its call (JSON).
    pub before: String,
    /// What came of it.
    pub result: Option<String>,
}

/// A recovery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "RecoveryRecord", into = "RecoveryRecord")]
pub struct Recovery {
    /// Where it stands.
    pub phase: Phase,
    /// What it began with.
    pub trigger: Option<Trigger>,
    /// Every trigger that belongs to it.
    pub triggers: BTreeSet<String>,
    /// The first of the instances that replaced one another.
    pub lineage: String,
    /// The instance that is healed: the trigger's, or the successor that an earlier rung left in its place.
    pub subject: String,
    /// The instance that this rung has launched in its place.
    pub successor: Option<String>,
    /// Where on the ladder it is.
    pub rung: Rung,
    /// What is carried out.
    pub plan: Option<Plan>,
    /// How many plans there were: part of the tokens.
    pub plans: u32,
    /// A person's approval of this rung.
    pub approval: Option<Approval>,
    /// Who may act, or last could: their epoch is the greatest there was.
    pub holder: Option<Holder>,
    /// What is known of the steps of this plan, by their kind.
    pub notes: BTreeMap<StepKind, Note>,
    /// Why it came to that.
    pub reason: Option<String>,
}

impl Default for Recovery {
    fn default() -> Self {
        Self {
            phase: Phase::New,
            trigger: None,
            triggers: BTreeSet::new(),
            lineage: String::new(),
            subject: String::new(),
            successor: None,
            rung: Rung::Application,
            plan: None,
            plans: 0,
            approval: None,
            holder: None,
            notes: BTreeMap::new(),
            reason: None,
        }
    }
}

/// An event that can't follow on what was before: the log is not one of ours, or was tampered with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{event} can't follow while the recovery is {phase}")]
pub struct IllegalTransition {
    /// The phase's name.
    pub phase: &'static str,
    /// The event's name.
    pub event: &'static str,
}

impl Recovery {
    /// Folds a whole stream.
    ///
    /// # Errors
    /// At the first event that can't follow.
    pub fn of<'a>(events: impl IntoIterator<Item = &'a RecoveryEvent>) -> Result<Self, IllegalTransition> {
        events.into_iter().try_fold(Self::default(), Self::evolve)
    }

    /// Gives the greatest epoch there was; 0 where nobody ever had it.
    pub fn epoch(&self) -> u64 {
        self.holder.as_ref().map_or(0, |h| h.epoch)
    }

    /// Gives the steps that are being gone through, forth or back.
    pub fn steps(&self) -> &[Step] {
        if let Phase::Undoing(undo) = &self.phase {
            return &undo.steps;
        }
        self.plan.as_ref().map_or(&[], |p| &p.steps)
    }

    /// Gives how far the steps have come; none where none are gone through.
    pub const fn progress(&self) -> Option<&Progress> {
        match &self.phase {
            Phase::Running(work) => Some(&work.progress),
            Phase::Undoing(undo) => Some(&undo.progress),
            Phase::New
            | Phase::Requested
            | Phase::Deferred { .. }
            | Phase::Planned
            | Phase::Announced { .. }
            | Phase::Holding { .. }
            | Phase::Closed { .. }
            | Phase::Stuck => None,
        }
    }

    const fn progress_mut(&mut self) -> Option<&mut Progress> {
        match &mut self.phase {
            Phase::Running(work) => Some(&mut work.progress),
            Phase::Undoing(undo) => Some(&mut undo.progress),
            Phase::New
            | Phase::Requested
            | Phase::Deferred { .. }
            | Phase::Planned
            | Phase::Announced { .. }
            | Phase::Holding { .. }
            | Phase::Closed { .. }
            | Phase::Stuck => None,
        }
    }

    /// Gives the step that is next.
    pub fn step(&self) -> Option<Step> {
        self.steps().get(self.progress()?.cursor).copied()
    }

    /// Gives the call whose result is not known.
    pub fn intent(&self) -> Option<&Intent> {
        self.progress()?.intent()
    }

    /// Says whether the step that is next has failed for good.
    pub fn has_given_up(&self) -> bool {
        self.progress().is_some_and(|p| p.attempt == Attempt::Failed)
    }

    /// Gives the instance that serves once this plan, or its way back, is gone through: back is the old one, whoever was launched.
    pub fn serving(&self) -> &str {
        let launched = self.successor.as_deref().filter(|_| !matches!(self.phase, Phase::Undoing(_)));
        launched.unwrap_or(&self.subject)
    }

    /// Says whether a person has approved an action: what needs approval whatever the mode needs it for itself, and not for what was
    /// planned before.
    pub fn has_approved(&self, action: RecoveryAction) -> bool {
        self.approval.is_some_and(|a| !action.always_approved() || a.action == Some(action))
    }

    /// Says whether it may still do something.
    pub const fn is_open(&self) -> bool {
        !matches!(self.phase, Phase::New | Phase::Closed { .. })
    }

    /// Says whether calls may be made for it.
    pub const fn is_at_work(&self) -> bool {
        matches!(self.phase, Phase::Running(_) | Phase::Undoing(_))
    }

    /// Moves on by one event.
    ///
    /// # Errors
    /// When it can't follow.
    pub fn evolve(mut self, event: &RecoveryEvent) -> Result<Self, IllegalTransition> {
        use RecoveryEvent as E;
        match (&self.phase, event) {
            (Phase::New, E::Requested { trigger, lineage, rung, .. }) => {
                self.triggers.insert(trigger.id.clone());
                self.trigger = Some(trigger.clone());
                self.subject.clone_from(&trigger.instance_id);
                self.lineage.clone_from(lineage);
                (self.rung, self.phase) = (*rung, Phase::Requested);
            }
            (_, E::Joined { trigger_id }) if self.is_open() => {
                self.triggers.insert(trigger_id.clone());
            }
            (Phase::Requested | Phase::Deferred { .. }, E::Planned { plan, .. }) => {
                self.plan = Some(plan.clone());
                if let Some(successor) = self.successor.take() {
                    self.subject = successor;
                }
                self.plans += 1;
                self.notes.clear();
                self.phase = Phase::Planned;
            }
            (
                Phase::Requested | Phase::Deferred { .. } | Phase::Announced { .. },
                E::Deferred { until_ms, refusals },
            ) => {
                let needs_approval = refusals.contains(&Refusal::Unapproved);
                self.phase = Phase::Deferred { until_ms: *until_ms, needs_approval };
            }
            (
                Phase::Requested | Phase::Deferred { .. } | Phase::Planned | Phase::Announced { .. },
                E::Denied { .. },
            )
            | (Phase::Planned | Phase::Announced { .. }, E::Objected { .. }) => {}
            (Phase::Planned, E::Announced { until_ms }) => self.phase = Phase::Announced { until_ms: *until_ms },
            (_, E::Approved { .. }) if self.is_open() => {
                self.approve();
            }
            (_, E::Stopped { .. }) if self.is_open() && !self.is_at_work() => {}
            (Phase::Announced { .. }, E::Admitted) => self.phase = Phase::Running(Work::default()),
            (Phase::Running(_) | Phase::Undoing(_), E::Leased { holder, epoch, until_ms }) if *epoch > self.epoch() => {
                self.leased(holder, *epoch, *until_ms);
            }
            (Phase::Running(_) | Phase::Undoing(_), E::LeaseReleased { epoch, at_ms })
                if *epoch == self.epoch() && self.intent().is_none() =>
            {
                self.lease_released(*at_ms);
            }
            (
                Phase::Running(_) | Phase::Undoing(_),
                E::StepIntended { step, attempt, token, before, epoch, at_ms, settles_ms },
            ) if *epoch == self.epoch() && self.progress().is_some_and(|p| p.cursor == *step) => {
                let (step, attempt, epoch, settles_ms) = (*step, *attempt, *epoch, *settles_ms);
                self.note(before);
                let (token, before) = (token.clone(), before.clone());
                self.called(*at_ms, Intent { step, attempt, token, before, epoch, settles_ms });
            }
            (Phase::Running(_) | Phase::Undoing(_), E::StepWaiting { again_ms }) if self.intent().is_some() => {
                if let Some(progress) = self.progress_mut() {
                    progress.waits(*again_ms);
                }
            }
            (Phase::Running(_) | Phase::Undoing(_), E::StepDone { result }) if self.intent().is_some() => {
                self.step_done(result);
            }
            (Phase::Running(_) | Phase::Undoing(_), E::StepFailed { reason, retry_ms }) if self.intent().is_some() => {
                self.step_failed(reason, *retry_ms);
            }
            (Phase::Running(work), E::Undoing) if work.progress.intent().is_none() => {
                let steps = self.plan.as_ref().map(|p| work.steps_back(p)).unwrap_or_default();
                self.phase = Phase::Undoing(Undo { progress: Progress::default(), steps });
            }
            (Phase::Running(_), E::Verified { hold_until_ms }) if self.step().is_none() => {
                self.phase = Phase::Holding { until_ms: *hold_until_ms };
            }
            (
                Phase::Running(_)
                | Phase::Undoing(_)
                | Phase::Holding { .. }
                | Phase::Requested
                | Phase::Deferred { .. }
                | Phase::Planned
                | Phase::Announced { .. },
                E::Escalated { to, .. },
            ) if *to > self.rung => {
                (self.rung, self.phase) = (*to, Phase::Requested);
                self.approval = None;
            }
            (_, E::Completed { outcome }) if self.is_open() => self.phase = Phase::Closed { outcome: *outcome },
            (_, E::Stuck { reason }) if self.is_open() => {
                self.reason = Some(reason.clone());
                self.phase = Phase::Stuck;
            }
            (Phase::Stuck, E::Retried { .. }) => self.phase = Phase::Requested,
            (phase, event) => return Err(IllegalTransition { phase: phase.name(), event: event.name() }),
        }
        Ok(self)
    }

    /// Takes an approval of what the person saw, and lets what waits for it go on.
    fn approve(&mut self) {
        let asked = self.trigger.as_ref().map(|t| t.cause.first_action());
        self.approval = Some(Approval { action: self.plan.as_ref().map(|p| p.action).or(asked) });
        if matches!(self.phase, Phase::Deferred { .. }) {
            self.phase = Phase::Requested;
        }
    }

    fn leased(&mut self, holder: &str, epoch: u64, until_ms: UnixMs) {
        let leased_ms = until_ms.saturating_sub(LEASE_MS);
        let idle_ms = self.holder.as_ref().map_or(0, |h| leased_ms.since(h.until_ms).max(0));
        if let Phase::Running(work) = &mut self.phase {
            work.clock.skip(idle_ms);
        }
        self.holder = Some(Holder { name: holder.to_owned(), epoch, until_ms });
    }

    fn lease_released(&mut self, at_ms: UnixMs) {
        if let Some(holder) = &mut self.holder {
            holder.until_ms = holder.until_ms.min(at_ms);
        }
    }

    fn called(&mut self, at_ms: UnixMs, intent: Intent) {
        let waits_for_snapshots = self.step().is_some_and(|s| s.kind.waits_for_snapshots());
        if let Phase::Running(work) = &mut self.phase {
            work.clock.step_called(at_ms, waits_for_snapshots);
        }
        if let Some(progress) = self.progress_mut() {
            progress.called(at_ms, intent);
        }
    }

    /// Says whether this rung has had its time. Snapshots take as long as they take, and what is taken back is taken back to its end.
    pub fn is_over_time(&self, now: UnixMs) -> bool {
        let Phase::Running(work) = &self.phase else { return false };
        work.clock.elapsed_ms(now).zip(self.rung.limit_ms()).is_some_and(|(elapsed, limit)| elapsed >= limit)
    }

    /// Says whether what can be left out has to be: AWS has said when it takes the instance, and its snapshots are still to be asked for.
    pub fn must_skip_optional(&self, now: UnixMs) -> bool {
        let Some(Cause::SpotWarned { deadline_ms }) = self.trigger.as_ref().map(|t| t.cause) else { return false };
        let Some(progress) = self.progress() else { return false };
        let ahead = self.steps().get(progress.cursor + 1..).unwrap_or_default();
        let is_ahead = ahead.iter().any(|s| s.kind == StepKind::Snapshot);
        is_ahead && self.step().is_some_and(|s| s.optional) && leaves_no_time(deadline_ms, now)
    }

    /// Gives the call for the end of the instance that was replaced; none where nothing was, or it is still needed.
    pub fn ending(&self, now: UnixMs) -> Option<Trigger> {
        let is_kept = self.notes.get(&StepKind::KeepOld).is_some_and(|n| n.result.is_some());
        let (old, new) = (&self.subject, self.successor.as_ref()?);
        let is_over = matches!(self.phase, Phase::Closed { outcome: Outcome::Recovered });
        (is_kept && is_over).then(|| Trigger {
            id: format!("replaced {old}"),
            instance_id: old.clone(),
            cause: Cause::Replaced,
            at_ms: now,
            evidence: format!("{new} has taken its place"),
        })
    }

    /// Says whether nothing goes on until a person acts.
    pub const fn waits_for_person(&self) -> bool {
        matches!(self.phase, Phase::Stuck | Phase::Deferred { needs_approval: true, .. })
    }

    /// Keeps how things stood before the step that is next.
    fn note(&mut self, before: &str) {
        let Some(kind) = self.step().map(|s| s.kind) else { return };
        if kind.repeat() == Repeat::Token {
            // Each try has its own token, and the arguments that go with it.
            self.notes.remove(&kind);
        }
        // What is looked at again stands as it was before the first call; a try that could not even look leaves nothing.
        let note = self.notes.entry(kind).or_default();
        if note.before.is_empty() {
            before.clone_into(&mut note.before);
        }
    }

    fn step_done(&mut self, result: &str) {
        let kind = self.step().map(|s| s.kind);
        if kind == Some(StepKind::Launch) {
            self.successor = Some(result.to_owned());
        } else if kind == Some(StepKind::Discard) {
            self.successor = None;
        }
        if let Some(note) = kind.and_then(|k| self.notes.get_mut(&k)) {
            note.result = Some(result.to_owned());
        }
        if let Phase::Running(work) = &mut self.phase {
            work.done.push(work.progress.cursor);
        }
        if let Some(progress) = self.progress_mut() {
            progress.next_step();
        }
    }

    fn step_failed(&mut self, reason: &str, retry_ms: Option<UnixMs>) {
        self.reason = Some(reason.to_owned());
        let is_optional = self.step().is_some_and(|s| s.optional);
        let Some(progress) = self.progress_mut() else { return };
        match retry_ms {
            Some(at) => progress.retry(at),
            // What holds nothing up is passed over; anything else stays where it is until what follows is decided.
            None if is_optional => progress.next_step(),
            None => progress.attempt = Attempt::Failed,
        }
    }
}
