//! Makes one call to AWS at the pace that is allowed, counts it, and makes it again while that may help.

use super::api::ApiError;
use super::budget::Spent;
use super::limit::{Pace, pause_ms};
use super::permits::Permit;
use super::report::Counts;
use super::state::{State, StateError};
use super::watch::{PlaceEvent, PlaceKey, PlaceWatch};
use forewarn_runtime::clock::Clock;
use forewarn_runtime::interrupt::Interrupt;
use forewarn_runtime::metrics::{Call, Metrics, Place as PlaceLabel};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
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
    /// The round has taken so long in this place that the rest waits for the next.
    #[error("not done after {minutes} minutes; what is missing is asked for next time")]
    OutOfTime {
        /// How long it took.
        minutes: i64,
    },
    /// Nothing was asked: it failed too often.
    #[error("not asked: it has failed {failures} times since {since}, and is asked again from {until} on")]
    NotAsked {
        failures: u32,
        /// Since when.
        since: String,
        /// When it is asked again.
        until: String,
    },
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

/// How a place answers, and who is told where it doesn't; threads share it.
#[derive(Debug)]
pub(super) struct Trouble<'a> {
    /// When the round began here, milliseconds.
    pub(super) began: i64,
    /// For how long it is asked without any answer, milliseconds.
    pub(super) silence_ms: i64,
    /// How long it may take here, milliseconds.
    pub(super) deadline_ms: Option<i64>,
    /// When anything was last answered, or the round began.
    pub(super) answered_at: AtomicI64,
    /// Whether the last call was not answered.
    pub(super) silent: AtomicBool,
    /// Whether the first call that fails ends the round: the breaker is half open.
    pub(super) probing: AtomicBool,
    /// The permit that others may have as soon as something fails here.
    pub(super) permit: &'a Permit<'a>,
    /// Who hears that nothing answers.
    pub(super) watch: Option<&'a dyn PlaceWatch>,
    pub(super) key: PlaceKey,
}

impl Trouble<'_> {
    /// Notes an answer, whatever it says.
    fn answered(&self, now: i64) {
        self.answered_at.fetch_max(now, Ordering::Relaxed);
        if self.silent.swap(false, Ordering::Relaxed) {
            self.tell(PlaceEvent::Answers, now);
        }
    }

    /// Notes a call that is to be made again: others may begin meanwhile. Says for how long nothing has answered.
    fn failed(&self, error: &ApiError, now: i64) -> i64 {
        self.permit.give_up();
        if !matches!(error, ApiError::Silent(_)) {
            self.answered(now);
            return 0;
        }
        if !self.silent.swap(true, Ordering::Relaxed) {
            self.tell(PlaceEvent::Silent, now);
        }
        now - self.answered_at.load(Ordering::Relaxed)
    }

    fn tell(&self, event: PlaceEvent, now: i64) {
        if let Some(watch) = self.watch {
            watch.heard(&self.key, event, now);
        }
    }
}

/// Makes the calls of one place; threads share it.
#[derive(Debug)]
pub(super) struct Caller<'a> {
    pub(super) clock: &'a dyn Clock,
    pub(super) stop: &'a Interrupt,
    pub(super) metrics: &'a Metrics,
    /// What the place is called there.
    pub(super) label: PlaceLabel,
    pub(super) pace: &'a Pace,
    pub(super) jitter: Mutex<ChaCha8Rng>,
    /// For how long a call is tried, milliseconds.
    pub(super) patience_ms: i64,
    pub(super) trouble: Trouble<'a>,
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
            let now = self.clock.now_ms();
            if self.trouble.deadline_ms.is_some_and(|most| now - self.trouble.began >= most) {
                return Err(CallError::OutOfTime { minutes: (now - self.trouble.began) / 60_000 });
            }
            let wait = self.pace.of(call.operation).reserve(now, need.points, need.recent);
            self.pause(wait)?;
            self.spend(need.billed)?;
            tries += 1;
            self.metrics.calls.get_or_create(call).inc();
            Counts::add(self.counts.of(call.operation), 1);
            let reply = ask();
            self.metrics.pulses.of(PART).beat();
            let error = match reply {
                Ok(reply) => {
                    self.metrics.answered(call);
                    self.pace.of(call.operation).succeeded();
                    self.trouble.answered(self.clock.now_ms());
                    self.trouble.probing.store(false, Ordering::Relaxed);
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
                self.pace.of(call.operation).throttled(now, pause);
            }
            let silent_for = self.trouble.failed(&error, now);
            let probes = self.trouble.probing.load(Ordering::Relaxed);
            if probes || (tries > 1 && silent_for >= self.trouble.silence_ms) || now - began >= self.patience_ms {
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
