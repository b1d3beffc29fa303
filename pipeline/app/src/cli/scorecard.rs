//! `forewarn scorecard`: what live predictions were worth, and how their episodes turned out.

use super::common::{HistoryArg, RulesArg, StateArg, builtin, load_rules, span, time};
use super::error::CliError;
use super::output::progress;
use super::{Context, End};
use forewarn_evaluate::backtest::{self, Incidents, LiveJob, LiveReport, Recommendation};
use forewarn_evaluate::replay::Steps;
use forewarn_history::{EventRow, History};
use forewarn_log::event::prediction::{Outcome, Verdict};
use forewarn_log::{Event, Filter, Row, StateLog, Table};
use forewarn_predict::resolve;
use forewarn_recover::store::Store;
use forewarn_rules::ruleset::RuleSet;
use forewarn_runtime::interrupt::Interrupt;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The form of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For people.
    Table,
    /// One document, with the names that a backtest's has.
    Json,
}

/// What the figures are also given by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum By {
    /// What was said to break; always there.
    FailureType,
    /// What an instance is a copy of.
    Workload,
}

/// Says what live predictions were worth, and resolves their episodes.
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:
  forewarn scorecard --history H --state S
  forewarn scorecard --history H --incidents incidents.parquet --from now-90d --to now --format json
  forewarn scorecard --resolve                       (also writes into the log how each episode turned out)
  forewarn scorecard --verdict EPISODE=wrong         (what an operator says of a resolved episode)
  forewarn scorecard diff A.toml B.toml --history H  (live and shadow rule set on the same rounds)

The figures are those of `forewarn backtest`, measured by the same code on what was really said: a step without a round is not scored,
and an episode is high rows with gaps of at most 6 hours. The log's episodes have hysteresis and levels below high beside: how these
turned out is counted apart."
)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Option<Sub>,
    #[command(flatten)]
    rules: RulesArg,
    #[command(flatten)]
    asked: Asked,
    /// Also gives the figures by failure type or by workload
    #[arg(long, value_enum, default_value = "failure-type")]
    by: By,
    /// Writes into the log how each episode turned out, as far as that is known
    #[arg(long)]
    resolve: bool,
    /// Adds an operator's verdict to a resolved episode: EPISODE=right, wrong or prevented; may be given again
    #[arg(long = "verdict", value_name = "EPISODE=VERDICT", value_parser = parse_verdict)]
    verdicts: Vec<(String, Verdict)>,
}

#[derive(Debug, clap::Subcommand)]
enum Sub {
    /// Holds a live rule set against its shadow on the same rounds, and recommends one
    Diff(Diff),
}

#[derive(Debug, clap::Args)]
struct Diff {
    /// The rule set in force: a file, or `default` for the one built in
    a: PathBuf,
    /// The shadow
    b: PathBuf,
    #[command(flatten)]
    asked: Asked,
}

