//! Where triggers come from: the log itself, and queues.

use super::executor::Executor;
use super::ledger::LedgerError;
use super::store::Store;
use super::triggers::{of_event, of_message};
use forewarn_domain::prediction::Level;
use forewarn_domain::time::UnixMs;
use forewarn_events::dead::DeadLetters;
use forewarn_events::queue::Queue;
use forewarn_log::event::recovery::of;
use forewarn_log::{LogError, Row, Table};
use forewarn_recovery::event::RecoveryEvent as E;
use forewarn_runtime::failpoint;
use forewarn_runtime::time::parse_instant;
use std::collections::BTreeSet;

/// The cursor that says how far executors have read the log for triggers.
pub const CURSOR: &str = "respond";
/// Entries read at a time.
const PAGE: usize = 500;

/// What came in.
#[derive(Debug, Clone, Default)]
pub struct InboxReport {
    /// Triggers, however often each.
    pub triggers: u64,
    /// Messages that could not be understood.
    pub refused: u64,
    /// Recoveries that something happened to from outside.
    pub touched: BTreeSet<String>,
    /// Whether no source had anything.
    pub is_quiet: bool,
}

/// Everything that triggers come from.
#[derive(Debug)]
pub struct Inbox<'a> {
    log: &'a dyn Store,
    position: u64,
    queues: Vec<Box<dyn Queue>>,
    dead: &'a dyn DeadLetters,
}

impl<'a> Inbox<'a> {
    /// Begins where executors have read to; where none ever has, at the present, with the predictions that are open at high now.
    ///
    /// # Errors
    /// When the log fails.
    pub fn open(
        log: &'a dyn Store,
        executor: &Executor,
        queues: Vec<Box<dyn Queue>>,
        dead: &'a dyn DeadLetters,
    ) -> Result<Self, LedgerError> {
        let position = if log.has_cursor(CURSOR)? {
            log.cursor(CURSOR)?
        } else {
            let head = log.head()?;
            for row in executor.ledger().store().rows(Table::PredictionsCurrent)? {
                if let Row::Prediction(p) = row
                    && p.open
                    && p.confidence == Level::High
                {
                    let made = forewarn_log::event::prediction::Opened { prediction: Box::new(p.prediction) };
                    for trigger in of_event(executor.ledger().now(), &forewarn_log::Event::PredictionMade(made)) {
                        executor.request(&trigger)?;
                    }
                }
            }
            log.advance(CURSOR, head)?;
            head
        };
        Ok(Self { log, position, queues, dead })
    }

    /// Takes in what has come since the last time.
    ///
    /// # Errors
    /// When the log fails; what was not taken in comes again.
    pub fn take(&mut self, executor: &Executor) -> Result<InboxReport, LedgerError> {
        let mut taken = InboxReport { is_quiet: true, ..InboxReport::default() };
        self.read_log(executor, &mut taken)?;
        self.read_queues(executor, &mut taken)?;
        Ok(taken)
    }

    fn read_log(&mut self, executor: &Executor, taken: &mut InboxReport) -> Result<(), LedgerError> {
        let page = self.log.read_all(self.position, PAGE)?;
        let Some(last) = page.last().map(|e| e.position) else { return Ok(()) };
        for entry in &page {
            let event = entry.event().map_err(|source| LogError::Decode { position: entry.position, source })?;
            if let Some((id, _, event)) = of(&event) {
                let from_outside = matches!(
                    event,
                    E::Requested { .. }
                        | E::Approved { .. }
                        | E::Objected { .. }
                        | E::Stopped { .. }
                        | E::Retried { .. }
                );
                if from_outside {
                    taken.touched.insert(id.to_owned());
                }
                continue;
            }
            let at = UnixMs(parse_instant(&entry.envelope.time, None).unwrap_or_default());
            for trigger in of_event(at, &event) {
                taken.triggers += 1;
                taken.touched.insert(executor.request(&trigger)?);
            }
        }
        failpoint::point("respond.taken");
        self.position = last;
        self.log.advance(CURSOR, last)?;
        taken.is_quiet &= page.len() < PAGE && taken.touched.is_empty();
        Ok(())
    }

    fn read_queues(&mut self, executor: &Executor, taken: &mut InboxReport) -> Result<(), LedgerError> {
        for queue in &mut self.queues {
            let messages = match queue.receive() {
                Ok(messages) => messages,
                Err(e) => {
                    tracing::warn!(error = %e, cause = e.source.to_string(), "the queue did not answer");
                    continue;
                }
            };
            taken.is_quiet &= messages.is_empty();
            let now = executor.ledger().now();
            let mut dealt_with = Vec::new();
            for message in messages {
                match of_message(message.body.as_bytes(), &message.id, now) {
                    Ok(triggers) => {
                        for trigger in triggers {
                            taken.triggers += 1;
                            taken.touched.insert(executor.request(&trigger)?);
                        }
                    }
                    Err(reason) => {
                        taken.refused += 1;
                        tracing::warn!(%reason, "a message calls for nothing that can be understood; it is set aside");
                        if let Err(e) = self.dead.put(&reason, queue.name(), message.body.as_bytes(), now.0) {
                            tracing::error!(error = %e, "it could not be set aside, and comes again");
                            continue;
                        }
                    }
                }
                dealt_with.push(message.receipt);
            }
            failpoint::point("respond.requested");
            if !dealt_with.is_empty()
                && let Err(e) = queue.delete(&dealt_with)
            {
                tracing::warn!(error = %e, "messages not deleted: they come again, which changes nothing");
            }
        }
        Ok(())
    }
}
