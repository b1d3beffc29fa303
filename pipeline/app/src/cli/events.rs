//! `forewarn events`: takes events of AWS in, shows and tries again what was set aside, and derives incidents.

use super::archive::StreamArg;
use super::common::{HistoryArg, StateArg, count, time};
use super::error::CliError;
use super::history::ReportFormat;
use super::operator;
use super::{Context, End};
use clap::Subcommand;
use forewarn_events::dead::DeadError;
use forewarn_history::History;
use forewarn_ingest::intake::file::{ImportError, import_file, retry};
use forewarn_ingest::intake::{Intake, IntakeError, IntakeReport};
use forewarn_ingest::stream::open;
use forewarn_rules::incident::Settings;
use forewarn_runtime::context::RuntimeContext;
use std::path::PathBuf;

/// Takes events in, deals with those set aside, and derives incidents.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  forewarn events import events.jsonl
  forewarn events poll --queue https://sqs.eu-west-1.amazonaws.com/123456789012/forewarn
  forewarn events dead
  forewarn events retry
  forewarn events incidents --from now-7d --to now --dry-run")]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Puts events from files, JSON as EventBridge, SQS, SNS or Auto Scaling deliver it, plain or gzipped, into the stream
    Import {
        #[command(flatten)]
        way: Way,
        /// The files
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Takes what waits in the queues, then ends
    Poll {
        #[command(flatten)]
        way: Way,
        /// The URLs of the SQS queues, comma-separated [default: the setting]
        #[arg(long, value_name = "URL")]
        queue: Option<String>,
    },
    /// Lists what was set aside, with the reasons
    Dead {
        #[command(flatten)]
        state: StateArg,
        /// Prints text or JSON
        #[arg(long, value_enum, default_value = "text")]
        format: ReportFormat,
    },
    /// Tries again what was set aside, after an upgrade
    Retry {
        #[command(flatten)]
        way: Way,
    },
    /// Derives incidents from status checks, events and log lines, and writes down those that are new
    Incidents {
        #[command(flatten)]
        history: HistoryArg,
        #[command(flatten)]
        state: StateArg,
        /// Incidents that began from this time on
        #[arg(long, value_name = "T")]
        from: String,
        /// Incidents that began before this time
        #[arg(long, value_name = "T", default_value = "now")]
        to: String,
        /// For how many minutes a status check must fail
        #[arg(long, value_name = "N", default_value = "5", value_parser = clap::value_parser!(u16).range(1..=1440))]
        minutes: u16,
        /// Shows what is found and writes nothing
        #[arg(long)]
        dry_run: bool,
        /// Prints text or JSON
        #[arg(long, value_enum, default_value = "text")]
        format: ReportFormat,
    },
}

/// Where events go.
#[derive(Debug, clap::Args)]
struct Way {
    #[command(flatten)]
    state: StateArg,
    #[command(flatten)]
    stream: StreamArg,
    /// Prints text or JSON
    #[arg(long, value_enum, default_value = "text")]
    format: ReportFormat,
}

impl From<ImportError> for CliError {
    fn from(e: ImportError) -> Self {
        match e {
            ImportError::File { .. } => Self::input(e),
            ImportError::Intake(_) | ImportError::Dead(_) => Self::failed(e),
        }
    }
}

impl From<DeadError> for CliError {
    fn from(e: DeadError) -> Self {
        Self::failed(e)
    }
}

impl From<IntakeError> for CliError {
    fn from(e: IntakeError) -> Self {
        Self::failed(e)
    }
}

