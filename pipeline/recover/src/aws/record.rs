//! What a step settles before its first call, and the text as which the log keeps it.

use super::super::ports::{StepOutcome, StepRequest};
use forewarn_domain::time::UnixMs;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fmt;

/// How long what was just made may be hidden, milliseconds.
const GRACE_MS: i64 = 120_000;
/// How long after the first try a search that finds nothing tells nothing, milliseconds.
const SEARCH_MS: i64 = 10_000;
/// The same where AWS is about to take the instance.
const HURRIED_SEARCH_MS: i64 = 3_000;

/// What is written down before a step's first call. Logs that are years old hold it: a text that was read once is read for ever.
pub(super) trait StepRecord: Sized {
    fn encode_precondition(&self) -> Result<String, String>;

    fn decode_precondition(text: &str) -> Result<Self, Unreadable>;
}

impl<T: Serialize + DeserializeOwned> StepRecord for T {
    fn encode_precondition(&self) -> Result<String, String> {
        to_json(self)
    }

    fn decode_precondition(text: &str) -> Result<Self, Unreadable> {
        serde_json::from_str(text).map_err(|e| Unreadable { error: e.to_string() })
    }
}

/// The record of a step that settles nothing: an empty text.
#[derive(Debug)]
pub(super) struct Nothing;

impl StepRecord for Nothing {
    fn encode_precondition(&self) -> Result<String, String> {
        Ok(String::new())
    }

    fn decode_precondition(_text: &str) -> Result<Self, Unreadable> {
        Ok(Self)
    }
}

/// The record of a step that only has to know when it was first tried.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Since {
    pub(super) at_ms: UnixMs,
}

impl Since {
    /// Stands for a record that can't be read: nothing that was made so long ago is hidden any more.
    pub(super) const LONG_AGO: Self = Self { at_ms: UnixMs::MIN };

    pub(super) fn now(request: &StepRequest) -> Self {
        Self { at_ms: request.now_ms }
    }
}

/// Why a record can't be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unreadable {
    pub(super) error: String,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "what was written down before the step can't be read: {}", self.error)
    }
}

impl From<Unreadable> for String {
    fn from(unreadable: Unreadable) -> Self {
        unreadable.to_string()
    }
}

/// Writes what later steps read of a step: its record, or what came of it.
pub(super) fn to_json(what: &impl Serialize) -> Result<String, String> {
    serde_json::to_string(what).map_err(|e| format!("cannot write down how things stand: {e}"))
}

/// Makes what came of a step its outcome.
pub(super) fn done_with(result: &impl Serialize) -> Result<StepOutcome, StepOutcome> {
    to_json(result).map(StepOutcome::Done).map_err(StepOutcome::Unknown)
}

/// Says why a search that finds nothing tells nothing yet: a call that was just made may not show.
pub(super) fn too_early(request: &StepRequest, first_ms: UnixMs) -> Option<String> {
    let span = if request.deadline_ms.is_some() { HURRIED_SEARCH_MS } else { SEARCH_MS };
    (request.now_ms < first_ms.saturating_add(span)).then(|| "what was just made may not show yet".to_owned())
}

/// Says whether what can't be seen may only be hidden, for it is new.
pub(super) fn may_be_hidden(request: &StepRequest, first_ms: UnixMs) -> bool {
    request.now_ms < first_ms.saturating_add(GRACE_MS)
}
