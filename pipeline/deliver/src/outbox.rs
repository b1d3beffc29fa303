//! Feeds several buses from the log, each with a cursor of its own: a broken one never stops the others.

use super::bus::{Bus, BusError};
use super::jsonl::JsonLinesBus;
use super::stdout::LinesBus;
use super::{PumpError, PumpReport, pump};
use forewarn_log::{Cursors, EventLog, Filter, LogError};
use forewarn_runtime::context::RuntimeContext;
use forewarn_runtime::metrics::Metrics;
use forewarn_runtime::telemetry::causes;
use std::path::PathBuf;

/// The cursor of the JSON Lines file.
pub const FILE: &str = "bus";
/// The cursor of `EventBridge`.
pub const EVENTBRIDGE: &str = "eventbridge";
/// The cursor of standard output.
pub const STDOUT: &str = "stdout";

/// The cursors of all buses.
pub const CURSORS: [&str; 3] = [FILE, EVENTBRIDGE, STDOUT];

/// A bus with the name of its cursor; one that did not open says so when it is to be fed.
pub struct Sink {
    /// The name of its cursor.
    pub name: &'static str,
    /// The bus, or why there is none.
    pub bus: Result<Box<dyn Bus + Send>, BusError>,
}

impl std::fmt::Debug for Sink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sink").field("name", &self.name).field("open", &self.bus.is_ok()).finish()
    }
}

/// Which buses are to be fed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SinkConfig {
    /// The JSON Lines file.
    pub file: PathBuf,
    /// An `EventBridge` bus, by name or ARN.
    pub eventbridge: Option<String>,
    /// Whether standard output is one.
    pub stdout: bool,
}

impl SinkConfig {
    /// Names the cursors of the buses that are wanted beside the file: these can be told to begin with the whole log.
    pub fn replayable_cursors(&self) -> Vec<&'static str> {
        let Self { file: _, eventbridge, stdout } = self;
        [(EVENTBRIDGE, eventbridge.is_some()), (STDOUT, *stdout)]
            .into_iter()
            .filter(|(_, is)| *is)
            .map(|(name, _)| name)
            .collect()
    }
}

/// Opens the buses that are wanted, and sets the cursor of one that is new to the present.
///
/// Call it before the round's events are appended: what comes later is announced on a new bus too. `from_start` makes a new bus
/// repeat the whole log; the file has always begun there.
///
/// # Errors
/// When the log fails. A bus that does not open is in the list with its reason.
pub fn open<L: Cursors + EventLog>(
    log: &L,
    wanted: &SinkConfig,
    from_start: bool,
    ctx: &RuntimeContext,
) -> Result<Vec<Sink>, LogError> {
    let SinkConfig { file, eventbridge: events_to, stdout } = wanted;
    let file = JsonLinesBus::open(file).map(|b| Box::new(b) as Box<dyn Bus + Send>);
    let mut sinks = vec![Sink { name: FILE, bus: file }];
    if let Some(bus) = events_to {
        sinks.push(Sink { name: EVENTBRIDGE, bus: eventbridge(bus, ctx) });
    }
    if *stdout {
        sinks.push(Sink { name: STDOUT, bus: Ok(Box::new(LinesBus::stdout())) });
    }
    for sink in sinks.iter().filter(|o| o.name != FILE) {
        if !log.has_cursor(sink.name)? {
            log.advance(sink.name, if from_start { 0 } else { log.head()? })?;
        }
    }
    Ok(sinks)
}

#[cfg(feature = "aws")]
fn eventbridge(bus: &str, ctx: &RuntimeContext) -> Result<Box<dyn Bus + Send>, BusError> {
    use super::eventbridge::EventBridgeBus;
    let RuntimeContext { clock, stop, metrics } = ctx.clone();
    let opened =
        forewarn_runtime::aws::Aws::load().and_then(|aws| EventBridgeBus::open(&aws, bus, clock, stop, metrics));
    match opened {
        Ok(bus) => Ok(Box::new(bus)),
        Err(source) => Err(BusError::Unreachable { bus: format!("eventbridge {bus}"), source: Box::new(source) }),
    }
}

#[cfg(not(feature = "aws"))]
fn eventbridge(bus: &str, _: &RuntimeContext) -> Result<Box<dyn Bus + Send>, BusError> {
    let source = "this forewarn was built without AWS; build it with the feature `aws`";
    Err(BusError::Unreachable { bus: format!("eventbridge {bus}"), source: source.into() })
}

/// What became of one bus.
#[derive(Debug)]
pub struct Delivery {
    /// The name of its cursor.
    pub name: &'static str,
    /// What was done, or why it stopped.
    pub outcome: Result<PumpReport, PumpError>,
}

/// What became of all buses.
#[derive(Debug, Default)]
pub struct Deliveries(pub Vec<Delivery>);

impl Deliveries {
    /// Counts the announcements published.
    pub fn sent(&self) -> u64 {
        self.0.iter().filter_map(|d| d.outcome.as_ref().ok()).map(|r| r.sent).sum()
    }

    /// Gives the first failure, where there is one; the buses that did not fail have been fed.
    ///
    /// # Errors
    /// When a bus failed.
    pub fn checked(self) -> Result<Vec<(&'static str, PumpReport)>, PumpError> {
        self.0.into_iter().map(|d| d.outcome.map(|report| (d.name, report))).collect()
    }
}

/// Feeds every bus what is due to it; each goes as far as it can.
pub fn deliver<L: EventLog + Cursors>(log: &L, sinks: &mut [Sink], metrics: &Metrics) -> Deliveries {
    let feed = |sink: &mut Sink| {
        let outcome = match &mut sink.bus {
            Ok(bus) => pump(log, sink.name, bus.as_mut(), &Filter::default()),
            Err(e) => Err(PumpError::Bus(std::mem::replace(e, BusError::Closed { bus: sink.name.to_owned() }))),
        };
        match &outcome {
            Ok(report) => {
                metrics.announced.inc_by(report.sent);
            }
            Err(error) => tracing::warn!(bus = sink.name, error = %causes(error), "a bus was not fed to the end"),
        }
        Delivery { name: sink.name, outcome }
    };
    Deliveries(sinks.iter_mut().map(feed).collect())
}

#[cfg(test)]
mod tests;
