//! `forewarn backtest`: replays a range of time.

use super::common::{HistoryArg, MapArg, RulesArg, span, time};
use super::error::CliError;
use super::output::progress;
use super::{Context, End};
use crate::backtest::{self, PredictionWriter};
use crate::fleet::Fleet;
use crate::replay::{Steps, replay};
use std::path::PathBuf;

/// Replays a range of time and writes a prediction for every instance and step.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  forewarn backtest --history H --incidents incidents.parquet --from 2026-01-08T01:00:00Z --to 2026-02-05T00:00:00Z \\
    --predictions out.parquet")]
#[expect(clippy::doc_markdown, reason = "shown as help on a terminal, where backticks are noise")]
pub(super) struct Args {
    #[command(flatten)]
    history: HistoryArg,
    #[command(flatten)]
    rules: RulesArg,
    #[command(flatten)]
    map: MapArg,
    /// Known incidents: instance_id, ts, and where known cause and predictable (Parquet or CSV)
    #[arg(long, value_name = "FILE")]
    incidents: Option<PathBuf>,
    /// The first time
    #[arg(long, value_name = "T")]
    from: String,
    /// The end of the range, itself not looked at
    #[arg(long, value_name = "T")]
    to: String,
    /// Between two looks
    #[arg(long, value_name = "SPAN", default_value = "1h", value_parser = span)]
    step: i64,
    /// Writes a row for every instance and step: instance_id, as_of, p24, p72, p168, confidence, failure_type
    #[arg(long, value_name = "FILE")]
    predictions: Option<PathBuf>,
    /// Prints text or JSON
    #[arg(long, value_enum, default_value = "text")]
    format: super::history::ReportFormat,
}

impl Args {
    pub(super) fn run(&self, context: &mut Context<'_>) -> Result<End, CliError> {
        let history = self.history.open(context)?;
        let (ruleset, _) = self.rules.load(context)?;
        let steps = Steps { from: time(&self.from, context)?, to: time(&self.to, context)?, step: self.step };
        if steps.from >= steps.to {
            return Err(CliError::input("--from must lie before --to"));
        }
        let incidents = self.incidents.as_deref().map(backtest::read_incidents).transpose().map_err(CliError::input)?;
        let end = history.time_range()?.map_or(steps.to, |(_, last)| last);
        let fleet = Fleet::read(&history, &[], steps.to)?;
        let mut writer =
            self.predictions.as_deref().map(PredictionWriter::create).transpose().map_err(CliError::input)?;
        let mut tally = backtest::Tally::new(incidents.as_deref().unwrap_or_default(), end);
        let bar = progress("replaying");
        replay(
            &history,
            &ruleset,
            &self.map.over(&history),
            &fleet,
            steps,
            |table, _| {
                let assessed = ruleset.assess(table)?;
                tally.add(table, &assessed);
                if let Some(writer) = &mut writer {
                    writer.add(table, &assessed)?;
                }
                Ok(())
            },
            |done, all| {
                bar.set_length(all);
                bar.set_position(done);
            },
        )?;
        bar.finish_and_clear();
        if let Some(writer) = writer {
            writer.finish().map_err(CliError::failed)?;
        }
        if tally.rows() == 0 {
            return Err(CliError::input(format!(
                "no instance has a sample between {} and {}",
                crate::time::format_ms(steps.from),
                crate::time::format_ms(steps.to)
            )));
        }
        let report = tally.report(incidents.is_some());
        match self.format {
            super::history::ReportFormat::Json => context.out.json(&report)?,
            super::history::ReportFormat::Text => context.out.line(report)?,
        }
        Ok(End::Done)
    }
}
