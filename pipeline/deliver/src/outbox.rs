//! Feeds several buses from the log, each with a cursor of its own: a broken one never stops the others.

use super::Announcement;
use super::bus::{Bus, BusError, Published};
use super::freshness::mark;
use super::jsonl::JsonLinesBus;
use super::memory::{self, Parked};
use super::pump::{Horizon, PumpError, PumpReport, pump_fresh};
use super::stdout::LinesBus;
use forewarn_log::{Cursors, EventLog, Filter, LogError};
use forewarn_runtime::clock::Clock;
use forewarn_runtime::context::RuntimeContext;
use forewarn_runtime::metrics::Metrics;
use forewarn_runtime::place::StatePlace;
use forewarn_runtime::telemetry::causes;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

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
    /// Says what is news, where the bus wakes people; the file and stdout are records, and have everything in its order.
    pub news: Option<News>,
}

/// How old what is announced may be to count as news, and by whose clock.
#[derive(Debug, Clone)]
pub struct News {
    pub clock: Arc<dyn Clock>,
    /// How old news may be, milliseconds.
    pub stale_after_ms: i64,
}

impl News {
    fn horizon(&self) -> Horizon {
        Horizon { now_ms: self.clock.now_ms(), stale_after_ms: self.stale_after_ms }
    }
}

impl std::fmt::Debug for Sink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sink").field("name", &self.name).field("open", &self.bus.is_ok()).finish_non_exhaustive()
    }
}

/// Which buses are to be fed.
#[derive(Debug, Clone)]
pub struct SinkConfig {
    /// The JSON Lines file; none where no disk lasts.
    pub file: Option<PathBuf>,
    /// An `EventBridge` bus, by name or ARN.
    pub eventbridge: Option<String>,
    /// Whether standard output is one.
    pub stdout: bool,
    /// Where a bus remembers what it took and what it refused.
    pub state: StatePlace,
    /// How old what is announced may be to count as news, milliseconds.
    pub stale_after_ms: i64,
}

impl SinkConfig {
    /// Says whether any bus is wanted.
    pub fn is_any(&self) -> bool {
        self.file.is_some() || self.eventbridge.is_some() || self.stdout
    }

