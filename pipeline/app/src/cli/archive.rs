//! `forewarn archive`: takes what is in the stream into the history.

use super::common::{HistoryArg, StateArg};
use super::error::CliError;
use super::history::ReportFormat;
use super::{Context, End};
use forewarn_ingest::archive::{ArchiveReport, Gap, RetryReport};
use forewarn_ingest::stream::StreamSpec;
use forewarn_runtime::clock::SystemClock;
use forewarn_runtime::context::RuntimeContext;
use forewarn_runtime::interrupt::Interrupt;
use forewarn_runtime::metrics::unregistered;
use std::sync::Arc;

/// Takes what is in the stream into the history: samples, events, instances.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  forewarn archive --history H --state S
  forewarn archive --history s3://bucket/fleet --state S --stream kinesis:fleet
  forewarn archive --history H --state S --retry-set-aside   (what could not be read, after an upgrade)

It takes what is waiting and ends; a run that was killed is completed by the next. `forewarn run` does it all the time.")]
pub(super) struct Args {
    #[command(flatten)]
    history: HistoryArg,
    #[command(flatten)]
    state: StateArg,
    #[command(flatten)]
    stream: StreamArg,
    /// Goes on with the oldest record that is kept where what follows the last one read is gone; ingest that time again
    #[arg(long)]
    past_lost: bool,
    /// Tries again records that can't be read and were set aside, after an upgrade, instead of taking what is waiting
    #[arg(long, conflicts_with = "past_lost")]
    retry_set_aside: bool,
    /// Prints text or JSON
    #[arg(long, value_enum, default_value = "text")]
    format: ReportFormat,
}

/// Which stream is used.
#[derive(Debug, clap::Args)]
pub(super) struct StreamArg {
    /// The stream: embedded, or kinesis:NAME [default: the setting, else embedded]
    #[arg(long, value_name = "STREAM")]
    pub(super) stream: Option<String>,
}

impl StreamArg {
    pub(super) fn spec(&self, context: &Context<'_>) -> Result<StreamSpec, CliError> {
        let said = self.stream.as_deref().or(context.settings.live.stream.as_deref());
        StreamSpec::parse(said).map_err(CliError::input)
    }
}

impl Args {
    pub(super) fn run(&self, context: &mut Context<'_>) -> Result<End, CliError> {
        let spec = self.stream.spec(context)?;
        let ctx = RuntimeContext { metrics: unregistered(), clock: Arc::new(SystemClock), stop: Interrupt::listen()? };
        let state = self.state.open(context, &ctx)?;
        if self.retry_set_aside {
            let report = state.retry_set_aside(self.history.location(context), &ctx)?;
            return self.say_retried(&report, context);
        }
        let gap = if self.past_lost { Gap::Pass } else { Gap::Stop };
        let report = state.archive(self.history.location(context), &spec, gap, &ctx)?;
        match self.format {
            ReportFormat::Json => context.out.json(&report)?,
            ReportFormat::Text => context.out.line(words(&report))?,
        }
        Ok(End::Done)
    }
}

impl Args {
    fn say_retried(&self, report: &RetryReport, context: &mut Context<'_>) -> Result<End, CliError> {
        use super::common::count;
        match self.format {
            ReportFormat::Json => context.out.json(report)?,
            ReportFormat::Text => context.out.line(format_args!(
                "{} records tried: {} taken ({} samples, {} events), {} left",
                count(report.tried),
                count(report.taken),
                count(report.samples),
                count(report.events),
                count(report.left)
            ))?,
        }
        Ok(End::Done)
    }
}

/// Says what the archive did.
pub(super) fn words(r: &ArchiveReport) -> String {
    use super::common::count;
    let aside = if r.set_aside > 0 {
        format!("; {} records can't be read and were set aside", r.set_aside)
    } else {
        String::new()
    };
    let expired = match r.expired {
        0 => String::new(),
        n => format!("; {} of days that were pruned and left out", count(n)),
    };
    format!(
        "{} records: {} samples, {} events, {} instances; {} rows in {} files ({} repeated){expired}{aside}",
        count(r.records),
        count(r.samples),
        count(r.events),
        count(r.instances),
        count(r.rows),
        count(r.files),
        count(r.repeated)
    )
}
