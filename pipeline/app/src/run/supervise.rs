//! Runs the parts of the pipeline side by side: one that fails is started again, ever later, and never stops the others; one in which
//! nothing moves any more is told.

use forewarn_runtime::clock::Clock;
use forewarn_runtime::interrupt::Interrupt;
use forewarn_runtime::metrics::{Metrics, Part as PartLabel};
use forewarn_runtime::pulse::BOUND_MS;
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

/// How often the watch looks, milliseconds.
const LOOK_MS: u64 = 10_000;

/// Runs all parts until `stop` is raised, and waits for their turns to end.
pub fn supervise(parts: Vec<Part<'_>>, clock: &dyn Clock, metrics: &Metrics, stop: &Interrupt) {
    let names: Vec<&'static str> = parts.iter().map(|part| part.name).collect();
    std::thread::scope(|scope| {
        for part in parts {
            metrics.begin(part.name, clock.now_ms());
            scope.spawn(move || keep_going(part, clock, metrics, stop));
        }
        if !names.is_empty() {
            scope.spawn(|| watch(&names, clock, metrics, stop));
        }
    });
}

/// Tells of turns in which nothing moves. By the machine's own time: a clock that is set makes nobody hang.
fn watch(parts: &[&'static str], clock: &dyn Clock, metrics: &Metrics, stop: &Interrupt) {
    while clock.pause(LOOK_MS, stop) {
        for &part in parts {
            let Some(waits) = metrics.pulses.of(part).look(clock.uptime_ms()) else { continue };
            metrics.hung_turns.get_or_create(&PartLabel { part }).inc();
            tracing::error!(part, "no sign of life for {} s: it waits for {waits}", BOUND_MS / 1000);
        }
    }
}

fn keep_going(mut part: Part<'_>, clock: &dyn Clock, metrics: &Metrics, stop: &Interrupt) {
    let mut failures = 0_u32;
    let pulse = metrics.pulses.of(part.name);
    pulse.enter();
    while !stop.is_raised() {
        pulse.begin(clock.uptime_ms());
        let turn = catch_unwind(AssertUnwindSafe(|| (part.turn)(stop)));
        pulse.end();
        let wait = match turn {
            Ok(Ok(next)) => {
                failures = 0;
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
        metrics.failed_turns.get_or_create(&PartLabel { part: part.name }).set(i64::from(failures));
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
    use forewarn_testkit::exposition::Exposition;
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

    #[test]
    fn a_turn_is_no_success_of_itself_and_failures_in_sequence_are_told_until_one_works() {
        let (clock, metrics, stop) = (ManualClock::at(0), Metrics::default(), Interrupt::default());
        let (turns, label) = (AtomicU32::new(0), PartLabel { part: "emit" });
        let turn = |stop: &Interrupt| {
            let failed = metrics.failed_turns.get_or_create(&label).get();
            match turns.fetch_add(1, Ordering::SeqCst) {
                n @ 0..4 => {
                    assert_eq!(failed, i64::from(n));
                    Err("no network".into())
                }
                4 => {
                    assert_eq!(failed, 4);
                    Ok(0)
                }
                _ => {
                    assert_eq!(failed, 0);
                    stop.raise();
                    Ok(0)
                }
            }
        };
        supervise(vec![Part { name: "emit", turn: Box::new(turn) }], &clock, &metrics, &stop);
        assert_eq!(turns.into_inner(), 6);
        assert!(metrics.last_success.get(&label).is_none(), "no turn said that it did any work");
    }

    #[test]
    fn a_turn_that_hangs_is_told_and_the_others_go_on() {
        let (clock, metrics, stop) = (ManualClock::at(0), Metrics::default(), Interrupt::default());
        let (hung, turns) = (PartLabel { part: "archive" }, AtomicU32::new(0));
        let told = || metrics.hung_turns.get_or_create(&hung).get();
        let parts = vec![
            Part {
                name: "archive",
                turn: Box::new(|stop| {
                    while told() == 0 || turns.load(Ordering::SeqCst) == 0 {
                        std::thread::yield_now();
                    }
                    let scraped = Exposition::parse(&metrics.render(&clock)).unwrap();
                    assert_eq!(scraped.get("forewarn_part_hung", &[("part", "archive")]), Some(1.0));
                    stop.raise();
                    Ok(0)
                }),
            },
            Part {
                name: "emit",
                turn: Box::new(|_| {
                    turns.fetch_add(1, Ordering::SeqCst);
                    std::thread::yield_now();
                    Ok(clock.now_ms() + 1)
                }),
            },
        ];
        supervise(parts, &clock, &metrics, &stop);
        assert_eq!(told(), 1);
        assert!(turns.into_inner() > 0);
    }
}
