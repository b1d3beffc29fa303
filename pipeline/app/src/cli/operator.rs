//! Writes down what an operator did.

use super::Context;
use super::common::StateArg;
use super::error::CliError;
use forewarn_log::event::operator::{OperatorActed, OperatorAction, Opinion};
use forewarn_log::{Event, Expected, NewEvent};
use forewarn_recover::store::Store;
use forewarn_runtime::context::RuntimeContext;
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;

/// How long it is remembered who did something.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(90 * 24);

/// What an operator did.
#[derive(Debug, Clone)]
pub(super) struct Act<'a> {
    pub(super) action: OperatorAction,
    pub(super) target: &'a str,
    pub(super) until: Option<String>,
    pub(super) reason: Option<&'a str>,
    pub(super) verdict: Option<Opinion>,
    pub(super) by: Option<&'a str>,
}

impl<'a> Act<'a> {
    pub(super) fn about(target: &'a str) -> Self {
        Self { action: OperatorAction::Ack, target, until: None, reason: None, verdict: None, by: None }
    }
}

/// Opens the log; in a directory it is made where there is none.
pub(super) fn open(state: &StateArg, context: &Context<'_>) -> Result<Arc<dyn Store>, CliError> {
    Ok(state.open(context, &RuntimeContext::standalone())?.log("operator")?)
}

/// Appends it; who did it goes where it can be forgotten.
pub(super) fn record(log: &dyn Store, id: &str, act: Act<'_>, context: &Context<'_>) -> Result<(), CliError> {
    let now = Timestamp::from_millisecond(context.now_ms).map_err(CliError::failed)?;
    let by = act.by.map(|name| log.keep_name(name, now + REMEMBERED)).transpose()?.flatten();
    if by.is_none() && act.by.is_some() {
        tracing::warn!("who did it is not kept: a table has no place where a name can be forgotten again");
    }
    let event = Event::OperatorActed(OperatorActed {
        action: act.action,
        target: act.target.to_owned(),
        until: act.until,
        reason: act.reason.map(str::to_owned),
        verdict: act.verdict,
        by,
    });
    let new = NewEvent::new(id, act.target, now, event);
    log.append(&format!("operator/{}", act.target), Expected::Any, &[new]).map_err(CliError::input)?;
    Ok(())
}
