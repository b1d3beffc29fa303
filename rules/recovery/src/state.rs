//! How far a recovery has come: one transition function for the live path and for reading the log again.

use super::event::{Outcome, RecoveryEvent};
use super::pace::{LEASE_MS, SPOT_LEFT_MS};
use super::plan::{Plan, Step};
use super::refusal::Refusal;
use super::trigger::{Cause, Trigger};
use forewarn_domain::action::{RecoveryAction, Rung};
use forewarn_domain::step::{Repeat, StepKind};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Where a recovery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Nothing has happened.
    New,
    /// It waits for a plan.
    Requested,
    /// It waits for a gate to open.
    Deferred {
        /// When it is asked again, milliseconds.
        until_ms: i64,
    },
    /// There is a plan that nobody was told of.
    Planned,
    /// People may object.
    Announced {
        /// Until when, milliseconds.
        until_ms: i64,
    },
    /// Steps are carried out.
    Running,
    /// Steps are taken back.
    Undoing,
    /// All is done and has to last.
    Holding {
        /// Until when, milliseconds.
        until_ms: i64,
    },
    /// It is over.
    Closed {
        /// How.
        outcome: Outcome,
    },
    /// A person has to look.
    Stuck,
}

impl fmt::Display for Phase {
    /// Writes it as the end of "it is".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::New => "new",
            Self::Requested => "requested",
            Self::Deferred { .. } => "deferred",
            Self::Planned => "planned",
            Self::Announced { .. } => "announced",
            Self::Running => "running",
            Self::Undoing => "undoing",
            Self::Holding { .. } => "holding",
            Self::Closed { .. } => "closed",
            Self::Stuck => "stuck",
        })
    }
}

/// Who may act on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Who.
    pub name: String,
    /// The fencing epoch.
    pub epoch: u64,
    /// Until when, milliseconds.
    pub until_ms: i64,
}

/// A call that may have been made and of which nothing is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// The place of the step.
    pub step: usize,
    /// Which try.
    pub attempt: u32,
    /// The call's token.
    pub token: String,
    /// How things stood before it.
    pub before: String,
    /// By whom.
    pub epoch: u64,
    /// When nobody can be making it any more, milliseconds.
    pub settles_ms: i64,
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
#[serde(default)]
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
    /// Whether a person has approved this rung.
    pub approved: bool,
    /// What they saw when they did: the plan's action, or what was asked for where there was no plan yet.
    pub approved_action: Option<RecoveryAction>,
    /// Whether what it waits for includes an approval.
    pub unapproved: bool,
    /// Who may act.
    pub holder: Option<Holder>,
    /// The greatest epoch there was.
    pub epoch: u64,
    /// The next step, or the next step back.
    pub cursor: usize,
    /// The next try of it, from 1.
    pub attempt: u32,
    /// When this try of it began, milliseconds.
    pub began_ms: Option<i64>,
    /// When this rung's steps began, milliseconds; what snapshots took, and what passed while nobody had it, is left out.
    pub rung_began_ms: Option<i64>,
    /// Since when it waits for snapshots, milliseconds.
    pub snapshot_since_ms: Option<i64>,
    /// When it may be tried, or looked at, again, milliseconds.
    pub retry_ms: i64,
    /// The call whose result is not known.
    pub intent: Option<Intent>,
    /// Steps that have had their effect.
    pub done: Vec<usize>,
    /// The steps back.
    pub undo: Vec<Step>,
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
            approved: false,
            approved_action: None,
            unapproved: false,
            holder: None,
            epoch: 0,
            cursor: 0,
            attempt: 1,
            began_ms: None,
            rung_began_ms: None,
            snapshot_since_ms: None,
            retry_ms: i64::MIN,
            intent: None,
            done: Vec::new(),
            undo: Vec::new(),
            notes: BTreeMap::new(),
            reason: None,
        }
    }
}

/// An event that can't follow on what was before: the log is not one of ours, or was tampered with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{event} can't follow while the recovery is {phase}")]
pub struct IllegalTransition {
    /// The phase.
    pub phase: Phase,
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

    /// Gives the steps that are being gone through, forth or back.
    pub fn steps(&self) -> &[Step] {
        if self.phase == Phase::Undoing {
            return &self.undo;
        }
        self.plan.as_ref().map_or(&[], |p| &p.steps)
    }

    /// Gives the step that is next.
    pub fn step(&self) -> Option<Step> {
        self.steps().get(self.cursor).copied()
    }

    /// Gives the instance that serves once this plan, or its way back, is gone through: back is the old one, whoever was launched.
    pub fn serving(&self) -> &str {
        let launched = self.successor.as_deref().filter(|_| self.phase != Phase::Undoing);
        launched.unwrap_or(&self.subject)
    }

