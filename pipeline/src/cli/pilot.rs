//! `forewarn pilot`: what forewarn would have warned of, tried on a history.

use super::common::{HistoryArg, MapArg, RulesArg, time};
use super::error::CliError;
use super::output::progress;
use super::{Context, End};
use crate::backtest;
use crate::interrupt::Interrupt;
use crate::pilot;
use std::path::PathBuf;

/// The form of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For people.
    Table,
    /// One document.
    Json,
}

/// Says what forewarn would have warned of on this fleet, how early, what falsely, and what nobody could have seen.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  forewarn pilot --history H
  forewarn pilot --history H --incidents incidents.parquet --format json

Incidents are derived from status checks and events unless a file names them. Nothing is written to the log and nothing is announced.")]
#[expect(clippy::doc_markdown, reason = "shown as help on a terminal, where backticks are noise")]
pub(super) struct Args {
    #[command(flatten)]
    history: HistoryArg,
    #[command(flatten)]
    rules: RulesArg,
    #[command(flatten)]
    map: MapArg,
    /// Known incidents: instance_id, ts, and where known cause and predictable [default: derived from checks and events]
    #[arg(long, value_name = "FILE")]
    incidents: Option<PathBuf>,
    /// The zone of incident times that say none, such as Europe/Berlin [default: UTC]
    #[arg(long, value_name = "ZONE")]
    tz: Option<String>,
    /// The first time [default: the eighth day of the data]
    #[arg(long, value_name = "T")]
    from: Option<String>,
    /// The end of the range [default: the end of the data]
    #[arg(long, value_name = "T")]
    to: Option<String>,
    /// The form of the answer
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

impl Args {
    pub(super) fn run(&self, context: &mut Context<'_>) -> Result<End, CliError> {
        let history = self.history.open(context)?;
        let (ruleset, _) = self.rules.load(context)?;
        let Some(mut steps) = pilot::range(&history)? else {
            return Err(CliError::input(format!("a trial needs more than seven days of data: {}", history.held()?)));
        };
        if let Some(from) = &self.from {
            steps.from = time(from, context)?;
        }
        if let Some(to) = &self.to {
            steps.to = time(to, context)?;
        }
        if steps.from >= steps.to {
            return Err(CliError::input("--from must lie before --to"));
        }
        let zone = self.tz.as_deref().map(crate::time::zone).transpose()?;
        let given = self.incidents.as_deref().map(|path| backtest::read_incidents(path, zone.as_ref())).transpose()?;
        let interrupt = Interrupt::listen()?;
        let bar = progress("replaying");
        let trial =
            pilot::trial(&history, &ruleset, &self.map.over(&history), steps, given, &interrupt, |done, all| {
                bar.set_length(all);
                bar.set_position(done);
            });
        bar.finish_and_clear();
        let trial = trial?;
        match self.format {
            Format::Json => context.out.json(&trial)?,
            Format::Table => context.out.line(trial.to_string().trim_end())?,
        }
        Ok(End::Done)
    }
}
