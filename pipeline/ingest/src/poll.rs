//! Polls queues: a message is deleted only after what it says is durable, so nothing that happens in between loses it.

use crate::intake::{Intake, IntakeError, IntakeReport};
use forewarn_events::queue::{Queue, Received};
use forewarn_runtime::clock::Clock;
use forewarn_runtime::failpoint;
use forewarn_runtime::interrupt::Interrupt;
use forewarn_runtime::metrics::{Metrics, Queue as QueueLabel};
use forewarn_runtime::pulse::Pulse;

/// What a part that polls is called.
const PART: &str = "events";
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
    let queue_metrics = QueueMetrics::begin(queues, intake.metrics, clock.now_ms());
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
            let waiting_for = queue_metrics.pulse.waits_for(format!("the queue {}", queue.name()));
            let received = queue.receive();
            drop(waiting_for);
            match received {
                Ok(messages) => {
                    *wait = (i64::MIN, 0);
                    quiet &= messages.is_empty();
                    queue_metrics.received(queue.name(), &messages, clock.now_ms());
                    if !messages.is_empty() {
                        one_batch(queue.as_mut(), &messages, intake, clock, stop, &mut report)?;
                    }
                    queue_metrics.succeeded(queue.name(), clock.now_ms());
                }
                Err(e) => {
                    report.failures += 1;
                    queue_metrics.failed(queue.name());
                    waiting = true;
                    let next = (wait.1 * 2).clamp(PAUSE_MS, LONGEST_PAUSE_MS);
                    *wait = (clock.now_ms().saturating_add(next as i64), next);
                    tracing::warn!(error = %e, cause = e.source.to_string(), "the queue is not asked again for {} s", next / 1000);
                }
            }
        }
        queue_metrics.pulse.beat();
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

/// What is told of queues: how each stands, and how far behind all of them are.
struct QueueMetrics<'a> {
    metrics: &'a Metrics,
    pulse: Pulse,
}

impl<'a> QueueMetrics<'a> {
    /// Lets each queue grow old from now on, until it is known better.
    fn begin(queues: &[Box<dyn Queue>], metrics: &'a Metrics, now_ms: i64) -> Self {
        for queue in queues {
            metrics.queues.through.begin(label(queue.name()), now_ms);
        }
        let begun = Self { metrics, pulse: metrics.pulses.of(PART) };
        begun.lag();
        begun
    }

    /// A queue that gave nothing is empty now; what it gave is as old as the oldest message.
    fn received(&self, queue: &str, messages: &[Received], now_ms: i64) {
        let oldest = messages.iter().filter_map(|m| m.sent_at).min();
        self.metrics.queues.through.set(label(queue), oldest.unwrap_or(now_ms).min(now_ms));
        self.lag();
    }

    /// The queue was asked, and what it gave is durable.
    fn succeeded(&self, queue: &str, now_ms: i64) {
        self.metrics.queues.succeeded(&label(queue), now_ms);
        self.metrics.success(PART, now_ms);
    }

    fn failed(&self, queue: &str) {
        self.metrics.queues.failed(&label(queue));
    }

    fn lag(&self) {
        if let Some(oldest) = self.metrics.queues.through.oldest() {
            self.metrics.dealt_with(PART, oldest);
        }
    }
}

fn label(queue: &str) -> QueueLabel {
    QueueLabel { queue: queue.to_owned() }
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
