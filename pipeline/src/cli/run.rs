//! `forewarn run`: the whole pipeline in one process.

use super::archive::StreamArg;
use super::buses::BusArgs;
use super::common::{HistoryArg, MapArg, RulesArg, StateArg, load_rules, span};
use super::error::CliError;
use super::{Context, End};
use crate::announce::log_path;
use crate::clock::SystemClock;
use crate::emit;
use crate::interrupt::Interrupt;
use crate::log::SqliteLog;
use crate::run::gate::Gate;
use crate::run::{Job, PARTS, PartName, run};
use crate::schedule::Schedule;
use crate::stream::Surroundings;
use crate::vitals::Vitals;
use std::path::PathBuf;
use std::sync::Arc;

/// Runs the pipeline: pulls, archives, predicts and announces, until it is told to end.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  forewarn run --history H --state S --select tag:AutoRecovery=enabled
  forewarn run --history s3://bucket/fleet --state S --stream kinesis:fleet --eventbridge fleet
  forewarn run --only archive,analyze,emit --history H --state S --metrics-listen 127.0.0.1:9464

A part that fails is started again and never stops the others. Ctrl-C and SIGTERM end it when each part has finished what it is at.")]
#[expect(clippy::doc_markdown, reason = "shown as help on a terminal, where backticks are noise")]
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
    stream: StreamArg,
    #[command(flatten)]
    buses: BusArgs,
    /// Only these parts
    #[arg(long, value_enum, value_name = "PART", value_delimiter = ',')]
    only: Vec<PartName>,
    /// The time between two rounds of predictions
    #[arg(long, value_name = "SPAN", default_value = "1h", value_parser = span)]
    every: i64,
    /// How long after the whole hour a round speaks, so that the hour's data is there
    #[arg(long, value_name = "SPAN", default_value = "10m", value_parser = span)]
    offset: i64,
    /// How many missed rounds are caught up with at most
    #[arg(long, value_name = "N", default_value_t = 168)]
    most: usize,
    /// A second rule set that is scored silently: its predictions are kept in the history and never announced [default: the setting]
    #[arg(long, value_name = "FILE")]
    shadow: Option<PathBuf>,
    /// Serves forewarn's own metrics to Prometheus, such as 127.0.0.1:9464 [default: the setting]
    #[arg(long, value_name = "ADDR")]
    metrics_listen: Option<String>,
}

impl Args {
    pub(super) fn run(&self, context: &mut Context<'_>) -> Result<End, CliError> {
        let (ruleset, _) = self.rules.load(context)?;
        let live = &context.settings.live;
        let shadow = self.shadow.clone().or_else(|| live.shadow.as_ref().map(PathBuf::from));
        let shadow = shadow.map(|path| load_rules(&path)).transpose()?.map(|(rules, _)| rules);
        let vitals = Arc::new(Vitals::default());
        if let Some(address) = self.metrics_listen.as_ref().or(live.metrics_listen.as_ref()) {
            let bound = crate::listen::serve(address, Vitals::clone(&vitals)).map_err(CliError::input)?;
            tracing::info!("serving metrics on http://{bound}/metrics");
        }
        let around = Surroundings { vitals, clock: Arc::new(SystemClock), stop: Interrupt::listen()? };
        let state = self.state.dir(context);
        super::analyze::create_dir(&state)?;
        let job = Job {
            history: self.history.location(context).to_owned(),
            stream: self.stream.spec(context)?,
            ruleset,
            shadow,
            names: self.map.names(),
            wanted: self.buses.wanted(&self.state, context),
            rounds: Schedule { every: self.every, offset: self.offset, most: self.most },
            around,
            state,
        };
        // A bus that is new begins here, before any round.
        let means = emit::Means {
            clock: job.around.clock.clone(),
            stop: job.around.stop.clone(),
            vitals: job.around.vitals.clone(),
        };
        drop(emit::outbox::open(&SqliteLog::open(&log_path(&job.state))?, &job.wanted, false, &means)?);
        let only = if self.only.is_empty() { PARTS.to_vec() } else { self.only.clone() };
        let gate = Gate::new(only.contains(&PartName::Ingest));
        run(&job, &only, &gate, Vec::new());
        Ok(End::Done)
    }
}
