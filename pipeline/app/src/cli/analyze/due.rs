//! `forewarn analyze --due`: executes every prediction run that is due since the last one, for a timer.

use super::super::buses;
use super::super::common::{load_shadow, span, time};
use super::super::error::CliError;
use super::super::{Context, End};
use super::{Args, Format};
use crate::state::ANALYZE;
use forewarn_history::History;
use forewarn_predict::prediction_run::{DueTurn, PredictionRun, RunReport};
use forewarn_runtime::schedule::Schedule;

/// The schedule of `--due`.
#[derive(Debug, clap::Args)]
pub(super) struct DueArgs {
    /// Runs every round that is due since the last one, writes it to the log and the history, and announces what is new
    #[arg(long, conflicts_with_all = ["as_of", "out", "all", "features"])]
    pub(super) due: bool,
    /// With --due: the time between two rounds
    #[arg(long, value_name = "SPAN", default_value = "1h", value_parser = span, requires = "due")]
    every: i64,
    /// With --due: how long after the whole hour a round runs, so that the hour's data is there
    #[arg(long, value_name = "SPAN", default_value = "10m", value_parser = offset, requires = "due")]
    offset: i64,
    /// With --due: how many missed rounds are caught up with at most
    #[arg(long, value_name = "N", default_value_t = 168, requires = "due")]
    most: usize,
    /// With --due: where the first round of all begins, instead of the last one that is due
    #[arg(long, value_name = "T", requires = "due")]
    from: Option<String>,
    /// With --due: the time that counts as now
    #[arg(long, value_name = "T", requires = "due")]
    to: Option<String>,
    /// With --due: only writes down; `forewarn emit` announces
    #[arg(long, requires = "due")]
    no_deliver: bool,
}

fn offset(text: &str) -> Result<i64, String> {
    forewarn_runtime::time::parse_span(text)
        .ok_or_else(|| format!("`{text}` is not a span of time; write 0s, 10m or 1h"))
}

impl Args {
    /// Executes what is due.
    pub(super) fn run_due(&self, context: &mut Context<'_>) -> Result<End, CliError> {
        let history = self.history.open(context)?;
        let (ruleset, _) = self.rules.load(context)?;
        let planner = self.plans.planner(&self.state, context)?;
        let system_context = buses::system_context()?;
        let state = self.state.open(context, &system_context)?;
        let mut turn = DueTurn::take(&state.leases(), &state.place()).map_err(CliError::failed)?;
        let log = state.log_under(ANALYZE, turn.lease())?;
        let schedule = Schedule { every: self.due.every, offset: self.due.offset, most: self.due.most };
        let now = self.due.to.as_deref().map_or(Ok(context.now_ms), |t| time(t, context))?;
        if let Some(from) = &self.due.from {
            turn.begin_at(time(from, context)?).map_err(CliError::failed)?;
        }
        // Opened before anything is appended, so that a bus that is new hears of it.
        let wanted = self.buses.wanted(&self.state, &state.place(), context)?;
        let mut sinks =
            if self.due.no_deliver { Vec::new() } else { buses::open(&*log, &wanted, false, &system_context)? };
        let map = self.map.over(&history);
        let previewer = planner.as_ref().map(|p| p.on(&*log));
        let shadow = load_shadow(self.shadow.as_ref(), context);
        let run = PredictionRun {
            history: &history,
            ruleset: &ruleset,
            shadow: shadow.as_ref(),
            map: &map,
            stated_prior: self.prior.prior,
            plans: previewer.as_ref().map(|p| p as _),
            metrics: &system_context.metrics,
            threads: self.threads.threads(context)?,
        };
        let mut report = run.catch_up(schedule, &turn, &*log, now, &system_context.stop).map_err(CliError::failed)?;
        if report.due > 0 {
            turn.conclude(&mut self.history.open(context)?, &*log, now);
        }
        let fed = buses::report(buses::deliver(&state, &*log, &mut sinks, &system_context)?)?;
        report.emitted.announced = fed.first().map_or(0, |(_, report)| report.sent);
        self.say(&report, &history, context)?;
        let high = report.levels.get("high").is_some_and(|n| *n > 0);
        Ok(if self.exit_code && high { End::Findings } else { End::Done })
    }

    fn say(&self, report: &RunReport, history: &History, context: &mut Context<'_>) -> Result<(), CliError> {
        match self.format {
            Format::Json => context.out.json(report),
            Format::Csv | Format::Parquet => Err(CliError::input("--due has --format table and json")),
            Format::Table => {
                let Some(through) = &report.through else { return context.out.line("no round is due") };
                let levels: Vec<String> = report.levels.iter().map(|(level, n)| format!("{n} {level}")).collect();
                context.out.line(format_args!(
                    "{} rounds through {through} ({} without data) on {}; in the last one {} instances: {}",
                    report.due,
                    report.empty,
                    history.location(),
                    report.instances,
                    if levels.is_empty() { "none".to_owned() } else { levels.join(", ") },
                ))?;
                let e = report.emitted;
                context.out.line(format_args!(
                    "episodes: {} opened, {} updated, {} cleared; {} announcements sent",
                    e.opened, e.updated, e.cleared, e.announced
                ))
            }
        }
    }
}