impl Way {
    /// Opens stream and dead letters, and lets events be taken in.
    fn with<T>(
        &self,
        context: &Context<'_>,
        go: impl FnOnce(&mut Intake<'_>, &RuntimeContext) -> Result<T, CliError>,
    ) -> Result<T, CliError> {
        let spec = self.stream.spec(context)?;
        let ctx = RuntimeContext::standalone();
        let state = self.state.open(context, &ctx)?;
        let mut producer = open::producer(&spec, state.place(), &ctx).map_err(CliError::failed)?;
        let dead = self.state.dead(context)?;
        go(&mut Intake { producer: producer.as_mut(), dead: dead.as_ref(), metrics: &ctx.metrics }, &ctx)
    }

    fn say(&self, taken: &IntakeReport, context: &mut Context<'_>) -> Result<End, CliError> {
        if self.format == ReportFormat::Json {
            context.out.json(taken)?;
        } else {
            context.out.line(format_args!(
                "{} messages: {} events into the stream, {} of no interest, {} set aside",
                count(taken.messages),
                count(taken.events),
                count(taken.of_no_interest),
                count(taken.dead)
            ))?;
        }
        Ok(End::Done)
    }
}

impl Args {
    pub(super) fn run(&self, context: &mut Context<'_>) -> Result<End, CliError> {
        match &self.command {
            Command::Import { way, files } => {
                let taken = way.with(context, |intake, _| {
                    let mut taken = IntakeReport::default();
                    for file in files {
                        taken += import_file(file, intake, context.now_ms)?;
                    }
                    Ok(taken)
                })?;
                let end = way.say(&taken, context)?;
                if taken.messages > 0 && taken.dead == taken.messages {
                    let why = "nothing of it could be understood; `forewarn events dead` says why of each message";
                    return Err(CliError::input(why));
                }
                Ok(end)
            }
            Command::Poll { way, queue } => poll(way, queue.as_deref(), context),
            Command::Dead { state, format } => dead(state, *format, context),
            Command::Retry { way } => {
                let taken = way.with(context, |intake, _| Ok(retry(intake, context.now_ms)?))?;
                way.say(&taken, context)
            }
            Command::Incidents { history, state, from, to, minutes, dry_run, format } => {
                let range = (time(from, context)?, time(to, context)?);
                let settings = Settings { failing_ms: i64::from(*minutes) * 60_000, ..Settings::default() };
                let mut history = history.open(context)?;
                let report = if *dry_run {
                    let found = forewarn_predict::incidents::derive_from(&history, range.0, range.1, &settings)?;
                    forewarn_predict::incidents::Report { found, ..Default::default() }
                } else {
                    observe(&mut history, state, range, &settings, context)?
                };
                say_incidents(&report, *format, context)
            }
        }
    }
}

#[cfg(feature = "aws")]
fn poll(way: &Way, queue: Option<&str>, context: &mut Context<'_>) -> Result<End, CliError> {
    use forewarn_events::sqs::SqsQueue;
    use forewarn_ingest::poll::{Until, poll};
    let urls = queue.or(context.settings.live.queue.as_deref());
    let urls = urls.ok_or_else(|| CliError::input("no queue is named; give --queue, or the setting queue"))?;
    let aws = forewarn_runtime::aws::Aws::load().map_err(CliError::failed)?;
    let stop = forewarn_runtime::interrupt::Interrupt::listen()?;
    let polled = way.with(context, |intake, ctx| {
        let mut queues = SqsQueue::each(&aws, urls, 1);
        Ok(poll(&mut queues, intake, ctx.clock.as_ref(), Until::Empty, &stop)?)
    })?;
    if polled.left > 0 {
        tracing::warn!(left = polled.left, "messages could not be deleted; they come again, which does no harm");
    }
    way.say(&polled.taken, context)
}

#[cfg(not(feature = "aws"))]
fn poll(_: &Way, _: Option<&str>, _: &mut Context<'_>) -> Result<End, CliError> {
    Err(CliError::input("this forewarn was built without AWS; `forewarn events import` takes files"))
}

fn dead(state: &StateArg, format: ReportFormat, context: &mut Context<'_>) -> Result<End, CliError> {
    let letters = state.dead(context)?.list()?;
    if format == ReportFormat::Json {
        context.out.json(&letters)?;
        return Ok(End::Done);
    }
    for letter in &letters {
        context.out.line(format_args!(
            "{}  {}  {}  {} bytes from {}: {}",
            letter.at,
            letter.sha256.get(..12).unwrap_or(&letter.sha256),
            letter.reason.name(),
            count(letter.bytes),
            letter.origin,
            letter.words
        ))?;
    }
    context.out.line(format_args!("{} set aside", count(letters.len() as u64)))?;
    Ok(End::Done)
}

fn observe(
    history: &mut History,
    state: &StateArg,
    range: (i64, i64),
    settings: &Settings,
    context: &Context<'_>,
) -> Result<forewarn_predict::incidents::Report, CliError> {
    let log = operator::open(state, context)?;
    Ok(forewarn_predict::incidents::observe(history, &*log, range.0, range.1, settings)?)
}

fn say_incidents(
    report: &forewarn_predict::incidents::Report,
    format: ReportFormat,
    context: &mut Context<'_>,
) -> Result<End, CliError> {
    if format == ReportFormat::Json {
        context.out.json(report)?;
        return Ok(End::Done);
    }
    for found in &report.found {
        let i = &found.incident;
        context.out.line(format_args!(
            "{}  {}  {}  until {}: {}",
            forewarn_runtime::time::format_ms(i.ts),
            i.instance_id,
            i.cause.name(),
            forewarn_runtime::time::format_ms(i.until),
            i.evidence
        ))?;
    }
    context.out.line(format_args!(
        "{} found; {} new in the log, {} new in the history",
        count(report.found.len() as u64),
        count(report.logged as u64),
        count(report.kept as u64)
    ))?;
    Ok(End::Done)
}
