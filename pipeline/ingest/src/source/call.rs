//! Makes one call to AWS at the pace that is allowed, counts it, and makes it again while that may help.

use super::api::ApiError;
use super::budget::Spent;
use super::limit::{Limiter, pause_ms};
use super::report::Counts;
use super::state::{State, StateError};
use forewarn_runtime::clock::Clock;
use forewarn_runtime::interrupt::Interrupt;
use forewarn_runtime::metrics::{Call, Metrics, Place as PlaceLabel};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Explains why a call came to nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum CallError {
    /// AWS says no.
    #[error("{0}")]
    Api(ApiError),
    /// It failed for longer than is waited.
    #[error(
        "{operation} failed {tries} times in {minutes} minutes, at last: {last}; what is missing is asked for again next time"
    )]
    GivenUp {
        operation: &'static str,
        /// How often it was tried.
        tries: u32,
        /// For how long.
        minutes: i64,
        /// What AWS or the network said last.
        last: ApiError,
    },
    /// The budget would be passed.
    #[error("{0}")]
    Spent(Spent),
    /// Somebody wants it to end, or another call of the same round has failed for good.
    #[error("ended before it was done")]
    Ended,
    /// The state fails.
    #[error(transparent)]
    State(StateError),
}

/// What a call needs of what is limited.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Need {
    /// The most points that it can give.
    pub(super) points: i64,
    /// Whether its window begins within the last three hours.
    pub(super) recent: bool,
    /// Metrics that it is billed for.
    pub(super) billed: u64,
}

/// Makes the calls of one place; threads share it.
#[derive(Debug)]
pub(super) struct Caller<'a> {
    pub(super) clock: &'a dyn Clock,
    pub(super) stop: &'a Interrupt,
    pub(super) metrics: &'a Metrics,
    /// What the place is called there.
    pub(super) label: PlaceLabel,
    pub(super) limiter: &'a Mutex<Limiter>,
    pub(super) jitter: Mutex<ChaCha8Rng>,
    /// For how long a call is tried, milliseconds.
    pub(super) patience_ms: i64,
    pub(super) counts: &'a Counts,
    pub(super) state: &'a State,
    pub(super) place: i64,
    pub(super) budget: Option<u64>,
    /// Raised when the rest of the round is not worth trying.
    pub(super) over: AtomicBool,
}

/// What the part that pulls is called.
const PART: &str = "ingest";
/// From when on a place whose call fails is told to fail, milliseconds: long before its patience ends.
const TOLD_AFTER_MS: i64 = 45_000;
/// After how many tries somebody who watches is told that it takes longer.
const SAID_AFTER: u32 = 4;

fn hold<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Caller<'_> {
    /// Says whether nothing more is to be tried.
    pub(super) fn is_over(&self) -> bool {
        self.stop.is_raised() || self.over.load(Ordering::Relaxed)
    }

    /// Gives up the rest of the round.
    pub(super) fn end(&self) {
        self.over.store(true, Ordering::Relaxed);
    }

    /// Waits.
    ///
    /// # Errors
    /// When it is to end instead.
    pub(super) fn pause(&self, ms: u64) -> Result<(), CallError> {
        // In steps, so that nobody sleeps on when the round is over.
        let mut left = ms;
        while left > 0 && !self.is_over() {
            let step = left.min(1000);
            if !self.clock.pause(step, self.stop) {
                return Err(CallError::Ended);
            }
            left -= step;
        }
        if self.is_over() { Err(CallError::Ended) } else { Ok(()) }
    }

    /// Gives the wait before a further try.
    pub(super) fn backoff(&self, attempt: u32) -> u64 {
        pause_ms(attempt, hold(&self.jitter).random::<f64>())
    }

    /// Makes a call until it succeeds, fails for good, or patience ends. A throttle slows everybody down who asks in this place.
    pub(super) fn make<T>(
        &self,
        call: &Call,
        need: Need,
        mut ask: impl FnMut() -> Result<T, ApiError>,
    ) -> Result<T, CallError> {
        let began = self.clock.now_ms();
        let mut tries = 0;
        loop {
            let wait = hold(self.limiter).reserve(self.clock.now_ms(), need.points, need.recent);
            self.pause(wait)?;
            self.spend(need.billed)?;
            tries += 1;
            self.metrics.calls.get_or_create(call).inc();
            Counts::add(self.counts.of(call.operation), 1);
            let reply = ask();
            self.metrics.pulses.of(PART).beat();
            let error = match reply {
                Ok(reply) => {
                    hold(self.limiter).succeeded();
                    self.metrics.answered(call);
                    return Ok(reply);
                }
                Err(e) if e.is_passing() => e,
                Err(e) => return Err(CallError::Api(e)),
            };
            self.metrics.failed(call);
            let pause = self.backoff(tries - 1);
            let now = self.clock.now_ms();
            if now - began >= TOLD_AFTER_MS {
                self.metrics.places.failed(&self.label);
            }
            if matches!(error, ApiError::Throttled(_)) {
                self.metrics.throttles.get_or_create(call).inc();
                Counts::add(&self.counts.throttles, 1);
                hold(self.limiter).throttled(now, pause);
            }
            if now - began >= self.patience_ms {
                let minutes = (now - began) / 60_000;
                return Err(CallError::GivenUp { operation: call.operation, tries, minutes, last: error });
            }
            if tries == SAID_AFTER {
                let minutes = self.patience_ms / 60_000;
                tracing::warn!(operation = call.operation, tries, %error, "no answer yet; it is tried for {minutes} minutes");
            } else {
                tracing::debug!(operation = call.operation, tries, pause, %error, "trying again");
            }
            self.metrics.retries.get_or_create(call).inc();
            Counts::add(&self.counts.retries, 1);
            self.pause(pause)?;
        }
    }

    /// Counts what is about to be asked, durably, before it is asked: retries and pages count, too, which is the stricter reading.
    fn spend(&self, metrics: u64) -> Result<(), CallError> {
        if metrics == 0 {
            return Ok(());
        }
        let now = self.clock.now_ms();
        let left = self.state.spend(self.place, metrics, self.budget, now).map_err(CallError::State)?;
        left.map_err(CallError::Spent)?;
        Counts::add(&self.counts.billed_metrics, metrics);
        Ok(())
    }
}
