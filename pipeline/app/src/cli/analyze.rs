//! `forewarn analyze`: predictions from the seven days before a time.

mod due;
mod shards;

use super::buses::{self, BusArgs};
use super::common::{HistoryArg, MapArg, PriorArg, RulesArg, StateArg, ThreadsArg, load_shadow, time};
use super::error::CliError;
use super::output::progress;
use super::plans::PlanArgs;
use super::{Context, End};
use crate::render;
use crate::schema::AnalyzeDocument;
use crate::state::{ANALYZE, State};
use forewarn_domain::prediction::{Level, Prediction};
use forewarn_history::History;
use forewarn_history::prediction_table;
use forewarn_log::MemoryLog;
use forewarn_predict::analyze::Analysis;
use forewarn_predict::evidence::SampleCounts;
use forewarn_predict::prediction_run::{DueTurn, PredictionRun, PredictionRunError, Prepared, RunReport};
use forewarn_recover::store::{ProjectedLog, Store};
use forewarn_rules::ruleset::RuleSet;
use forewarn_runtime::context::RuntimeContext;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The state, where there is a log in it or one is to be made.
struct Opened {
    state: State,
    log: Arc<dyn Store>,
    /// The turn, where the run is written down.
    turn: Option<DueTurn>,
    ctx: RuntimeContext,
}

/// The form of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
    /// For people.
    Table,
    /// One document, as in the schema `analyze`.
    Json,
    /// One line for each prediction.
    Csv,
    /// The same columns as Parquet; needs --out.
    Parquet,
}

/// Predicts failures from the seven days before a time.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  forewarn analyze --history H
  forewarn analyze --history H --as-of 2026-02-15T00:00:00Z --format json
  forewarn analyze --history H --state S --emit      (write to the log and announce)
  forewarn analyze --history H --state S --due       (from a timer: every round since the last one)
  forewarn analyze --history H --state S --emit --eventbridge forewarn
  forewarn analyze --history H --state S --plans     (what would be done about each at high, looked at now)

On several machines that share a history, each a share of the fleet; then all of it together:
  forewarn analyze --history s3://B/H --as-of T --shard 1/4      (2/4, 3/4 and 4/4 elsewhere)
  forewarn analyze --history s3://B/H --as-of T --merge --emit")]
pub(super) struct Args {
    #[command(flatten)]
    history: HistoryArg,
    #[command(flatten)]
    state: StateArg,
    #[command(flatten)]
    rules: RulesArg,
    #[command(flatten)]
    map: MapArg,
    #[command(flatten)]
    prior: PriorArg,
    #[command(flatten)]
    buses: BusArgs,
    #[command(flatten)]
    plans: PlanArgs,
    /// The time to predict from: RFC 3339, now, now-7d, or latest (the end of the data)
    #[arg(long, value_name = "T", default_value = "now")]
    as_of: String,
    /// The form of the answer
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
    /// Writes the answer to a file instead of stdout
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Lists every instance, the healthy ones too
    #[arg(long)]
    all: bool,
    /// Writes the predictions to the event log, announces what is new, and keeps them in the history
    #[arg(long)]
    emit: bool,
    /// A second rule set that is kept silently beside, where predictions are emitted [default: the setting]
    #[arg(long, value_name = "FILE")]
    shadow: Option<PathBuf>,
    /// Also writes the feature table to a Parquet file
    #[arg(long, value_name = "FILE")]
    features: Option<PathBuf>,
    /// Ends with 3 when an instance is at level high
    #[arg(long)]
    exit_code: bool,
    #[command(flatten)]
    parts: shards::ShardArgs,
    #[command(flatten)]
    threads: ThreadsArg,
    #[command(flatten)]
    due: due::DueArgs,
}