    /// Says whether a person has approved an action: what needs approval whatever the mode needs it for itself, and not for what was
    /// planned before.
    pub fn has_approved(&self, action: RecoveryAction) -> bool {
        self.approved && (!action.always_approved() || self.approved_action == Some(action))
    }

    /// Says whether it may still do something.
    pub const fn is_open(&self) -> bool {
        !matches!(self.phase, Phase::New | Phase::Closed { .. })
    }

    /// Says whether calls may be made for it.
    pub const fn is_at_work(&self) -> bool {
        matches!(self.phase, Phase::Running | Phase::Undoing)
    }

    /// Moves on by one event.
    ///
    /// # Errors
    /// When it can't follow.
    pub fn evolve(mut self, event: &RecoveryEvent) -> Result<Self, IllegalTransition> {
        use RecoveryEvent as E;
        match (self.phase, event) {
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
                self.at(0);
                (self.done, self.undo) = (Vec::new(), Vec::new());
                self.notes.clear();
                (self.rung_began_ms, self.snapshot_since_ms) = (None, None);
                self.phase = Phase::Planned;
            }
            (
                Phase::Requested | Phase::Deferred { .. } | Phase::Announced { .. },
                E::Deferred { until_ms, refusals },
            ) => {
                self.unapproved = refusals.contains(&Refusal::Unapproved);
                self.phase = Phase::Deferred { until_ms: *until_ms };
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
            (Phase::Announced { .. }, E::Admitted) => self.phase = Phase::Running,
            (Phase::Running | Phase::Undoing, E::Leased { holder, epoch, until_ms }) if *epoch > self.epoch => {
                self.leased(holder, *epoch, *until_ms);
            }
            (Phase::Running | Phase::Undoing, E::LeaseReleased { epoch, at_ms })
                if *epoch == self.epoch && self.intent.is_none() =>
            {
                self.lease_released(*at_ms);
            }
            (
                Phase::Running | Phase::Undoing,
                E::StepIntended { step, attempt, token, before, epoch, at_ms, settles_ms },
            ) if *epoch == self.epoch && *step == self.cursor => {
                let (step, attempt, epoch, settles_ms) = (*step, *attempt, *epoch, *settles_ms);
                self.begin(*at_ms);
                let (token, before) = (token.clone(), before.clone());
                self.note(&before);
                self.intent = Some(Intent { step, attempt, token, before, epoch, settles_ms });
            }
            (Phase::Running | Phase::Undoing, E::StepWaiting { again_ms }) if self.intent.is_some() => {
                (self.intent, self.retry_ms) = (None, *again_ms);
            }
            (Phase::Running | Phase::Undoing, E::StepDone { result }) if self.intent.is_some() => {
                self.step_done(result);
            }
            (Phase::Running | Phase::Undoing, E::StepFailed { reason, retry_ms }) if self.intent.is_some() => {
                self.step_failed(reason, *retry_ms);
            }
            (Phase::Running, E::Undoing) if self.intent.is_none() => {
                // What failed may still come about, a start that took too long for one: it is taken back as well.
                self.done.push(self.cursor);
                self.undo = self.plan.as_ref().map(|p| p.undo_of(&self.done)).unwrap_or_default();
                self.at(0);
                self.phase = Phase::Undoing;
            }
            (Phase::Running, E::Verified { hold_until_ms }) if self.step().is_none() => {
                self.phase = Phase::Holding { until_ms: *hold_until_ms };
            }
            (
                Phase::Running
                | Phase::Undoing
                | Phase::Holding { .. }
                | Phase::Requested
                | Phase::Deferred { .. }
                | Phase::Planned
                | Phase::Announced { .. },
                E::Escalated { to, .. },
            ) if *to > self.rung => {
                (self.rung, self.phase) = (*to, Phase::Requested);
                (self.intent, self.approved) = (None, false);
            }
            (_, E::Completed { outcome }) if self.is_open() => self.phase = Phase::Closed { outcome: *outcome },
            (_, E::Stuck { reason }) if self.is_open() => {
                self.reason = Some(reason.clone());
                self.phase = Phase::Stuck;
            }
            (Phase::Stuck, E::Retried { .. }) => self.phase = Phase::Requested,
            (phase, event) => return Err(IllegalTransition { phase, event: event.name() }),
        }
        Ok(self)
    }

    /// Takes an approval of what the person saw, and lets what waits for it go on.
    fn approve(&mut self) {
        (self.approved, self.unapproved) = (true, false);
        let asked = self.trigger.as_ref().map(|t| t.cause.first_action());
        self.approved_action = self.plan.as_ref().map(|p| p.action).or(asked);
        if matches!(self.phase, Phase::Deferred { .. }) {
            self.phase = Phase::Requested;
        }
    }

