//! The executor as a Lambda function: one invocation takes in what it is given, goes on as far as it can, and says when to come again.
//!
//! Containers do not know of each other: each is an executor of its own, and leases keep them apart. With a reserved concurrency of one, none
//! waits for another's lease.

use super::executor::Executor;
use super::inbox::Inbox;
use super::ledger::LedgerError;
use super::serve::{Until, serve};
use super::store::Store;
use super::triggers::of_message;
use forewarn_domain::time::UnixMs;
use forewarn_events::dead::DeadLetters;
use forewarn_events::lambda::{Failure as GivenAgain, Response, messages, notifications};
use forewarn_log::LogError;
use forewarn_recovery::pace::CALL_MS;
use forewarn_runtime::interrupt::Interrupt;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt;

/// How long before its end an invocation begins no call any more, milliseconds: a call may last a minute.
const MARGIN_MS: i64 = CALL_MS + 5_000;
/// Longest delay of a message, milliseconds.
const MOST_DELAY_MS: i64 = 900_000;
/// The cursor that says for when the function has been asked to come again, milliseconds since 1970.
const WAKE: &str = "respond-wake";

/// Sees to it that the function is invoked again.
pub trait Wake: Send + Sync + fmt::Debug {
    /// Asks for it after so many seconds, at most 900.
    ///
    /// # Errors
    /// Why it can't be asked for, in words.
    fn after(&self, seconds: i32) -> Result<(), String>;
}

/// What an invocation needs.
#[derive(Debug)]
pub struct Function<'a> {
    /// Who works.
    pub executor: &'a Executor,
    /// On which log.
    pub store: &'a dyn Store,
    /// Where what can't be understood goes.
    pub dead: &'a dyn DeadLetters,
    /// Recoveries that are worked on at the same time.
    pub workers: usize,
    /// What invokes it again when something is due; without it, its schedule does.
    pub wake: Option<&'a dyn Wake>,
}

/// What an invocation has done.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// Messages of an SQS batch that are to be given again, those that can't be understood among them: the queue sets them aside.
    #[serde(flatten)]
    pub response: Response,
    /// Recoveries that what came in began or joined.
    pub recoveries: BTreeSet<String>,
    /// Recoveries looked at.
    pub turns: u64,
    /// When the next is due.
    pub next_ms: Option<UnixMs>,
}

/// Explains why an invocation failed; it may be made again.
#[derive(Debug, thiserror::Error)]
pub enum InvocationError {
    /// What it was given can't be understood.
    #[error("nothing is done: {0}")]
    Input(String),
    /// The log failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

impl From<LogError> for InvocationError {
    fn from(e: LogError) -> Self {
        Self::Ledger(e.into())
    }
}

impl Function<'_> {
    /// Carries one invocation out, whose process ends at `deadline`.
    ///
    /// # Errors
    /// When the log fails or can't be trusted, or a single event can't be understood.
    pub fn invoke(&self, event: &Value, deadline: UnixMs) -> Result<Report, InvocationError> {
        let mut report = Report::default();
        self.take(event, &mut report)?;
        let now = || self.executor.ledger().now();
        if now().saturating_add(MARGIN_MS) < deadline {
            let mut inbox = Inbox::open(self.store, self.executor, Vec::new(), self.dead)?;
            let until = Until::IdleBy(deadline.saturating_sub(MARGIN_MS));
            let served = serve(self.executor, &mut inbox, self.workers, until, &Interrupt::default())?;
            (report.turns, report.next_ms) = (served.turns, served.next_ms);
        } else {
            tracing::warn!("the function has too little time to call anything: give it more than two minutes");
            report.next_ms = Some(now());
        }
        if let Some(next) = report.next_ms {
            self.come_again(next)?;
        }
        Ok(report)
    }

    /// Takes in what the event calls for.
    fn take(&self, event: &Value, report: &mut Report) -> Result<(), InvocationError> {
        let input = |e: &dyn fmt::Display| InvocationError::Input(e.to_string());
        if is_call_to_go_on(event) {
            return Ok(());
        }
        let raw = serde_json::to_vec(event).map_err(|e| input(&e))?;
        if event.get("Records").is_none() {
            return self.request(&raw, "", &mut report.recoveries);
        }
        if event.pointer("/Records/0/Sns").is_some() {
            let told = notifications(&raw).map_err(|e| input(&e))?;
            return told.iter().try_for_each(|n| self.request(n.body.as_bytes(), &n.id, &mut report.recoveries));
        }
        for message in messages(&raw).map_err(|e| input(&e))? {
            if serde_json::from_str(&message.body).as_ref().is_ok_and(is_call_to_go_on) {
                continue;
            }
            if let Err(e) = self.request(message.body.as_bytes(), &message.id, &mut report.recoveries) {
                tracing::warn!(message = message.id, error = %e, "it is given again, and set aside by its queue in the end");
                report.response.batch_item_failures.push(GivenAgain { item_identifier: message.id });
            }
        }
        Ok(())
    }

    fn request(&self, raw: &[u8], message: &str, begun: &mut BTreeSet<String>) -> Result<(), InvocationError> {
        let now = self.executor.ledger().now();
        for trigger in of_message(raw, message, now).map_err(|e| InvocationError::Input(e.to_string()))? {
            begun.insert(self.executor.request(&trigger)?);
        }
        Ok(())
    }

    /// Asks to be invoked again at a time, unless that has been asked for already.
    fn come_again(&self, next: UnixMs) -> Result<(), InvocationError> {
        let Some(wake) = self.wake else {
            tracing::info!(next_ms = next.0, "no queue wakes this function: its schedule does");
            return Ok(());
        };
        let now = self.executor.ledger().now();
        let asked_for = UnixMs(i64::try_from(self.store.cursor(WAKE)?).unwrap_or(0));
        let delay_ms = next.since(now).clamp(1_000, MOST_DELAY_MS);
        let at = now.saturating_add(delay_ms);
        if now < asked_for && asked_for <= at {
            return Ok(());
        }
        match wake.after(i32::try_from((delay_ms + 999) / 1000).unwrap_or(900)) {
            Ok(()) => self.store.advance(WAKE, u64::try_from(at.0).unwrap_or(0))?,
            Err(why) => tracing::error!(why, "nothing wakes this function but its schedule"),
        }
        Ok(())
    }
}

/// A schedule's tick, a message of our own, or nothing at all: nothing comes in, and what is open goes on.
fn is_call_to_go_on(event: &Value) -> bool {
    let says = |key: &str, what: &str| event.get(key).and_then(Value::as_str) == Some(what);
    let is_empty = event.as_object().is_some_and(serde_json::Map::is_empty);
    is_empty || event.get("wake") == Some(&Value::Bool(true)) || says("detail-type", "Scheduled Event")
}
