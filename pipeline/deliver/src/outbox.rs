//! Feeds several buses from the log, each with a cursor of its own: a broken one never stops the others.

use super::bus::{Bus, BusError};
use super::jsonl::JsonLinesBus;
use super::stdout::LinesBus;
use super::{PumpError, PumpReport, pump};
use forewarn_log::{Cursors, EventLog, Filter, LogError};
use forewarn_runtime::context::Surroundings;
use forewarn_runtime::metrics::Vitals;
use forewarn_runtime::telemetry::causes;
use std::path::PathBuf;

/// The cursor of the JSON Lines file.
pub const FILE: &str = "bus";
/// The cursor of `EventBridge`.
pub const EVENTBRIDGE: &str = "eventbridge";
/// The cursor of standard output.
pub const STDOUT: &str = "stdout";

/// A bus with the name of its cursor; one that did not open says so when it is to be fed.
pub struct Outlet {
    /// The name of its cursor.
    pub name: &'static str,
    /// The bus, or why there is none.
    pub bus: Result<Box<dyn Bus + Send>, BusError>,
}

impl std::fmt::Debug for Outlet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outlet").field("name", &self.name).field("open", &self.bus.is_ok()).finish()
    }
}

/// Which buses are to be fed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The JSON Lines file.
    pub file: PathBuf,
    /// An `EventBridge` bus, by name or ARN.
    pub eventbridge: Option<String>,
    /// Whether standard output is one.
    pub stdout: bool,
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
    wanted: &Wanted,
    from_start: bool,
    around: &Surroundings,
) -> Result<Vec<Outlet>, LogError> {
    let file = JsonLinesBus::open(&wanted.file).map(|b| Box::new(b) as Box<dyn Bus + Send>);
    let mut outlets = vec![Outlet { name: FILE, bus: file }];
    if let Some(bus) = &wanted.eventbridge {
        outlets.push(Outlet { name: EVENTBRIDGE, bus: eventbridge(bus, around) });
    }
    if wanted.stdout {
        outlets.push(Outlet { name: STDOUT, bus: Ok(Box::new(LinesBus::stdout())) });
    }
    for outlet in outlets.iter().filter(|o| o.name != FILE) {
        if !log.has_cursor(outlet.name)? {
            log.advance(outlet.name, if from_start { 0 } else { log.head()? })?;
        }
    }
    Ok(outlets)
}

#[cfg(feature = "aws")]
fn eventbridge(bus: &str, around: &Surroundings) -> Result<Box<dyn Bus + Send>, BusError> {
    use super::eventbridge::EventBridgeBus;
    let Surroundings { clock, stop, vitals } = around.clone();
    let opened =
        forewarn_runtime::aws::Aws::load().and_then(|aws| EventBridgeBus::open(&aws, bus, clock, stop, vitals));
    match opened {
        Ok(bus) => Ok(Box::new(bus)),
        Err(source) => Err(BusError::Unreachable { bus: format!("eventbridge {bus}"), source: Box::new(source) }),
    }
}

#[cfg(not(feature = "aws"))]
fn eventbridge(bus: &str, _: &Surroundings) -> Result<Box<dyn Bus + Send>, BusError> {
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
pub fn deliver<L: EventLog + Cursors>(log: &L, outlets: &mut [Outlet], vitals: &Vitals) -> Deliveries {
    let feed = |outlet: &mut Outlet| {
        let outcome = match &mut outlet.bus {
            Ok(bus) => pump(log, outlet.name, bus.as_mut(), &Filter::default()),
            Err(e) => Err(PumpError::Bus(std::mem::replace(e, BusError::Closed { bus: outlet.name.to_owned() }))),
        };
        match &outcome {
            Ok(report) => {
                vitals.announced.inc_by(report.sent);
            }
            Err(error) => tracing::warn!(bus = outlet.name, error = %causes(error), "a bus was not fed to the end"),
        }
        Delivery { name: outlet.name, outcome }
    };
    Deliveries(outlets.iter_mut().map(feed).collect())
}

#[cfg(test)]
mod tests;
