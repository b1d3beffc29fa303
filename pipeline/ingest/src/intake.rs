//! One message from anywhere: into the stream, or set aside; durable either way when it is done.

pub mod file;
mod frames;
pub mod lambda;

use crate::stream::{Producer, Record, StreamError};
use forewarn_events::dead::{DeadError, DeadLetters};
use forewarn_events::{Reason, quoted};
use forewarn_log::{InvalidEvent, NewEvent};
use forewarn_runtime::metrics::Metrics;

/// Explains why messages could not be dealt with: none of them may be forgotten.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    /// The stream did not take events.
    #[error(transparent)]
    Stream(#[from] StreamError),
    /// A message could not be set aside.
    #[error(transparent)]
    Dead(#[from] DeadError),
}

/// Says what became of messages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct IntakeReport {
    /// Messages looked at.
    pub messages: u64,
    /// Events put into the stream.
    pub events: u64,
    /// Messages that were understood and say nothing of interest.
    pub of_no_interest: u64,
    /// Messages set aside.
    pub dead: u64,
}

impl std::ops::AddAssign for IntakeReport {
    fn add_assign(&mut self, more: Self) {
        self.messages += more.messages;
        self.events += more.events;
        self.of_no_interest += more.of_no_interest;
        self.dead += more.dead;
    }
}

/// Where messages end.
#[derive(Debug)]
pub struct Intake<'a> {
    /// Takes events.
    pub producer: &'a mut dyn Producer,
    /// Takes what can't be understood.
    pub dead: &'a dyn DeadLetters,
    /// Counts.
    pub metrics: &'a Metrics,
}

impl Intake<'_> {
    /// Deals with messages from `origin`: when it returns, each is in the stream or set aside, durably. Messages that come twice put the
    /// same events twice, which are found by their ids further on.
    ///
    /// # Errors
    /// When stream or dead letters fail; all messages may be given again.
    pub fn take(&mut self, origin: &str, messages: &[&[u8]], now_ms: i64) -> Result<IntakeReport, IntakeError> {
        let mut taken = IntakeReport { messages: messages.len() as u64, ..IntakeReport::default() };
        let mut records = Vec::new();
        for raw in messages {
            match records_of(raw) {
                Ok(fresh) if fresh.is_empty() => taken.of_no_interest += 1,
                Ok(fresh) => records.extend(fresh),
                Err(reason) => {
                    if self.dead.put(&reason, origin, raw, now_ms)? {
                        tracing::warn!(origin, reason = reason.name(), "message set aside: {reason}");
                    }
                    self.metrics.dead_letter("events");
                    taken.dead += 1;
                }
            }
        }
        if !records.is_empty() {
            self.producer.put(&records)?;
        }
        taken.events = records.len() as u64;
        Ok(taken)
    }
}

/// Makes the stream's records of a message.
///
/// # Errors
/// The reason why it can't be understood.
pub fn records_of(raw: &[u8]) -> Result<Vec<Record>, Reason> {
    let sealed: Result<Vec<_>, InvalidEvent> = forewarn_events::parse(raw)?.iter().map(NewEvent::seal).collect();
    let sealed = sealed.map_err(|e| Reason::Damaged { what: quoted(&e.to_string()) })?;
    Ok(sealed.into_iter().map(|e| Record::Event(Box::new(e))).collect())
}