impl Args {
    pub(super) fn run(&self, context: &mut Context<'_>) -> Result<End, CliError> {
        if self.due.due {
            return self.run_due(context);
        }
        let history = self.history.open(context)?;
        let (ruleset, _) = self.rules.load(context)?;
        let planner = self.plans.planner(&self.state, context)?;
        self.parts.check(&self.as_of)?;
        let as_of = as_of(&self.as_of, &history, context)?;
        let emit = (self.emit || context.settings.emit) && self.parts.shard.is_none();
        let opened = self.opened(emit, context)?;
        let log = opened.as_ref().map(|opened| &*opened.log);
        let no_log = ProjectedLog::new(MemoryLog::new());
        let store: &dyn Store = log.unwrap_or(&no_log);
        let previewer = planner.as_ref().map(|p| p.on(store));
        let map = self.map.over(&history);
        let shadow = if emit { load_shadow(self.shadow.as_ref(), context) } else { None };
        let metrics = forewarn_runtime::metrics::unregistered();
        let run = PredictionRun {
            history: &history,
            ruleset: &ruleset,
            shadow: shadow.as_ref(),
            map: &map,
            stated_prior: self.prior.prior,
            plans: previewer.as_ref().map(|p| p as _),
            metrics: &metrics,
            threads: self.threads.threads(context)?,
        };
        if let Some(shard) = self.parts.shard {
            return shards::gather(&run, log.map(|log| log as _), as_of, shard, context);
        }
        // Before what is new is written, so that it is announced with it.
        if let Some(Opened { turn: Some(turn), log, .. }) = &opened
            && let Err(e) = turn.resolve(&history, &**log, as_of)
        {
            tracing::error!("episodes are not resolved, the next round tries again: {e}");
        }
        let bar = progress("analyzing");
        let prepared = if self.parts.merge {
            run.merge(log.map(|log| log as _), as_of)
        } else {
            run.prepare(log.map(|log| log as _), as_of, |done, all| {
                bar.set_length(all);
                bar.set_position(done);
            })
        };
        bar.finish_and_clear();
        let prepared = prepared.map_err(of_run)?;
        let analysis = &prepared.analysis;
        tell_samples(&analysis.samples);
        for (words, instances) in analysis.kept_out() {
            tracing::warn!(instances, "{words}: it is kept out of its signal");
        }
        let shown = prepared.round.taken.iter().filter(|t| self.all || t.shown);
        let predictions: Vec<Prediction> = shown.map(|t| t.prediction.clone()).collect();
        if let Some(path) = &self.features {
            write_file(path, &render::features_parquet(&analysis.table).map_err(CliError::failed)?)?;
        }
        let found = predictions.iter().any(|p| p.confidence == Level::High);
        self.write(analysis, predictions, &ruleset, context)?;
        if let (true, Some(opened)) = (emit, &opened) {
            self.record((&run, &prepared), opened, context)?;
        }
        Ok(if self.exit_code && found { End::Findings } else { End::Done })
    }

    /// Opens the log where there is one, and takes the turn where the run is written down.
    fn opened(&self, emit: bool, context: &Context<'_>) -> Result<Option<Opened>, CliError> {
        let spec = self.state.spec(context)?;
        if !emit && !spec.has_log() {
            return Ok(None);
        }
        let ctx = buses::system_context()?;
        let state = State::open(spec, &ctx)?;
        if !emit {
            return Ok(Some(Opened { log: state.log(ANALYZE)?, state, turn: None, ctx }));
        }
        let turn = DueTurn::take(&state.leases(), &state.place()).map_err(CliError::failed)?;
        Ok(Some(Opened { log: state.log_under(ANALYZE, turn.lease())?, state, turn: Some(turn), ctx }))
    }

