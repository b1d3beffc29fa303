//! What a step writes down before its first call, and what later steps read of it.

use super::super::ports::{StepOutcome, StepRequest};
use forewarn_domain::step::StepKind;
use forewarn_recovery::state::Note;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// How long what was just made may be hidden, milliseconds.
pub(super) const GRACE_MS: i64 = 120_000;
/// How long after the first try a search that finds nothing tells nothing, milliseconds.
const SEARCH_MS: i64 = 10_000;
/// The same where AWS is about to take the instance.
const HURRIED_SEARCH_MS: i64 = 3_000;

/// When a step was first tried; every `before` of these steps has it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Since {
    pub(super) at_ms: i64,
}

/// Gives whichever of the two it is.
pub(super) fn either(reply: Result<StepOutcome, StepOutcome>) -> StepOutcome {
    reply.unwrap_or_else(|early| early)
}

/// Writes down what is frozen before a call.
pub(super) fn encode_precondition(what: &impl Serialize) -> Result<String, String> {
    serde_json::to_string(what).map_err(|e| format!("cannot write down how things stand: {e}"))
}

/// Reads what was frozen.
pub(super) fn decode_precondition<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_str(text).map_err(|e| format!("what was written down before the step can't be read: {e}"))
}

/// Reads what was frozen, as the reply where it can't be read.
pub(super) fn before<T: DeserializeOwned>(request: &StepRequest) -> Result<T, StepOutcome> {
    decode_precondition(&request.before).map_err(StepOutcome::Unknown)
}

/// Gives what was frozen when this step was first tried: a later look must not take our own doing for how things stood.
pub(super) fn settled(request: &StepRequest) -> Option<String> {
    request.notes.get(&request.kind).map(|n| n.before.clone()).filter(|b| !b.is_empty())
}

/// Gives what is known of another step of the plan, read.
pub(super) fn decoded_note<T: DeserializeOwned>(
    request: &StepRequest,
    kind: StepKind,
    of: fn(&Note) -> Option<&str>,
) -> Option<T> {
    request.notes.get(&kind).and_then(of).and_then(|text| serde_json::from_str(text).ok())
}

/// Gives how things stood before another step, read.
pub(super) fn precondition_of<T: DeserializeOwned>(request: &StepRequest, kind: StepKind) -> Option<T> {
    decoded_note(request, kind, |n| Some(&n.before))
}

/// Gives what came of another step.
pub(super) fn result_of(request: &StepRequest, kind: StepKind) -> Option<String> {
    request.notes.get(&kind).and_then(|n| n.result.clone()).filter(|r| !r.is_empty())
}

/// Says whether a search that finds nothing tells nothing yet: a call that was just made may not show.
pub(super) fn too_early(request: &StepRequest) -> Option<String> {
    let first = decode_precondition::<Since>(&request.before).ok()?.at_ms;
    let span = if request.deadline_ms.is_some() { HURRIED_SEARCH_MS } else { SEARCH_MS };
    (request.now_ms < first.saturating_add(span)).then(|| "what was just made may not show yet".to_owned())
}

/// Says whether what can't be seen may only be hidden, for it is new.
pub(super) fn may_be_hidden(request: &StepRequest) -> bool {
    decode_precondition::<Since>(&request.before).is_ok_and(|s| request.now_ms < s.at_ms.saturating_add(GRACE_MS))
}