    /// Names the cursors of the buses that are wanted beside the file: these can be told to begin with the whole log.
    pub fn replayable_cursors(&self) -> Vec<&'static str> {
        let Self { file: _, eventbridge, stdout, state: _, stale_after_ms: _ } = self;
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
pub fn open<L: Cursors + EventLog + ?Sized>(
    log: &L,
    wanted: &SinkConfig,
    from_start: bool,
    ctx: &RuntimeContext,
) -> Result<Vec<Sink>, LogError> {
    let SinkConfig { file, eventbridge: events_to, stdout, state, stale_after_ms } = wanted;
    let mut sinks = Vec::new();
    if let Some(file) = file {
        let bus = FileWhenDue::of(file).map(|b| Box::new(b) as Box<dyn Bus + Send>);
        sinks.push(Sink { name: FILE, bus, news: None });
    }
    if let Some(bus) = events_to {
        let news = News { clock: Arc::clone(&ctx.clock), stale_after_ms: *stale_after_ms };
        sinks.push(Sink { name: EVENTBRIDGE, bus: eventbridge(bus, state, ctx), news: Some(news) });
    }
    if *stdout {
        sinks.push(Sink { name: STDOUT, bus: Ok(Box::new(LinesBus::stdout())), news: None });
    }
    for sink in sinks.iter().filter(|o| o.name != FILE) {
        if !log.has_cursor(sink.name)? {
            log.advance(sink.name, if from_start { 0 } else { log.head()? })?;
        }
    }
    Ok(sinks)
}

/// The JSON Lines file, opened when there is something to announce: opening reads its end, which a turn without news can do without.
struct FileWhenDue {
    path: PathBuf,
    open: Option<JsonLinesBus>,
}

impl FileWhenDue {
    /// Makes the file where there is none, so that readers find it.
    fn of(path: &Path) -> Result<Self, BusError> {
        let open = if path.exists() { None } else { Some(JsonLinesBus::open(path)?) };
        Ok(Self { path: path.to_owned(), open })
    }
}

impl Bus for FileWhenDue {
    fn publish(&mut self, batch: &[Announcement]) -> Result<Published, BusError> {
        let bus = match self.open.take() {
            Some(bus) => self.open.insert(bus),
            None => self.open.insert(JsonLinesBus::open(&self.path)?),
        };
        bus.publish(batch)
    }
}

#[cfg(feature = "aws")]
fn eventbridge(bus: &str, state: &StatePlace, ctx: &RuntimeContext) -> Result<Box<dyn Bus + Send>, BusError> {
    use super::eventbridge::EventBridgeBus;
    let RuntimeContext { clock, stop, metrics } = ctx.clone();
    let memory = memory::of(state, EVENTBRIDGE);
    let opened = forewarn_runtime::aws::Aws::load()
        .and_then(|aws| EventBridgeBus::open(&aws, bus, clock, stop, metrics, memory));
    match opened {
        Ok(bus) => Ok(Box::new(bus)),
        Err(source) => Err(BusError::Unreachable { bus: format!("eventbridge {bus}"), source: Box::new(source) }),
    }
}

#[cfg(not(feature = "aws"))]
fn eventbridge(bus: &str, _: &StatePlace, _: &RuntimeContext) -> Result<Box<dyn Bus + Send>, BusError> {
    let source = "this forewarn was built without AWS; build it with the feature `aws`";
    Err(BusError::Unreachable { bus: format!("eventbridge {bus}"), source: source.into() })
}

/// Gives what `EventBridge` refused for good, by id.
///
/// # Errors
/// When it can't be read.
pub fn parked_of(state: &StatePlace) -> Result<BTreeMap<String, Parked>, BusError> {
    memory::of(state, EVENTBRIDGE).parked()
}

/// Publishes again what `EventBridge` refused for good, oldest first; what it takes now is set aside no longer.
///
/// # Errors
/// When the bus or its memory fails.
pub fn retry_parked(sink: &mut Sink, state: &StatePlace) -> Result<Published, BusError> {
    let parked = parked_of(state)?;
    let mut batch: Vec<_> = parked.into_values().map(|p| p.announcement).collect();
    batch.sort_by(|a, b| (&a.time, &a.id).cmp(&(&b.time, &b.id)));
    if let Some(horizon) = sink.news.as_ref().map(News::horizon) {
        batch = batch
            .into_iter()
            .map(|a| horizon.age_s(&a).map_or_else(|| a.clone(), |age| mark(a.clone(), age)))
            .collect();
    }
    match &mut sink.bus {
        Ok(bus) => bus.publish(&batch),
        Err(e) => Err(std::mem::replace(e, BusError::Closed { bus: sink.name.to_owned() })),
    }
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
pub fn deliver<L: EventLog + Cursors + ?Sized>(log: &L, sinks: &mut [Sink], metrics: &Metrics) -> Deliveries {
    let feed = |sink: &mut Sink| {
        let outcome = match &mut sink.bus {
            Ok(bus) => {
                let horizon = sink.news.as_ref().map(News::horizon);
                pump_fresh(log, sink.name, bus.as_mut(), &Filter::default(), horizon)
            }
            Err(e) => Err(PumpError::Bus(std::mem::replace(e, BusError::Closed { bus: sink.name.to_owned() }))),
        };
        match &outcome {
            Ok(report) => {
                metrics.announced.inc_by(report.sent);
                if report.stale + report.superseded > 0 {
                    tracing::warn!(
                        bus = sink.name,
                        stale = report.stale,
                        superseded = report.superseded,
                        "what was due is no longer news: `stale` were announced with their age, `superseded` are of episodes that are over"
                    );
                }
            }
            Err(error) => tracing::warn!(bus = sink.name, error = %causes(error), "a bus was not fed to the end"),
        }
        Delivery { name: sink.name, outcome }
    };
    Deliveries(sinks.iter_mut().map(feed).collect())
}

#[cfg(test)]
mod tests;
