//! `forewarn pilot`: what forewarn would have warned of, tried on one's own fleet.

mod fetch;

use super::common::{BudgetArg, MapArg, RulesArg, span, time};
use super::error::CliError;
use super::output::progress;
use super::pull::PullArgs;
use super::{Context, End};
use forewarn_evaluate::backtest;
use forewarn_evaluate::pilot;
use forewarn_history::History;
use forewarn_runtime::interrupt::Interrupt;
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
  forewarn pilot                                      (pulls 63 days into ./pilot; says what it costs and asks first)
  forewarn pilot --days 21 --select tag:env=prod --dir trial --yes
  forewarn pilot --history H                          (tries it on a history that is there; nothing is pulled)
  forewarn pilot --history H --incidents incidents.parquet --format json

It only reads: ListMetrics, DescribeInstances and GetMetricData. What was pulled stays in --dir, and running it again goes on
with the same days and asks for no point twice; another --dir begins afresh.
Incidents are derived from status checks and events unless a file names them; nothing is announced.")]
#[expect(clippy::doc_markdown, reason = "shown as help on a terminal, where backticks are noise")]
pub(super) struct Args {
    /// A history that is there: nothing is pulled
    #[arg(long, value_name = "H", conflicts_with_all = ["dir", "days", "yes"])]
    history: Option<String>,
    /// Where what is pulled is kept
    #[arg(long, value_name = "DIR", default_value = "pilot")]
    dir: PathBuf,
    /// How many days are pulled; CloudWatch keeps five-minute data for 63
    #[arg(long, value_name = "N", default_value_t = pilot::MOST_DAYS, value_parser = clap::value_parser!(i64).range(8..=pilot::MOST_DAYS))]
    days: i64,
    /// Agrees to what it costs without being asked
    #[arg(long)]
    yes: bool,
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
    /// Between two looks
    #[arg(long, value_name = "SPAN", default_value = "1h", value_parser = span)]
    step: i64,
    #[command(flatten)]
    budget: BudgetArg,
    #[command(flatten)]
    pull: PullArgs,
    /// The form of the answer
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

impl Args {
    pub(super) fn run(&self, context: &mut Context<'_>) -> Result<End, CliError> {
        let location = match &self.history {
            Some(location) => location.clone(),
            None => self.fetch(context)?,
        };
        let history = History::open(&location)?;
        let (ruleset, _) = self.rules.load(context)?;
        let Some(mut steps) = pilot::range(&history, self.step)? else {
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
        let zone = self.tz.as_deref().map(forewarn_runtime::time::zone).transpose()?;
        let given = self.incidents.as_deref().map(|path| backtest::read_incidents(path, zone.as_ref())).transpose()?;
        let interrupt = Interrupt::listen()?;
        let bar = progress("replaying");
        let trial = pilot::trial(
            &history,
            &ruleset,
            &self.map.over(&history),
            steps,
            (given, self.budget.pages_per_week),
            &interrupt,
            |done, all| {
                bar.set_length(all);
                bar.set_position(done);
            },
        );
        bar.finish_and_clear();
        let trial = trial?;
        match self.format {
            Format::Json => context.out.json(&trial)?,
            Format::Table => context.out.line(trial.to_string().trim_end())?,
        }
        Ok(End::Done)
    }
}
