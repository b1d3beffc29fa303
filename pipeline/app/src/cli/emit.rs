//! `forewarn emit`: announces what is due.

use super::buses::{self, BusArgs};
use super::common::StateArg;
use super::error::CliError;
use super::history::ReportFormat;
use super::{Context, End};
use crate::state::{EMIT, State, StateSpec};
use forewarn_deliver::{PumpReport, outbox};
use forewarn_log::log_path;
use forewarn_recover::store::Store;
use forewarn_runtime::place::StatePlace;
use serde_json::{Map, Value};

/// Announces what is due on every bus: the JSON Lines file, and those that are asked for.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  forewarn emit --state S
  forewarn emit --state S --eventbridge forewarn
  forewarn emit --state S --stdout --from-start      (everything once more)
  forewarn emit --state S --parked                   (what EventBridge refused for good)
  forewarn emit --state S --retry-parked

A bus that is new starts at the present. Delivery is at least once: drop what has a detail.event_id that was seen. What EventBridge
refuses for good is set aside and holds up nothing else. On EventBridge, what is older than the setting stale_after (6h) says so in
detail.age_s; after an outage what is news goes first, and of an episode that is over by then only the end is told.")]
pub(super) struct Args {
    #[command(flatten)]
    state: StateArg,
    #[command(flatten)]
    buses: BusArgs,
    /// Starts a bus that is new at the beginning of the log
    #[arg(long)]
    from_start: bool,
    /// Lists what EventBridge refused for good, and announces nothing
    #[arg(long, conflicts_with_all = ["from_start", "stdout", "retry_parked"])]
    parked: bool,
    /// Announces on EventBridge again what it refused for good, and nothing else
    #[arg(long, conflicts_with_all = ["from_start", "stdout"])]
    retry_parked: bool,
    /// Prints text or JSON; with --stdout nothing but announcements is printed
    #[arg(long, value_enum, default_value = "text")]
    format: ReportFormat,
}

impl Args {
    pub(super) fn run(&self, context: &mut Context<'_>) -> Result<End, CliError> {
        let spec = self.state.spec(context)?;
        let system_context = buses::system_context()?;
        if self.parked {
            return self.list_parked(&State::open(spec, &system_context)?.place(), context);
        }
        if let (StateSpec::Dir(dir), false) = (&spec, spec.has_log()) {
            let path = log_path(dir);
            let why = format!("no event log at {}; `forewarn analyze --emit` makes one", path.display());
            return Err(CliError::input(why));
        }
        let state = State::open(spec, &system_context)?;
        let _lease = state.leases().take(EMIT).map_err(CliError::failed)?;
        let log = state.log(EMIT)?;
        let place = state.place();
        let wanted = self.buses.wanted(&self.state, &place, context)?;
        if self.from_start {
            refuse_begun(&*log, &wanted)?;
        }
        let mut sinks = buses::open(&*log, &wanted, self.from_start, &system_context)?;
        if self.retry_parked {
            return self.retry(&mut sinks, &place, context);
        }
        let fed = buses::report(forewarn_deliver::deliver(&*log, &mut sinks, &system_context.metrics))?;
        if !wanted.stdout {
            self.print(&fed, context)?;
        }
        Ok(End::Done)
    }

    /// Lists what was set aside.
    fn list_parked(&self, place: &StatePlace, context: &mut Context<'_>) -> Result<End, CliError> {
        let parked = outbox::parked_of(place)?;
        if self.format == ReportFormat::Json {
            context.out.json(&parked.values().collect::<Vec<_>>())?;
            return Ok(End::Done);
        }
        for p in parked.values() {
            let a = &p.announcement;
            context.out.line(format_args!(
                "{}  {}  {} of {} at {}  {}: {}",
                p.at,
                a.id,
                a.detail_type,
                a.about(),
                a.time,
                p.code,
                p.message
            ))?;
        }
        context.out.line(format_args!("{} set aside", parked.len()))?;
        Ok(End::Done)
    }

    /// Announces again what was set aside.
    fn retry(
        &self,
        sinks: &mut [outbox::Sink],
        place: &StatePlace,
        context: &mut Context<'_>,
    ) -> Result<End, CliError> {
        let Some(sink) = sinks.iter_mut().find(|s| s.name == outbox::EVENTBRIDGE) else {
            return Err(CliError::input("no EventBridge bus is named; give --eventbridge, or the setting eventbridge"));
        };
        let done = outbox::retry_parked(sink, place)?;
        if self.format == ReportFormat::Json {
            context.out.json(&serde_json::json!({"sent": done.sent, "parked": done.parked}))?;
        } else {
            context.out.line(format_args!("{} announced, {} refused again and set aside", done.sent, done.parked))?;
        }
        Ok(if done.parked == 0 { End::Done } else { End::Faults })
    }

    fn print(&self, fed: &[(&'static str, PumpReport)], context: &mut Context<'_>) -> Result<(), CliError> {
        if self.format == ReportFormat::Json {
            let mut all = Map::new();
            for (bus, report) in fed {
                all.insert((*bus).to_owned(), serde_json::to_value(report)?);
            }
            return context.out.json(&Value::Object(all));
        }
        for (bus, r) in fed {
            let more = [
                (r.parked, "refused for good and set aside"),
                (r.stale, "of them no longer news"),
                (r.superseded, "left out as over"),
            ];
            let more: Vec<String> = more.iter().filter(|m| m.0 > 0).map(|(n, what)| format!(", {n} {what}")).collect();
            let more = more.concat();
            context.out.line(format_args!(
                "{bus:12} {} announced, {} there already, {} entries read up to {}{more}",
                r.sent, r.skipped, r.read, r.position
            ))?;
        }
        Ok(())
    }
}

/// A cursor never moves back: says so instead of starting somewhere else than was asked for.
fn refuse_begun(log: &dyn Store, wanted: &forewarn_deliver::SinkConfig) -> Result<(), CliError> {
    for name in wanted.replayable_cursors() {
        if log.has_cursor(name)? {
            let at = log.cursor(name)?;
            return Err(CliError::input(format!(
                "bus {name} has begun and stands at entry {at}; --from-start is for a bus that is new"
            )));
        }
    }
    Ok(())
}
