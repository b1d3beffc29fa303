//! What happens to a recovery, as the log keeps it.

use super::plan::Plan;
use super::refusal::Refusal;
use super::trigger::Trigger;
use forewarn_domain::action::Rung;
use forewarn_domain::time::UnixMs;
use serde::{Deserialize, Serialize};
use std::fmt;

/// How a recovery ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// What was wrong is well, and stayed so.
    Recovered,
    /// The ladder is at its end: people have it.
    HandedOver,
    /// A person objected.
    Objected,
    /// A gate refused for good.
    Denied,
    /// Only the plan was asked for.
    DryRun,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Recovered => "recovered",
            Self::HandedOver => "handed over",
            Self::Objected => "objected to",
            Self::Denied => "denied",
            Self::DryRun => "dry run",
        })
    }
}

/// One event of a recovery's stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case", tag = "event")]
pub enum RecoveryEvent {
    /// It begins.
    Requested {
        /// With this.
        trigger: Trigger,
        /// The first instance of those that replaced one another.
        lineage: String,
        /// Where on the ladder it begins.
        rung: Rung,
        /// When, milliseconds.
        at_ms: UnixMs,
    },
    /// Another trigger for the same; nothing else follows from it.
    Joined {
        /// Its id.
        trigger_id: String,
    },
    /// What would be done.
    Planned {
        /// This.
        plan: Plan,
        /// Only looked at.
        dry_run: bool,
    },
    /// Nothing is done.
    Denied {
        /// Why.
        refusals: Vec<Refusal>,
    },
    /// Nothing is done yet.
    Deferred {
        /// Why.
        refusals: Vec<Refusal>,
        /// When to ask again, milliseconds.
        until_ms: UnixMs,
    },
    /// People were told and may object.
    Announced {
        /// Until when, milliseconds.
        until_ms: UnixMs,
    },
    /// A person objected.
    Objected {
        /// Who.
        by: String,
    },
    /// A person approved this rung.
    Approved {
        /// Who.
        by: String,
    },
    /// The account's admission lets it begin.
    Admitted,
    /// An executor has it for a while.
    Leased {
        /// Who.
        holder: String,
        /// Greater than every one before.
        epoch: u64,
        /// Until when, milliseconds.
        until_ms: UnixMs,
    },
    /// An executor that stops gives it back: it makes no call, and the next need not wait for the lease's end.
    LeaseReleased {
        /// That of the lease.
        epoch: u64,
        /// When, milliseconds.
        at_ms: UnixMs,
    },
    /// A call is about to be made.
    StepIntended {
        /// Its place in the plan, or among the steps back.
        step: usize,
        /// Which try, from 1.
        attempt: u32,
        /// What makes the call the same when it is made again.
        token: String,
        /// How things stood before it, and the arguments that go with the token (JSON; empty where there is nothing to keep).
        before: String,
        /// By whom.
        epoch: u64,
        /// When, milliseconds.
        at_ms: UnixMs,
        /// When nobody can be making it any more, milliseconds.
        settles_ms: UnixMs,
    },
    /// It has had its effect.
    StepDone {
        /// What came of it.
        result: String,
    },
    /// It is on its way; nothing is wrong.
    StepWaiting {
        /// When to look again, milliseconds.
        again_ms: UnixMs,
    },
    /// It has had none.
    StepFailed {
        /// Why.
        reason: String,
        /// When it is tried again, milliseconds; none: no more.
        retry_ms: Option<UnixMs>,
    },
    /// What was done is taken back, the last first.
    Undoing,
    /// All steps are done; now it has to last.
    Verified {
        /// Until when, milliseconds.
        hold_until_ms: UnixMs,
    },
    /// This rung did not help.
    Escalated {
        /// The next.
        to: Rung,
        /// Why.
        reason: String,
        /// When, milliseconds.
        at_ms: UnixMs,
    },
    /// It is over.
    Completed {
        /// How.
        outcome: Outcome,
    },
    /// It can go neither forward nor back: a person has to look.
    Stuck {
        /// Why.
        reason: String,
    },
    /// A person ended it.
    Stopped {
        /// Who.
        by: String,
    },
    /// A person has looked: it is tried again.
    Retried {
        /// Who.
        by: String,
    },
}

impl RecoveryEvent {
    /// Gives the event's name, as in JSON.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Requested { .. } => "requested",
            Self::Joined { .. } => "joined",
            Self::Planned { .. } => "planned",
            Self::Denied { .. } => "denied",
            Self::Deferred { .. } => "deferred",
            Self::Announced { .. } => "announced",
            Self::Objected { .. } => "objected",
            Self::Approved { .. } => "approved",
            Self::Admitted => "admitted",
            Self::Leased { .. } => "leased",
            Self::LeaseReleased { .. } => "lease_released",
            Self::StepIntended { .. } => "step_intended",
            Self::StepDone { .. } => "step_done",
            Self::StepWaiting { .. } => "step_waiting",
            Self::StepFailed { .. } => "step_failed",
            Self::Undoing => "undoing",
            Self::Verified { .. } => "verified",
            Self::Escalated { .. } => "escalated",
            Self::Completed { .. } => "completed",
            Self::Stuck { .. } => "stuck",
            Self::Stopped { .. } => "stopped",
            Self::Retried { .. } => "retried",
        }
    }
}