/// Which rounds, and what happened.
#[derive(Debug, clap::Args)]
#[expect(clippy::doc_markdown, reason = "shown as help on a terminal, where backticks are noise")]
struct Asked {
    #[command(flatten)]
    history: HistoryArg,
    #[command(flatten)]
    state: StateArg,
    /// The first time [default: that of the first round]
    #[arg(long, value_name = "T")]
    from: Option<String>,
    /// The end of the range [default: just after the last round]
    #[arg(long, value_name = "T")]
    to: Option<String>,
    /// How far apart rounds are [default: as most of them are]
    #[arg(long, value_name = "SPAN", value_parser = span)]
    step: Option<i64>,
    /// Known incidents: instance_id, ts, and where known cause and predictable [default: those of the history and the log]
    #[arg(long, value_name = "FILE")]
    incidents: Option<PathBuf>,
    /// The zone of incident times that say none, such as Europe/Berlin [default: UTC]
    #[arg(long, value_name = "ZONE")]
    tz: Option<String>,
    /// The form of the answer
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

/// A scorecard as one document.
#[derive(Debug, Serialize)]
struct Document {
    #[serde(flatten)]
    live: LiveReport,
    /// How the log's episodes turned out; null without a log.
    resolved: Option<Resolved>,
}

/// How the episodes of a log turned out.
#[derive(Debug, Default, Serialize)]
struct Resolved {
    /// By the highest level an episode had: outcomes, and `open` where it is too early.
    by_level: BTreeMap<&'static str, BTreeMap<&'static str, u64>>,
    /// Incidents that no episode reached.
    missed: u64,
    /// What operators said.
    verdicts: BTreeMap<&'static str, u64>,
}

/// A comparison as one document.
#[derive(Debug, Serialize)]
struct DiffDocument {
    #[serde(flatten)]
    live: LiveReport,
    recommendation: Recommendation,
}

impl Args {
    pub(super) fn run(&self, context: &mut Context<'_>) -> Result<End, CliError> {
        if let Some(Sub::Diff(diff)) = &self.command {
            return diff.run(context);
        }
        let (history, log) = self.asked.open(context)?;
        let log: Option<&dyn StateLog> = log.as_deref().map(|log| log as _);
        let (ruleset, _) = self.rules.load(context)?;
        for (episode, verdict) in &self.verdicts {
            let log = log.ok_or_else(|| CliError::input("--verdict needs a log (--state DIR)"))?;
            resolve::verdict(log, episode, *verdict, context.now_ms).map_err(CliError::input)?;
        }
        let incidents = self.asked.incidents(&history, log)?;
        if self.resolve {
            let log = log.ok_or_else(|| CliError::input("--resolve needs a log (--state DIR)"))?;
            let done = resolve::resolve(log, &history, &incidents.list, context.now_ms)?;
            tracing::info!(
                hit = done.hit,
                missed = done.missed,
                false_alarms = done.false_alarms,
                censored = done.censored,
                gone = done.gone,
                open = done.open,
                "resolved"
            );
        }
        if !self.verdicts.is_empty() && !self.resolve {
            return Ok(End::Done);
        }
        let workloads = self.by == By::Workload;
        let live = self.asked.live(&history, log, &ruleset, None, &incidents, workloads, context)?;
        let resolved = log.map(Resolved::of).transpose()?;
        let document = Document { live, resolved };
        match self.asked.format {
            Format::Json => context.out.json(&document)?,
            Format::Table => {
                context.out.line(document.live.to_string().trim_end())?;
                if let Some(resolved) = &document.resolved {
                    resolved.write(context)?;
                }
            }
        }
        Ok(End::Done)
    }
}

impl Diff {
    fn run(&self, context: &mut Context<'_>) -> Result<End, CliError> {
        let (history, log) = self.asked.open(context)?;
        let log: Option<&dyn StateLog> = log.as_deref().map(|log| log as _);
        let (a, b) = (ruleset(&self.a)?, ruleset(&self.b)?);
        if a.sha256() == b.sha256() {
            return Err(CliError::input("both files are the same rule set: there is nothing to compare"));
        }
        let incidents = self.asked.incidents(&history, log)?;
        let live = self.asked.live(&history, log, &a, Some(&b), &incidents, false, context)?;
        let Some(difference) = &live.report.difference else {
            return Err(CliError::failed("no comparison came of two rule sets"));
        };
        let counted = live.report.incidents.as_ref().map_or(0, |i| i.counted as u64);
        let recommendation = backtest::recommend(difference, counted);
        match self.asked.format {
            Format::Json => context.out.json(&DiffDocument { live, recommendation })?,
            Format::Table => {
                context.out.line(live.to_string().trim_end())?;
                context.out.line(format!("\n{}", recommendation.words))?;
            }
        }
        Ok(End::Done)
    }
}

impl Asked {
    fn open(&self, context: &Context<'_>) -> Result<(History, Option<Arc<dyn Store>>), CliError> {
        Ok((self.history.open(context)?, self.state.read(context)?))
    }

    fn incidents(&self, history: &History, log: Option<&dyn StateLog>) -> Result<Incidents, CliError> {
        if let Some(path) = &self.incidents {
            let zone = self.tz.as_deref().map(forewarn_runtime::time::zone).transpose()?;
            return Ok(backtest::read_incidents(path, zone.as_ref())?);
        }
        Ok(Incidents { list: resolve::incidents(log, history)?, ..Incidents::default() })
    }

