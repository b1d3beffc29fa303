//! `forewarn fit`: learns a rule set's weights and calibration.

use super::analyze::write_file;
use super::common::{HistoryArg, MapArg, RulesArg, ThreadsArg, count, span, time};
use super::error::CliError;
use super::output::progress;
use super::{Context, End};
use forewarn_evaluate::backtest::read_incidents;
use forewarn_evaluate::fit::{self, Manner, Source, Taught};
use forewarn_evaluate::replay::Steps;
use forewarn_history::History;
use forewarn_runtime::interrupt::Interrupt;
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
    /// The zone of incident times that say none, such as Europe/Berlin [default: UTC]
    #[arg(long, value_name = "ZONE")]
    tz: Option<String>,
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
    /// How strongly evidence is drawn towards what the rule set has
    #[arg(long, value_name = "X", default_value_t = 2.0)]
    ridge: f64,
    #[command(flatten)]
    threads: ThreadsArg,
    /// Also say how well each cause would be foreseen if it had never been seen
    #[arg(long)]
    hold_out_causes: bool,
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
        let zone = self.tz.as_deref().map(forewarn_runtime::time::zone).transpose()?;
        let mut sources = Vec::new();
        for (location, incidents) in locations.zip(&self.incidents) {
            let incidents = read_incidents(incidents, zone.as_ref())?;
            sources.push(Source { history: History::open(location)?, incidents });
        }
        if self.out.is_dir() {
            return Err(CliError::input(format!("--out {} is a directory", self.out.display())));
        }
        let interrupt = Interrupt::listen()?;
        let bar = progress("learning");
        let threads = self.threads.threads(context)?;
        let manner = Manner { ridge: self.ridge, hold_out: self.hold_out_causes, threads };
        let taught = fit::learn(&ruleset, &sources, &self.map.names(), steps, manner, &interrupt, |done, all| {
            bar.set_length(all);
            bar.set_position(done);
        });
        bar.finish_and_clear();
        if interrupt.is_raised() {
            return Err(CliError::interrupted("interrupted: nothing was written"));
        }
        let taught = taught?;
        let text = forewarn_rules::fit::write(&text, &taught.learned, &taught.provenance).map_err(CliError::failed)?;
        write_file(&self.out, text.as_bytes())?;
        self.say(&taught, context)?;
        Ok(End::Done)
    }
    fn say(&self, taught: &Taught, context: &mut Context<'_>) -> Result<(), CliError> {
        let (learned, before, after) = (&taught.learned, taught.before, taught.after);
        let incidents: usize = taught.causes.values().sum();
        let causes: Vec<String> = taught.causes.iter().map(|(cause, n)| format!("{cause} {n}")).collect();
        let out = &mut *context.out;
        out.line(format_args!(
            "{} from {} rows of {} instances ({} patterns)",
            self.out.display(),
            count(learned.rows),
            count(taught.instances),
            count(learned.patterns as u64)
        ))?;
        out.line(format_args!("{incidents} incidents: {}", causes.join(", ")))?;
        out.line(format_args!(
            "P(24 h) on folds left out, before and after: log loss {:.5} -> {:.5}, Brier score {:.5} -> {:.5}",
            before.log_loss, after.log_loss, before.brier, after.brier
        ))?;
        for c in &taught.held_out {
            let cause = &c.cause;
            match c.held_out {
                Some(h) => out.line(format_args!(
                    "{cause}: average precision {:.3} on its instances when learned from them too, {:.3} when from the others alone",
                    h.seen, h.unseen
                ))?,
                None => out.line(format_args!("{cause}: no hour that could be assessed lies before such an incident"))?,
            }
        }
        if after.brier > before.brier || after.log_loss > before.log_loss {
            out.line(
                "note: that is no better than before; more incidents, or the rule set as it was, may serve you better",
            )?;
        }
        if taught.without_workload == taught.instances {
            out.line(
                "note: no workload is known of any instance, so folds are grouped by instance alone: copies of one machine may judge each other, and the figures above may flatter (import --instances)",
            )?;
        } else if taught.without_workload > 0 {
            out.line(format_args!(
                "note: no workload is known of {} of {} instances; each of them is a group of its own",
                taught.without_workload, taught.instances
            ))?;
        }
        for note in &taught.notes {
            out.line(format_args!("note: {note}"))?;
        }
        Ok(())
    }
}
