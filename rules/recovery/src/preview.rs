//! What a recovery would do about a prediction, as things stand when the prediction is told: what it looked at, what it expects, and
//! what became of others like it. It decides nothing and promises nothing: a recovery that begins looks at everything again.

mod check;
pub mod downtime;
pub mod past;

use crate::facts::{Facts, Read};
use crate::plan::Plan;
use crate::refusal::{Refusal, Verdict, combine_verdicts};
use forewarn_domain::action::RecoveryAction;
use forewarn_domain::prediction::FailureType;
use forewarn_domain::preview::{PreviewDecision, RecoveryPreview};
use forewarn_domain::step::StepKind;
use forewarn_domain::time::UnixMs;
use past::Past;

/// What EC2 said to the dry run of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DryRunResult {
    /// The call, such as `ec2:StopInstances`.
    pub call: String,
    /// Why it would be refused; none if it would not.
    pub refused: Read<Option<String>>,
}

/// What a preview is made from.
#[derive(Debug, Clone, Copy)]
pub struct PreviewInputs<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// Every reason against it.
    pub refusals: &'a [Refusal],
    /// What both rest on.
    pub facts: &'a Facts,
    /// What dry runs of its calls said.
    pub dry_runs: &'a [DryRunResult],
    /// How old the newest complete snapshots of all volumes are, milliseconds; none where a volume has none.
    pub snapshot_age_ms: &'a Read<Option<i64>>,
    /// What the log knows of earlier recoveries and episodes.
    pub past: Option<&'a Past>,
    /// What is going to break.
    pub failure_type: Option<FailureType>,
    /// When all this was looked at.
    pub now_ms: UnixMs,
}

/// Makes the preview from what was seen. The same inputs give the same preview.
pub fn preview(inputs: &PreviewInputs<'_>) -> RecoveryPreview {
    let plan = inputs.plan;
    let steps: Vec<StepKind> = plan.steps.iter().map(|s| s.kind).collect();
    let newest_snapshot_age_s = match inputs.snapshot_age_ms {
        Read::Known(Some(age)) => Some(age / 1000),
        Read::Known(None) | Read::Failed(_) | Read::Absent(_) => None,
    };
    RecoveryPreview {
        action: plan.action,
        stance: stance(plan.action, inputs.refusals),
        undo_until: steps[..plan.forward_from.unwrap_or(steps.len())].last().copied(),
        checked_at: inputs.now_ms.to_string(),
        refusals: inputs.refusals.iter().map(ToString::to_string).collect(),
        checks: check::checks(inputs),
        newest_snapshot_age_s,
        downtime: downtime::expected(plan.action, &steps, inputs.past),
        similar: inputs.past.map(|p| p.similar(plan.action, inputs.failure_type)),
        steps,
    }
}

fn stance(action: RecoveryAction, refusals: &[Refusal]) -> PreviewDecision {
    let is = |wanted: fn(&Refusal) -> bool| refusals.iter().any(wanted);
    if combine_verdicts(refusals) == Some(Verdict::Deny) {
        PreviewDecision::Refuses
    } else if is(|r| matches!(r, Refusal::Unreadable { .. })) {
        PreviewDecision::Unknown
    } else if is(|r| *r != Refusal::Unapproved) {
        PreviewDecision::Waits
    } else if !refusals.is_empty() {
        PreviewDecision::Asks
    } else if action.mutates() {
        PreviewDecision::Acts
    } else {
        PreviewDecision::Tells
    }
}
