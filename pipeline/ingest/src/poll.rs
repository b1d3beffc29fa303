//! Polls queues: a message is deleted only after what it says is durable, so nothing that happens in between loses it.

use crate::intake::{Intake, IntakeError, IntakeReport};
use forewarn_events::queue::{Queue, Received};
use forewarn_runtime::clock::Clock;
use forewarn_runtime::failpoint;
use forewarn_runtime::interrupt::Interrupt;

/// How often deleting is tried.
const TRIES: u32 = 4;
/// The first wait before trying again, milliseconds; it doubles.
const PAUSE_MS: u64 = 200;
/// The longest wait after a queue failed, milliseconds.
const LONGEST_PAUSE_MS: u64 = 30_000;

/// How long queues are polled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Until {
    /// Until it is stopped.
    #[default]
    Stopped,
    /// Until every queue has nothing more to give.
    Empty,
}

/// Says what was polled.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Poll {
    /// What became of the messages.
    #[serde(flatten)]
    pub taken: IntakeReport,
    /// Messages deleted.
    pub deleted: u64,
    /// Messages that could not be deleted: they come again, which does no harm.
    pub left: u64,
    /// Times that a queue failed.
    pub failures: u64,
}

/// Polls queues in turn. One that fails is left alone for a while and never stops the others.
///
/// # Errors
/// When stream or dead letters fail: the messages are not deleted and come again.
pub fn poll(
    queues: &mut [Box<dyn Queue>],
    intake: &mut Intake<'_>,
    clock: &dyn Clock,
    until: Until,
    stop: &Interrupt,
) -> Result<Poll, IntakeError> {
    let mut report = Poll::default();
    // For each queue, when it may be asked again, and how long the last wait was.
    let mut waits: Vec<(i64, u64)> = vec![(i64::MIN, 0); queues.len()];
    while !stop.is_raised() && !queues.is_empty() {
        let (mut quiet, mut waiting) = (true, false);
        for (queue, wait) in queues.iter_mut().zip(&mut waits) {
            if stop.is_raised() {
                return Ok(report);
            }
            if clock.now_ms() < wait.0 {
                waiting = true;
                continue;
            }
            match queue.receive() {
                Ok(messages) => {
                    *wait = (i64::MIN, 0);
                    quiet &= messages.is_empty();
                    if !messages.is_empty() {
                        one_batch(queue.as_mut(), &messages, intake, clock, stop, &mut report)?;
                    }
                }
                Err(e) => {
                    report.failures += 1;
                    waiting = true;
                    let next = (wait.1 * 2).clamp(PAUSE_MS, LONGEST_PAUSE_MS);
                    *wait = (clock.now_ms().saturating_add(next as i64), next);
                    tracing::warn!(error = %e, cause = e.source.to_string(), "the queue is not asked again for {} s", next / 1000);
                }
            }
        }
        intake.metrics.success("events", clock.now_ms());
        if until == Until::Empty && quiet && !waiting {
            return Ok(report);
        }
        // A queue that is left alone and nothing to do meanwhile: time must pass.
        if waiting && quiet && !clock.pause(PAUSE_MS, stop) {
            return Ok(report);
        }
    }
    Ok(report)
}

fn one_batch(
    queue: &mut dyn Queue,
    messages: &[Received],
    intake: &mut Intake<'_>,
    clock: &dyn Clock,
    stop: &Interrupt,
    report: &mut Poll,
) -> Result<(), IntakeError> {
    failpoint::point("events.received");
    let bodies: Vec<&[u8]> = messages.iter().map(|m| m.body.as_bytes()).collect();
    report.taken += intake.take(queue.name(), &bodies, clock.now_ms())?;
    failpoint::point("events.put");
    let mut left: Vec<String> = messages.iter().map(|m| m.receipt.clone()).collect();
    let all = left.len() as u64;
    for n in 0..TRIES {
        match queue.delete(&left) {
            Ok(failed) => left = failed,
            Err(e) => tracing::warn!(error = %e, cause = e.source.to_string(), "messages not deleted"),
        }
        if left.is_empty() || !clock.pause(PAUSE_MS << n, stop) {
            break;
        }
    }
    failpoint::point("events.deleted");
    report.left += left.len() as u64;
    report.deleted += all - left.len() as u64;
    Ok(())
}

#[cfg(test)]
mod tests;
