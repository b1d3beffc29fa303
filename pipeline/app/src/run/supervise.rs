//! Runs the parts of the pipeline side by side: one that fails is started again, ever later, and never stops the others.

use forewarn_runtime::clock::Clock;
use forewarn_runtime::interrupt::Interrupt;
use forewarn_runtime::metrics::{Metrics, Part as PartLabel};
use forewarn_runtime::telemetry::causes;
use std::error::Error;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Why a turn of a part failed.
pub type Failure = Box<dyn Error + Send + Sync>;

/// One turn of a part's work: it gives the time of the next.
pub type Turn<'a> = Box<dyn FnMut(&Interrupt) -> Result<i64, Failure> + Send + 'a>;

/// A part: its name, and one turn of its work, which gives the time of the next, milliseconds.
pub struct Part<'a> {
    /// The name, as in metrics and logs.
    pub name: &'static str,
    /// One turn. It looks at the interrupt between pieces of work.
    pub turn: Turn<'a>,
}

impl std::fmt::Debug for Part<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Part").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The shortest wait after a failure, milliseconds.
const FIRST_WAIT: u64 = 1_000;
const LONGEST_WAIT: u64 = 300_000;

/// How long a part waits after so many failures in sequence: twice as long each time, five minutes at most.
pub fn wait_after(failures: u32) -> u64 {
    FIRST_WAIT.saturating_mul(1 << failures.saturating_sub(1).min(20)).min(LONGEST_WAIT)
}

/// Runs all parts until `stop` is raised, and waits for their turns to end.
pub fn supervise(parts: Vec<Part<'_>>, clock: &dyn Clock, metrics: &Metrics, stop: &Interrupt) {
    std::thread::scope(|scope| {
        for part in parts {
            scope.spawn(move || keep_going(part, clock, metrics, stop));
        }
    });
}

fn keep_going(mut part: Part<'_>, clock: &dyn Clock, metrics: &Metrics, stop: &Interrupt) {
    let mut failures = 0_u32;
    while !stop.is_raised() {
        let turn = catch_unwind(AssertUnwindSafe(|| (part.turn)(stop)));
        let wait = match turn {
            Ok(Ok(next)) => {
                failures = 0;
                metrics.success(part.name, clock.now_ms());
                u64::try_from(next - clock.now_ms()).unwrap_or(0)
            }
            Ok(Err(e)) => {
                failures += 1;
                fail(part.name, &causes(e.as_ref()), failures, metrics)
            }
            Err(_) => {
                failures += 1;
                fail(part.name, "it panicked; the message stands above", failures, metrics)
            }
        };
        clock.pause(wait, stop);
    }
    tracing::info!(part = part.name, "ended");
}

fn fail(part: &'static str, why: &str, failures: u32, metrics: &Metrics) -> u64 {
    let wait = wait_after(failures);
    metrics.restarts.get_or_create(&PartLabel { part }).inc();
    tracing::error!(part, failures, again_in_s = wait / 1000, "{why}");
    wait
}

#[cfg(test)]
mod tests {
    use super::*;
    use forewarn_runtime::clock::ManualClock;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[test]
    fn a_part_that_fails_or_panics_is_started_again_and_stops_nobody() {
        let (clock, metrics, stop) = (ManualClock::at(0), Metrics::default(), Interrupt::default());
        let (bad, good) = (AtomicU32::new(0), AtomicU32::new(0));
        let parts = vec![
            Part {
                name: "ingest",
                turn: Box::new(|_| match bad.fetch_add(1, Ordering::SeqCst) {
                    0 => Err("no network".into()),
                    1 => panic!("a bug"),
                    _ => Ok(clock.now_ms() + 1),
                }),
            },
            Part {
                name: "archive",
                turn: Box::new(|stop| {
                    if good.fetch_add(1, Ordering::SeqCst) > 50 && bad.load(Ordering::SeqCst) > 2 {
                        stop.raise();
                    }
                    std::thread::yield_now();
                    Ok(clock.now_ms() + 1)
                }),
            },
        ];
        supervise(parts, &clock, &metrics, &stop);
        assert!(bad.into_inner() > 2);
        assert_eq!(metrics.restarts.get_or_create(&PartLabel { part: "ingest" }).get(), 2);
    }

    #[test]
    fn waits_grow_and_are_bounded() {
        assert_eq!([1, 2, 3, 20, 4000].map(wait_after), [1_000, 2_000, 4_000, 300_000, 300_000]);
    }
}
