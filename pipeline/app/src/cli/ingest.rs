//! `forewarn ingest`: CloudWatch through the stream into the history.

mod text;

use super::archive::StreamArg;
use super::common::{HistoryArg, StateArg, span, time};
use super::error::CliError;
use super::pull::PullArgs;
use super::{Context, End};
use crate::state::{self, StateSpec};
use forewarn_ingest::archive::{ArchiveReport, Gap};
use forewarn_ingest::source::follow::follow;
use forewarn_ingest::source::ingest::pull;
use forewarn_ingest::source::job::{Job, Mode};
use forewarn_ingest::source::place::Place;
use forewarn_ingest::source::report::Report;
use forewarn_ingest::source::state::State;
use forewarn_ingest::source::window::Window;
use forewarn_ingest::stream::{Producer, StreamSpec, open};
use forewarn_runtime::clock::SystemClock;
use forewarn_runtime::context::RuntimeContext;
use forewarn_runtime::interrupt::Interrupt;
use forewarn_runtime::metrics::unregistered;
use std::path::PathBuf;
use std::sync::Arc;

/// How the report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Table,
    Json,
}

/// Pulls metrics from CloudWatch, through the stream, into the history.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  forewarn ingest --once --from now-7d --to now --history H
  forewarn ingest --select tag:env=prod --every 1h --budget 2000000
  forewarn ingest --once --from now-63d --to now --ids dead.txt --regions eu-central-1,us-east-1

Exit codes: 0 done, 1 failed or not whole (run it again: it goes on where it ended), 2 usage.")]
pub(super) struct Args {
    #[command(flatten)]
    history: HistoryArg,
    #[command(flatten)]
    state: StateArg,
    /// Pulls once and ends: a range where --from and --to are given, else what is due since the last success
    #[arg(long)]
    once: bool,
    /// Start of the range
    #[arg(long, value_name = "T", requires = "once", requires = "to")]
    from: Option<String>,
    /// End of the range
    #[arg(long, value_name = "T", requires = "once", requires = "from")]
    to: Option<String>,
    #[command(flatten)]
    stream: StreamArg,
    #[command(flatten)]
    pull: PullArgs,
    /// How often following pulls
    #[arg(long, value_name = "SPAN", value_parser = span, default_value = "1h")]
    every: i64,
    /// Leaves what was pulled in the stream; `forewarn archive` takes it into the history
    #[arg(long)]
    no_archive: bool,
    /// How the report is written
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

/// What a round is done with.
struct Opened {
    places: Vec<Place>,
    state: State,
    producer: Box<dyn Producer>,
    spec: StreamSpec,
    dir: PathBuf,
    ctx: RuntimeContext,
}

/// The report of a round as one document.
#[derive(serde::Serialize)]
struct Document<'a> {
    #[serde(flatten)]
    report: &'a Report,
    /// What the archive did; null where it was not asked to.
    archive: Option<&'a ArchiveReport>,
}

impl Args {
    pub(super) fn run(&self, context: &mut Context<'_>) -> Result<End, CliError> {
        let mode = self.mode(context)?;
        let ctx = RuntimeContext { metrics: unregistered(), clock: Arc::new(SystemClock), stop: Interrupt::listen()? };
        let job = self.pull.settled(mode, context)?.job(&ctx);
        let (spec, dir) = (self.stream.spec(context)?, self.state.dir(context)?);
        let places = self.pull.places(context)?;
        let state = State::open(&dir).map_err(CliError::failed)?;
        let producer = open::producer(&spec, &dir, &ctx).map_err(CliError::failed)?;
        let mut opened = Opened { places, state, producer, spec, dir, ctx: ctx.clone() };
        if self.once {
            let report = self.round(&job, &mut opened, context)?;
            let done = if self.from.is_some() { report.is_whole() } else { report.complete };
            return Ok(if done { End::Done } else { End::Faults });
        }
        let delay = job.wanted.longest_delay_ms();
        follow(self.every, delay, &SystemClock, &ctx.stop, || self.round(&job, &mut opened, context))?;
        Ok(End::Done)
    }

    fn round(&self, job: &Job<'_>, opened: &mut Opened, context: &mut Context<'_>) -> Result<Report, CliError> {
        let pulled = pull(job, &opened.places, &opened.state, opened.producer.as_mut());
        let report = pulled.map_err(CliError::failed)?;
        let archived = if self.no_archive { None } else { Some(self.archive(opened, context)?) };
        match self.format {
            Format::Json => context.out.json(&Document { report: &report, archive: archived.as_ref() })?,
            Format::Table => {
                text::write(&report, context.out)?;
                if let Some(archived) = &archived {
                    context.out.line(super::archive::words(archived))?;
                }
            }
        }
        // A round's report is not to wait in a buffer for the next round.
        context.out.finish()?;
        Ok(report)
    }

    /// Takes what was pulled from the stream into the history.
    fn archive(&self, opened: &Opened, context: &Context<'_>) -> Result<ArchiveReport, CliError> {
        let kept = state::State::open(StateSpec::Dir(opened.dir.clone()), &opened.ctx)?;
        kept.archive(self.history.location(context), &opened.spec, Gap::Stop, &opened.ctx).map_err(CliError::failed)
    }

    fn mode(&self, context: &Context<'_>) -> Result<Mode, CliError> {
        let (Some(from), Some(to)) = (&self.from, &self.to) else { return Ok(self.pull.follow()) };
        let range = Window { from: time(from, context)?, to: time(to, context)? };
        if range.from >= range.to {
            return Err(CliError::input(format!("--from {from} is not before --to {to}")));
        }
        Ok(Mode::Once { range })
    }
}
