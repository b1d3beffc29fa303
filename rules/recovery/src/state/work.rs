//! How far the steps of a plan, or those back, have come.

use super::super::plan::{Plan, Step};
use forewarn_domain::time::UnixMs;
use serde::{Deserialize, Serialize};

/// A plan that is carried out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Work {
    /// How far it has come.
    pub progress: Progress,
    /// The places of the steps that have had their effect.
    pub done: Vec<usize>,
    /// The rung's time.
    pub clock: RungClock,
}

impl Work {
    /// Gives the steps that take back what was done. What failed may still come about, a start that took too long for one: it is taken
    /// back as well.
    pub(super) fn steps_back(&self, plan: &Plan) -> Vec<Step> {
        let done: Vec<usize> = self.done.iter().copied().chain([self.progress.cursor]).collect();
        plan.undo_of(&done)
    }
}

/// What was done is taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undo {
    /// How far it has come.
    pub progress: Progress,
    /// The steps back, in order.
    pub steps: Vec<Step>,
}

/// Which step is next, and which try of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Progress {
    /// The place of the next step.
    pub cursor: usize,
    /// The next try of it.
    pub attempt: Attempt,
}

/// A try of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attempt {
    /// Its call is to be made, or what it began is to be looked at again.
    Ready {
        /// Which try, from 1.
        number: u32,
        /// When this try began; none before its first call.
        began_ms: Option<UnixMs>,
        /// Not before this time; none: at once.
        not_before_ms: Option<UnixMs>,
    },
    /// Its call may have been made, and nothing is known of what came of it.
    Called {
        /// When this try began.
        began_ms: UnixMs,
        /// The call.
        intent: Intent,
    },
    /// It has failed for good.
    Failed,
}

impl Default for Attempt {
    fn default() -> Self {
        Self::Ready { number: 1, began_ms: None, not_before_ms: None }
    }
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
    /// When nobody can be making it any more.
    pub settles_ms: UnixMs,
}

impl Progress {
    /// Gives the call whose result is not known.
    pub const fn intent(&self) -> Option<&Intent> {
        match &self.attempt {
            Attempt::Called { intent, .. } => Some(intent),
            Attempt::Ready { .. } | Attempt::Failed => None,
        }
    }

    /// Gives the number of the try that is next or under way; none where none is left.
    pub const fn number(&self) -> Option<u32> {
        match &self.attempt {
            Attempt::Ready { number, .. } => Some(*number),
            Attempt::Called { intent, .. } => Some(intent.attempt),
            Attempt::Failed => None,
        }
    }

    /// Gives when the try that is under way began.
    pub const fn began_ms(&self) -> Option<UnixMs> {
        match &self.attempt {
            Attempt::Ready { began_ms, .. } => *began_ms,
            Attempt::Called { began_ms, .. } => Some(*began_ms),
            Attempt::Failed => None,
        }
    }

    /// Gives the time before which nothing is tried or looked at again.
    pub const fn not_before_ms(&self) -> Option<UnixMs> {
        match &self.attempt {
            Attempt::Ready { not_before_ms, .. } => *not_before_ms,
            Attempt::Called { .. } | Attempt::Failed => None,
        }
    }

    pub(super) fn called(&mut self, at_ms: UnixMs, intent: Intent) {
        let began_ms = self.began_ms().unwrap_or(at_ms);
        self.attempt = Attempt::Called { began_ms, intent };
    }

    pub(super) fn waits(&mut self, again_ms: UnixMs) {
        let (number, began_ms) = (self.number().unwrap_or(1), self.began_ms());
        self.attempt = Attempt::Ready { number, began_ms, not_before_ms: Some(again_ms) };
    }

    pub(super) fn retry(&mut self, at_ms: UnixMs) {
        let number = self.number().unwrap_or(0).saturating_add(1);
        self.attempt = Attempt::Ready { number, began_ms: None, not_before_ms: Some(at_ms) };
    }

    pub(super) fn next_step(&mut self) {
        *self = Self { cursor: self.cursor + 1, attempt: Attempt::default() };
    }
}

/// The time that the steps of a rung take: what snapshots take, and what passes while nobody has the recovery, is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RungClock {
    /// When the steps began, moved on by what is left out.
    pub began_ms: Option<UnixMs>,
    /// Since when snapshots are waited for.
    pub snapshot_since_ms: Option<UnixMs>,
}

impl RungClock {
    pub(super) fn step_called(&mut self, at_ms: UnixMs, waits_for_snapshots: bool) {
        let began = *self.began_ms.get_or_insert(at_ms);
        if waits_for_snapshots {
            self.snapshot_since_ms.get_or_insert(at_ms);
        } else if let Some(since) = self.snapshot_since_ms.take() {
            self.began_ms = Some(began.saturating_add(at_ms.since(since)));
        }
    }

    pub(super) fn skip(&mut self, idle_ms: i64) {
        for time in [&mut self.began_ms, &mut self.snapshot_since_ms].into_iter().flatten() {
            *time = time.saturating_add(idle_ms);
        }
    }

    /// Gives the time that has passed, milliseconds; none before the first step, and while snapshots are waited for.
    pub(super) fn elapsed_ms(&self, now: UnixMs) -> Option<i64> {
        if self.snapshot_since_ms.is_some() {
            return None;
        }
        self.began_ms.map(|began| now.since(began))
    }
}
