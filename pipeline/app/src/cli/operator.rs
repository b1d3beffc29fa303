//! Writes down what an operator did.

use super::Context;
use super::common::{StateArg, create_dir};
use super::error::CliError;
use forewarn_log::event::operator::{OperatorActed, OperatorAction, Opinion};
use forewarn_log::log_path;
use forewarn_log::{Event, EventLog, Expected, NewEvent, SqliteLog};
use jiff::{SignedDuration, Timestamp};

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

/// Opens the log, making it where there is none.
pub(super) fn open(state: &StateArg, context: &Context<'_>) -> Result<SqliteLog, CliError> {
    let dir = state.dir(context);
    create_dir(&dir)?;
    Ok(SqliteLog::open(&log_path(&dir))?)
}

/// Appends it; who did it goes where it can be forgotten.
pub(super) fn record(log: &SqliteLog, id: &str, act: Act<'_>, context: &Context<'_>) -> Result<(), CliError> {
    let now = Timestamp::from_millisecond(context.now_ms).map_err(CliError::failed)?;
    let by = act.by.map(|name| log.put_blob(name.as_bytes(), now + REMEMBERED)).transpose()?;
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
