//! `forewarn log`: lists, checks and replays the event log.

use super::buses::system_context;
use super::common::{StateArg, count, time};
use super::error::CliError;
use super::history::ReportFormat;
use super::{Context, End};
use clap::Subcommand;
use forewarn_log::{Filter, Log, LogSpec};
use std::sync::Arc;

/// Lists, checks and replays the event log.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Lists entries
    List {
        #[command(flatten)]
        plain: Plain,
        /// Only entries of this stream
        #[arg(long, value_name = "NAME")]
        stream: Option<String>,
        /// Only entries of this type, with or without version; may be given again
        #[arg(long = "type", value_name = "TYPE")]
        types: Vec<String>,
        /// Only entries about this subject, such as an instance id
        #[arg(long, value_name = "ID")]
        subject: Option<String>,
        /// Only entries from this time on
        #[arg(long, value_name = "T")]
        from: Option<String>,
        /// Only entries before this time
        #[arg(long, value_name = "T")]
        to: Option<String>,
        /// At most this many
        #[arg(long, value_name = "N")]
        limit: Option<usize>,
    },
    /// Makes every table of current state again from the log; ends with 1 when one differed
    Rebuild(Plain),
    /// Forgets entries before a time, leaving a checkpoint from which the chain and the tables go on
    Prune {
        #[command(flatten)]
        plain: Plain,
        /// Forget what is older: a span such as 400d, or a time
        #[arg(long, value_name = "SPAN|T")]
        older_than: String,
    },
    /// Checks positions, versions, envelopes and the hash chain; ends with 1 at a fault
    Verify(Plain),
}

#[derive(Debug, clap::Args)]
struct Plain {
    #[command(flatten)]
    state: StateArg,
    /// A log in a table instead of the state: dynamodb:TABLE
    #[arg(long, value_name = "PLACE")]
    event_log: Option<String>,
    /// Prints text or JSON
    #[arg(long, value_enum, default_value = "text")]
    format: ReportFormat,
}

impl Plain {
    fn open(&self, context: &Context<'_>) -> Result<Arc<dyn Log>, CliError> {
        let spec = match &self.event_log {
            Some(place) => LogSpec::parse(place).map_err(CliError::input)?,
            None => self.state.spec(context)?.log(),
        };
        match &spec {
            LogSpec::Sqlite(path) if !path.exists() => Err(CliError::input(format!(
                "no event log at {}; `forewarn analyze --emit` or `forewarn mark` makes one",
                path.display()
            ))),
            LogSpec::Sqlite(_) | LogSpec::DynamoDb { .. } => Ok(spec.open(&system_context()?)?),
        }
    }
}

impl Args {
    pub(super) fn run(&self, context: &mut Context<'_>) -> Result<End, CliError> {
        match &self.command {
            Command::List { plain, stream, types, subject, from, to, limit } => {
                let at = |t: &Option<String>| t.as_deref().map(|t| instant(t, context)).transpose();
                let filter = Filter {
                    stream: stream.clone(),
                    subject: subject.clone(),
                    from: at(from)?,
                    to: at(to)?,
                    limit: *limit,
                    ..Filter::types(types.clone())
                };
                list(plain, &filter, context)
            }
            Command::Prune { plain, older_than } => prune(plain, older_than, context),
            Command::Rebuild(plain) => rebuild(plain, context),
            Command::Verify(plain) => verify(plain, context),
        }
    }
}

fn instant(text: &str, context: &Context<'_>) -> Result<jiff::Timestamp, CliError> {
    jiff::Timestamp::from_millisecond(time(text, context)?).map_err(CliError::input)
}

fn list(plain: &Plain, filter: &Filter, context: &mut Context<'_>) -> Result<End, CliError> {
    let entries = plain.open(context)?.select(filter)?;
    if plain.format == ReportFormat::Json {
        context.out.json(&entries)?;
        return Ok(End::Done);
    }
    for e in &entries {
        context.out.line(format_args!(
            "{:>8}  {}  {}  {}",
            e.position, e.envelope.time, e.envelope.type_, e.envelope.subject
        ))?;
    }
    Ok(End::Done)
}

fn prune(plain: &Plain, older_than: &str, context: &mut Context<'_>) -> Result<End, CliError> {
    let before = match forewarn_runtime::time::parse_span(older_than) {
        Some(ms) => context.now_ms - ms,
        None => time(older_than, context)?,
    };
    let at = |ms| jiff::Timestamp::from_millisecond(ms).map_err(CliError::input);
    let (before, now) = (at(before)?, at(context.now_ms)?);
    let log = plain.open(context)?;
    let texts = log.expire_texts(now)? as u64;
    let report = log.prune(before, now).map_err(CliError::failed)?;
    if plain.format == ReportFormat::Json {
        context.out.json(&report)?;
        return Ok(End::Done);
    }
    let (gone, left) = (count(report.entries), count(report.left));
    context
        .out
        .line(format_args!("{gone} entries before {before} pruned, {left} left; {} texts expired", count(texts)))?;
    if let Some(reader) = &report.waits_for {
        context.out.line(format_args!("older ones stay until the reader `{reader}` has read them"))?;
    }
    if let Some(c) = &report.checkpoint {
        context.out.line(format_args!("checkpoint at entry {}: {}", c.position, c.sha256))?;
    }
    Ok(End::Done)
}

fn rebuild(plain: &Plain, context: &mut Context<'_>) -> Result<End, CliError> {
    let report = plain.open(context)?.rebuild()?;
    if plain.format == ReportFormat::Json {
        context.out.json(&report)?;
    } else {
        let same = if report.identical { "identical to before" } else { "different from before" };
        context.out.line(format_args!("{} entries replayed; tables {same}", count(report.entries)))?;
        for (table, rows) in &report.rows {
            context.out.line(format_args!("  {table}  {} rows", count(*rows)))?;
        }
        if let Some(d) = &report.first_difference {
            context.out.line(format_args!(
                "{} differences, the first in {} at {}",
                count(report.differences),
                d.table.name(),
                d.key
            ))?;
        }
    }
    Ok(if report.identical { End::Done } else { End::Faults })
}

fn verify(plain: &Plain, context: &mut Context<'_>) -> Result<End, CliError> {
    let report = plain.open(context)?.verify()?;
    if plain.format == ReportFormat::Json {
        context.out.json(&report)?;
    } else {
        match &report.fault {
            None => {
                let from = report.checkpoint.as_ref().map(|c| format!(" after the checkpoint at {}", c.position));
                context.out.line(format_args!(
                    "{} entries{} in {} streams, no fault; chain ends in {}",
                    count(report.entries),
                    from.unwrap_or_default(),
                    count(report.streams),
                    report.hash
                ))?;
            }
            Some(fault) => context.out.line(format_args!("fault at entry {}: {}", fault.position, fault.what))?,
        }
    }
    Ok(if report.fault.is_none() { End::Done } else { End::Faults })
}