    #[expect(clippy::too_many_arguments, reason = "what a scorecard is made of, once")]
    fn live(
        &self,
        history: &History,
        log: Option<&dyn StateLog>,
        ruleset: &RuleSet,
        against: Option<&RuleSet>,
        incidents: &Incidents,
        workloads: bool,
        context: &Context<'_>,
    ) -> Result<LiveReport, CliError> {
        let steps = self.steps(history, ruleset, context)?;
        let events: Vec<EventRow> = log.map_or_else(|| Ok(Vec::new()), resolve::events)?;
        let job = LiveJob { history, ruleset, against, steps, incidents: Some(incidents), events: &events, workloads };
        let interrupt = Interrupt::listen()?;
        let bar = progress("reading");
        let live = backtest::live(&job, &interrupt, |done, all| {
            bar.set_length(all);
            bar.set_position(done);
        });
        bar.finish_and_clear();
        Ok(live?)
    }

    /// The range: as asked, else that of the rounds.
    fn steps(&self, history: &History, ruleset: &RuleSet, context: &Context<'_>) -> Result<Steps, CliError> {
        let spoken = match (&self.from, &self.to, self.step) {
            (Some(_), Some(_), Some(_)) => None,
            _ => backtest::spoken(&history.rounds()?, ruleset.sha256()),
        };
        // Without any round the range is only shown in the error that says so.
        let spoken = spoken.unwrap_or(Steps { from: 0, to: context.now_ms, step: forewarn_domain::time::HOUR_MS });
        let given = |text: &Option<String>, else_: i64| text.as_deref().map_or(Ok(else_), |t| time(t, context));
        let steps = Steps {
            from: given(&self.from, spoken.from)?,
            to: given(&self.to, spoken.to)?,
            step: self.step.unwrap_or(spoken.step),
        };
        if steps.from >= steps.to {
            return Err(CliError::input("--from must lie before --to"));
        }
        Ok(steps)
    }
}

impl Resolved {
    fn of(log: &dyn StateLog) -> Result<Self, CliError> {
        let mut found = Self::default();
        for row in log.table(Table::Episodes)?.into_values() {
            let Row::Episode(episode) = row else { continue };
            let level = episode.peak.map_or("unknown", forewarn_domain::prediction::Level::name);
            let outcome = episode.outcome.map_or("open", outcome_name);
            *found.by_level.entry(level).or_default().entry(outcome).or_default() += 1;
            if let Some(verdict) = episode.verdict {
                *found.verdicts.entry(verdict_name(verdict)).or_default() += 1;
            }
        }
        for entry in log.select(&Filter::types(["prediction.resolved"]))? {
            if let Ok(Event::PredictionResolved(r)) = entry.event() {
                found.missed += u64::from(r.outcome == Outcome::Missed);
            }
        }
        Ok(found)
    }

    fn write(&self, context: &mut Context<'_>) -> Result<(), CliError> {
        context.out.line("\nepisodes of the log, by the highest level they had")?;
        for (level, outcomes) in &self.by_level {
            let parts: Vec<String> = outcomes.iter().map(|(name, n)| format!("{n} {name}")).collect();
            context.out.line(format!("  {level}: {}", parts.join(", ")))?;
        }
        context.out.line(format!("  incidents that no episode reached: {}", self.missed))?;
        for (verdict, n) in &self.verdicts {
            context.out.line(format!("  called {verdict} by operators: {n}"))?;
        }
        Ok(())
    }
}

const fn outcome_name(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Hit => "hit",
        Outcome::Missed => "missed",
        Outcome::False => "false",
        Outcome::Censored => "censored",
        Outcome::Gone => "gone",
    }
}

const VERDICTS: [Verdict; 3] = [Verdict::Right, Verdict::Incorrect, Verdict::Prevented];

const fn verdict_name(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Right => "right",
        Verdict::Incorrect => "wrong",
        Verdict::Prevented => "prevented",
    }
}

fn parse_verdict(text: &str) -> Result<(String, Verdict), String> {
    let (episode, name) = text.split_once('=').ok_or("expected EPISODE=right, EPISODE=wrong or EPISODE=prevented")?;
    let found = VERDICTS.into_iter().find(|v| verdict_name(*v) == name);
    let verdict = found.ok_or_else(|| format!("`{name}` is no verdict; there are right, wrong and prevented"))?;
    Ok((episode.to_owned(), verdict))
}

/// Reads a rule set; `default` is the one built in, unless a file has that name.
fn ruleset(path: &Path) -> Result<RuleSet, CliError> {
    Ok(if path == Path::new("default") && !path.exists() { builtin()?.0 } else { load_rules(path)?.0 })
}
