//! How far each bus is behind the log: what it has not been given, and since when that waits.

use super::announcement::Announcement;
use super::outbox::{Delivery, Sink};
use super::{PAGE, PumpError};
use forewarn_log::{Cursors, EventLog, LogError};
use forewarn_runtime::metrics::{Bus, Metrics};
use forewarn_runtime::time::parse_instant;

/// What a bus has not been given.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Entries of the log, whether they are announced or not.
    pub entries: u64,
    /// When the first of them that is announced happened, milliseconds; none where none is.
    pub oldest_ms: Option<i64>,
}

impl Backlog {
    /// Looks at what is behind a cursor.
    ///
    /// # Errors
    /// When the log fails.
    pub fn of<L: EventLog + Cursors + ?Sized>(log: &L, cursor: &str) -> Result<Self, LogError> {
        let mut position = log.cursor(cursor)?;
        let entries = log.head()?.saturating_sub(position);
        loop {
            let page = log.read_all(position, PAGE)?;
            let Some(last) = page.last() else { return Ok(Self { entries, oldest_ms: None }) };
            // What can't be understood waits as well.
            if let Some(first) = page.iter().find(|e| !matches!(Announcement::of(e), Ok(None))) {
                return Ok(Self { entries, oldest_ms: parse_instant(&first.envelope.time, None).ok() });
            }
            position = last.position;
        }
    }
}

/// Gives through what time everything has been announced: until now where nothing waits, and else until the oldest that does; but not
/// less than was known, because an event may speak of a time long before it was written.
fn through(backlog: Backlog, known_ms: Option<i64>, now_ms: i64) -> i64 {
    let waits = backlog.oldest_ms.map(|at| known_ms.map_or(at, |known| known.max(at)));
    waits.unwrap_or(now_ms).min(now_ms)
}

/// Tells how it stands with every bus after a delivery.
///
/// # Errors
/// When the log fails.
pub fn tell<L: EventLog + Cursors + ?Sized>(
    log: &L,
    deliveries: &[Delivery],
    metrics: &Metrics,
    now_ms: i64,
) -> Result<(), LogError> {
    for delivery in deliveries {
        let bus = Bus { bus: delivery.name };
        match &delivery.outcome {
            Ok(report) if report.sent + report.skipped > 0 => {
                metrics.buses.succeeded(&bus, now_ms);
                metrics.success("emit", now_ms);
            }
            Ok(_) => metrics.buses.rests(&bus),
            Err(PumpError::Bus(_) | PumpError::Log(_)) => metrics.buses.failed(&bus),
        }
        let backlog = Backlog::of(log, delivery.name)?;
        metrics.outbox_waiting.get_or_create(&bus).set(i64::try_from(backlog.entries).unwrap_or(i64::MAX));
        let known = metrics.buses.through.get(&bus);
        metrics.buses.through.set(bus, through(backlog, known, now_ms));
    }
    if let Some(oldest) = metrics.buses.through.oldest() {
        metrics.dealt_with("emit", oldest);
    }
    Ok(())
}

/// Lets every bus that is fed grow old from now on where nothing better is known.
pub fn begin(sinks: &[Sink], metrics: &Metrics, now_ms: i64) {
    for sink in sinks {
        metrics.buses.through.begin(Bus { bus: sink.name }, now_ms);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bus_is_as_far_behind_as_the_oldest_that_waits_and_never_further_than_was_known() {
        let waits = |at| Backlog { entries: 1, oldest_ms: Some(at) };
        assert_eq!(through(Backlog::default(), Some(5), 100), 100);
        assert_eq!(
            through(Backlog { entries: 3, oldest_ms: None }, None, 100),
            100,
            "of what waits nothing is announced"
        );
        assert_eq!(through(waits(40), None, 100), 40);
        assert_eq!(through(waits(40), Some(60), 100), 60, "everything until then had been announced");
        assert_eq!(through(waits(80), Some(60), 100), 80, "what waited before has been announced");
        assert_eq!(through(waits(900), None, 100), 100, "what lies ahead waits since now");
    }
}