    /// Writes a run down, announces what is new, and keeps the predictions.
    fn record(
        &self,
        (run, prepared): (&PredictionRun<'_>, &Prepared),
        Opened { state, log, ctx, .. }: &Opened,
        context: &mut Context<'_>,
    ) -> Result<(), CliError> {
        let log = &**log;
        // A bus that is new begins here, before what this round says.
        let wanted = self.buses.wanted(&self.state, &state.place(), context)?;
        let mut sinks = buses::open(log, &wanted, false, ctx)?;
        let mut report = RunReport::default();
        run.write(log, prepared, &mut report).map_err(of_run)?;
        // What was printed so far comes before the announcements on stdout.
        std::io::Write::flush(context.out)?;
        let deliveries = buses::deliver(state, log, &mut sinks, ctx)?;
        let emitted = report.emitted;
        tracing::info!(
            opened = emitted.opened,
            updated = emitted.updated,
            cleared = emitted.cleared,
            workloads = emitted.workloads,
            announced = deliveries.sent(),
            "emitted"
        );
        let (path, new) = run.keep(prepared).map_err(of_run)?;
        tracing::info!(path, new, "predictions kept in the history");
        if self.parts.merge {
            run.forget_shards(prepared).map_err(of_run)?;
        }
        buses::report(deliveries).map(drop)
    }

    fn write(
        &self,
        analysis: &Analysis,
        predictions: Vec<Prediction>,
        ruleset: &RuleSet,
        context: &mut Context<'_>,
    ) -> Result<(), CliError> {
        let text = match self.format {
            Format::Table => render::table(analysis, &predictions).into_bytes(),
            Format::Json => {
                let as_of = forewarn_runtime::time::format_ms(analysis.as_of);
                let document = AnalyzeDocument { as_of, ruleset: ruleset.reference(), predictions };
                if self.out.is_none() {
                    return context.out.json(&document);
                }
                let mut text = serde_json::to_vec_pretty(&document)?;
                text.push(b'\n');
                text
            }
            Format::Csv => prediction_table::csv(&predictions).map_err(CliError::failed)?,
            Format::Parquet if self.out.is_none() => {
                return Err(CliError::input("--format parquet needs --out FILE: Parquet is not for a terminal"));
            }
            Format::Parquet => prediction_table::parquet(&predictions).map_err(CliError::failed)?,
        };
        match &self.out {
            Some(path) => write_file(path, &text),
            None => Ok(std::io::Write::write_all(context.out, &text)?),
        }
    }
}

fn tell_samples(samples: &SampleCounts) {
    if !samples.unused.is_empty() {
        let names: Vec<&str> = samples.unused.keys().map(String::as_str).collect();
        let samples: u64 = samples.unused.values().sum();
        tracing::info!(samples, "no signal reads {}; --map NAME=SIGNAL lets one", names.join(", "));
    }
    for (metric, samples) in &samples.outside {
        tracing::warn!(samples, "{metric} has values that its signal can't have: they are kept out; check its unit");
    }
}

/// Says who is to blame for a run that failed.
pub(super) fn of_run(e: PredictionRunError) -> CliError {
    match e {
        PredictionRunError::Analyze(e) => e.into(),
        PredictionRunError::Log(e) => e.into(),
        PredictionRunError::History(e) => e.into(),
        PredictionRunError::Evidence(e) => e.into(),
        e @ (PredictionRunError::Announce(_)
        | PredictionRunError::Progress(_)
        | PredictionRunError::Lease(_)
        | PredictionRunError::Prior(_)) => CliError::failed(e),
    }
}

/// Reads the time to predict from; `latest` is just after the last sample has become available.
pub(super) fn as_of(text: &str, history: &History, context: &Context<'_>) -> Result<i64, CliError> {
    if text != "latest" {
        return time(text, context);
    }
    let Some((_, last)) = history.time_range()? else {
        return Err(CliError::input(format!("{}: {}", history.location(), history.why_empty()?)));
    };
    let cell = forewarn_domain::time::CELL_MS;
    Ok((last.div_euclid(cell) + 1) * cell + history.delay_ms())
}

/// Writes a file whole, or leaves what is there.
pub(super) fn write_file(path: &Path, bytes: &[u8]) -> Result<(), CliError> {
    let fail = |e: std::io::Error| CliError::input(format!("cannot write {}: {e}", path.display()));
    forewarn_runtime::durable::write(path, bytes).map_err(fail)
}
