//! A step: the record that it settles before its first call, its calls, and how they are found again.
//!
//! Records are texts only here. A step is given its own as the type that it names, and reads another step's by naming that step.

use super::super::ports::{StepOutcome, StepRequest};
use super::AwsRecovery;
use super::record::{StepRecord, Unreadable};
use forewarn_domain::step::StepKind;
use serde::de::DeserializeOwned;
use std::pin::Pin;

/// What comes of a step's calls; an outcome in `Err` is one that comes early, so that `?` can be used.
pub(super) type Performed = Result<StepOutcome, StepOutcome>;
/// The result of a step that has had its whole effect; none where it must be made (again), in words where it can't be told.
pub(super) type Found = Result<Option<String>, String>;

/// One kind of step; its functions are as those of [`StepDriver`](super::StepDriver).
pub(super) trait Step {
    const KIND: StepKind;
    /// What it settles before its first call.
    type Precondition: StepRecord;
    /// Whether later tries go by what the first has settled: where a look would take our own doing for how things stood.
    const IS_SETTLED_ONCE: bool = true;

    async fn prepare(aws: &AwsRecovery, request: &StepRequest) -> Result<Self::Precondition, String>;

    async fn perform(aws: &AwsRecovery, request: &StepRequest, before: &Self::Precondition) -> Performed;

    /// Some steps look without their record, others can't. By default nothing is looked for: the step is made again.
    async fn find(
        _aws: &AwsRecovery,
        _request: &StepRequest,
        _before: Result<Self::Precondition, Unreadable>,
    ) -> Found {
        Ok(None)
    }

    /// Gives what is performed with, or what comes of it, where the record can't be read.
    fn unreadable(_request: &StepRequest, why: Unreadable) -> Result<Self::Precondition, StepOutcome> {
        Err(StepOutcome::Unknown(why.to_string()))
    }
}

/// A step that others read the result of, as JSON.
pub(super) trait JsonResult: Step {
    type Result: DeserializeOwned;
}

/// Gives how things stood before another step of the plan; none where that is not known, or can't be read.
pub(super) fn precondition_of<T: Step>(request: &StepRequest) -> Option<T::Precondition> {
    request.notes.get(&T::KIND).and_then(|note| T::Precondition::decode_precondition(&note.before).ok())
}

/// Gives what came of another step of the plan.
pub(super) fn result_of<T: JsonResult>(request: &StepRequest) -> Option<Result<T::Result, serde_json::Error>> {
    let text = request.notes.get(&T::KIND)?.result.as_deref()?;
    Some(serde_json::from_str(text))
}

/// Gives what came of another step of the plan, whose result is a plain text; none where that is empty.
pub(super) fn plain_result_of<T: Step>(request: &StepRequest) -> Option<String> {
    request.notes.get(&T::KIND).and_then(|n| n.result.clone()).filter(|r| !r.is_empty())
}

type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// A step of whichever kind, its record as text. Its futures are on the heap: they are large, and each kind has its own.
pub(super) trait AnyStep {
    fn prepare<'a>(&self, aws: &'a AwsRecovery, request: &'a StepRequest) -> Boxed<'a, Result<String, String>>;

    fn perform<'a>(&self, aws: &'a AwsRecovery, request: &'a StepRequest) -> Boxed<'a, StepOutcome>;

    fn find<'a>(&self, aws: &'a AwsRecovery, request: &'a StepRequest) -> Boxed<'a, Result<Option<String>, String>>;
}

impl<T: Step + 'static> AnyStep for T {
    fn prepare<'a>(&self, aws: &'a AwsRecovery, request: &'a StepRequest) -> Boxed<'a, Result<String, String>> {
        Box::pin(async move {
            let first = request.notes.get(&T::KIND).map(|n| &n.before).filter(|b| T::IS_SETTLED_ONCE && !b.is_empty());
            match first {
                Some(text) => Ok(text.clone()),
                None => T::prepare(aws, request).await?.encode_precondition(),
            }
        })
    }

    fn perform<'a>(&self, aws: &'a AwsRecovery, request: &'a StepRequest) -> Boxed<'a, StepOutcome> {
        Box::pin(async move {
            let read = T::Precondition::decode_precondition(&request.before);
            let outcome = match read.or_else(|why| T::unreadable(request, why)) {
                Ok(before) => T::perform(aws, request, &before).await,
                Err(outcome) => Err(outcome),
            };
            outcome.unwrap_or_else(|early| early)
        })
    }

    fn find<'a>(&self, aws: &'a AwsRecovery, request: &'a StepRequest) -> Boxed<'a, Result<Option<String>, String>> {
        Box::pin(T::find(aws, request, T::Precondition::decode_precondition(&request.before)))
    }
}

#[cfg(test)]
mod tests;
