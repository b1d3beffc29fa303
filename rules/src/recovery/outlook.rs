//! What a recovery would do about a prediction, as things stand when the prediction is told: what it looked at, what it expects, and
//! what became of others like it. It decides nothing and promises nothing: a recovery that begins looks at everything again.

pub mod check;
pub mod downtime;
pub mod past;
mod words;

use super::action::RecoveryAction;
use super::facts::{Facts, Read};
use super::plan::Plan;
use super::refusal::{Refusal, Verdict, together};
use super::step::StepKind;
use crate::predict::text::rfc3339;
use crate::prediction::FailureType;
use check::{Check, Trial};
use downtime::Downtime;
use past::{Past, Similar};
use serde::{Deserialize, Serialize};

/// What a recovery would do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Stance {
    /// It would tell people, and do nothing else.
    Tells,
    /// It would begin.
    Acts,
    /// It would begin as soon as a person approves.
    Asks,
    /// It would wait: what speaks against it passes.
    Waits,
    /// It would do nothing.
    Refuses,
    /// It can't be told: something that has to be known could not be read.
    Unknown,
}

/// What a recovery would do about a prediction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Outlook {
    /// The action that it would begin with.
    pub action: RecoveryAction,
    /// Whether it would; what the account admits at once is asked only when it begins.
    pub stance: Stance,
    /// The steps, in order.
    pub steps: Vec<StepKind>,
    /// The last step whose failure is still undone; null where nothing is.
    pub undo_until: Option<StepKind>,
    /// When everything here was looked at (RFC 3339, UTC).
    pub checked_at: String,
    /// Every reason against it, in words.
    pub refusals: Vec<String>,
    /// What was tried and looked at.
    pub checks: Vec<Check>,
    /// How old the data would be if every volume were made from its newest complete snapshot, seconds: the age of the oldest of
    /// these; null where a volume has none, or it is not known.
    pub newest_snapshot_age_s: Option<i64>,
    /// How long the instance would be down; null where it stays up, or is not meant to come back.
    pub downtime: Option<Downtime>,
    /// How others like it ended; null where the log could not be read.
    pub similar: Option<Similar>,
}

/// What an outlook is made from.
#[derive(Debug, Clone, Copy)]
pub struct Grounds<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// Every reason against it.
    pub refusals: &'a [Refusal],
    /// What both rest on.
    pub facts: &'a Facts,
    /// What dry runs of its calls said.
    pub trials: &'a [Trial],
    /// How old the newest complete snapshots of all volumes are, milliseconds; none where a volume has none.
    pub snapshot_age_ms: &'a Read<Option<i64>>,
    /// What the log knows of earlier recoveries and episodes.
    pub past: Option<&'a Past>,
    /// What is going to break.
    pub failure_type: Option<FailureType>,
    /// When all this was looked at, milliseconds since 1970.
    pub now_ms: i64,
}

impl Outlook {
    /// Makes it from what was seen. The same grounds give the same outlook.
    pub fn of(grounds: &Grounds<'_>) -> Self {
        let plan = grounds.plan;
        let steps: Vec<StepKind> = plan.steps.iter().map(|s| s.kind).collect();
        let newest_snapshot_age_s = match grounds.snapshot_age_ms {
            Read::Known(Some(age)) => Some(age / 1000),
            Read::Known(None) | Read::Failed(_) | Read::Absent(_) => None,
        };
        Self {
            action: plan.action,
            stance: stance(plan.action, grounds.refusals),
            undo_until: steps[..plan.forward_from.unwrap_or(steps.len())].last().copied(),
            checked_at: rfc3339(grounds.now_ms),
            refusals: grounds.refusals.iter().map(ToString::to_string).collect(),
            checks: check::checks(grounds),
            newest_snapshot_age_s,
            downtime: Downtime::of(plan.action, &steps, grounds.past),
            similar: grounds.past.map(|p| p.similar(plan.action, grounds.failure_type)),
            steps,
        }
    }

    /// Makes the one of an instance of which nothing could be seen, for this reason.
    pub fn unseen(why: &str, now_ms: i64) -> Self {
        Self {
            action: RecoveryAction::NotifyOnly,
            stance: Stance::Unknown,
            steps: Vec::new(),
            undo_until: None,
            checked_at: rfc3339(now_ms),
            refusals: vec![why.to_owned()],
            checks: check::unknown(why),
            newest_snapshot_age_s: None,
            downtime: None,
            similar: None,
        }
    }
}

fn stance(action: RecoveryAction, refusals: &[Refusal]) -> Stance {
    let is = |wanted: fn(&Refusal) -> bool| refusals.iter().any(wanted);
    if together(refusals) == Some(Verdict::Deny) {
        Stance::Refuses
    } else if is(|r| matches!(r, Refusal::Unreadable { .. })) {
        Stance::Unknown
    } else if is(|r| *r != Refusal::Unapproved) {
        Stance::Waits
    } else if !refusals.is_empty() {
        Stance::Asks
    } else if action.mutates() {
        Stance::Acts
    } else {
        Stance::Tells
    }
}