    fn leased(&mut self, holder: &str, epoch: u64, until_ms: i64) {
        self.epoch = epoch;
        self.skip_idle(until_ms.saturating_sub(LEASE_MS));
        self.holder = Some(Holder { name: holder.to_owned(), epoch, until_ms });
    }

    fn lease_released(&mut self, at_ms: i64) {
        if let Some(holder) = &mut self.holder {
            holder.until_ms = holder.until_ms.min(at_ms);
        }
    }

    /// Notes when a try, and its rung, began.
    fn begin(&mut self, at_ms: i64) {
        self.began_ms = self.began_ms.or(Some(at_ms));
        let began = *self.rung_began_ms.get_or_insert(at_ms);
        if self.step().is_some_and(|s| s.kind.waits_for_snapshots()) {
            self.snapshot_since_ms.get_or_insert(at_ms);
        } else if let Some(since) = self.snapshot_since_ms.take() {
            self.rung_began_ms = Some(began.saturating_add(at_ms.saturating_sub(since)));
        }
    }

    /// Leaves out of its rung's time what has passed, up to a new lease's begin, while nobody had it.
    fn skip_idle(&mut self, leased_ms: i64) {
        let idle = self.holder.as_ref().map_or(0, |h| leased_ms.saturating_sub(h.until_ms).max(0));
        for time in [&mut self.rung_began_ms, &mut self.snapshot_since_ms].into_iter().flatten() {
            *time = time.saturating_add(idle);
        }
    }

    /// Says whether this rung has had its time. Snapshots take as long as they take, and what is taken back is taken back to its end.
    pub fn is_over_time(&self, now_ms: i64) -> bool {
        if self.phase != Phase::Running || self.snapshot_since_ms.is_some() {
            return false;
        }
        let limit = self.rung.limit_ms();
        self.rung_began_ms.zip(limit).is_some_and(|(began, limit)| now_ms.saturating_sub(began) >= limit)
    }

    /// Says whether what can be left out has to be: AWS has said when it takes the instance, and its snapshots are still to be asked for.
    pub fn must_skip_optional(&self, now_ms: i64) -> bool {
        let Some(Cause::SpotWarned { deadline_ms }) = self.trigger.as_ref().map(|t| t.cause) else { return false };
        let ahead = self.steps().get(self.cursor + 1..).unwrap_or_default();
        let is_ahead = ahead.iter().any(|s| s.kind == StepKind::Snapshot);
        is_ahead && self.step().is_some_and(|s| s.optional) && now_ms >= deadline_ms.saturating_sub(SPOT_LEFT_MS)
    }

    /// Gives the call for the end of the instance that was replaced; none where nothing was, or it is still needed.
    pub fn ending(&self, now_ms: i64) -> Option<Trigger> {
        let is_kept = self.notes.get(&StepKind::KeepOld).is_some_and(|n| n.result.is_some());
        let (old, new) = (&self.subject, self.successor.as_ref()?);
        let is_over = matches!(self.phase, Phase::Closed { outcome: Outcome::Recovered });
        (is_kept && is_over).then(|| Trigger {
            id: format!("replaced {old}"),
            instance_id: old.clone(),
            cause: Cause::Replaced,
            at_ms: now_ms,
            evidence: format!("{new} has taken its place"),
        })
    }

    /// Says whether nothing goes on until a person acts.
    pub const fn waits_for_person(&self) -> bool {
        matches!(self.phase, Phase::Stuck) || (matches!(self.phase, Phase::Deferred { .. }) && self.unapproved)
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
        if self.phase == Phase::Running {
            self.done.push(self.cursor);
        }
        self.intent = None;
        self.at(self.cursor + 1);
    }

    const fn at(&mut self, cursor: usize) {
        (self.cursor, self.attempt, self.began_ms, self.retry_ms) = (cursor, 1, None, i64::MIN);
    }

    fn step_failed(&mut self, reason: &str, retry_ms: Option<i64>) {
        self.intent = None;
        self.reason = Some(reason.to_owned());
        match retry_ms {
            Some(at) => (self.attempt, self.began_ms, self.retry_ms) = (self.attempt + 1, None, at),
            // What holds nothing up is passed over; anything else stays where it is until what follows is decided.
            None if self.step().is_some_and(|s| s.optional) => self.at(self.cursor + 1),
            None => self.attempt = u32::MAX,
        }
    }

    /// Says whether the step that is next has failed for good.
    pub const fn has_given_up(&self) -> bool {
        self.attempt == u32::MAX
    }
}
