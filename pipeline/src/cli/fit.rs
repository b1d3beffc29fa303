//! `forewarn fit`: learns a rule set's weights and calibration.

use super::analyze::write_file;
use super::common::{HistoryArg, MapArg, RulesArg, span, time};
use super::error::CliError;
use super::output::progress;
use super::{Context, End};
use crate::backtest::read_incidents;
use crate::fit::{self, Source};
use crate::history::History;
use crate::replay::Steps;
use std::path::PathBuf;

/// Learns a rule set's weights and calibration from a history and its incidents.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  forewarn fit --history H --incidents incidents.parquet --from 2026-01-08T01:00:00Z --to 2026-02-05T00:00:00Z --out mine.toml")]
#[expect(clippy::doc_markdown, reason = "shown as help on a terminal, where backticks are noise")]
pub(super) struct Args {
    #[command(flatten)]
    history: HistoryArg,
    /// Further histories, each with its incidents at the same place among --incidents
    #[arg(long, value_name = "H")]
    also: Vec<String>,
    #[command(flatten)]
    rules: RulesArg,
    #[command(flatten)]
    map: MapArg,
    /// Known incidents: instance_id, ts (Parquet or CSV); once for each history
    #[arg(long, value_name = "FILE", required = true)]
    incidents: Vec<PathBuf>,
    /// The first time
    #[arg(long, value_name = "T")]
    from: String,
    /// The end of the range
    #[arg(long, value_name = "T")]
    to: String,
    /// Between two looks
    #[arg(long, value_name = "SPAN", default_value = "1h", value_parser = span)]
    step: i64,
    /// The rule set to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// How strongly evidence is drawn towards none
    #[arg(long, value_name = "X", default_value_t = 2.0)]
    ridge: f64,
}

impl Args {
    pub(super) fn run(&self, context: &mut Context<'_>) -> Result<End, CliError> {
        let (ruleset, text) = self.rules.load(context)?;
        let steps = Steps { from: time(&self.from, context)?, to: time(&self.to, context)?, step: self.step };
        if steps.from >= steps.to {
            return Err(CliError::input("--from must lie before --to"));
        }
        if self.incidents.len() != self.also.len() + 1 {
            return Err(CliError::input(
                "give --incidents once for --history and once for each --also, in the same order",
            ));
        }
        let locations = std::iter::once(self.history.location(context)).chain(self.also.iter().map(String::as_str));
        let mut sources = Vec::new();
        for (location, incidents) in locations.zip(&self.incidents) {
            let incidents = read_incidents(incidents).map_err(CliError::input)?;
            sources.push(Source { history: History::open(location)?, incidents });
        }
        let bar = progress("learning");
        let learned = fit::learn(&ruleset, &sources, &self.map.names(), steps, self.ridge, |done, all| {
            bar.set_length(all);
            bar.set_position(done);
        });
        bar.finish_and_clear();
        let (learned, provenance) = learned?;
        let text = forewarn_rules::fit::write(&text, &learned, &provenance).map_err(CliError::failed)?;
        write_file(&self.out, text.as_bytes())?;
        context.out.line(format_args!(
            "{} from {} rows ({} patterns); log loss {:.5} on folds left out",
            self.out.display(),
            learned.rows,
            learned.patterns,
            learned.log_loss
        ))?;
        Ok(End::Done)
    }
}
