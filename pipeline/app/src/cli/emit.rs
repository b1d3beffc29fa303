//! `forewarn emit`: announces what is due.

use super::buses::{self, BusArgs};
use super::common::StateArg;
use super::error::CliError;
use super::history::ReportFormat;
use super::{Context, End};
use forewarn_deliver::PumpReport;
use forewarn_log::log_path;
use forewarn_log::{Cursors, SqliteLog};
use serde_json::{Map, Value};

/// Announces what is due on every bus: the JSON Lines file, and those that are asked for.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  forewarn emit --state S
  forewarn emit --state S --eventbridge forewarn
  forewarn emit --state S --stdout --from-start      (everything once more)

A bus that is new starts at the present. Delivery is at least once: drop what has a detail.event_id that was seen.")]
pub(super) struct Args {
    #[command(flatten)]
    state: StateArg,
    #[command(flatten)]
    buses: BusArgs,
    /// Starts a bus that is new at the beginning of the log
    #[arg(long)]
    from_start: bool,
    /// Prints text or JSON; with --stdout nothing but announcements is printed
    #[arg(long, value_enum, default_value = "text")]
    format: ReportFormat,
}

impl Args {
    pub(super) fn run(&self, context: &mut Context<'_>) -> Result<End, CliError> {
        let path = log_path(&self.state.dir(context));
        if !path.exists() {
            return Err(CliError::input(format!(
                "no event log at {}; `forewarn analyze --emit` makes one",
                path.display()
            )));
        }
        let log = SqliteLog::open(&path)?;
        let wanted = self.buses.wanted(&self.state, context);
        if self.from_start {
            refuse_begun(&log, &wanted)?;
        }
        let system_context = buses::system_context()?;
        let mut sinks = buses::open(&log, &wanted, self.from_start, &system_context)?;
        let fed = buses::report(forewarn_deliver::deliver(&log, &mut sinks, &system_context.metrics))?;
        if !wanted.stdout {
            self.print(&fed, context)?;
        }
        Ok(End::Done)
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
            context.out.line(format_args!(
                "{bus:12} {} announced, {} there already, {} entries read up to {}",
                r.sent, r.skipped, r.read, r.position
            ))?;
        }
        Ok(())
    }
}

/// A cursor never moves back: says so instead of starting somewhere else than was asked for.
fn refuse_begun(log: &SqliteLog, wanted: &forewarn_deliver::SinkConfig) -> Result<(), CliError> {
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
