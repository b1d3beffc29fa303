//! How long an action keeps an instance down: from the first step that takes it down until it is verified.

use super::past::Past;
use crate::event::{Outcome, RecoveryEvent};
use crate::plan::Plan;
use forewarn_domain::action::RecoveryAction;
use forewarn_domain::preview::{Basis, Downtime};
use forewarn_domain::step::StepKind;
use forewarn_domain::time::UnixMs;
use forewarn_models::stats::median;

/// From so many recoveries on, their median says more than what is typical.
const ENOUGH: usize = 3;

/// Gives what to expect of a plan; none where its instance stays up, or is not meant to come back.
pub(super) fn expected(action: RecoveryAction, steps: &[StepKind], past: Option<&Past>) -> Option<Downtime> {
    let first = steps.iter().position(|s| s.takes_down()).filter(|_| action.needs_stability_hold())?;
    let known = past.into_iter().flat_map(|p| &p.recoveries);
    let recovered = known.filter(|r| r.action == action && r.outcome == Outcome::Recovered);
    let mut seconds: Vec<f64> = recovered.filter_map(|r| r.downtime_ms).map(|ms| ms as f64 / 1000.0).collect();
    let recoveries = u32::try_from(seconds.len()).unwrap_or(u32::MAX);
    if seconds.len() >= ENOUGH
        && let Some(expected) = median(&mut seconds)
    {
        return Some(Downtime { expected_s: expected.round() as i64, from: Basis::Past, recoveries });
    }
    let expected_s = steps[first..].iter().map(|s| s.spec().typical_s).sum();
    Some(Downtime { expected_s, from: Basis::Typical, recoveries })
}

/// Gives how long an instance was down in a recovery: from the first call of its last plan that took it down until that plan was
/// verified. Each event comes with its time.
pub fn downtime_ms<'a>(events: impl IntoIterator<Item = (UnixMs, &'a RecoveryEvent)>) -> Option<i64> {
    let (mut plan, mut down, mut span): (Option<&Plan>, Option<UnixMs>, Option<i64>) = (None, None, None);
    #[expect(clippy::wildcard_enum_match_arm, reason = "most events change nothing about it")]
    for (at_ms, event) in events {
        match event {
            RecoveryEvent::Planned { plan: now, .. } => (plan, down, span) = (Some(now), None, None),
            // The steps that follow are those back.
            RecoveryEvent::Undoing => (plan, down) = (None, None),
            RecoveryEvent::StepIntended { step, at_ms, .. } if down.is_none() => {
                let kind = plan.and_then(|p| p.steps.get(*step)).map(|s| s.kind);
                down = kind.filter(|k| k.takes_down()).map(|_| *at_ms);
            }
            RecoveryEvent::Verified { .. } => span = down.map(|from| at_ms.since(from)),
            _ => {}
        }
    }
    span
}
