//! Lets executors work: takes triggers in, hands recoveries to workers when they are due, and notices what people did meanwhile.

use super::due_queue::DueQueue;
use super::executor::{Executor, NextWakeup};
use super::inbox::Inbox;
use super::ledger::LedgerError;
use forewarn_domain::time::UnixMs;
use forewarn_runtime::interrupt::Interrupt;
use serde::Serialize;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How often sources are looked at, in real time.
const GLANCE: Duration = Duration::from_millis(50);
/// How often places of recoveries that are over are given back, milliseconds.
const SWEEP_MS: i64 = 60_000;
/// How long after the log failed a recovery is looked at again, milliseconds.
const FAILED_MS: i64 = 5_000;

/// How long it works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// Until it is stopped.
    Stopped,
    /// Until nothing can be done now.
    Idle,
    /// Until nothing can be done now, or this time.
    IdleBy(UnixMs),
    /// Until nothing can be done without a person.
    Done,
}

/// Says what was done.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Served {
    /// Recoveries that were open when it began.
    pub resumed: usize,
    /// Triggers taken in, however often each.
    pub triggers: u64,
    /// Messages that could not be understood.
    pub refused: u64,
    /// Recoveries looked at.
    pub turns: u64,
    /// When the next is due.
    pub next_ms: Option<UnixMs>,
}

/// Works with several threads until it is done.
///
/// # Errors
/// When the log can't be read at the start.
pub fn serve(
    executor: &Executor,
    inbox: &mut Inbox<'_>,
    workers: usize,
    until: Until,
    stop: &Interrupt,
) -> Result<Served, LedgerError> {
    let pool = WorkerPool::default();
    let open = executor.ledger().store().open_recoveries()?;
    let mut served = Served { resumed: open.len(), ..Served::default() };
    let now = executor.ledger().now();
    for id in open {
        pool.lock().due_queue.put(&id, now);
    }
    executor.sweep()?;
    std::thread::scope(|scope| {
        for _ in 0..workers.max(1) {
            scope.spawn(|| pool.work(executor));
        }
        let ended = attend(executor, inbox, &pool, until, stop, &mut served);
        pool.lock().closed = true;
        pool.wakeup.notify_all();
        ended
    })?;
    let state = pool.lock();
    executor.give_back(state.due_queue.ids());
    (served.turns, served.next_ms) = (state.turns, state.due_queue.next());
    drop(state);
    Ok(served)
}

/// Looks at the sources until it is done.
fn attend(
    executor: &Executor,
    inbox: &mut Inbox<'_>,
    pool: &WorkerPool,
    until: Until,
    stop: &Interrupt,
    served: &mut Served,
) -> Result<(), LedgerError> {
    let mut swept = executor.ledger().now();
    while !stop.is_raised() {
        let taken = inbox.take(executor)?;
        served.triggers += taken.triggers;
        served.refused += taken.refused;
        let now = executor.ledger().now();
        for id in &taken.touched {
            pool.lock().due_queue.put(id, now);
        }
        if !taken.touched.is_empty() {
            pool.wakeup.notify_all();
        }
        if now.since(swept) > SWEEP_MS {
            executor.sweep()?;
            swept = now;
        }
        let state = pool.lock();
        let idle = !state.due_queue.is_busy() && taken.touched.is_empty() && taken.is_quiet;
        let due = state.due_queue.next();
        let over = match until {
            Until::Stopped => false,
            Until::Idle => idle && due.is_none_or(|at| at > now),
            Until::IdleBy(end) => now >= end || (idle && due.is_none_or(|at| at > now)),
            Until::Done => idle && !state.due_queue.has_work(),
        };
        drop(state);
        if over {
            break;
        }
        std::thread::sleep(GLANCE);
    }
    Ok(())
}

/// Where workers find their work.
#[derive(Debug, Default)]
struct WorkerPool {
    state: Mutex<PoolState>,
    wakeup: Condvar,
}

#[derive(Debug, Default)]
struct PoolState {
    due_queue: DueQueue,
    turns: u64,
    closed: bool,
}

impl WorkerPool {
    fn lock(&self) -> MutexGuard<'_, PoolState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes what is due, one recovery after another, until the pool is closed.
    fn work(&self, executor: &Executor) {
        let mut state = self.lock();
        loop {
            if state.closed {
                return;
            }
            let Some(id) = state.due_queue.take(executor.ledger().now()) else {
                // What becomes due wakes nobody, so it looks again by itself.
                let waited = self.wakeup.wait_timeout(state, GLANCE);
                state = waited.map_or_else(|e| e.into_inner().0, |(state, _)| state);
                continue;
            };
            drop(state);
            let when = executor.advance_while(&id, &|| !self.lock().closed).unwrap_or_else(|e| {
                if matches!(e, LedgerError::IllegalTransition { .. }) {
                    tracing::error!(recovery = id, error = %e, "nothing is done for it");
                    return NextWakeup::Never;
                }
                tracing::error!(recovery = id, error = %e, "it is looked at again");
                NextWakeup::At(executor.ledger().now().saturating_add(FAILED_MS))
            });
            state = self.lock();
            state.turns += 1;
            match when {
                NextWakeup::At(at) => state.due_queue.give_back(&id, Some(at)),
                NextWakeup::Reminder(at) => state.due_queue.remind(&id, at),
                NextWakeup::Person | NextWakeup::Never => state.due_queue.give_back(&id, None),
            }
        }
    }
}
