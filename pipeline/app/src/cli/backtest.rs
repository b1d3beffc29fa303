//! `forewarn backtest`: replays a range of time, and says what the predictions were worth.

use super::common::{BudgetArg, HistoryArg, MapArg, PriorArg, RulesArg, ThreadsArg, builtin, load_rules, span, time};
use super::error::CliError;
use super::output::progress;
use super::{Context, End};
use forewarn_evaluate::backtest::{self, Costs, Job, PredictionWriter};
use forewarn_evaluate::replay::Steps;
use forewarn_rules::ruleset::RuleSet;
use forewarn_runtime::interrupt::Interrupt;
use std::path::{Path, PathBuf};

/// Replays a range of time, and says what the predictions were worth.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  forewarn backtest --history H --incidents incidents.parquet --from 2026-01-08T01:00:00Z --to 2026-02-05T00:00:00Z
  forewarn backtest … --rules mine.toml --against default --format json
  forewarn backtest … --pages-per-week 5           (the lowest level for high that keeps to it)
  forewarn backtest … --cost-miss 400 --cost-false-alarm 30 --cost-action 10
  forewarn backtest … --predictions out.parquet    (a row for every instance and step)

A row counts as followed when an incident begins within the next 24 hours. An episode is high rows with gaps of at most 6 hours. An
incident is caught when a high row lies 1 to 24 hours ahead of it. Intervals resample workloads x weeks; the same input gives the same bytes.

The cost of a threshold is: miss x incidents not caught + false alarm x false episodes + action x episodes.")]
#[expect(clippy::doc_markdown, reason = "shown as help on a terminal, where backticks are noise")]
pub(super) struct Args {
    #[command(flatten)]
    history: HistoryArg,
    #[command(flatten)]
    rules: RulesArg,
    /// Another rule set to hold it against on the same rows: a file, or `default` for the one built in
    #[arg(long, value_name = "FILE")]
    against: Option<PathBuf>,
    #[command(flatten)]
    map: MapArg,
    #[command(flatten)]
    prior: PriorArg,
    /// Known incidents: instance_id, ts, and where known cause and predictable (Parquet or CSV)
    #[arg(long, value_name = "FILE")]
    incidents: Option<PathBuf>,
    /// The zone of incident times that say none, such as Europe/Berlin [default: UTC]
    #[arg(long, value_name = "ZONE")]
    tz: Option<String>,
    /// The first time
    #[arg(long, value_name = "T")]
    from: String,
    /// The end of the range, itself not looked at
    #[arg(long, value_name = "T")]
    to: String,
    /// Between two looks
    #[arg(long, value_name = "SPAN", default_value = "1h", value_parser = span)]
    step: i64,
    /// Writes a row for every instance and step: instance_id, as_of, p24, p72, p168, confidence, failure_type, high, outcome, outcome_reason
    #[arg(long, value_name = "FILE")]
    predictions: Option<PathBuf>,
    /// Leaves out static threshold, predict_linear and the source's scorer
    #[arg(long)]
    no_baselines: bool,
    /// What an incident costs that nobody was warned of; with this, the level for high is picked by cost
    #[arg(long, value_name = "X", value_parser = cost, allow_negative_numbers = true)]
    cost_miss: Option<f64>,
    /// What a false episode costs
    #[arg(long, value_name = "X", value_parser = cost, allow_negative_numbers = true, default_value_t = 0.0, requires = "cost_miss")]
    cost_false_alarm: f64,
    /// What answering an episode costs, right or wrong
    #[arg(long, value_name = "X", value_parser = cost, allow_negative_numbers = true, default_value_t = 0.0, requires = "cost_miss")]
    cost_action: f64,
    #[command(flatten)]
    budget: BudgetArg,
    #[command(flatten)]
    threads: ThreadsArg,
    /// Prints text or JSON
    #[arg(long, value_enum, default_value = "text")]
    format: super::history::ReportFormat,
}

impl Args {
    pub(super) fn run(&self, context: &mut Context<'_>) -> Result<End, CliError> {
        let history = self.history.open(context)?;
        let (ruleset, _) = self.rules.load(context)?;
        let against = self.against.as_deref().map(other).transpose()?;
        let steps = Steps { from: time(&self.from, context)?, to: time(&self.to, context)?, step: self.step };
        if steps.from >= steps.to {
            return Err(CliError::input("--from must lie before --to"));
        }
        if self.cost_miss.is_some() && self.incidents.is_none() {
            return Err(CliError::input(
                "--cost-miss needs --incidents FILE: without known incidents nothing has a cost",
            ));
        }
        if self.budget.pages_per_week.is_some() && self.incidents.is_none() {
            return Err(CliError::input(
                "--pages-per-week needs --incidents FILE: without known incidents no page is right or wrong",
            ));
        }
        let zone = self.tz.as_deref().map(forewarn_runtime::time::zone).transpose()?;
        let incidents =
            self.incidents.as_deref().map(|path| backtest::read_incidents(path, zone.as_ref())).transpose()?;
        let costs =
            self.cost_miss.map(|miss| Costs { miss, false_alarm: self.cost_false_alarm, action: self.cost_action });
        let map = self.map.over(&history);
        let job = Job {
            history: &history,
            ruleset: &ruleset,
            against: against.as_ref(),
            map: &map,
            steps,
            incidents: incidents.as_ref(),
            baselines: !self.no_baselines,
            costs,
            pages_per_week: self.budget.pages_per_week,
            stated_prior: self.prior.prior,
            threads: self.threads.threads(context)?,
        };
        let interrupt = Interrupt::listen()?;
        let writer = self.predictions.as_deref().map(PredictionWriter::create).transpose()?;
        let bar = progress("replaying");
        let report = backtest::run(&job, writer, &interrupt, |done, all| {
            bar.set_length(all);
            bar.set_position(done);
        });
        bar.finish_and_clear();
        if interrupt.is_raised() && report.is_err() {
            return Err(CliError::interrupted("interrupted: nothing was written"));
        }
        let report = report?;
        match self.format {
            super::history::ReportFormat::Json => context.out.json(&report)?,
            super::history::ReportFormat::Text => context.out.line(report.to_string().trim_end())?,
        }
        Ok(End::Done)
    }
}

/// Reads the rule set to hold against; `default` is the one built in, unless a file has that name.
fn other(path: &Path) -> Result<RuleSet, CliError> {
    let (ruleset, _) = if path == Path::new("default") && !path.exists() { builtin()? } else { load_rules(path)? };
    Ok(ruleset)
}

/// Reads a cost: zero or more, and finite.
fn cost(text: &str) -> Result<f64, String> {
    let found = text.parse::<f64>().ok().filter(|c| c.is_finite() && *c >= 0.0);
    found.ok_or_else(|| format!("`{text}` is not a cost; write a number, zero or more"))
}
